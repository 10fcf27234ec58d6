"""CorpusStore: what deduplicating remembers, whole or not at all, by one at a time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from weaver.base.errors import DirectoryError, DirectoryLocked, PersistenceError
from weaver.persistence.corpus_store import (
    EXAMPLES,
    ROWS_PER_SELECT,
    STORE_NAME,
    CorpusStore,
    DocumentRow,
    KeyBlock,
    SourceRow,
)

CACHE_BYTES = 1 << 20


def row(number: int) -> DocumentRow:
    """A document like any other."""
    return DocumentRow(number, f"d{number}", 1, number, 10, 3, 0, is_same_text=False)


def test_what_was_committed_is_there_again(tmp_path: Path) -> None:
    """Documents, digests, shingles, keys, sources, pairs and values come back as they were given."""
    source = SourceRow(1, "a.jsonl", "jsonl", 3, 99, is_done=True)
    with CorpusStore.open(tmp_path, CACHE_BYTES) as store:
        with store.transaction():
            store.put_source(source._replace(is_done=False))
            store.put_source(source)
            store.add_documents([row(1), row(2)])
            store.add_digests([(b"d", 1), (b"e", 2)])
            store.add_digests([(b"d", 2)])
            store.add_shingles([(1, b"packed")])
            store.add_keys(7, 1, KeyBlock(b"n", b"k"))
            store.add_keys(7, 2, KeyBlock(b"m", b"l"))
            store.add_keys(9, 1, KeyBlock(b"", b""))
            store.add_pairs([(1, 2, 0.875)])
            store.set_meta("key", {"a": [1]})
        store.finish()
    with CorpusStore.open_readonly(tmp_path, CACHE_BYTES) as store:
        assert store.sources() == [source]
        assert (store.count(), list(store.documents()), store.text_bytes()) == (2, [[row(1), row(2)]], 20)
        assert store.documents_at([2, 5]) == {2: row(2)}
        assert [store.number_of(digest) for digest in (b"d", b"e", b"f")] == [1, 2, 0]
        assert (store.shingles_of(1), store.shingles_of(2)) == (b"packed", None)
        assert store.bands() == [7, 9]
        assert list(store.key_blocks(7)) == [KeyBlock(b"n", b"k"), KeyBlock(b"m", b"l")]
        assert (list(store.pairs()), store.similarity_counts()) == ([[(1, 2, 0.875)]], [(0.87, 1)])
        assert (store.meta("key"), store.meta("none")) == ({"a": [1]}, None)
    assert [path.name for path in tmp_path.iterdir()] == [STORE_NAME]


def test_a_broken_transaction_leaves_nothing(tmp_path: Path) -> None:
    """An error inside takes back all that was written in it."""
    with CorpusStore.open(tmp_path, CACHE_BYTES) as store:
        with pytest.raises(PersistenceError), store.transaction():
            store.add_documents([row(1), row(1)])
        assert store.count() == 0


def test_windows_have_every_row_once(tmp_path: Path) -> None:
    """More rows than a window takes come in several, in order."""
    numbers = range(1, ROWS_PER_SELECT + 5)
    with CorpusStore.open(tmp_path, CACHE_BYTES) as store:
        with store.transaction():
            store.add_documents(map(row, numbers))
            store.add_pairs((number // 2 + 1, number + 2, 0.9) for number in numbers)
        assert [document.number for window in store.documents() for document in window] == list(numbers)
        assert [entry[0] for window in store.columns() for entry in window] == list(numbers)
        pairs = [pair[:2] for window in store.pairs() for pair in window]
        assert pairs == sorted((number // 2 + 1, number + 2) for number in numbers)


def test_troubles_are_counted_and_the_first_ones_named(tmp_path: Path) -> None:
    """Each reason has its count, and a few examples however many there are."""
    with CorpusStore.open(tmp_path, CACHE_BYTES) as store:
        for number in range(EXAMPLES + 3):
            store.add_trouble("odd", f"line {number}")
        store.add_trouble("torn", "", 4)
        first = [f"line {number}" for number in range(EXAMPLES)]
        assert store.troubles() == {"odd": {"count": EXAMPLES + 3, "first": first}, "torn": {"count": 4, "first": []}}


def test_one_works_on_it_at_a_time(tmp_path: Path) -> None:
    """A second one is refused, and may follow when the first is done."""
    with CorpusStore.open(tmp_path, CACHE_BYTES), pytest.raises(DirectoryLocked):
        CorpusStore.open(tmp_path, CACHE_BYTES)
    CorpusStore.open(tmp_path, CACHE_BYTES).close()


def test_what_is_none_of_ours_is_refused_and_kept(tmp_path: Path) -> None:
    """Another program's database, one of another version, a file that is no database, and nothing at all."""
    with pytest.raises(DirectoryError, match="expected the output"):
        CorpusStore.open_readonly(tmp_path, CACHE_BYTES)
    path = tmp_path / STORE_NAME
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (a)")
    for opened in (CorpusStore.open, CorpusStore.open_readonly, lambda folder, _: CorpusStore.discard(folder)):
        with pytest.raises(DirectoryError, match="another program's"):
            opened(tmp_path, CACHE_BYTES)
    path.write_bytes(b"no database at all " * 100)
    with pytest.raises(DirectoryError, match="can't use"):
        CorpusStore.open(tmp_path, CACHE_BYTES)
    path.unlink()
    CorpusStore.open(tmp_path, CACHE_BYTES).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(DirectoryError, match="version 99"):
        CorpusStore.open(tmp_path, CACHE_BYTES)


def test_a_store_is_removed_where_asked(tmp_path: Path) -> None:
    """`discard` leaves nothing, and is content where nothing is."""
    CorpusStore.open(tmp_path, CACHE_BYTES).close()
    CorpusStore.discard(tmp_path)
    CorpusStore.discard(tmp_path)
    assert list(tmp_path.iterdir()) == []
