"""The graph's digest: equal for two crawls exactly when they found the same edges, whatever ids they gave."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from operator import add
from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from weaver.base.errors import PersistenceError
from weaver.base.page import EdgeKind
from weaver.base.record import MAX_NODE_ID
from weaver.native import compiled
from weaver.persistence.border import disk_errors
from weaver.persistence.edge_spool import KIND_SHIFT, RANGE_BITS, RUN_EDGES, EdgeSpool, Words
from weaver.persistence.link_columns import LinkColumns
from weaver.persistence.link_windows import LinkWindows

# Of blocks: with a quarter of a window as readers have it some 2 MiB, and no slower.
ENTRIES_PER_WINDOW = 1 << 16
# Of the URLs that edges lead to: what they take as objects.
TEXT_BYTES = 2 << 20
_OBJECT_BYTES = 41
_UNKNOWN = b""
_PLACE = np.uint64((1 << RANGE_BITS) - 1)

_MASK = (1 << 128) - 1
_KINDS = {kind.value: kind.name.lower() for kind in EdgeKind}
_KIND_TEXTS = [f"\t{_KINDS.get(kind, kind)}\t".encode() for kind in range(256)]

_TARGETS = "SELECT id, CAST(url AS BLOB) FROM urls WHERE id > ? AND id <= ? ORDER BY id"
# One statement whatever the number of ids: SQLite keeps a compiled one for each text.
_SOURCES = "SELECT urls.id, CAST(url AS BLOB) FROM json_each(?) CROSS JOIN urls ON urls.id = value"


Places = NDArray[np.int64]


class _Texts(NamedTuple):
    """The URLs beyond the id `after`, up to `upto`, and the places of those that are none."""

    after: int
    upto: int
    texts: list[bytes]
    gaps: Places


def graph_digest(connection: sqlite3.Connection) -> str:
    """32 hex digits over (source URL, kind, target URL) of every edge but those to near duplicates.

    An edge is the UTF-8 text `source TAB kind TAB target`, the kind by its name in lower case. The digest is
    xxh3-128 of: the sum mod 2^128 of the edges' xxh3-128 (16 bytes), and their number (8 bytes), big-endian.
    A sum has no order, so nothing is sorted; that is safe against accident, not against someone who builds
    pages to collide. Which page a near duplicate is nearly the same as depends on which one was met first, so these
    edges say how the crawl went, not what the site is. Edges are put aside by ranges of targets, so that each URL is
    read once as a target, in the order of the table. Memory: an `EdgeSpool`, and the URLs of a range up to 2 MiB,
    whatever the size of the graph; disk: 8 B an edge meanwhile. Raises PersistenceError. O(edges).
    """
    total = 0
    with disk_errors("reading the graph"), EdgeSpool(connection) as spool:
        edges = _put_aside(connection, spool)
        for place in spool.ranges():
            for targets in _targets(connection, place << RANGE_BITS):
                total += sum(_sum_of(connection, words, targets) for words in spool.edges(place))
    return xxhash.xxh3_128_hexdigest((total & _MASK).to_bytes(16) + edges.to_bytes(8))


def _put_aside(connection: sqlite3.Connection, spool: EdgeSpool) -> int:
    """All edges that count, by rising source; their number."""
    edges = 0
    for window in LinkWindows(connection, MAX_NODE_ID, entries=ENTRIES_PER_WINDOW):
        for part in _parts(window):
            is_counted = part.kinds != EdgeKind.NEAR_DUPLICATE
            sources = np.repeat(part.nodes, part.degrees)[is_counted]
            spool.add(sources, part.targets[is_counted], part.kinds[is_counted])
            edges += len(sources)
    return edges


def _parts(window: LinkColumns) -> Iterator[LinkColumns]:
    """The rows of a window, about as many edges at a time as the spool takes well."""
    firsts = np.searchsorted(window.offsets, np.arange(0, len(window.targets), RUN_EDGES), side="right") - 1
    ids = window.nodes[np.unique(firsts)].tolist()
    for first_id, next_id in pairwise([*ids, MAX_NODE_ID + 1]):
        yield window.between(first_id - 1, next_id - 1)


def _targets(connection: sqlite3.Connection, first_id: int) -> Iterator[_Texts]:
    """The URLs of a range, as many at a time as memory allows; the last of them reach to the range's end."""
    after, last_id = first_id - 1, first_id + (1 << RANGE_BITS) - 1
    while after < last_id:
        found = _some_targets(connection, after, last_id)
        yield found
        after = found.upto


