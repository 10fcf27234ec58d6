"""CSV and JSON lines: a table's rows as chunks of bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from itertools import islice

import orjson

from weaver.analysis.tables import Cell, Row, Table

CHUNK_ROWS = 1_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet runs a cell that starts so as a formula: an attack by way of titles and URLs."""


def csv_chunks(table: Table) -> Iterator[bytes]:
    """RFC 4180 CSV in UTF-8 with a header line; a text that a spreadsheet would run gets a `'` before it."""
    yield _csv([table.columns])
    for rows in _chunks(table.rows):
        yield _csv([tuple(_inert(cell) for cell in row) for row in rows])


def jsonl_chunks(table: Table) -> Iterator[bytes]:
    """One JSON object a row, the texts raw."""
    for rows in _chunks(table.rows):
        yield b"".join(orjson.dumps(dict(zip(table.columns, row, strict=True))) + b"\n" for row in rows)


ROW_FORMATS: dict[str, Callable[[Table], Iterator[bytes]]] = {"csv": csv_chunks, "jsonl": jsonl_chunks}


def _inert(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell


def _csv(rows: list[Row]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue().encode()


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, CHUNK_ROWS)):
        yield chunk
