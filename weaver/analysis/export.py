"""Export: a table or the graph of a crawl directory to a file or two, streamed, in place only once they are whole."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from weaver.analysis.common_crawl import common_crawl_files
from weaver.analysis.directory import open_reader
from weaver.analysis.graph_formats import GRAPH_FORMATS
from weaver.analysis.row_formats import ROW_FORMATS
from weaver.analysis.tables import TABLES, Row, Table
from weaver.analysis.text_formats import ascii_graph_chunks, check_dot_size, dot_chunks
from weaver.analysis.walk import OnShare, Walk
from weaver.base.errors import DirectoryError
from weaver.base.optional import optional_library

PARQUET, DOT, COMMON_CRAWL = "parquet", "dot", "cc"
TABLE_FORMATS = (*ROW_FORMATS, PARQUET)
_GRAPH_CHUNKS = {**GRAPH_FORMATS, DOT: dot_chunks, "ascii-graph": ascii_graph_chunks}
FOLDER_FORMATS = (COMMON_CRAWL,)
FORMATS = (*TABLE_FORMATS, *_GRAPH_CHUNKS, *FOLDER_FORMATS)
"""Tables in any of the first ones; the graph in one file; and what makes a folder with several."""

Chunks = Iterator[tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote; `rows` is None for the graph formats."""

    rows: int | None
    written_bytes: int


def export(
    directory: Path,
    form: str,
    table: str,
    target: BinaryIO,
    with_urls: bool = False,
    *,
    is_forced: bool = False,
    on_share: OnShare = lambda _share: None,
) -> Exported:
    """Write one table (TABLE_FORMATS) or the graph (the others but FOLDER_FORMATS) to `target`.

    Works while a crawl is under way: what is known at the start is written. Memory stays fixed whatever the size.
    Raises MissingLibrary for parquet without pyarrow, and TooLarge for a graph that DOT is not for, unless forced.
    """
    rows = written_bytes = 0
    with open_reader(directory) as reader:
        walk = Walk(reader, on_share)
        for new_rows, chunk in _chunks(walk, form, table, with_urls, is_forced):
            rows += new_rows
            written_bytes += target.write(chunk)
    return Exported(rows if form in TABLE_FORMATS else None, written_bytes)


def export_folder(directory: Path, form: str, path: Path, *, on_share: OnShare = lambda _share: None) -> Exported:
    """Write the files of one of FOLDER_FORMATS (`cc`) into the folder `path`."""
    if form not in FOLDER_FORMATS:
        raise ValueError(f"expected one of {FOLDER_FORMATS}, got {form!r}")
    written_bytes = 0
    with open_reader(directory) as reader, whole_folder(path) as folder:
        for name, chunks in common_crawl_files(Walk(reader, on_share), folder):
            with (folder / name).open("wb") as stream:
                for chunk in chunks:
                    written_bytes += stream.write(chunk)
    return Exported(None, written_bytes)


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


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder whose files take their places in `path` only when all are written."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.mkdir()
        yield temporary
        path.mkdir(exist_ok=True)
        for written in sorted(temporary.iterdir()):
            written.replace(path / written.name)
    except OSError as error:
        raise DirectoryError(f"can't write {path}: {error.strerror}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _chunks(walk: Walk, form: str, table: str, with_urls: bool, is_forced: bool) -> Chunks:
    if form in ROW_FORMATS:
        return _row_chunks(form, TABLES[table](walk, with_urls))
    if form == PARQUET:
        # pyarrow takes 0.2 s and 50 MB to import, and not everyone has it.
        module = optional_library("weaver.analysis.parquet", extra="parquet")
        chunks: Chunks = module.parquet_chunks(walk, table, with_urls)
        return chunks
    if form == DOT and not is_forced:
        check_dot_size(walk)
    walk.passes = 1 if form == "ascii-graph" else 2
    return ((0, chunk) for chunk in _GRAPH_CHUNKS[form](walk))


def _row_chunks(form: str, table: Table) -> Chunks:
    """The chunks with the number of rows that went into each."""
    rows = 0

    def counted() -> Iterator[Row]:
        nonlocal rows
        for row in table.rows:
            rows += 1
            yield row

    before = 0
    for chunk in ROW_FORMATS[form](Table(table.columns, counted())):
        yield rows - before, chunk
        before = rows
