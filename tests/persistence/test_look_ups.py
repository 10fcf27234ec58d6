"""The archive's look-ups and the frontier's refills."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.persistence.making import adjacency, made, page_record, page_row, url_row
from weaver.base.errors import PersistenceError
from weaver.base.page import EdgeKind, PageState
from weaver.base.record import CommitRecord, HostRecord, QueueRow
from weaver.frontier import PROMOTABLE
from weaver.persistence import (
    Archive,
    duplicate_urls,
    hosts_with_queue,
    newest_troubles,
    queue_totals,
    queued_of_host,
    refused_ids,
    refused_urls,
)
from weaver.persistence.archive import MaxIds
from weaver.persistence.schema import MAY_BE_PROMOTED
from weaver.persistence.statements import write_records

SIGN = 1 << 63


def test_keys_are_found_whatever_their_sign(tmp_path: Path) -> None:
    """Unsigned keys from 0 to 2^64 - 1 lead to their ids, many at once; unknown ones are left out."""
    _, connection = made(tmp_path)
    keys = {0: 1, 1: 2, SIGN - 1: 3, SIGN: 4, 2 * SIGN - 1: 5} | {SIGN + 77 * i: 5 + i for i in range(1, 1_200)}
    rows = tuple(url_row(url_id, key=key) for key, url_id in keys.items())
    write_records(connection, [CommitRecord(urls=rows)])
    archive = Archive(connection)
    assert archive.ids_of_keys([*keys, 12345]) == keys
    assert archive.ids_of_keys([SIGN]) == {SIGN: 4}
    assert archive.ids_of_keys([]) == {}
    archive.close()


def test_of_two_urls_with_one_key_the_older_is_found(tmp_path: Path) -> None:
    """Two URLs whose 64-bit keys collide are both kept, and the look-up is the same whenever it is made."""
    _, connection = made(tmp_path)
    write_records(connection, [CommitRecord(urls=(url_row(8, key=5), url_row(3, key=5)))])
    assert Archive(connection).ids_of_keys([5]) == {5: 3}
    connection.close()


def test_what_is_known_is_found_and_the_rest_is_not(tmp_path: Path) -> None:
    """Each look-up gives the committed value, or its word for nothing."""
    directory, connection = made(tmp_path)
    archive = Archive(directory.connect_readonly())
    assert archive.max_ids() == MaxIds(0, 0)
    host = HostRecord(3, "http://h:80", 1.0, None, 2)
    links = adjacency([(2, EdgeKind.HYPERLINK), (2, EdgeKind.NOFOLLOW)])
    record = CommitRecord(
        page=page_row(1, body_digest=b"B" * 16),
        adjacency=links,
        urls=(url_row(1), url_row(2, reason="out_of_scope")),
        hosts=(host,),
    )
    write_records(connection, [record])
    assert (archive.url(1), archive.url(9)) == ("http://h/1", None)
    assert archive.urls([2, 1, 9]) == {1: "http://h/1", 2: "http://h/2"}
    assert archive.refused_url(1) == ("http://h/1", "")
    assert (archive.refused_url(2), archive.refused_url(9)) == (("http://h/2", "out_of_scope"), None)
    assert (archive.host(3), archive.host(1)) == (host, None)
    assert (archive.host_by_origin("http://h:80"), archive.host_by_origin("http://x:80")) == (host, None)
    assert (archive.page_with_digest(b"b" + b"B" * 16), archive.page_with_digest(b"t" + b"B" * 16)) == (1, 0)
    assert (archive.adjacency(1), archive.adjacency(2)) == (links, None)
    assert archive.max_ids() == MaxIds(2, 3)
    assert archive.edge_counts() == {EdgeKind.HYPERLINK: 1, EdgeKind.NOFOLLOW: 1}
    archive.close()
    connection.close()


def test_counts_tell_tables_states_and_reasons(tmp_path: Path) -> None:
    """The counts of a directory are those of its rows, split as `status` wants them."""
    _, connection = made(tmp_path)
    records = [page_record(1), page_record(2)]
    records += [CommitRecord(page=page_row(i, PageState.FAILED, reason="timeout")) for i in (3, 4)]
    records += [CommitRecord(urls=(url_row(9, reason="too_deep"),), hosts=(HostRecord(1, "http://h:80"),))]
    write_records(connection, records)
    counts = Archive(connection).counts()
    assert (counts.urls, counts.hosts, counts.queued, counts.links, counts.contents) == (3, 1, 1, 2, 2)
    assert counts.pages == {"fetched": 2, "failed": 2}
    assert counts.reasons == {("failed", "timeout"): 2}
    assert counts.refused == {"too_deep": 1}
    connection.close()


def test_look_ups_never_hold_the_log(tmp_path: Path) -> None:
    """Between look-ups no read is open: the log can be folded back into the database whole."""
    directory, connection = made(tmp_path)
    archive = Archive(directory.connect_readonly())
    write_records(connection, [page_record(page_id) for page_id in range(1, 50)])
    assert archive.url(7) == "http://h/7"
    assert archive.host(1) is None
    assert sum(archive.edge_counts().values()) == 49
    write_records(connection, [page_record(50)])
    assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall() == [(0, 0, 0)]
    archive.close()
    connection.close()


def test_a_failing_look_up_is_a_persistence_error(tmp_path: Path) -> None:
    """What SQLite raises does not pass the border."""
    _, connection = made(tmp_path)
    archive = Archive(connection)
    connection.execute("DROP TABLE contents")
    with pytest.raises(PersistenceError, match="no such table"):
        archive.page_with_digest(b"b")
    connection.close()


def test_a_hosts_queue_comes_in_windows_in_order(tmp_path: Path) -> None:
    """Windows of a host's queue, each after the last key of the one before, give every entry once, in order."""
    _, connection = made(tmp_path)
    order = [(-5, 9), (0, 2), (0, 7), (3, 1), (3, 8), (3, 10)]
    urls = tuple(url_row(url_id, depth=priority + 5) for priority, url_id in order)
    queued = tuple(QueueRow(1, priority, url_id) for priority, url_id in reversed(order))
    write_records(connection, [CommitRecord(urls=(*urls, url_row(4)), queued=(*queued, QueueRow(2, 0, 4)))])
    found, after = [], None
    while window := queued_of_host(connection, 1, 4, after):
        found += window
        after = window[-1][:2]
    assert found == [(p, i, f"http://h/{i}", p + 5, 0) for p, i in order]
    assert queued_of_host(connection, 3, 4) == []
    connection.close()


