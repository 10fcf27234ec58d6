"""Edge lists as text: two columns of ids or URLs, plain or gzipped, parsed in blocks."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weaver.base.errors import DirectoryError, WeaverError

BLOCK_BYTES = 1 << 20
MOST_LINE_BYTES = 1 << 20
MOST_SHOWN = 120
GZIP_MAGIC = b"\x1f\x8b"

# An id of up to 18 digits fits a signed 64-bit number.
_ID = rb"[0-9]{1,18}"
_BETWEEN = rb"(?:[ \t]++(?:,[ \t]*+)?+|,[ \t]*+)"
_ID_LINES = re.compile(rb"(?:[ \t]*+" + _ID + _BETWEEN + _ID + rb"[ \t]*+\r?\n)*+")
_ID_LINE = re.compile(_ID + _BETWEEN + _ID)
_COMMENTS = (b"#", b"%")

IdPairs = NDArray[np.int64]
OnBytes = Callable[[int], None]


class EdgeListError(WeaverError):
    """A line of an edge list is not what was expected; whoever made the list mends it."""


class EdgeList:
    """A file of edges, one a line: source and target, white space between; `#` and `%` begin comment lines.

    All ends are ids (decimal, a comma between them does too) or all are URLs: the first edge decides. Raises
    EdgeListError for any other line, with its number, and DirectoryError where the file can't be read.
    """

    def __init__(self, path: Path, on_bytes: OnBytes = lambda _read: None) -> None:
        self.path = path
        self._on_bytes = on_bytes

    def __repr__(self) -> str:
        return f"EdgeList({self.path})"

    def has_ids(self) -> bool:
        """Whether the ends are ids; so it is too where there is no edge at all."""
        with closing(self._blocks()) as blocks:
            first = next((line for _, block in blocks for line in _edge_lines(block)), None)
        return first is None or all(end.isdigit() for end in re.split(rb"[\s,]+", first))

    def id_pairs(self) -> Iterator[IdPairs]:
        """The edges as arrays of two columns."""
        for line_number, block in self._blocks():
            if _ID_LINES.fullmatch(block):
                yield np.fromstring(block.replace(b",", b" ").decode("ascii"), np.int64, sep=" ").reshape(-1, 2)
            else:
                pairs = list(self._parsed_ids(line_number, block))
                if pairs:
                    yield np.array(pairs, np.int64)

    def url_pairs(self, canonical: Callable[[str], str | None]) -> Iterator[list[tuple[str, str]]]:
        """The edges as pairs of canonical URLs."""
        for line_number, block in self._blocks():
            yield list(self._parsed_urls(line_number, block, canonical))

    def _parsed_ids(self, line_number: int, block: bytes) -> Iterator[tuple[int, int]]:
        for number, line in _numbered(line_number, block):
            if not _ID_LINE.fullmatch(line):
                raise self._error(number, "two ids of at most 18 digits", line)
            source, target = line.replace(b",", b" ").split()
            yield int(source), int(target)

    def _parsed_urls(
        self, line_number: int, block: bytes, canonical: Callable[[str], str | None]
    ) -> Iterator[tuple[str, str]]:
        for number, line in _numbered(line_number, block):
            ends = line.decode("utf-8", "replace").split()
            urls = [url for url in map(canonical, ends) if url is not None]
            if len(ends) != 2 or len(urls) != 2:
                raise self._error(number, "two absolute http(s) URLs", line)
            yield urls[0], urls[1]

    def _error(self, number: int, expected: str, line: bytes) -> EdgeListError:
        shown = line[:MOST_SHOWN].decode("utf-8", "replace") + ("..." if len(line) > MOST_SHOWN else "")
        return EdgeListError(f"{self.path}, line {number}: expected {expected}, got {shown!r}")

    def _blocks(self) -> Generator[tuple[int, bytes], None, None]:
        """Whole lines, some MiB at a time, with the number of the first; the last line need not be ended."""
        try:
            with self.path.open("rb") as stream:
                is_gzipped = stream.read(2) == GZIP_MAGIC
                stream.seek(0)
                if is_gzipped:
                    with gzip.GzipFile(fileobj=stream) as unzipped:
                        yield from self._read_blocks(unzipped.read, stream.tell)
                else:
                    yield from self._read_blocks(stream.read, stream.tell)
        except (OSError, EOFError, zlib.error) as error:
            raise DirectoryError(f"can't read {self.path}: {getattr(error, 'strerror', None) or error}") from error

    def _read_blocks(self, read: Callable[[int], bytes], tell: Callable[[], int]) -> Iterator[tuple[int, bytes]]:
        line_number, rest = 1, b""
        while block := read(BLOCK_BYTES):
            self._on_bytes(tell())
            block = rest + block
            end = block.rfind(b"\n") + 1
            if not end and len(block) > MOST_LINE_BYTES:
                raise self._error(line_number, f"a line of at most {MOST_LINE_BYTES} bytes", block)
            rest = block[end:]
            if end:
                yield line_number, block[:end]
                line_number += block.count(b"\n", 0, end)
        if rest:
            yield line_number, rest + b"\n"


def _numbered(line_number: int, block: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines that hold edges, stripped, with their numbers."""
    for number, line in enumerate(block.split(b"\n"), start=line_number):
        stripped = line.strip()
        if stripped and not stripped.startswith(_COMMENTS):
            yield number, stripped


def _edge_lines(block: bytes) -> Iterator[bytes]:
    return (line for _, line in _numbered(1, block))
