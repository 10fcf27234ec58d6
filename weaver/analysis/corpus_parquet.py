"""Parquet as a corpus: the rows of a file as documents by way of pyarrow, some hundred rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from weaver.analysis.corpus_rows import row_item
from weaver.analysis.corpus_sources import Fields, Item, Unreadable

BATCH_ROWS = 256


def read_parquet(path: Path, fields: Fields, position: int, most_bytes: int) -> Iterator[Item]:
    """The documents behind the first `position` rows; row groups before them are not read."""
    try:
        with parquet.ParquetFile(path) as file:
            yield from _rows(file, path, fields, position, most_bytes)
    except pa.ArrowException as error:
        yield Unreadable("damaged", f"{path.name}: {error}", position + 1, position)


def _rows(file: parquet.ParquetFile, path: Path, fields: Fields, position: int, most_bytes: int) -> Iterator[Item]:
    columns = [column for column in (fields.id_field or "id", fields.text_field) if column in file.schema_arrow.names]
    groups, at = _groups_from(file, position)
    name, bytes_per_row = path.name, path.stat().st_size / max(1, file.metadata.num_rows)
    for batch in file.iter_batches(BATCH_ROWS, row_groups=groups, columns=columns):
        for row in batch.to_pylist():
            at += 1
            if at <= position:
                continue
            text = row.get(fields.text_field)
            passed = int(bytes_per_row * at)
            if isinstance(text, str) and len(text) > most_bytes:
                yield Unreadable("too_long", f"{name}:{at}: over {most_bytes} bytes", at, at, passed)
            else:
                known = row if fields.text_field in row else dict.fromkeys(file.schema_arrow.names) | row
                yield row_item(known, fields, f"{name}:{at}", at, at, passed)


def _groups_from(file: parquet.ParquetFile, position: int) -> tuple[list[int], int]:
    """The row groups that have a row behind `position`, and how many rows stand before them."""
    before = 0
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if before + rows > position:
            return list(range(group, file.num_row_groups)), before
        before += rows
    return [], before
