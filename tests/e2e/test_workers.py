"""kill -9 of a crawl with worker processes: none of them stays behind, and the resumed crawl ends as it would have."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import psutil
import pytest

from tests.support.counting_web import Answer, CountingWeb, Hit, counting_web
from tests.support.crawls import Left, command, run_command
from tests.support.waiting import until

pytestmark = pytest.mark.slow

PAGES = 600
FLAGS = ("--json", "-q", "--allow-private", "--delay", "0", "--per-host", "8", "--concurrency", "8")


def _site(hit: Hit, _times: int) -> Answer:
    name = hit.path.removeprefix("/")
    if not name.startswith("page"):
        return Answer(404)
    number = int(name[4:])
    links = "".join(f'<a href="/page{(2 * number + step) % PAGES}">x</a>' for step in (1, 2))
    return Answer(body=f"<title>{number}</title><p>{f'Page {number} is like no other. ' * 12}{links}".encode())


def _pids(directory: Path) -> list[int]:
    """The worker processes that the crawl has told of."""
    log = directory / "events.jsonl"
    lines = log.read_text("utf-8").splitlines() if log.exists() else []
    # The last line may be half written.
    told = [json.loads(line) for line in lines if line.endswith("}")]
    return [event["pid"] for event in told if event["kind"] == "worker_started"]


async def _killed_with_workers(web: CountingWeb, entry: str, directory: Path) -> list[int]:
    async with command("crawl", entry, "-o", str(directory), "--workers", "3", *FLAGS) as process:
        await until(lambda: len(_pids(directory)) == 2)
        pids = _pids(directory)
        assert all(map(psutil.pid_exists, pids))
        await web.wait_for_hits(len(web.hits) + 50)
        process.kill()
        await process.wait()
    return pids


async def test_a_killed_crawl_leaves_no_worker_and_is_resumed(tmp_path: Path) -> None:
    """Workers end when their crawl is no more; resumed with another number it finds the same pages and edges."""
    async with counting_web(_site, latency_s=0.05) as web:
        entry, directory = f"{web.origins[0]}/page0", tmp_path / "killed"
        pids = await _killed_with_workers(web, entry, directory)
        await until(lambda: not any(_is_running(pid) for pid in pids))
        web.latency_s = 0.0
        resumed = await run_command("resume", str(directory), "--json", "-q", "--workers", "2")
        calm = await run_command("crawl", entry, "-o", str(tmp_path / "calm"), "--workers", "1", *FLAGS)
    assert resumed["graph_digest"] == calm["graph_digest"] != ""
    assert Left(directory).pages == Left(tmp_path / "calm").pages
    assert Left(directory).integrity == "ok"


async def test_an_interrupted_crawl_drains_its_workers(tmp_path: Path) -> None:
    """Ctrl-C at the terminal reaches the crawl alone: what is under way in its workers is finished and kept."""
    async with counting_web(_site, latency_s=0.05) as web:
        directory = tmp_path / "drained"
        arguments = ("crawl", f"{web.origins[0]}/page0", "-o", str(directory), "--workers", "3", *FLAGS)
        async with command(*arguments) as process:
            await until(lambda: len(_pids(directory)) == 2)
            await web.wait_for_hits(len(web.hits) + 20)
            for target in (process.pid, *_pids(directory)):
                psutil.Process(target).send_signal(2)
            output, _ = await asyncio.wait_for(process.communicate(), 30)
    document = json.loads(output)
    assert document["exit_reason"] == "drained"
    assert document["pages"]["local_limits"] == 0
    assert document["workers"]["lost"] == 0


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
