"""Depth: with a limit, exactly the pages within it are fetched, whatever the order in which answers come."""

from __future__ import annotations

import asyncio
import tempfile
from collections import deque
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.tiny_web import SITE, answer, crawl_all, html, redirect, settings_for, site
from weaver.base.page import Fetched
from weaver.fetch import ScriptedTransport
from weaver.memory.admission import Admission

NODES = 14


class SlowTransport(ScriptedTransport):
    """A scripted transport whose answers come after a number of turns of the event loop that differs by URL."""

    turns: Mapping[str, int]

    async def get(
        self, url: str, headers: Mapping[str, str], max_body_bytes: int, room: Admission, *, is_fresh: bool = False
    ) -> Fetched:
        for _ in range(self.turns.get(url.removeprefix(SITE), 0)):
            await asyncio.sleep(0)
        return await super().get(url, headers, max_body_bytes, room, is_fresh=is_fresh)


def distances(links: list[list[int]], redirects: dict[int, int]) -> dict[int, int]:
    """Links away from node 0, redirects counting nothing (a 0-1 breadth-first search)."""
    found = {0: 0}
    waiting = deque([0])
    while waiting:
        node = waiting.popleft()
        steps = [(redirects[node], 0)] if node in redirects else [(target, 1) for target in links[node]]
        for target, step in steps:
            if found[node] + step < found.get(target, NODES + 1):
                found[target] = found[node] + step
                (waiting.append if step else waiting.appendleft)(target)
    return found


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    links=st.lists(st.lists(st.integers(0, NODES - 1), max_size=4), min_size=NODES, max_size=NODES),
    redirects=st.dictionaries(st.integers(1, NODES - 1), st.integers(0, NODES - 1), max_size=4),
    turns=st.lists(st.sampled_from([0, 1, 20, 200]), min_size=NODES, max_size=NODES),
    max_depth=st.integers(0, 5),
)
def test_the_pages_within_the_depth_are_fetched_and_no_others(
    links: list[list[int]], redirects: dict[int, int], turns: list[int], max_depth: int
) -> None:
    """The set of pages and their depths equal a breadth-first search's, with answers in any order."""
    pages = {
        f"/{node}": redirect(f"{SITE}/{node}", f"/{redirects[node]}")
        if node in redirects
        else answer(f"{SITE}/{node}", html(f"page {node}", *(f"/{target}" for target in links[node])))
        for node in range(NODES)
    }
    web = SlowTransport(site(pages).answers)
    web.turns = {f"/{node}": turns[node] for node in range(NODES)}
    wanted = settings_for(f"{SITE}/0", crawl__max_depth=max_depth, fetch__max_redirects=50)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(crawl_all(web, Path(folder) / "c", wanted))
    expected = {f"/{node}" for node, depth in distances(links, redirects).items() if depth <= max_depth}
    assert found.keys() == expected
