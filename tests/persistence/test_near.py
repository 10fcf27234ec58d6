"""Near duplicates on disk: found by the keys that were merged, whatever was killed, and settled into clusters."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.persistence.making import SETTINGS, in_memory, made, page_row, url_row
from weaver.base.errors import PersistenceError
from weaver.base.page import PageState
from weaver.base.record import CommitRecord, NearRow
from weaver.dedupe.near import band_keys_of, row_of
from weaver.dedupe.sketch import ROW_WORDS, SIGNATURE_WORDS, Words
from weaver.persistence import Chores, NearArchive, NearMerging, Sealer, settle_near_duplicates
from weaver.persistence.near_archive import MOST_OF_KEY, merged_to
from weaver.persistence.near_archive import ROW_WORDS as STORED_ROW_WORDS
from weaver.persistence.statements import write_records

Pairs = list[tuple[int, int]]

IDS = st.integers(1, 12)
PAIRS = st.lists(st.tuples(IDS, IDS), max_size=14, unique_by=lambda pair: pair[0])


def _signature(page_id: int) -> Words:
    return np.random.default_rng(page_id).integers(0, 1 << 32, SIGNATURE_WORDS, np.uint64) << np.uint64(31)


def _near(page_id: int, other_id: int = 0, *, keys_of: int = 0) -> NearRow:
    signature, found_by = _signature(page_id), _signature(keys_of or page_id)
    row, keys = row_of(page_id, signature).tobytes(), band_keys_of(found_by).tobytes()
    return NearRow(page_id, row, keys, other_id, 0.9 if other_id else 0.0)


def _keys(page_id: int) -> Words:
    return band_keys_of(_signature(page_id))


def _merge(connection: sqlite3.Connection, merge_pages: int = 1) -> None:
    merging = NearMerging(merge_pages)
    merging.start(connection)
    while merging.has_work:
        merging.step()


def test_a_page_is_found_by_its_keys_once_they_are_merged() -> None:
    """A signature is committed with its page, and found by each of its keys after the next pass, not before."""
    connection = in_memory()
    write_records(connection, [CommitRecord(page=page_row(page), near=_near(page)) for page in (7, 3, 9)])
    archive = NearArchive(connection)
    assert archive.lookup(_keys(3)) == []
    _merge(connection)
    for number, page in enumerate((7, 3, 9), 1):
        assert archive.lookup(_keys(page)) == [number], "numbers are in the order of commit"
        assert archive.get([number]).tolist() == [row_of(page, _signature(page)).tolist()]
    assert archive.lookup(_keys(4)) == []
    assert archive.get([]).shape == archive.get([44]).shape == (0, ROW_WORDS)
    connection.close()


def test_no_page_makes_a_look_up_long() -> None:
    """Of many pages with the same keys the latest are found, a bounded number."""
    connection = in_memory()
    write_records(connection, [CommitRecord(near=_near(page, keys_of=1)) for page in range(1, 101)])
    _merge(connection)
    assert NearArchive(connection).lookup(_keys(1)) == list(range(100, 100 - MOST_OF_KEY, -1))
    connection.close()


@given(st.integers(0, 12), st.lists(st.integers(1, 700), min_size=1, max_size=4))
def test_a_pass_that_was_killed_is_made_anew(steps: int, groups: list[int]) -> None:
    """Wherever the merging ends, another one takes up what is left: each page is found once."""
    connection = in_memory()
    page = 0
    for size in groups:
        write_records(connection, [CommitRecord(near=_near(page + number)) for number in range(1, size + 1)])
        page += size
        merging = NearMerging(merge_pages=600)
        merging.start(connection)
        for _ in range(steps):
            merging.step()
    _merge(connection)
    assert merged_to(connection) == NearArchive(connection).last_number() == page
    assert connection.execute("SELECT count(*), count(DISTINCT number) FROM near_bands").fetchall() == [
        (8 * page, page)
    ]
    connection.close()


def test_merging_waits_until_enough_has_gathered(tmp_path: Path) -> None:
    """Keys are merged in batches, before links are sealed; what is left over waits for the next run's."""
    directory, connection = made(tmp_path)
    merging = NearMerging(merge_pages=3)
    chores = Chores(merging, Sealer(seal_pages=1_000))
    chores.start(connection)
    for page in range(1, 3):
        write_records(connection, [CommitRecord(near=_near(page))])
        chores.added(1)
    assert not chores.has_work
    write_records(connection, [CommitRecord(near=_near(3)), CommitRecord(near=_near(4))])
    chores.added(1)
    while chores.has_work:
        chores.step()
    assert (merging.merged_to, repr(merging)) == (4, "NearMerging(unmerged=0, merge_pages=3)")
    connection.close()
    again = directory.connect(SETTINGS)
    assert merged_to(again) == 4
    again.close()


