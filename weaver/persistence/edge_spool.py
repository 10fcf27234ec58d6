"""EdgeSpool: edges put aside on disk for a moment, to be met again target by target in ranges of ids."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from weaver.codec import Kinds, Nodes, Targets

RANGE_BITS = 14
"""A range has 2^14 ids. With 2^15 the URLs of a range are met a tenth slower, with 2^13 sources are read too often."""
KIND_SHIFT = 24
"""Where the kind is in a word; below it is the target's place."""
RUN_EDGES = 1 << 15
"""As many edges as are well put aside at a time: 1 MiB meanwhile."""
_SPOOLED_BYTES = 1 << 18
_WORD_BYTES = 8
_PART_EDGES = 8_192
_FILE = "SELECT file FROM pragma_database_list WHERE name = 'main'"

Words = NDArray[np.uint64]


class EdgeSpool:
    """8 bytes an edge in a file without a name beside the database, which is gone with the process; what fits in 256
    KiB stays in RAM. Of each run of edges to a range that came together it keeps the place. Use it as a context.

    An edge is a word: the source's id, then 8 bits for its kind, then the target's place in its range.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - closed with the spool
            _SPOOLED_BYTES, dir=_directory(connection)
        )
        self._runs: dict[int, list[tuple[int, int]]] = {}

    def __repr__(self) -> str:
        return f"EdgeSpool(ranges={len(self._runs)}, runs={sum(map(len, self._runs.values()))})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, sources: Nodes, targets: Targets, kinds: Kinds) -> None:
        """Put edges aside, in their order; RUN_EDGES at a time are best. O(edges)."""
        if not len(sources):
            return
        words = sources.astype(np.uint64) << np.uint64(32)
        words |= kinds.astype(np.uint64) << np.uint64(KIND_SHIFT)
        words |= targets & np.uint32((1 << RANGE_BITS) - 1)
        ranges = targets >> np.uint32(RANGE_BITS)
        # Numpy sorts integers of 16 bits in linear time; a range beyond 2^16 is of ids beyond 2^31.
        order = np.argsort(ranges.astype(np.uint16) if ranges.max() < 1 << 16 else ranges, kind="stable")
        ranges = ranges[order]
        starts = np.flatnonzero(np.append(True, ranges[1:] != ranges[:-1]))
        begin = self._file.tell()
        self._file.write(words[order].data)
        ends = [*starts[1:].tolist(), len(words)]
        for place, start, end in zip(ranges[starts].tolist(), starts.tolist(), ends, strict=True):
            self._runs.setdefault(place, []).append((begin + _WORD_BYTES * start, end - start))

    def ranges(self) -> list[int]:
        """The ranges that have edges, rising; range r is of the ids from r * 2^14 on."""
        return sorted(self._runs)

    def edges(self, place: int) -> Iterator[Words]:
        """The edges to a range, some at a time, in the order in which they came."""
        parts, held = [], 0
        for begin, edges in self._runs[place]:
            for start in range(0, edges, _PART_EDGES):
                parts.append(self._read(begin + _WORD_BYTES * start, min(_PART_EDGES, edges - start)))
                held += len(parts[-1])
                if held >= _PART_EDGES:
                    yield np.concatenate(parts)
                    parts, held = [], 0
        if parts:
            yield np.concatenate(parts)

    def _read(self, begin: int, edges: int) -> Words:
        self._file.seek(begin)
        return np.frombuffer(self._file.read(_WORD_BYTES * edges), np.uint64)


def _directory(connection: sqlite3.Connection) -> str | None:
    """Where the database is, for there is room and no RAM in disguise; None where nobody may write there."""
    ((file,),) = connection.execute(_FILE).fetchall()
    directory = Path(file).parent
    return str(directory) if file and os.access(directory, os.W_OK) else None
