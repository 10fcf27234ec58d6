"""Settling against a plain model: the same clusters and representatives, whatever the order of the visits."""

from __future__ import annotations

import itertools
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.persistence.making import adjacency, in_memory, made, page_row, url_row
from weaver.base.errors import PersistenceError
from weaver.base.page import EdgeKind, PageState
from weaver.base.record import CommitRecord, PageRow
from weaver.persistence import Archive, Sealer, settle_duplicates
from weaver.persistence.link_rows import LinkRows
from weaver.persistence.statements import write_records


@dataclass(frozen=True)
class Visit:
    """A page of the site: what it serves does not depend on when it is asked."""

    url: str
    body: str
    text: str


@dataclass
class Settled:
    """A crawl's duplicates by URL, as they must be told."""

    representative: dict[str, str] = field(default_factory=dict)
    digests: dict[bytes, str] = field(default_factory=dict)


URLS = st.text("ab/", min_size=1, max_size=5).map(lambda path: f"http://h/{path}")
VISITS = st.builds(Visit, URLS, st.sampled_from("ABCDE"), st.sampled_from(["", "p", "q", "r", "s"]))
SITES = st.lists(VISITS, min_size=1, max_size=14, unique_by=lambda visit: visit.url)


def _digest(letter: str) -> bytes:
    return letter.encode() * 16


def _keys(visit: Visit) -> list[bytes]:
    return [b"b" + _digest(visit.body), *([b"t" + _digest(visit.text)] if visit.text else [])]


def _model(site: list[Visit]) -> Settled:
    """Components by merging lists; the shortest URL, then the first in byte order, stands for each."""
    clusters: list[set[Visit]] = []
    for visit in site:
        joined = [cluster for cluster in clusters if any(set(_keys(visit)) & set(_keys(other)) for other in cluster)]
        clusters = [cluster for cluster in clusters if cluster not in joined]
        clusters.append({visit}.union(*joined))
    settled = Settled()
    for cluster in clusters:
        first = min((visit.url for visit in cluster), key=lambda url: (len(url), url))
        settled.representative.update({visit.url: first for visit in cluster})
        settled.digests.update({key: first for visit in cluster for key in _keys(visit)})
    return settled


def _crawled(site: list[Visit], *, text_only_of_new_bodies: bool = False) -> sqlite3.Connection:
    """The site as a crawl commits it in this order: a page whose digest was seen is a duplicate of the first."""
    connection = in_memory()
    contents: dict[bytes, int] = {}
    for page_id, visit in enumerate(site, 1):
        keys = _keys(visit)
        if text_only_of_new_bodies and keys[0] in contents:
            del keys[1:]
        first = next((contents[key] for key in keys if key in contents), 0)
        edges = [(page_id % len(site) + 1, EdgeKind.HYPERLINK), (1, EdgeKind.CANONICAL)]
        if first:
            edges.insert(1, (first, EdgeKind.DUPLICATE))
        else:
            contents.update(dict.fromkeys(keys, page_id))
        state = PageState.DUPLICATE if first else PageState.FETCHED
        text_digest = keys[1][1:] if len(keys) > 1 else b""
        page = page_row(page_id, state, body_digest=keys[0][1:], text_digest=text_digest, duplicate_of=first)
        write_records(
            connection, [CommitRecord(page=page, adjacency=adjacency(edges), urls=(url_row(page_id, visit.url),))]
        )
    return connection


def _found(connection: sqlite3.Connection) -> Settled:
    urls = dict(connection.execute("SELECT id, url FROM urls").fetchall())
    rows = connection.execute("SELECT id, state, duplicate_of FROM pages").fetchall()
    for _, state, duplicate_of in rows:
        assert state == ("duplicate" if duplicate_of else "fetched")
    return Settled(
        {urls[page_id]: urls[duplicate_of or page_id] for page_id, _, duplicate_of in rows},
        {digest: urls[page_id] for digest, page_id in connection.execute("SELECT * FROM contents").fetchall()},
    )


def _check_edges(connection: sqlite3.Connection) -> None:
    """Each page keeps its other edges, and has one DUPLICATE edge exactly where it is a duplicate."""
    pages = len(connection.execute("SELECT id FROM pages").fetchall())
    rows = connection.execute("SELECT id, duplicate_of FROM pages").fetchall()
    links = LinkRows(connection)
    for page_id, duplicate_of in rows:
        edges = links.edges_of(page_id)
        assert edges is not None
        targets, kinds = (column.tolist() for column in edges)
        expected = [(page_id % pages + 1, EdgeKind.HYPERLINK), (1, EdgeKind.CANONICAL)]
        expected += [(duplicate_of, EdgeKind.DUPLICATE)] if duplicate_of else []
        assert sorted(zip(targets, kinds, strict=True)) == sorted(expected)


def _dump(connection: sqlite3.Connection) -> list[str]:
    return list(connection.iterdump())