def test_the_newest_signatures_come_back_in_order() -> None:
    """A resume reads as many as it asks for, the oldest of them first, each as it was kept."""
    connection = in_memory()
    write_records(connection, [CommitRecord(near=_near(page)) for page in range(2_500, 0, -1)])
    newest = list(NearArchive(connection).newest(1_200))
    assert [page for page, _ in newest] == list(range(1_200, 0, -1))
    page_id, words = newest[0]
    assert words[1:].tolist() == _signature(page_id)[1:].tolist()
    assert (len(words), STORED_ROW_WORDS) == (SIGNATURE_WORDS, ROW_WORDS)
    connection.close()


def test_a_failing_disk_is_told_in_our_words() -> None:
    """What SQLite raises goes no further."""
    connection = in_memory()
    connection.execute("DROP TABLE signatures")
    with pytest.raises(PersistenceError, match="reading the signatures"):
        NearArchive(connection).get([1])
    connection.close()


def _model(pairs: Pairs, copies: dict[int, int]) -> set[frozenset[int]]:
    clusters: list[set[int]] = []
    for pair in pairs:
        new = {copies.get(page, page) for page in pair}
        if len(new) == 2:
            joined = [cluster for cluster in clusters if cluster & new]
            clusters = [cluster for cluster in clusters if cluster not in joined] + [new.union(*joined)]
    return set(map(frozenset, clusters))


@given(PAIRS, st.sets(st.tuples(st.integers(7, 12), st.integers(1, 6)), max_size=3), st.permutations(range(1, 13)))
def test_clusters_are_those_of_the_pairs(pairs: Pairs, copied: set[tuple[int, int]], lengths: list[int]) -> None:
    """A chain of pairs makes a cluster, in which a copy counts as its original; the shortest URL stands for it."""
    copies = dict(copied)
    connection = in_memory()
    urls = tuple(url_row(page, f"http://h/{'a' * length}") for page, length in enumerate(lengths, 1))
    records = [CommitRecord(urls=urls)]
    for page in range(1, 13):
        state = PageState.DUPLICATE if page in copies else PageState.FETCHED
        other = dict(pairs).get(page, 0)
        records.append(
            CommitRecord(page=page_row(page, state, duplicate_of=copies.get(page, 0)), near=_near(page, other))
        )
    write_records(connection, records)
    for _ in range(2):
        assert settle_near_duplicates(connection) == len(_model(pairs, copies))
        found: dict[int, set[int]] = {}
        for page, stands in connection.execute("SELECT * FROM near_clusters").fetchall():
            found.setdefault(stands, set()).add(page)
        assert set(map(frozenset, found.values())) == _model(pairs, copies)
        assert all(stands == min(cluster, key=lambda page: lengths[page - 1]) for stands, cluster in found.items())
    connection.close()


def _steps_to_settle(pairs: int) -> int:
    """Thousands of SQLite's instructions for so many clusters of two."""
    connection = in_memory()
    numbers = range(1, 2 * pairs + 1)
    others = [number - 1 if number % 2 == 0 else 0 for number in numbers]
    records = [CommitRecord(urls=tuple(url_row(number, f"http://h/{number}") for number in numbers))]
    for number, other in zip(numbers, others, strict=True):
        records.append(CommitRecord(page=page_row(number), near=_near(number, other)))
    write_records(connection, records)
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.set_progress_handler(count, 1_000)
    assert settle_near_duplicates(connection) == pairs
    connection.close()
    return steps


def test_settling_takes_as_long_as_there_are_pairs() -> None:
    """Four times as many clusters take four times as many steps, not sixteen."""
    assert _steps_to_settle(1_200) < 6 * _steps_to_settle(300)
