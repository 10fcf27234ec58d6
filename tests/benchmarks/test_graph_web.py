"""The web-like graph that benchmarks build: the same each time, whole, and like a web in what matters to a store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.graph_web import EdgeFiles, GraphWeb, made_web, uniform_bound_bytes_per_edge
from benchmarks.outside import Work, measured, serve
from weaver.codec.block_codec import BlockCodec, sort_rows


def _pairs(web: GraphWeb) -> np.ndarray[tuple[int, ...], np.dtype[np.uint64]]:
    sources = np.repeat(np.arange(1, web.nodes + 1, dtype=np.uint64), web.degrees)
    return sources << np.uint64(32) | web.targets


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(nodes=st.integers(2, 600), links=st.integers(2, 30), seed=st.integers(0, 5))
def test_a_web_has_the_size_that_was_asked_for(nodes: int, links: int, seed: int) -> None:
    """Nodes are as many as asked for, edges no more than that and distinct, all ends are nodes, each page is found."""
    web = made_web(nodes, nodes * links, seed)
    assert (web.nodes, len(web.hosts), len(web.kinds)) == (nodes, nodes, web.edges)
    assert web.edges <= max(nodes * links, nodes - 1)
    assert len(np.unique(_pairs(web))) == web.edges
    assert web.targets.min() >= 1
    assert web.targets.max() <= nodes
    assert set(range(2, nodes + 1)) <= set(web.targets.tolist())


def test_a_web_is_the_same_each_time() -> None:
    """The same numbers give the same web, another seed another one; enough edges can be had exactly."""
    one, again, other = made_web(2_000, 30_000), made_web(2_000, 30_000), made_web(2_000, 30_000, 2)
    assert one.edges == 30_000
    for name in ("hosts", "degrees", "targets", "kinds"):
        assert np.array_equal(getattr(one, name), getattr(again, name))
    assert not np.array_equal(_pairs(one)[:1_000], _pairs(other)[:1_000])


def test_a_web_is_met_as_by_a_crawl() -> None:
    """Ids rise in the order in which pages link to them first, so that none is unknown when it is read."""
    web = made_web(3_000, 40_000)
    sources = np.repeat(np.arange(1, web.nodes + 1), web.degrees)
    first_source = np.full(web.nodes + 1, web.nodes + 1)
    np.minimum.at(first_source, web.targets, sources)
    assert (np.diff(first_source[2:]) >= 0).all()
    assert (first_source[2:] < np.arange(2, web.nodes + 1)).all()


@pytest.mark.slow
def test_a_web_is_like_a_web() -> None:
    """Hubs, shared templates and locality: most links stay at the host, and a link takes far less than a random one."""
    web = made_web(20_000, 400_000)
    in_degrees = np.bincount(web.targets, minlength=web.nodes + 1)
    assert in_degrees.max() > 100 * in_degrees.mean()
    sources = np.repeat(np.arange(web.nodes), web.degrees)
    assert 0.8 < (web.hosts[sources] == web.hosts[web.targets - 1]).mean() < 1
    rows, _ = sort_rows(web.degrees, web.targets, web.kinds)
    blocks = BlockCodec().encode_all(np.arange(1, web.nodes + 1, dtype=np.uint32), web.degrees, rows)
    bits_per_link = 8 * sum(map(len, blocks)) / web.edges
    assert 2 < bits_per_link < 4 * uniform_bound_bytes_per_edge(web.nodes, web.edges)


@pytest.mark.parametrize("most_edges", [1, 50, 1_000, 10_000])
def test_a_web_is_read_back_by_windows(most_edges: int, tmp_path: Path) -> None:
    """Windows of any size hold each page once, whole, up to the edges that were asked for."""
    web = made_web(300, 2_500)
    web.write(tmp_path)
    for cut in (None, 1_200, 1):
        files = EdgeFiles(tmp_path, cut)
        windows = list(files.windows(most_edges))
        assert files.edges <= (web.edges if cut is None else cut)
        assert [window.first for window in windows] == np.cumsum([1, *(len(w.hosts) for w in windows)])[:-1].tolist()
        assert [host for window in windows for host in window.hosts] == web.hosts[: files.pages].tolist()
        degrees = [np.diff(window.begins) for window in windows]
        assert np.concatenate([*degrees, [0]])[:-1].tolist() == web.degrees[: files.pages].tolist()
        read = np.concatenate([np.zeros(0, np.uint32), *(window.targets for window in windows)])
        assert np.array_equal(read, web.targets[: files.edges])
        assert b"".join(window.kinds for window in windows) == web.kinds[: files.edges].tobytes()
    assert EdgeFiles(tmp_path).pages == web.nodes


@pytest.mark.slow
def test_memory_is_measured_from_outside() -> None:
    """What a process takes between its two steps is told by another one: 32 MiB are 32 MiB."""
    figures = measured(["tests.benchmarks.test_graph_web"])
    assert figures["made"] == 32
    assert 31 << 20 < figures["rss_bytes"] < 40 << 20
    assert figures["peak_rss_bytes"] >= figures["rss_bytes"]


if __name__ == "__main__":

    def _work() -> Work:
        yield {}
        made = np.ones(32 << 20, np.uint8)
        yield {"made": len(made) >> 20}

    serve(_work())
