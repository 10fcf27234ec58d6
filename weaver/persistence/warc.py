"""The WARC archive: what the crawl fetched, written by the writer's thread, page by page with its commits."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from weaver.base.page import Exchange, Response
from weaver.base.record import Capture, CommitRecord
from weaver.base.settings import WarcSettings
from weaver.base.url import join
from weaver.persistence.border import directory_errors, disk_errors
from weaver.persistence.database import write_meta
from weaver.persistence.warc_files import WarcFiles, WarcMark
from weaver.persistence.warc_http import SECRETS, request_head, response_head
from weaver.persistence.warc_record import NewRecord, digest_text, new_record_id, sha1, warc_date, warc_fields

MARK = "warc_end"
DEFAULT_PLACE = "warc"
# Only a crawl with an archive has it. A payload is told again by its SHA-1, whichever URL or status it came with.
PAYLOADS = """
CREATE TABLE IF NOT EXISTS warc_payloads (  -- the first record of each payload
    sha1 BLOB PRIMARY KEY,
    record_id TEXT NOT NULL,
    url TEXT NOT NULL,
    date TEXT NOT NULL
) WITHOUT ROWID
"""
_VIA = "SELECT source.url FROM urls JOIN urls AS source ON source.id = urls.source_id WHERE urls.id = ?"
_REVISIT = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
_CONFORMS_TO = "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"
_FIELDS = "application/warc-fields"
# ISO 28500, 5.13; what is missing here was cut by weaver's own limits.
_TRUNCATED = {"": "", "short": "disconnect", "corrupt": "unspecified"}


@dataclass(frozen=True, slots=True)
class _Original:
    """The record that holds a payload."""

    record_id: str
    url: str
    date: str


class WarcArchive:
    """Writes the captures of a group of records before the group is committed, and in its transaction, how far it came.

    A response has three records: itself (or a `revisit` where its payload is in the archive), its request and its
    metadata; `duplicates` says whether a payload that is there is written again, or leaves no record at all. What a
    crash leaves beyond the last commit is cut when the crawl is resumed: no committed page lacks its
    records, and none has them twice. All is done on the writer's thread; raises OSError, sqlite3.Error.
    """

    def __init__(
        self,
        files: WarcFiles,
        mark: WarcMark | None,
        secrets: frozenset[str],
        *,
        duplicates: Literal["revisit", "response", "none"],
        must_sync: bool,
    ) -> None:
        self._files = files
        self._duplicates = duplicates
        self._secrets = secrets
        self._must_sync = must_sync
        self.repaired = files.repair(mark)
        self._is_ready = False
        self._is_committed = True

    def __repr__(self) -> str:
        return f"WarcArchive({self._files!r})"

    def document(self) -> dict[str, object]:
        """What the archive holds, all runs together, for the status; from any thread."""
        return {"directory": self._files.place, **asdict(self._files.totals)}

    def write(self, connection: sqlite3.Connection, group: Sequence[CommitRecord]) -> None:
        """Append what the group captured; `connection` is in its transaction."""
        captures = [capture for record in group for capture in record.captures]
        if not captures:
            return
        self._is_committed = False
        if not self._is_ready:
            self._prepare(connection)
        for capture in captures:
            self._append(connection, capture)
        if self._must_sync:
            self._files.sync()
        write_meta(connection, MARK, str(self._files.mark))

    def committed(self) -> None:
        """The last group is on disk."""
        self._is_committed = True
        self._files.committed()

    def close(self) -> None:
        """End the last file; after the writer's end."""
        with disk_errors("closing the archive"):
            self._files.close(is_committed=self._is_committed)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute(PAYLOADS)
        if self.repaired.is_short:
            # Nobody knows which of them are in the part that was lost.
            connection.execute("DELETE FROM warc_payloads")
        self._is_ready = True

    def _append(self, connection: sqlite3.Connection, capture: Capture) -> None:
        response, exchange = capture.response, capture.response.exchange
        if exchange is None:
            return
        payload = sha1((response.body,))
        original = _original(connection, payload) if _is_whole(response) else None
        if original is not None and self._duplicates == "none":
            self._files.totals.left_out += 1
            return
        if original is not None and self._duplicates == "revisit":
            kept = _revisit(response, exchange, payload, original)
        else:
            kept = _response(response, exchange, payload)
        if _is_whole(response) and original is None:
            row = payload, kept.record_id, response.url, kept.date
            connection.execute("INSERT INTO warc_payloads VALUES (?, ?, ?, ?)", row)
        about = (("WARC-Target-URI", response.url), ("WARC-Concurrent-To", kept.record_id))
        request = request_head(exchange, self._secrets)
        facts = warc_fields(_facts(connection, capture))
        self._files.append((
            kept,
            NewRecord("request", new_record_id(), kept.date, "application/http;msgtype=request", (request,), about),
            NewRecord("metadata", new_record_id(), kept.date, _FIELDS, (facts,), about),
        ))  # fmt: skip


