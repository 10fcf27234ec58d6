"""Parquet: a table in typed columns by way of pyarrow, a row group at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from weaver.analysis.tables import EDGE_KINDS, TABLES, Row
from weaver.analysis.walk import Walk

ROWS_PER_GROUP = 1 << 16
EDGES_PER_GROUP = 1 << 20
"""Of the edges without texts, which take 9 B each while a group is made."""

_ID, _COUNT, _WORD = pa.uint32(), pa.int64(), pa.dictionary(pa.int32(), pa.string())
_TIME = pa.timestamp("ms", tz="UTC")
# A column is text where nothing else is said.
_TYPES: dict[str, Any] = {
    "id": _ID, "source_id": _ID, "target_id": _ID, "duplicate_of": _ID, "representative_id": _ID, "member_id": _ID,
    "depth": pa.int32(), "http_status": pa.int32(), "body_bytes": _COUNT, "in_links": _COUNT, "out_links": _COUNT,
    "fetched_at": _TIME, "robots_fetched_at": _TIME, "ready_at": _TIME, "crawl_delay_s": pa.float64(),
    "similarity": pa.float32(),
    "urls": _COUNT, "queued": _COUNT, "fetched": _COUNT, "duplicate": _COUNT, "redirect": _COUNT, "failed": _COUNT,
    "blocked_robots": _COUNT, "skipped": _COUNT, "failures_in_a_row": _COUNT,
    "kind": _WORD, "state": _WORD, "content_type": _WORD, "reason": _WORD, "same": _WORD, "robots_status": _WORD,
    "host": _WORD,
}  # fmt: skip


class _Sink:
    """What pyarrow writes to; what was written is taken out after each row group."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size_bytes = 0
        self.rows = 0

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._size_bytes += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size_bytes

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def taken(self) -> bytes:
        """What was written since the last call."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def parquet_chunks(walk: Walk, table: str, with_urls: bool) -> Iterator[tuple[int, bytes]]:
    """The file's bytes in pieces, each with the number of rows that it brings; zstd, typed, times in UTC.

    Memory: a row group of ROWS_PER_GROUP rows, of EDGES_PER_GROUP edges without texts.
    """
    is_plain = table == "edges" and not with_urls
    source = TABLES[table](walk, with_urls)
    schema = pa.schema([(name, _TYPES.get(name, pa.string())) for name in source.columns])
    batches = _edge_batches(walk, schema) if is_plain else _row_batches(source.rows, schema)
    sink = _Sink()
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_table(batch)
            yield batch.num_rows, sink.taken()
    yield 0, sink.taken()


def _row_batches(rows: Iterator[Row], schema: Any) -> Iterator[Any]:
    while batch := list(islice(rows, ROWS_PER_GROUP)):
        columns = zip(*batch, strict=True)
        arrays = [_column(values, field.type) for values, field in zip(columns, schema, strict=True)]
        yield pa.Table.from_arrays(arrays, schema=schema)


def _column(values: tuple[Any, ...], kind: Any) -> Any:
    if kind == _TIME:
        return pa.array(values, pa.string()).cast(kind)
    return pa.array(values, pa.string()).dictionary_encode() if kind == _WORD else pa.array(values, kind)


def _edge_batches(walk: Walk, schema: Any) -> Iterator[Any]:
    """Edges without a Python object each."""
    words = pa.array([EDGE_KINDS.get(kind, str(kind)) for kind in range(256)])
    waiting: list[Any] = []
    for window in walk.edges():
        kinds = pa.DictionaryArray.from_arrays(pa.array(window.kinds).cast(pa.int32()), words)
        waiting.append(pa.Table.from_arrays([pa.array(window.sources), pa.array(window.targets), kinds], schema=schema))
        if sum(part.num_rows for part in waiting) >= EDGES_PER_GROUP:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)
