"""WARC files as a corpus: their records one at a time, with bodies decoded and bounded, whoever wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from weaver.base.optional import optional_library
from weaver.persistence.warc_tail import record_end

MAX_BODY_BYTES = 8 << 20
"""As a crawl's own limit for a body (`fetch.max_body`)."""
MAX_BODY, TORN, CORRUPT = "max_body", "torn", "corrupt"
_FOREIGN = (OSError, ValueError, EOFError)
_BEGINS = (b"\x1f\x8b", b"WARC/")
_MAGIC_BYTES = 5


@dataclass(frozen=True, slots=True)
class WarcRecord:
    """A record as it was read: of HTTP messages the body, decoded, else the block.

    `kind` is the WARC-Type; `status`, `headers` (as written, in order) and `content_type` are the HTTP message's, where
    there is one. `digest` is the WARC-Payload-Digest as written; `refers_to` the URL whose payload a `revisit` has.
    `truncated_by` is empty for a whole body, else the WARC-Truncated, `max_body`, `torn` or `corrupt`. The record
    begins at `offset` of the file, the next one at `end`.
    """

    kind: str
    record_id: str
    url: str
    date: datetime | None
    body: bytes
    content_type: str = ""
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    digest: str = ""
    refers_to: str = ""
    truncated_by: str = ""
    offset: int = 0
    end: int = 0


class WarcReader:
    """Iterates over the records of one file, plain or compressed, from `offset` on, which must be a record's.

    One record is held at a time, and one ahead; of each at most `max_body_bytes`. A file that ends within a record
    gives what is there of it as `torn`; one that is no WARC, or damaged, ends early, and `damage` says why.
    Raises OSError for a file that can't be opened, and MissingLibrary.
    """

    def __init__(self, path: Path, *, offset: int = 0, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._path = path
        self._offset = offset
        self._max_body_bytes = max_body_bytes
        self._library = optional_library("fastwarc.warc", "warc")
        self.damage = ""

    def __repr__(self) -> str:
        return f"WarcReader({self._path}, {self.damage or 'no damage'})"

    def __iter__(self) -> Iterator[WarcRecord]:
        with self._path.open("rb") as stream:
            ahead: WarcRecord | None = None
            for record in self._records(stream):
                if ahead is not None:
                    yield replace(ahead, end=record.offset)
                ahead = record
            if ahead is not None:
                yield self._last(stream, ahead)

    def _records(self, stream: BinaryIO) -> Iterator[WarcRecord]:
        """What can't be decoded leaves the library at a loss: it begins anew behind that record."""
        begin: int | None = self._offset
        while begin is not None:
            stream.seek(begin)
            begin = None
            for record in self._from(stream):
                yield record
                if record.truncated_by == CORRUPT:
                    begin = self._end_of(stream, record)
                    break

    def _from(self, stream: BinaryIO) -> Iterator[WarcRecord]:
        found = iter(self._library.ArchiveIterator(stream, parse_http=True, auto_decode="all"))
        while True:
            try:
                record = next(found, None)
            except _FOREIGN as error:
                self.damage = str(error) or type(error).__name__
                return
            if record is None:
                return
            yield self._read(record)

    def _read(self, record: Any) -> WarcRecord:
        fields = record.headers
        body, truncated_by = self._body(record)
        message = record.http_headers if record.is_http_parsed else None
        return WarcRecord(
            kind=fields.get("WARC-Type", "").lower(),
            record_id=record.record_id or "",
            url=fields.get("WARC-Target-URI", ""),
            date=record.record_date,
            body=body,
            content_type=_media_type(fields.get("Content-Type", "") if message is None else record.http_content_type),
            status=0 if message is None else message.status_code or 0,
            headers=() if message is None else tuple(_texts(message.to_tuples())),
            digest=fields.get("WARC-Payload-Digest", ""),
            refers_to=fields.get("WARC-Refers-To-Target-URI", ""),
            truncated_by=truncated_by or fields.get("WARC-Truncated", ""),
            offset=record.stream_pos,
        )

    def _body(self, record: Any) -> tuple[bytes, str]:
        """A body that is not in the coding that its head names is nobody's damage but its own."""
        try:
            body = record.reader.read(self._max_body_bytes + 1)
        except _FOREIGN:
            return b"", CORRUPT
        is_cut = len(body) > self._max_body_bytes
        return body[: self._max_body_bytes], MAX_BODY if is_cut else ""

    def _last(self, stream: BinaryIO, record: WarcRecord) -> WarcRecord:
        """Only the last record of a file may be torn, and the library does not tell."""
        size_bytes = self._path.stat().st_size
        stream.seek(record.offset)
        # Where several records are in one member, or the coding is another, nobody can tell.
        can_tell = stream.read(_MAGIC_BYTES).startswith(_BEGINS)
        end = record_end(stream, record.offset) if can_tell else size_bytes
        if end is None:
            return replace(record, truncated_by=record.truncated_by or TORN, end=size_bytes)
        return replace(record, end=end)

    def _end_of(self, stream: BinaryIO, record: WarcRecord) -> int | None:
        end = record_end(stream, record.offset)
        if end is None:
            self.damage = f"the record at byte {record.offset} is damaged, or torn"
        return end


def iterate_warc(path: Path, *, offset: int = 0, max_body_bytes: int = MAX_BODY_BYTES) -> Iterator[WarcRecord]:
    """The records of one file, as a WarcReader gives them."""
    return iter(WarcReader(path, offset=offset, max_body_bytes=max_body_bytes))


def _media_type(text: str | None) -> str:
    return (text or "").partition(";")[0].strip().lower()


def _texts(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for name, value in pairs:
        yield str(name), str(value)
