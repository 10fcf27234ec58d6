"""Export: a table or the graph of a crawl directory to a file, streamed, and in place only once it is whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from weaver.analysis.directory import open_reader
from weaver.analysis.graph_formats import GRAPH_FORMATS
from weaver.analysis.row_formats import ROW_FORMATS
from weaver.analysis.tables import TABLES, Row, Table
from weaver.base.errors import DirectoryError

FORMATS = (*ROW_FORMATS, *GRAPH_FORMATS)


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote; `rows` is None for the graph formats."""

    rows: int | None
    written_bytes: int


class _Counter:
    """Counts the rows that pass through."""

    def __init__(self) -> None:
        self.rows = 0

    def counted(self, rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            self.rows += 1
            yield row


def export(directory: Path, form: str, table: str, target: BinaryIO, with_urls: bool = False) -> Exported:
    """Write one table (`form` csv or jsonl) or the graph (graphml, gexf, node-link) to `target`.

    Works while a crawl is under way: what is known at the start is written. Memory stays fixed whatever the size.
    """
    counter = _Counter()
    written_bytes = 0
    with open_reader(directory) as reader:
        if form in ROW_FORMATS:
            source = TABLES[table](reader, with_urls)
            chunks = ROW_FORMATS[form](Table(source.columns, counter.counted(source.rows)))
        else:
            chunks = GRAPH_FORMATS[form](reader)
        for chunk in chunks:
            written_bytes += target.write(chunk)
    return Exported(counter.rows if form in ROW_FORMATS else None, written_bytes)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name only when all of it is written; a reader never meets half of one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as stream:
            yield stream
        temporary.replace(path)
    except OSError as error:
        raise DirectoryError(f"can't write {path}: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
