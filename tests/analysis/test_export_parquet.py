"""Parquet exports: typed columns that pyarrow reads back."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.analysis.made_crawl import AT, COPY, FRONT, NEXT, TWO, URLS, make_crawl
from weaver.analysis.export import export
from weaver.analysis.parquet import ROWS_PER_GROUP
from weaver.analysis.tables import TABLES
from weaver.base.errors import MissingLibrary
from weaver.base.optional import optional_library
from weaver.base.record import CommitRecord, UrlRow
from weaver.persistence import CrawlDirectory, Writer


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    """A crawl of nine URLs."""
    return make_crawl(tmp_path / "crawl")


def written(crawl: Path, form: str, table: str, with_urls: bool = False) -> bytes:
    """What an export writes."""
    buffer = io.BytesIO()
    export(crawl, form, table, buffer, with_urls)
    return buffer.getvalue()


def read(data: bytes) -> Any:
    """The table in a file of these bytes."""
    return parquet.read_table(io.BytesIO(data))


@pytest.mark.parametrize("with_urls", [False, True])
@pytest.mark.parametrize("table", TABLES)
def test_pyarrow_reads_what_json_lines_hold(crawl: Path, table: str, with_urls: bool) -> None:
    """Each table has the columns and the rows of the other formats, times as times."""
    rows = [json.loads(line) for line in written(crawl, "jsonl", table, with_urls).splitlines()]
    found = read(written(crawl, "parquet", table, with_urls))
    assert found.column_names == list(rows[0])
    assert [{name: _plain(value) for name, value in row.items()} for row in found.to_pylist()] == rows


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def test_columns_are_typed(crawl: Path) -> None:
    """Ids are 32-bit numbers, times are in UTC, counts are 64-bit, words are dictionaries, absent values null."""
    pages = read(written(crawl, "parquet", "pages"))
    types = {field.name: field.type for field in pages.schema}
    assert (types["id"], types["in_links"], types["url"]) == (pa.uint32(), pa.int64(), pa.string())
    assert types["fetched_at"] == pa.timestamp("ms", tz="UTC")
    assert pa.types.is_dictionary(types["state"])
    row = pages.to_pylist()[FRONT - 1]
    assert (row["url"], row["fetched_at"]) == (URLS[FRONT], datetime.fromtimestamp(AT, UTC))
    assert pages.to_pylist()[NEXT - 1]["http_status"] is None
    assert pages.to_pylist()[COPY - 1]["duplicate_of"] == TWO


@pytest.mark.parametrize("table", TABLES)
def test_an_empty_crawl_is_a_file_with_columns(tmp_path: Path, table: str) -> None:
    """A table without rows still has its columns and their types."""
    CrawlDirectory.create(tmp_path / "empty")
    found = read(written(tmp_path / "empty", "parquet", table))
    assert (found.num_rows, len(found.column_names) > 2) == (0, True)


@pytest.mark.slow
def test_row_groups_bound_what_a_reader_must_hold(tmp_path: Path) -> None:
    """A table larger than a row group comes in several, all of them whole."""
    urls = ROWS_PER_GROUP + 10

    def extra(writer: Writer) -> None:
        for first in range(10, urls + 1, 1000):
            ids = range(first, min(first + 1000, urls + 1))
            writer.submit(CommitRecord(urls=tuple(UrlRow(i, i, f"http://a.test/{i}", 1, 2, 1) for i in ids)))
            writer.flush().result()

    crawl = make_crawl(tmp_path / "crawl", extra=extra)
    file = parquet.ParquetFile(io.BytesIO(written(crawl, "parquet", "pages")))
    assert [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)] == [ROWS_PER_GROUP, 10]
    assert file.read(columns=["id"])["id"].to_pylist() == list(range(1, urls + 1))


def test_without_pyarrow_the_extra_is_named() -> None:
    """Where pyarrow is absent, asking for parquet is an error that says what to install."""
    module, library = sys.modules.pop("weaver.analysis.parquet", None), sys.modules["pyarrow"]
    sys.modules["pyarrow"] = None  # type: ignore[assignment]
    try:
        with pytest.raises(MissingLibrary, match=r"pyarrow is not installed.*weaver\[parquet\]"):
            optional_library("weaver.analysis.parquet", "parquet")
    finally:
        sys.modules["pyarrow"] = library
        if module is not None:
            sys.modules["weaver.analysis.parquet"] = module
