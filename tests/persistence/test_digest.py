"""The graph's digest: the same for the same edges, another for any other."""

from __future__ import annotations

import pytest
import xxhash
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.persistence.making import adjacency, in_memory, page_row, url_row
from weaver.base.errors import PersistenceError
from weaver.base.page import EdgeKind
from weaver.base.record import CommitRecord
from weaver.persistence import Connection, graph_digest
from weaver.persistence.statements import write_records

Edge = tuple[str, EdgeKind, str]

URLS = st.sampled_from([f"http://h/{name}" for name in ("", "a", "b", "é", "a?b")])
KINDS = [kind for kind in EdgeKind if kind is not EdgeKind.NEAR_DUPLICATE]
EDGES = st.lists(st.tuples(URLS, st.sampled_from(KINDS), URLS), max_size=12, unique=True)


def _graph(edges: list[Edge], ids: dict[str, int]) -> Connection:
    connection = in_memory()
    urls = tuple(url_row(url_id, url) for url, url_id in ids.items())
    records = [CommitRecord(urls=urls)]
    for source in {source for source, _, _ in edges}:
        out = [(ids[target], kind) for url, kind, target in edges if url == source]
        records.append(CommitRecord(page=page_row(ids[source]), adjacency=adjacency(out)))
    write_records(connection, records)
    return connection


def _digest(edges: list[Edge], *, backwards: bool = False) -> str:
    urls = sorted({url for source, _, target in edges for url in (source, target)}, reverse=backwards)
    connection = _graph(edges, {url: i * 3 + 1 for i, url in enumerate(urls)})
    try:
        return graph_digest(connection)
    finally:
        connection.close()


@given(st.data(), EDGES)
def test_ids_and_order_do_not_matter(data: st.DataObject, edges: list[Edge]) -> None:
    """The digest depends on the texts alone, and is what its definition says."""
    total = sum(xxhash.xxh3_128_intdigest(f"{s}\t{k.name.lower()}\t{t}".encode()) for s, k, t in edges) % 2**128
    expected = xxhash.xxh3_128_hexdigest(total.to_bytes(16, "big") + len(edges).to_bytes(8, "big"))
    assert _digest(edges) == expected
    assert _digest(data.draw(st.permutations(edges)), backwards=True) == expected


@given(EDGES, EDGES)
def test_other_edges_have_another_digest(edges: list[Edge], others: list[Edge]) -> None:
    """A missing edge, another kind, a turned edge: each changes the digest."""
    assume(set(edges) != set(others))
    assert _digest(edges) != _digest(others)


def test_near_duplicates_leave_the_digest_alone() -> None:
    """Which page a near duplicate is led to depends on the order of arrival: such an edge is in no digest."""
    edges = [("http://h/a", EdgeKind.HYPERLINK, "http://h/b")]
    assert _digest([*edges, ("http://h/b", EdgeKind.NEAR_DUPLICATE, "http://h/a")]) == _digest(edges)


def test_many_edges_are_read_in_batches() -> None:
    """More edges than a batch holds give the digest that they would give at once."""
    urls = [f"http://h/{i}" for i in range(400)]
    edges = [(source, EdgeKind.HYPERLINK, target) for source in urls for target in urls]
    total = sum(xxhash.xxh3_128_intdigest(f"{s}\thyperlink\t{t}".encode()) for s, _, t in edges) % 2**128
    expected = xxhash.xxh3_128_hexdigest(total.to_bytes(16, "big") + len(edges).to_bytes(8, "big"))
    ids = {url: i + 1 for i, url in enumerate(urls)}
    connection = _graph_of_all(ids)
    assert graph_digest(connection) == expected
    connection.close()


def _graph_of_all(ids: dict[str, int]) -> Connection:
    connection = in_memory()
    everyone = adjacency([(url_id, EdgeKind.HYPERLINK) for url_id in ids.values()])
    records = [CommitRecord(urls=tuple(url_row(url_id, url) for url, url_id in ids.items()))]
    write_records(
        connection, records + [CommitRecord(page=page_row(url_id), adjacency=everyone) for url_id in ids.values()]
    )
    return connection


def test_ids_far_apart_and_long_urls_are_read_in_parts() -> None:
    """URLs that exceed what is held at a time, and ids with gaps between them, give the digest of all at once."""
    urls = {3 + 1_000 * i: f"http://h/{i}/{'x' * 60_000}" for i in range(80)}
    pairs = [(source, target) for source in list(urls)[:3] for target in urls]
    lines = [f"{urls[source]}\thyperlink\t{urls[target]}".encode() for source, target in pairs]
    total = sum(map(xxhash.xxh3_128_intdigest, lines)) % 2**128
    edges = [(urls[source], EdgeKind.HYPERLINK, urls[target]) for source, target in pairs]
    connection = _graph(edges, {url: url_id for url_id, url in urls.items()})
    expected = xxhash.xxh3_128_hexdigest(total.to_bytes(16, "big") + len(edges).to_bytes(8, "big"))
    assert graph_digest(connection) == expected
    connection.close()


@pytest.mark.parametrize("known", [1, 7])
def test_an_edge_is_damage_whichever_end_is_not_known(known: int) -> None:
    """The source and the target must both be known URLs."""
    connection = in_memory()
    edge = adjacency([(7, EdgeKind.HYPERLINK)])
    write_records(connection, [CommitRecord(page=page_row(1), adjacency=edge, urls=(url_row(known),))])
    with pytest.raises(PersistenceError, match=f"not known, such as id {8 - known}"):
        graph_digest(connection)
    connection.close()


def test_an_edge_to_nowhere_is_damage() -> None:
    """An edge whose target is no known URL is told, not left out."""
    connection = in_memory()
    write_records(connection, [CommitRecord(page=page_row(1), adjacency=adjacency([(7, EdgeKind.HYPERLINK)]))])
    with pytest.raises(PersistenceError, match="not known, such as id 1"):
        graph_digest(connection)
    connection.close()
