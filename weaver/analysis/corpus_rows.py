"""Rows: the documents of JSON lines and CSV, plain or compressed, with a bound on what one of them may take."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, BinaryIO

import orjson
import zstandard

from weaver.analysis.corpus_sources import Document, Fields, Item, Unreadable

SKIP_BYTES = 1 << 20
SHOWN_FIELDS, SHOWN_CHARS = 8, 60
"""Of a row that was not as expected: a stranger's data, told no further than that."""
_JSON_NAMES = {type(None): "null", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
DAMAGED = (OSError, EOFError, zlib.error, zstandard.ZstdError)
"""What a compressed file raises where it is cut short or isn't what its name says."""


def row_item(row: Mapping[str, Any], fields: Fields, where: str, position: int, place: int, passed: int) -> Item:
    """A row as a document, or the reason why it is none."""
    text = row.get(fields.text_field)
    if not isinstance(text, str):
        told = f"{where}: expected text in {fields.text_field!r}, got {_got(row, fields.text_field)}"
        return Unreadable("no_text_field", told, position, place, passed)
    given = row.get(fields.id_field or "id")
    if given is None and fields.id_field is None:
        return Document(where, text, position, place, passed)
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        name = fields.id_field or "id"
        told = f"{where}: expected a text or number in {name!r}, got {_got(row, name)}"
        return Unreadable("no_id_field", told, position, place, passed)
    return Document(str(given), text, position, place, passed)


def _got(row: Mapping[str, Any], name: str) -> str:
    """What a row has where a field was looked for: its value's type, else the names of its fields."""
    if name in row:
        return _JSON_NAMES.get(type(row[name]), type(row[name]).__name__)
    return _shortened(f"the fields {', '.join(map(repr, islice(row, SHOWN_FIELDS)))}") if row else "no field at all"


def _shortened(told: str) -> str:
    return told if len(told) <= SHOWN_CHARS else told[: SHOWN_CHARS - 3] + "..."


def read_jsonl(path: Path, fields: Fields, position: int, place: int, most_bytes: int) -> Iterator[Item]:
    """The documents from byte `place` on, which begins a line; lines longer than `most_bytes` are passed over."""
    with opened(path) as (stream, raw):
        _skip_to(stream, raw, place)
        while line := stream.readline(most_bytes + 1):
            position += 1
            place += len(line)
            where = f"{path.name}:{position}"
            if len(line) > most_bytes and not line.endswith(b"\n"):
                place += _rest_of_line(stream)
                yield Unreadable("too_long", f"{where}: over {most_bytes} bytes", position, place, raw.tell())
            elif not line.isspace():
                yield _line_item(line, fields, where, position, place, raw.tell())


def read_csv(path: Path, fields: Fields, position: int, _place: int, most_bytes: int) -> Iterator[Item]:
    """The documents behind the first `position` rows; the first line names the columns."""
    csv.field_size_limit(most_bytes)
    with opened(path) as (stream, raw):
        text = io.TextIOWrapper(stream, "utf-8-sig", errors="replace", newline="")
        at = 0
        try:
            for row in csv.DictReader(text):
                at += 1
                if at > position:
                    yield row_item(row, fields, f"{path.name}:{at}", at, at, raw.tell())
        except csv.Error as error:
            yield Unreadable("damaged", f"{path.name}: {error} behind row {at}", max(at, position) + 1, at, raw.tell())


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, IO[bytes]]]:
    """A file's content, decompressed by its name, and the file itself, whose `tell` says how much was read."""
    with path.open("rb") as raw:
        if path.suffix.lower() == ".gz":
            with gzip.GzipFile(fileobj=raw) as unzipped:
                yield io.BufferedReader(unzipped, SKIP_BYTES), raw
        elif path.suffix.lower() == ".zst":
            reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
            yield io.BufferedReader(reader, SKIP_BYTES), raw
        else:
            yield raw, raw


def _skip_to(stream: BinaryIO, raw: IO[bytes], place: int) -> None:
    """Go to a byte of a stream just opened; what is compressed is read up to there."""
    if stream is raw:
        raw.seek(place)
        return
    while place > 0 and (passed := stream.read(min(place, SKIP_BYTES))):
        place -= len(passed)


def _line_item(line: bytes, fields: Fields, where: str, position: int, place: int, passed: int) -> Item:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        row = _lenient(line)
    if not isinstance(row, dict):
        told = f"{where}: expected a JSON object, got {_shortened(repr(line[:SHOWN_CHARS].rstrip()))}"
        return Unreadable("not_json", told, position, place, passed)
    return row_item(row, fields, where, position, place, passed)


def _lenient(line: bytes) -> object:
    """What Python's own reader makes of the line: it takes NaN and half surrogates, which others write."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _rest_of_line(stream: BinaryIO) -> int:
    passed = 0
    while part := stream.readline(SKIP_BYTES):
        passed += len(part)
        if part.endswith(b"\n"):
            break
    return passed