def _some_targets(connection: sqlite3.Connection, after: int, last_id: int) -> _Texts:
    texts: list[bytes] = []
    size_bytes = 0
    with closing(connection.execute(_TARGETS, (after, last_id))) as rows:
        for url_id, url in rows:
            texts.extend([_UNKNOWN] * (url_id - after - 1 - len(texts)))
            texts.append(url)
            size_bytes += len(url) + _OBJECT_BYTES
            if size_bytes >= TEXT_BYTES:
                last_id = url_id
                break
    texts.extend([_UNKNOWN] * (last_id - after - len(texts)))
    gaps = [place for place, text in enumerate(texts) if not text]
    return _Texts(after, last_id, texts, np.array(gaps, np.int64))


def _sum_of(connection: sqlite3.Connection, words: Words, targets: _Texts) -> int:
    """The sum of the edges' hashes, of those that lead to these targets."""
    places = (words & _PLACE).astype(np.int64) - ((targets.after + 1) & int(_PLACE))
    if len(targets.texts) <= _PLACE:
        is_here = (places >= 0) & (places < len(targets.texts))
        words, places = words[is_here], places[is_here]
    if not len(words):
        return 0
    pairs, runs = _runs(words >> np.uint64(KIND_SHIFT))
    starts, texts = _starts(connection, pairs), targets.texts
    if len(unknown := np.intersect1d(places, targets.gaps)):
        raise _unknown(targets.after + 1 + int(unknown[0]))
    return int.from_bytes(_sum_of_lines(starts, runs, texts, places, xxhash.xxh3_128_digest))


def _starts(connection: sqlite3.Connection, pairs: Words) -> list[bytes]:
    """What the lines of each source and kind begin with."""
    sources, runs = _runs(pairs >> np.uint64(8))
    rows = connection.execute(_SOURCES, (str(sources.tolist()),)).fetchall()
    if len(rows) < len(sources):
        raise _unknown(int(np.setdiff1d(sources, [url_id for url_id, _ in rows])[0]))
    kinds = (pairs & np.uint64(0xFF)).tolist()
    return [rows[run][1] + _KIND_TEXTS[kind] for run, kind in zip(runs.tolist(), kinds, strict=True)]


def _runs(values: Words) -> tuple[Words, Places]:
    """Each value that differs from the one before it, and for all values which of these it is."""
    is_first = np.append(True, values[1:] != values[:-1])
    return values[is_first], np.cumsum(is_first) - 1


def sum_of_lines_in_python(
    starts: list[bytes], heads: Places, ends: list[bytes], tails: Places, hashed: Callable[[bytes], bytes]
) -> bytes:
    """The sum modulo 2^128 of the hashes of lines, big-endian; line i is `starts[heads[i]]` and `ends[tails[i]]`."""
    lines = map(add, map(starts.__getitem__, heads.tolist()), map(ends.__getitem__, tails.tolist()))
    # In four columns of 32 bits no sum of a part is too large: half the time of a sum of Python's integers.
    columns = np.frombuffer(b"".join(map(hashed, lines)), ">u4").reshape(-1, 4)
    words: list[int] = columns.sum(axis=0, dtype=np.uint64).tolist()
    return (sum(word << shift for word, shift in zip(words, (96, 64, 32, 0), strict=True)) & _MASK).to_bytes(16)


_sum_of_lines = sum_of_lines_in_python if compiled is None else compiled.sum_of_lines


def _unknown(url_id: int) -> PersistenceError:
    return PersistenceError(f"the graph names URLs that are not known, such as id {url_id}")
