"""What a commit record becomes: rows that mean the same however the records were grouped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.persistence.making import adjacency, in_memory, made, page_record, page_row, url_row
from weaver.base.page import EdgeKind, PageState
from weaver.base.record import CommitRecord, HostRecord, PageRow, QueueRow
from weaver.persistence import Archive
from weaver.persistence.statements import write_records
from weaver.persistence.tally import Tally, counted_tally, stored_tally

BODY, TEXT = b"B" * 16, b"T" * 16
ENTRIES = st.builds(QueueRow, st.integers(1, 2), st.integers(-1, 1), st.integers(1, 3))
QUEUE_RECORDS = st.builds(
    CommitRecord, queued=st.lists(ENTRIES, max_size=3).map(tuple), deleted=st.lists(ENTRIES, max_size=3).map(tuple)
)


def _keys(rows: Iterable[QueueRow]) -> set[tuple[int, int, int]]:
    return {(row.host_id, row.priority, row.url_id) for row in rows}


@given(st.lists(st.lists(QUEUE_RECORDS, max_size=4), max_size=4))
def test_the_last_word_on_a_queue_entry_decides(groups: list[list[CommitRecord]]) -> None:
    """However records are grouped, the frontier holds what it would after one record at a time, deletions first."""
    connection = in_memory()
    expected: set[tuple[int, int, int]] = set()
    for group in groups:
        write_records(connection, group)
        for record in group:
            expected = (expected - _keys(record.deleted)) | _keys(record.queued)
    assert set(connection.execute("SELECT * FROM frontier").fetchall()) == expected
    connection.close()


STATES = st.sampled_from([PageState.FETCHED, PageState.DUPLICATE, PageState.FAILED])
PAGES = st.builds(
    page_row, st.integers(1, 5), STATES, body_bytes=st.integers(0, 9), reason=st.sampled_from(["", "timeout"]),
    body_digest=st.sampled_from([b"", BODY, TEXT]),
)  # fmt: skip
PROMOTED = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 3)), max_size=3).map(tuple)
REASONS = st.lists(st.sampled_from(["", "too_deep", "nofollow", "port"]), max_size=3)


@given(st.lists(st.lists(st.tuples(PAGES, REASONS, PROMOTED, QUEUE_RECORDS), max_size=4), max_size=4))
def test_the_tally_is_what_counting_gives(
    groups: list[list[tuple[PageRow, list[str], tuple[tuple[int, int], ...], CommitRecord]]],
) -> None:
    """After any groups, with pages visited again and refusals that passed, the stored tally is that of the rows."""
    connection, last_id = in_memory(), 0
    for group in groups:
        records = []
        for page, reasons, promoted, queue in group:
            urls = tuple(url_row(url_id, reason=reason) for url_id, reason in enumerate(reasons, last_id + 1))
            last_id += len(urls)
            records.append(replace(queue, page=page, urls=urls, promoted=promoted))
        write_records(connection, records)
        stored, counted = stored_tally(connection), counted_tally(connection)
        assert stored == counted
        assert stored == Tally.from_json(counted.to_json())
    connection.close()


def test_a_large_group_is_stored_row_by_row(tmp_path: Path) -> None:
    """Statements of many rows and the rest after them store the same as rows one by one."""
    _, connection = made(tmp_path)
    write_records(connection, [page_record(page_id) for page_id in range(1, 201)])
    assert connection.execute("SELECT id, url FROM urls").fetchall() == [(i, f"http://h/{i}") for i in range(2, 202)]
    for table in ("pages", "links", "contents"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchall() == [(200,)]
    assert connection.execute("SELECT url_id FROM frontier").fetchall() == [(201,)]
    connection.close()


def test_the_newest_record_of_a_host_replaces_all_of_it(tmp_path: Path) -> None:
    """A host's row is what was last said of it, also within one group, also where it lost something."""
    _, connection = made(tmp_path)
    first = HostRecord(1, "http://h:80", 5.0, 2.0, 3, "ok", b"rules", 4.0, 1.0)
    other, last = HostRecord(2, "http://i:80"), HostRecord(1, "http://h:80", robots_status="unavailable")
    write_records(connection, [CommitRecord(hosts=(first, other))])
    assert Archive(connection).host(1) == first
    write_records(connection, [CommitRecord(hosts=(first,)), CommitRecord(hosts=(last,))])
    assert Archive(connection).host(1) == last
    assert Archive(connection).host_by_origin("http://i:80") == other
    connection.close()


def test_a_page_fetched_again_replaces_itself(tmp_path: Path) -> None:
    """After a kill a page may be fetched twice: its row and its links are those of the later visit."""
    _, connection = made(tmp_path)
    earlier = CommitRecord(page=page_row(1, title="old"), adjacency=adjacency([(5, EdgeKind.HYPERLINK)]))
    later = CommitRecord(page=page_row(1, PageState.FAILED, reason="timeout"), adjacency=adjacency([]))
    write_records(connection, [earlier])
    write_records(connection, [later])
    assert connection.execute("SELECT id, state, title, reason FROM pages").fetchall() == [(1, "failed", "", "timeout")]
    found = Archive(connection).adjacency(1)
    assert found is not None
    assert len(found) == 0
    connection.close()


def test_only_new_content_is_indexed_and_the_first_page_keeps_it(tmp_path: Path) -> None:
    """Digests of new pages are kept, a body's and a text's apart; duplicates, failures and late comers add none."""
    _, connection = made(tmp_path)
    pages = [
        page_row(4, PageState.DUPLICATE, body_digest=b"x" * 16, duplicate_of=1),
        page_row(5, PageState.FAILED, body_digest=b"y" * 16),
        page_row(2, body_digest=BODY),
        page_row(1, body_digest=BODY, text_digest=TEXT),
        page_row(3, body_digest=TEXT),
    ]
    write_records(connection, [CommitRecord(page=page) for page in pages])
    rows = connection.execute("SELECT digest, page_id FROM contents").fetchall()
    assert dict(rows) == {b"b" + BODY: 2, b"t" + TEXT: 1, b"b" + TEXT: 3}
    connection.close()


def test_a_promoted_url_has_its_new_depth_and_no_reason(tmp_path: Path) -> None:
    """A refused URL that is found nearer to a seed is queued after all, in the group of its discovery or later."""
    _, connection = made(tmp_path)
    urls = (url_row(1, depth=9, reason="too_deep"), url_row(2, depth=9, reason="too_deep"))
    write_records(connection, [CommitRecord(urls=urls), CommitRecord(promoted=((1, 2),))])
    write_records(connection, [CommitRecord(promoted=((2, 3),))])
    assert connection.execute("SELECT id, depth, reason FROM urls").fetchall() == [(1, 2, ""), (2, 3, "")]
    connection.close()
