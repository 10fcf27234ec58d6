"""What each stage of a crawl costs: CPU us a page and a link, from samples of the stack taken as the crawl runs.

The timer counts CPU, and a sample weighs what the crawl's thread used since the one before; the other threads (the
writer's) are what the process used besides. `python -m benchmarks.stages --site postgresql --json`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import uvloop

from benchmarks.contenders.outcome import pin
from benchmarks.contenders.weaver_crawl import crawl, stored_links, stored_pages, unhindered
from benchmarks.crawl import CONCURRENCY, CRAWLER_CORE, SITES, default_site, served
from weaver.base import version

_PACKAGE = f"{Path(version.__file__).parent.parent}/"
_INTERVAL_S = 0.001
# By function first, then by module, then by package: the first name that is here says the stage.
_STAGES = {
    "parse/html.read_tree": "parse: tree", "parse/html._links": "parse: links", "parse/html._head_facts": "parse: head",
    "parse/html._visible_text": "parse: text", "parse/html._markup_of": "parse: charset",
    "parse/plain": "parse: plain", "parse/charset": "parse: charset", "parse/census": "parse: census",
    "parse/guard": "parse: guard", "parse/open_elements": "parse: guard", "parse": "parse: rest",
    "base/url": "normalise", "frontier/seen": "seen", "frontier/host_ids": "discovery",
    "frontier/href_cache": "discovery", "frontier/discovery": "discovery", "frontier/depths": "discovery",
    "frontier/refused": "discovery", "frontier": "queue", "dedupe": "dedupe", "graph": "graph",
    "persistence": "journal", "pipeline/journal": "journal", "pipeline/record_bytes": "journal", "fetch": "fetch",
    "politeness": "politeness", "pipeline": "page run",
}  # fmt: skip


def stage_of(frame: FrameType | None) -> str:
    """The stage of the innermost frame that belongs to one; what no frame of weaver's is under is the loop's."""
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(_PACKAGE):
            for name in _names(path[len(_PACKAGE) : -len(".py")], frame.f_code.co_name):
                if name in _STAGES:
                    return _STAGES[name]
        frame = frame.f_back
    return "loop"


def _names(module: str, function: str) -> Iterator[str]:
    yield f"{module}.{function}"
    yield module
    yield module.partition("/")[0]


class Sampler:
    """CPU seconds of this thread by stage."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._last = 0.0

    def __enter__(self) -> Sampler:
        self._process_from, self._last = time.process_time(), time.thread_time()
        self._thread_from = self._last
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, _INTERVAL_S, _INTERVAL_S)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        of_thread = time.thread_time() - self._thread_from
        self.seconds["other threads"] = time.process_time() - self._process_from - of_thread

    def _sample(self, _signal: int, frame: FrameType | None) -> None:
        now = time.thread_time()
        self.seconds[stage_of(frame)] += now - self._last
        self._last = time.thread_time()


def measured(entry: str) -> dict[str, object]:
    """One crawl's table."""
    sampler = Sampler()
    with tempfile.TemporaryDirectory(prefix="weaver-bench-") as folder:
        directory = Path(folder) / "crawl"
        with sampler, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(crawl(unhindered(entry, CONCURRENCY), directory))
        pages, links = len(stored_pages(directory)), stored_links(directory)
    us = {stage: 1e6 * seconds for stage, seconds in sampler.seconds.most_common()}
    return {
        "pages": pages,
        "links": links,
        "us_a_page": {stage: round(cost / pages, 1) for stage, cost in us.items()},
        "us_a_link": {stage: round(cost / max(1, links), 3) for stage, cost in us.items()},
        "total_us_a_page": round(sum(us.values()) / pages, 1),
    }


def table(costs: dict[str, dict[str, float]], total: float) -> str:
    """What a person reads."""
    lines = [f"{'':16}{'us/page':>9}{'share':>8}{'us/link':>9}"]
    for stage, cost in costs["us_a_page"].items():
        lines.append(f"{stage:16}{cost:9.1f}{cost / total:8.1%}{costs['us_a_link'][stage]:9.3f}")
    return "\n".join([*lines, f"{'all':16}{total:9.1f}"])


def main() -> None:
    """Crawl one site and print what its stages cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", choices=[*SITES, "generated"], default=default_site())
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    arguments = parser.parse_args()
    pin(CRAWLER_CORE)
    with served(arguments.site) as entry:
        pin(CRAWLER_CORE)
        result = measured(entry)
    if arguments.json:
        print(json.dumps({"site": arguments.site, **result}))
        return
    print(f"{arguments.site}: {result['pages']} pages, {result['links']} stored links")
    print(table(result, result["total_us_a_page"]))


if __name__ == "__main__":
    main()
