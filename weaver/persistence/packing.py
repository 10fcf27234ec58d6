"""The `links.packed` blob: a page's out-edges in little-endian columns, kinds run-length coded.

byte 0        format version, 1
bytes 1-4     r, the number of runs, u32
r bytes       the kind of each run
4 r bytes     the length of each run, u32
4 n bytes     the targets' ids, u32, in the order of the page's edges
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaver.base.errors import PersistenceError
from weaver.base.record import Adjacency

PACKING_VERSION = 1

Targets = NDArray[np.uint32]
Kinds = NDArray[np.uint8]

_HEAD = struct.Struct("<BI")
_ONE_RUN = struct.Struct("<BIBI")
_ONE_RUN_HEAD = _HEAD.pack(PACKING_VERSION, 1)
_IS_LITTLE = sys.byteorder == "little"


def pack(adjacency: Adjacency) -> bytes:
    """The blob of a page's edges; cheap where edges come grouped by kind. Raises ValueError for uneven columns."""
    targets, kinds = adjacency.targets, adjacency.kinds
    if len(targets) != 4 * len(kinds):
        raise ValueError(f"expected 4 bytes of target an edge, got {len(targets)} bytes for {len(kinds)} edges")
    stored = targets if _IS_LITTLE else _little(targets)
    runs = _runs(kinds)
    if len(runs) == 1:
        return _ONE_RUN.pack(PACKING_VERSION, 1, *runs[0]) + stored
    run_kinds = bytes(kind for kind, _ in runs)
    lengths = struct.pack(f"<{len(runs)}I", *(length for _, length in runs))
    return _HEAD.pack(PACKING_VERSION, len(runs)) + run_kinds + lengths + stored


def unpack(packed: bytes) -> tuple[Targets, Kinds]:
    """The edges' targets and kinds, one array each. Raises PersistenceError for a blob that is not ours."""
    run_kinds, lengths, offset = _header(packed)
    body_bytes = len(packed) - offset
    if body_bytes != 4 * int(lengths.sum(dtype=np.uint64)):
        raise PersistenceError(f"a links row is damaged: {body_bytes} bytes of targets, the header says otherwise")
    targets = np.frombuffer(packed, "<u4", offset=offset).astype(np.uint32)
    return targets, np.repeat(run_kinds, lengths)


def unpack_many(blobs: Sequence[bytes]) -> tuple[NDArray[np.int64], Targets, Kinds]:
    """The number of edges of each blob, and all their targets and kinds in a row; a tenth of `unpack`'s time a blob.

    Raises PersistenceError for a blob that is not ours.
    """
    columns, degrees, kinds = [], [], []
    for packed in blobs:
        if packed[:5] == _ONE_RUN_HEAD and len(packed) >= _ONE_RUN.size:
            _, _, kind, length = _ONE_RUN.unpack_from(packed)
            column = packed[_ONE_RUN.size :]
            if len(column) != 4 * length:
                raise PersistenceError(f"a links row is damaged: {len(column)} bytes for {length} targets")
            kinds.append(bytes((kind,)) * length)
        else:
            targets, row_kinds = unpack(packed)
            column, length = targets.astype("<u4").tobytes(), len(targets)
            kinds.append(row_kinds.tobytes())
        columns.append(column)
        degrees.append(length)
    targets = np.frombuffer(b"".join(columns), "<u4").astype(np.uint32, copy=False)
    return np.array(degrees, np.int64), targets, np.frombuffer(b"".join(kinds), np.uint8)


def edges_by_kind(packed: bytes) -> dict[int, int]:
    """How many edges of each kind a blob holds, read from its header only."""
    run_kinds, lengths, _ = _header(packed)
    found: dict[int, int] = {}
    for kind, length in zip(run_kinds.tolist(), lengths.tolist(), strict=True):
        found[kind] = found.get(kind, 0) + length
    return found


def links_json(packed: bytes) -> str:
    """The edges as JSON, `[[target, kind], ...]`: the SQL function behind the view `edges`."""
    targets, kinds = unpack(packed)
    pairs = zip(targets.tolist(), kinds.tolist(), strict=True)
    return f"[{','.join(f'[{target},{kind}]' for target, kind in pairs)}]"


def _header(packed: bytes) -> tuple[Kinds, NDArray[np.uint32], int]:
    """The runs' kinds and lengths, and where the targets begin."""
    if len(packed) < _HEAD.size or packed[0] != PACKING_VERSION:
        raise PersistenceError(f"expected a links row of format {PACKING_VERSION}, got {bytes(packed[:5])!r}")
    _, runs = _HEAD.unpack_from(packed)
    offset = _HEAD.size + 5 * runs
    if offset > len(packed):
        raise PersistenceError(f"a links row is damaged: {runs} runs in {len(packed)} bytes")
    run_kinds = np.frombuffer(packed, np.uint8, runs, _HEAD.size)
    lengths = np.frombuffer(packed, "<u4", runs, _HEAD.size + runs).astype(np.uint32)
    return run_kinds, lengths, offset


def _runs(kinds: bytes) -> list[tuple[int, int]]:
    """(kind, length) of each run; stripping a run costs one C call, and a page has few."""
    runs = []
    while kinds:
        rest = kinds.lstrip(kinds[:1])
        runs.append((kinds[0], len(kinds) - len(rest)))
        kinds = rest
    return runs


def _little(targets: bytes) -> Any:
    return np.frombuffer(targets, np.uint32).astype("<u4").tobytes()