def test_hosts_that_wait_are_found_in_order(tmp_path: Path) -> None:
    """Each host with something queued is given once, ascending, from where the last window ended."""
    _, connection = made(tmp_path)
    assert (hosts_with_queue(connection, 0, 10), queue_totals(connection)) == ([], (0, 0))
    rows = tuple(QueueRow(host_id, 0, host_id * 10 + i) for host_id in (4, 2, 900, 7) for i in range(3))
    write_records(connection, [CommitRecord(queued=rows)])
    assert hosts_with_queue(connection, 0, 10) == [2, 4, 7, 900]
    assert (hosts_with_queue(connection, 0, 2), hosts_with_queue(connection, 4, 2)) == ([2, 4], [7, 900])
    assert queue_totals(connection) == (12, 4)
    connection.close()


@pytest.mark.parametrize(
    ("query", "values"),
    [
        (queued_of_host, (1, 10, (0, 5))),
        (hosts_with_queue, (3, 10)),
    ],
)
def test_refills_never_scan_the_frontier(tmp_path: Path, query: object, values: tuple[object, ...]) -> None:
    """A refill reads along the primary key: its cost does not grow with the queue."""
    _, connection = made(tmp_path)
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    query(connection, *values)  # type: ignore[operator]
    connection.set_trace_callback(None)
    plan = " ".join(str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {seen[0]}").fetchall())
    assert "SEARCH frontier USING" in plan
    assert "SCAN frontier" not in plan
    assert "TEMP B-TREE" not in plan
    connection.close()


def test_the_newest_pages_in_trouble_come_oldest_first(tmp_path: Path) -> None:
    """Of the pages that failed or redirect the newest are read, with where a redirect leads; no other page is."""
    _, connection = made(tmp_path)
    moved = page_row(3, PageState.REDIRECT, http_status=301)
    write_records(connection, [
        CommitRecord(page=page_row(1, PageState.FAILED, http_status=404, reason="http_404")),
        CommitRecord(page=page_row(2)),
        CommitRecord(page=moved, adjacency=adjacency([(9, EdgeKind.REDIRECT)])),
        CommitRecord(page=page_row(4, PageState.FAILED, reason="timeout")),
    ])  # fmt: skip
    found = list(newest_troubles(connection, 2))
    connection.close()
    assert [(page.id, page.reason, moved_to) for page, moved_to in found] == [(3, "", 9), (4, "timeout", 0)]
    assert found[0][0] == moved


@pytest.mark.parametrize(
    ("index", "query", "values"),
    [
        ("urls_refused", refused_ids, ()),
        ("urls_refused", refused_urls, (["too_deep", "nofollow"], 3)),
        ("pages_trouble", newest_troubles, (5,)),
        ("pages_duplicate", duplicate_urls, (5,)),
    ],
)
def test_a_resume_never_scans_what_it_wants_little_of(
    tmp_path: Path, index: str, query: object, values: tuple[object, ...]
) -> None:
    """Refused URLs, pages in trouble and duplicates are found by an index of their own."""
    _, connection = made(tmp_path)
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    list(query(connection, *values))  # type: ignore[operator]
    connection.set_trace_callback(None)
    plan = " ".join(str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {seen[0]}").fetchall())
    assert index in plan
    connection.close()


def test_the_index_of_refused_urls_has_those_that_may_be_promoted() -> None:
    """The frontier's reasons and those of the index are the same."""
    assert {f"'{reason}'" for reason in PROMOTABLE} == set(re.findall(r"'\w+'", MAY_BE_PROMOTED))
