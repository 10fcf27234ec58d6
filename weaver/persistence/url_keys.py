"""The keys of URLs on disk: a tree of those that are merged, and the newest ones, a row a commit, that wait for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from weaver.base.record import UrlRow
from weaver.persistence.keys import to_signed, to_unsigned

Keys = NDArray[np.uint64]
Ids = NDArray[np.uint32]

_MAX_PARAMETERS = 512
_ADDED = "INSERT INTO new_keys (last_id, keys, ids) VALUES (?, ?, ?)"
_WAITING = "SELECT keys, ids FROM new_keys WHERE last_id <= ? ORDER BY last_id"
_MERGED = "SELECT key, id FROM url_keys WHERE key IN"
_ALL = 1 << 62


def add_keys(connection: sqlite3.Connection, urls: Sequence[UrlRow]) -> None:
    """Note the keys of a group's new URLs, all of them in one row."""
    if urls:
        keys = np.array([url.key for url in urls], "<u8")
        ids = np.array([url.id for url in urls], "<u4")
        connection.execute(_ADDED, (int(ids.max()), keys.tobytes(), ids.tobytes()))


def waiting_keys(connection: sqlite3.Connection, last_id: int = _ALL) -> tuple[Keys, Ids]:
    """The keys that are not merged yet, of rows up to `last_id`, each with its URL's id."""
    rows = connection.execute(_WAITING, (last_id,)).fetchall()
    keys = np.frombuffer(b"".join(keys for keys, _ in rows), "<u8")
    return keys.astype(np.uint64, copy=False), np.frombuffer(b"".join(ids for _, ids in rows), "<u4")


def merged_ids(connection: sqlite3.Connection, keys: Sequence[int]) -> dict[int, int]:
    """The ids of those keys that are merged; the older one where two URLs share a key."""
    return _oldest(_selected(connection, [to_signed(key) for key in keys]))


def ids_of_keys(connection: sqlite3.Connection, keys: Sequence[int]) -> dict[int, int]:
    """The ids of those keys that are known, merged or not; reads all that wait, some milliseconds."""
    # In this order: what is merged meanwhile is found in the tree.
    known, ids = waiting_keys(connection)
    places = np.flatnonzero(np.isin(known, np.array(keys, np.uint64)))
    waiting = zip(known[places].tolist(), ids[places].tolist(), strict=True)
    return _oldest(chain(waiting, merged_ids(connection, keys).items()))


def _oldest(rows: Iterable[tuple[int, int]]) -> dict[int, int]:
    found: dict[int, int] = {}
    for key, url_id in rows:
        found[key] = min(url_id, found.get(key, url_id))
    return found


def _selected(connection: sqlite3.Connection, keys: list[int]) -> Iterator[tuple[int, int]]:
    """A batch is filled up to a power of two, so that few statements are compiled."""
    for start in range(0, len(keys), _MAX_PARAMETERS):
        batch = keys[start : start + _MAX_PARAMETERS]
        places = 1 << (len(batch) - 1).bit_length()
        batch += batch[-1:] * (places - len(batch))
        rows = connection.execute(f"{_MERGED} ({', '.join('?' * places)})", batch).fetchall()
        yield from ((to_unsigned(key), url_id) for key, url_id in rows)
