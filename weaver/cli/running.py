"""Running a crawl from the command line: the event loop, the two stages of Ctrl-C, and the progress beside it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from weaver.base.settings import Settings
from weaver.cli.figures import Status
from weaver.cli.lazy import imported
from weaver.cli.progress import Progress, event_line, page_line
from weaver.pipeline import Crawl, open_crawl

TICK_S = 0.5
EVENTS_A_TICK = 64


@dataclass(frozen=True, slots=True)
class Job:
    """One crawl to run in this process."""

    settings: Settings
    directory: Path
    progress: Progress
    is_resumed: bool = False
    has_page_lines: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """How a crawl ended, with its last status."""

    exit_reason: str
    status: Status
    graph_digest: str | None


def run_job(job: Job) -> Ended:
    """Run a crawl to its end in an event loop of its own, in a process that is there for it."""
    with asyncio.Runner(loop_factory=loop_factory(job.settings)) as runner:
        return runner.run(crawl_job(job))


def loop_factory(settings: Settings) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed and the settings leave the choice; None for asyncio's own."""
    if settings.crawl.event_loop == "asyncio" or find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = imported("uvloop:new_event_loop")
    return factory


async def crawl_job(job: Job) -> Ended:
    """Run a crawl in the running loop."""
    async with open_crawl(job.settings, job.directory, resume=job.is_resumed) as crawl:
        with interruptible(crawl, job.progress.note):
            async with _shown(crawl, job.progress):
                await (_run_with_lines(crawl, job.progress) if job.has_page_lines else crawl.run_to_end())
    assert crawl.exit_reason is not None
    return Ended(str(crawl.exit_reason), crawl.status(), crawl.graph_digest)


async def _run_with_lines(crawl: Crawl, progress: Progress) -> None:
    crawl.events.listen(lambda event: progress.note(event_line(event)))
    async for page in crawl.run():
        progress.note(page_line(page))


@contextlib.contextmanager
def interruptible(crawl: Crawl, note: Callable[[str], None]) -> Iterator[None]:
    """SIGINT or SIGTERM drains the crawl, the second stops it at once, the third is the system's own."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    asked = 0

    def on_signal() -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            note("finishing what is under way; Ctrl-C again to stop at once")
            crawl.drain()
            return
        note("stopping at once")
        for number in signals:
            loop.remove_signal_handler(number)
        crawl.stop()

    for number in signals:
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def _shown(crawl: Crawl, progress: Progress) -> AsyncIterator[None]:
    """The progress, drawn from a task of its own while the block runs."""
    progress.open()
    drawing = asyncio.create_task(_draw(crawl, progress), name="progress")
    try:
        yield
    finally:
        drawing.cancel()
        await asyncio.wait([drawing])
        progress.close()


async def _draw(crawl: Crawl, progress: Progress) -> None:
    while True:
        progress.tick(crawl.status(), crawl.events.newest(EVENTS_A_TICK))
        await asyncio.sleep(TICK_S)