def _is_whole(response: Response) -> bool:
    """Whether the payload may stand for others, or others for it; none at all stands for nothing."""
    return bool(response.body) and not response.is_truncated


def _original(connection: sqlite3.Connection, payload: bytes) -> _Original | None:
    query = "SELECT record_id, url, date FROM warc_payloads WHERE sha1 = ?"
    row = connection.execute(query, (payload,)).fetchone()
    return _Original(*row) if row else None


def _response(response: Response, exchange: Exchange, payload: bytes) -> NewRecord:
    fields = (*_common(response, exchange, payload), ("WARC-Truncated", _truncated(response)))
    return _http_record("response", exchange, (response_head(response), response.body), fields)


def _revisit(response: Response, exchange: Exchange, payload: bytes, original: _Original) -> NewRecord:
    """The answer's head alone (ISO 28500, 6.7.2), and where its payload is."""
    fields = (
        *_common(response, exchange, payload),
        ("WARC-Profile", _REVISIT),
        ("WARC-Refers-To", original.record_id),
        ("WARC-Refers-To-Target-URI", original.url),
        ("WARC-Refers-To-Date", original.date),
    )
    return _http_record("revisit", exchange, (response_head(response),), fields)


def _http_record(
    kind: str, exchange: Exchange, block: tuple[bytes, ...], fields: tuple[tuple[str, str], ...]
) -> NewRecord:
    date = warc_date(exchange.started_at)
    return NewRecord(kind, new_record_id(), date, "application/http;msgtype=response", block, fields)


def _common(response: Response, exchange: Exchange, payload: bytes) -> tuple[tuple[str, str], ...]:
    return (
        ("WARC-Target-URI", response.url),
        ("WARC-IP-Address", exchange.peer),
        ("WARC-Payload-Digest", digest_text(payload)),
    )


def _truncated(response: Response) -> str:
    return _TRUNCATED.get(response.truncated_by, "length")


def _facts(connection: sqlite3.Connection, capture: Capture) -> Iterator[tuple[str, str]]:
    """The names are Heritrix's, which tools know."""
    source = connection.execute(_VIA, (capture.page_id,)).fetchone() if capture.page_id else None
    if source is not None:
        yield "via", source[0]
    yield "fetchTimeMs", str(round(capture.response.elapsed_s * 1000))
    targets = (join(href, capture.base_url) for href in dict.fromkeys(capture.hrefs))
    for target in dict.fromkeys(targets):
        if target is not None and target.startswith(("http://", "https://")):
            yield "outlink", target


def stored_mark(connection: sqlite3.Connection) -> str:
    """How far the archive of a crawl goes, for `open_archive`; empty where there is none."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (MARK,)).fetchone()
    return row[0] if row else ""


def open_archive(
    settings: WarcSettings,
    home: Path,
    crawl_seed: int,
    mark: str,
    about: Mapping[str, str],
    secrets: Iterable[str],
    wall: Callable[[], float],
    *,
    must_sync: bool,
) -> WarcArchive:
    """The archive of the crawl in `home`, repaired up to `mark`, the value of `meta` (empty for a new one).

    `about` goes into each file's warcinfo; `secrets` names headers whose values are left out. Raises DirectoryError.
    """
    # The crawl's own name in its files: several crawls may share a folder. The seed itself is nobody's business.
    crawl = blake2b(crawl_seed.to_bytes(8), digest_size=4).hexdigest()
    hidden = SECRETS | {name.lower() for name in secrets}
    place = settings.directory or DEFAULT_PLACE
    with directory_errors(f"keep an archive in {home / place}"):
        files = WarcFiles(home, place, crawl, settings.max_file, settings.compress, partial(_info, about), wall)
        return WarcArchive(
            files, WarcMark.parse(mark), hidden, duplicates=settings.duplicates, must_sync=must_sync
        )  # fmt: skip


def _info(about: Mapping[str, str], name: str, wall_s: float) -> NewRecord:
    """The record at the head of a file (ISO 28500, 6.2)."""
    format_facts = {"format": "WARC File Format 1.1", "conformsTo": _CONFORMS_TO}
    facts = warc_fields({**about, **format_facts}.items())
    return NewRecord("warcinfo", new_record_id(), warc_date(wall_s), _FIELDS, (facts,), (("WARC-Filename", name),))
