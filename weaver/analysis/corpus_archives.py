"""Archives: the pages of a WARC file as documents, each the text that a reader sees of it, its id the URL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from weaver.analysis.corpus_files import HTML_SHARE, visible_text
from weaver.analysis.corpus_sources import Document, Item, Unreadable
from weaver.analysis.corpus_warc import CORRUPT, MAX_BODY, TORN, WarcReader, WarcRecord

_PAGES = frozenset({"response", "resource", "conversion"})
REVISIT = "revisit"
_TRUNCATED = {TORN: "damaged", CORRUPT: "damaged", MAX_BODY: "too_long"}


def read_warc(path: Path, position: int, place: int, most_bytes: int) -> Iterator[Item]:
    """The pages from the record at byte `place` on; requests, metadata and robots.txt are no documents.

    A `revisit` has no text of its own and is the page whose payload it names. What has another status than 2xx is
    counted. Raises MissingLibrary.
    """
    reader = WarcReader(path, offset=place, max_body_bytes=most_bytes // HTML_SHARE)
    for record in reader:
        place = record.end
        if record.kind in _PAGES or record.kind == REVISIT:
            position += 1
            yield _item(record, position)
    if reader.damage:
        yield Unreadable("damaged", f"{path.name}: {reader.damage}", position + 1, place, place)


def _item(record: WarcRecord, position: int) -> Item:
    """The record as a document, or the reason why it is none."""
    at = (position, record.end, record.end)
    if not _is_page(record):
        return Unreadable("no_page", f"{record.url}: {record.status or record.content_type}", *at)
    if record.kind == REVISIT:
        return Document(record.url, None, *at, payload=record.digest)
    if record.truncated_by in _TRUNCATED:
        return Unreadable(_TRUNCATED[record.truncated_by], f"{record.url}: {record.truncated_by}", *at)
    text = visible_text(record.body, _content_type(record), record.url)
    if text is None:
        return Unreadable("no_text", f"{record.url}: {record.content_type}", *at)
    return Document(record.url, text, *at, payload=record.digest)


def _is_page(record: WarcRecord) -> bool:
    try:
        path = urlsplit(record.url).path
    except ValueError:
        return False
    is_answered = 200 <= record.status < 300 or (not record.status and record.kind != "response")
    return is_answered and path != "/robots.txt"


def _content_type(record: WarcRecord) -> str:
    """With its parameters, where the message has them."""
    return next((value for name, value in record.headers if name.lower() == "content-type"), record.content_type)
