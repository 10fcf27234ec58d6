"""What a request costs through weaver's Fetcher, beside a bare aiohttp get, against nginx on loopback.

    python -m benchmarks.fetch [--requests 4000] [--rounds 5] [--concurrency 32] [--body 37000]

The two take turns; each line is one JSON document with the median of the rounds in us of CPU a request (this process).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import uvloop
from yarl import URL

from tests.support.nginx import Site, nginx
from weaver.base.clock import SystemClock
from weaver.base.page import Response, Task
from weaver.base.settings import FetchSettings
from weaver.fetch import build_fetcher

PAGES = 64
USER_AGENT = "weaver-benchmark"
Get = Callable[[int, str], Awaitable[int]]


async def _drive(get: Get, urls: list[str], concurrency: int) -> float:
    """CPU us for each of `urls`, `concurrency` of them under way at once."""
    queue = iter(enumerate(urls))

    async def work() -> None:
        for number, url in queue:
            assert await get(number, url) == 200

    started_s = time.process_time()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    return (time.process_time() - started_s) / len(urls) * 1e6


async def _measure(origin: str, requests: int, rounds: int, concurrency: int) -> dict[str, list[float]]:
    urls = [f"{origin}/{number % PAGES}.html" for number in range(requests)]
    tasks = [Task(number, url, 1) for number, url in enumerate(urls)]
    fetcher = build_fetcher(FetchSettings(allow_private=True), USER_AGENT, concurrency, frozenset(), SystemClock())
    connector = aiohttp.TCPConnector(limit=concurrency)
    session = aiohttp.ClientSession(connector=connector, headers={"User-Agent": USER_AGENT}, auto_decompress=False)

    async def bare(_: int, url: str) -> int:
        async with session.get(URL(url, encoded=True), allow_redirects=False) as response:
            await response.read()
            return response.status

    async def weaver(number: int, _: str) -> int:
        fetched = await fetcher.get(tasks[number])
        return fetched.status if isinstance(fetched, Response) else 0

    took: dict[str, list[float]] = {"bare": [], "weaver": []}
    try:
        for _ in range(rounds + 1):
            took["bare"].append(await _drive(bare, urls, concurrency))
            took["weaver"].append(await _drive(weaver, urls, concurrency))
    finally:
        await session.close()
        await fetcher.close()
    return {name: values[1:] for name, values in took.items()}  # the first round warms up


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--body", type=int, default=37_000, help="bytes of a page")
    return parser.parse_args()


def main() -> None:
    """Measure on both loops and print a line for each."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number in range(PAGES):
            (root / f"{number}.html").write_bytes(b"<p>page</p>".ljust(arguments.body, b" "))
        with nginx([Site("127.0.0.1", 0, root)]) as server:
            for name, make_loop in (("asyncio", asyncio.new_event_loop), ("uvloop", uvloop.new_event_loop)):
                with asyncio.Runner(loop_factory=make_loop) as runner:
                    took = runner.run(
                        _measure(server.origins[0], arguments.requests, arguments.rounds, arguments.concurrency)
                    )
                print(json.dumps(_facts(name, arguments.body, took)))


def _facts(loop: str, body_bytes: int, took: dict[str, list[float]]) -> dict[str, object]:
    medians = {name: round(statistics.median(values), 1) for name, values in took.items()}
    over = round(medians["weaver"] - medians["bare"], 1)
    rounds = {name: [round(value) for value in values] for name, values in took.items()}
    facts = {"benchmark": "fetch", "loop": loop, "body_bytes": body_bytes, "unit": "us CPU/request"}
    return facts | medians | {"over": over, "rounds": rounds}


if __name__ == "__main__":
    main()
