"""Exchanges for the archive's tests, and what other readers find in a WARC file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastwarc.warc import ArchiveIterator as FastIterator
from warcio.archiveiterator import ArchiveIterator as WarcioIterator

from weaver.base.page import Exchange, HeaderLines, Response
from weaver.base.record import Capture

STARTED_AT = 1_700_000_000.25


def exchange(status_line: bytes = b"HTTP/1.1 200 OK", *, peer: str = "192.0.2.7", **sent: str) -> Exchange:
    """An exchange with a server; `sent` are further request headers."""
    extra = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in sent.items())
    return Exchange(STARTED_AT, peer, b"GET /a?b HTTP/1.1", ((b"Host", b"h"), *extra), status_line)


def response(
    url: str = "http://h/a?b",
    body: bytes = b"hello",
    lines: HeaderLines = ((b"Content-Type", b"text/html"),),
    truncated_by: str = "",
    **sent: str,
) -> Response:
    """An answer with its exchange."""
    return Response(url, 200, {}, body, len(body), 0.012, truncated_by, lines, exchange(**sent))


def capture(url: str = "http://h/a?b", body: bytes = b"hello", page_id: int = 0, *hrefs: str) -> Capture:
    """An answer on its way to the archive."""
    return Capture(response(url, body), page_id, url, hrefs)


@dataclass(frozen=True, slots=True)
class Read:
    """A record as another reader sees it: `block` as it lies in the file."""

    kind: str
    fields: dict[str, str]
    block: bytes

    @property
    def url(self) -> str:
        return self.fields.get("WARC-Target-URI", "")


def by_warcio(path: Path) -> Iterator[Read]:
    """What warcio reads, each digest checked, of blocks and of payloads."""
    with path.open("rb") as stream:
        for record in WarcioIterator(stream, check_digests="raise"):
            record.content_stream().read()
    with path.open("rb") as stream:
        for record in WarcioIterator(stream, no_record_parse=True):
            yield Read(record.rec_type, dict(record.rec_headers.headers), record.raw_stream.read())


def by_fastwarc(path: Path) -> Iterator[Read]:
    """What fastwarc reads, each block digest checked."""
    with path.open("rb") as stream:
        for record in FastIterator(stream, parse_http=False):
            assert record.verify_block_digest()
            fields = dict(record.headers.to_tuples())
            yield Read(fields["WARC-Type"], fields, record.reader.read())


def archive_of(folder: Path) -> list[Read]:
    """All records of all files of a folder, in order; both readers must see the same."""
    found = [read for path in sorted(folder.iterdir()) for read in by_fastwarc(path)]
    again = [read for path in sorted(folder.iterdir()) for read in by_warcio(path)]
    assert [(one.kind, one.fields, one.block) for one in found] == [(two.kind, two.fields, two.block) for two in again]
    return found