@given(st.data(), SITES)
def test_duplicates_do_not_depend_on_the_order_of_the_visits(data: st.DataObject, site: list[Visit]) -> None:
    """In any order of the visits the settled duplicates are the model's, and settling again changes nothing."""
    connection = _crawled(data.draw(st.permutations(site)))
    if data.draw(st.booleans(), label="sealed"):
        Sealer(1).finish(connection)
    duplicates = connection.execute("SELECT count(*) FROM pages WHERE state = 'duplicate'").fetchall()
    clusters = settle_duplicates(connection)
    assert (clusters > 0) == (duplicates != [(0,)])
    assert _found(connection) == _model(site)
    if data.draw(st.booleans(), label="sealed again"):
        Sealer(1).finish(connection)
    if clusters:
        _check_edges(connection)
    once = _dump(connection)
    settle_duplicates(connection)
    assert _dump(connection) == once
    connection.close()


@given(st.data(), SITES)
def test_a_resumed_crawl_settles_to_the_same(data: st.DataObject, site: list[Visit]) -> None:
    """Texts taken only of new bodies change nothing where a body has one text: the order still does not matter."""
    texts = {visit.body: visit.text for visit in site}
    same = [Visit(visit.url, visit.body, texts[visit.body]) for visit in site]
    connection = _crawled(data.draw(st.permutations(same)), text_only_of_new_bodies=True)
    settle_duplicates(connection)
    assert _found(connection) == _model(same)
    connection.close()


def test_every_order_of_a_chain_gives_one_cluster() -> None:
    """Pages joined only through each other's digests are one cluster in each of their 120 orders."""
    site = [Visit(f"http://h/{'x' * (6 - i)}", "ABBCC"[i], "ppqqr"[i]) for i in range(5)]
    for order in itertools.permutations(site):
        connection = _crawled(list(order))
        assert settle_duplicates(connection) == 1
        assert set(_found(connection).representative.values()) == {"http://h/xx"}
        connection.close()


def _settled_pages(tmp_path: Path, pages: list[PageRow]) -> list[tuple[object, ...]]:
    _, connection = made(tmp_path)
    urls = tuple(url_row(page.id) for page in pages)
    write_records(connection, [CommitRecord(urls=urls), *(CommitRecord(page=page) for page in pages)])
    settle_duplicates(connection)
    rows = connection.execute("SELECT id, state, duplicate_of FROM pages").fetchall()
    connection.close()
    return rows


def test_a_duplicate_of_what_has_changed_since_stands_for_itself(tmp_path: Path) -> None:
    """A page whose content nobody shares any more is a duplicate no longer."""
    pages = [
        page_row(1, body_digest=_digest("A")),
        page_row(2, PageState.DUPLICATE, body_digest=_digest("B"), duplicate_of=1),
    ]
    assert _settled_pages(tmp_path, pages) == [(1, "fetched", 0), (2, "fetched", 0)]


def test_pages_without_a_digest_or_with_another_fate_stay_apart(tmp_path: Path) -> None:
    """Empty digests join nobody, and only fetched pages and duplicates are clustered."""
    pages = [
        page_row(1, body_digest=_digest("A")),
        page_row(2, PageState.DUPLICATE, body_digest=_digest("A"), duplicate_of=1),
        page_row(3),
        page_row(4),
        page_row(5, PageState.FAILED, body_digest=_digest("A")),
        page_row(6, PageState.REDIRECT, body_digest=_digest("A")),
    ]
    assert _settled_pages(tmp_path, pages) == [
        (1, "fetched", 0),
        (2, "duplicate", 1),
        (3, "fetched", 0),
        (4, "fetched", 0),
        (5, "failed", 0),
        (6, "redirect", 0),
    ]


def test_a_duplicate_without_links_gets_its_edge(tmp_path: Path) -> None:
    """A duplicate that left no links row behind gets one, with the edge to its representative."""
    _, connection = made(tmp_path)
    pages = [
        page_row(2, body_digest=_digest("A")),
        page_row(10, PageState.DUPLICATE, body_digest=_digest("A"), duplicate_of=2),
    ]
    write_records(connection, [CommitRecord(page=page, urls=(url_row(page.id),)) for page in pages])
    assert settle_duplicates(connection) == 1
    archive = Archive(connection)
    assert archive.adjacency(10) == adjacency([(2, EdgeKind.DUPLICATE)])
    assert archive.adjacency(2) is None
    connection.close()


def test_a_settling_that_fails_changes_nothing(tmp_path: Path) -> None:
    """An error half way, such as a damaged links row, leaves the crawl as it was, and settling works later."""
    _, connection = made(tmp_path)
    pages = [page_row(10, body_digest=_digest("A"))]
    pages += [page_row(i, PageState.DUPLICATE, body_digest=_digest("A"), duplicate_of=10) for i in (2, 3)]
    write_records(connection, [CommitRecord(page=page, urls=(url_row(page.id),)) for page in pages])
    connection.execute("INSERT INTO links (id, packed) VALUES (3, x'09')")
    before = connection.execute("SELECT * FROM pages").fetchall()
    with pytest.raises(PersistenceError, match="links row"):
        settle_duplicates(connection)
    assert connection.execute("SELECT * FROM pages").fetchall() == before
    connection.execute("DELETE FROM links")
    assert settle_duplicates(connection) == 1
    connection.close()
