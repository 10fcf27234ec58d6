"""The archive behind the writer: three records a response, duplicates told, and no page committed without them."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.persistence.making import WAIT_S, page_row, url_row
from tests.support.warcs import Read, archive_of, capture, response
from weaver.base.errors import DirectoryError, PersistenceError
from weaver.base.record import Capture, CommitRecord
from weaver.base.settings import PersistenceSettings, WarcSettings
from weaver.persistence import Connection, CrawlDirectory, WarcArchive, Writer, open_archive, stored_mark

NOW = 1_700_000_100.0
ABOUT = {"software": "weaver/test", "operator": ""}
PAGE = b"<p>the same words</p>" * 20


class _Crawl:
    """A writer with an archive beside its database."""

    def __init__(self, home: Path, *, must_sync: bool = False, **warc: object) -> None:
        self.home = home
        self.directory = CrawlDirectory(home) if (home / "crawl.db").exists() else CrawlDirectory.create(home)
        reader = self.directory.connect_readonly()
        self.archive: WarcArchive = open_archive(
            WarcSettings(**warc),  # type: ignore[arg-type]
            home, self.directory.crawl_seed, stored_mark(reader), ABOUT, ["X-Key"], lambda: NOW, must_sync=must_sync,
        )  # fmt: skip
        reader.close()
        settings = PersistenceSettings(commit_interval=0.0)
        self.writer = Writer(self.directory.connect, settings, lambda _: None, lambda _: None, self.archive)
        self.writer.start()

    def commit(self, *captures: Capture, **parts: object) -> None:
        self.writer.submit(CommitRecord(captures=captures, **parts))  # type: ignore[arg-type]
        self.writer.flush().result(WAIT_S)

    def close(self) -> list[Read]:
        self.writer.close()
        self.archive.close()
        return archive_of(self.home / "warc")


def _of(kind: str, reads: Sequence[Read]) -> list[Read]:
    return [read for read in reads if read.kind == kind]


def test_a_response_has_three_records_of_one_moment(tmp_path: Path) -> None:
    """Response, request and metadata: same URL, same date, the latter two concurrent to the first."""
    crawl = _Crawl(tmp_path / "crawl")
    crawl.commit(capture("http://h/a?b", b"hello"))
    info, response_record, request, metadata = crawl.close()
    assert [info.kind, response_record.kind, request.kind, metadata.kind] == [
        "warcinfo", "response", "request", "metadata",
    ]  # fmt: skip
    fields = response_record.fields
    assert fields["WARC-Date"] == "2023-11-14T22:13:20.250000Z" == request.fields["WARC-Date"]
    assert fields["WARC-IP-Address"] == "192.0.2.7"
    assert fields["WARC-Payload-Digest"] == "sha1:VL2MMHO4YXUKFWV63YHTWSBM3GXKSQ2N"
    assert "WARC-Truncated" not in fields
    assert response_record.block == b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nhello"
    assert request.block == b"GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n"
    for read in (request, metadata):
        assert read.fields["WARC-Concurrent-To"] == fields["WARC-Record-ID"]
        assert read.url == "http://h/a?b"


def test_a_file_begins_with_who_made_it(tmp_path: Path) -> None:
    """The warcinfo names the file as it will be called, the software and the format; what is empty is left out."""
    crawl = _Crawl(tmp_path / "crawl")
    crawl.commit(capture())
    info = crawl.close()[0]
    assert [info.fields["WARC-Filename"]] == [path.name for path in (tmp_path / "crawl" / "warc").iterdir()]
    assert b"software: weaver/test\r\nformat: WARC File Format 1.1\r\n" in info.block
    assert b"operator" not in info.block


def test_metadata_tells_where_a_page_came_from_and_leads_to(tmp_path: Path) -> None:
    """The page that linked here, the time it took, and each http(s) link once, resolved."""
    crawl = _Crawl(tmp_path / "crawl")
    rows = url_row(1, "http://h/"), replace(url_row(2, "http://h/a/"), source_id=1)
    crawl.commit(capture("http://h/a/", PAGE, 2, "b", "../c", "./b", "mailto:x@y", "http://[bad"), urls=rows)
    (metadata,) = _of("metadata", crawl.close())
    assert metadata.block == (b"via: http://h/\r\nfetchTimeMs: 12\r\noutlink: http://h/a/b\r\noutlink: http://h/c\r\n")


def test_the_same_payload_is_kept_once(tmp_path: Path) -> None:
    """A payload that is in the archive leaves a revisit with its head alone, which says where the payload is."""
    crawl = _Crawl(tmp_path / "crawl")
    crawl.commit(capture("http://h/1", PAGE), capture("http://h/2", PAGE))
    crawl.commit(capture("http://h/3", PAGE), capture("http://h/4", PAGE + b"!"))
    reads = crawl.close()
    first, other = _of("response", reads)
    revisits = _of("revisit", reads)
    assert (first.url, other.url) == ("http://h/1", "http://h/4")
    assert [revisit.url for revisit in revisits] == ["http://h/2", "http://h/3"]
    for revisit in revisits:
        assert revisit.block == b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
        assert revisit.fields["WARC-Profile"].endswith("/warc/1.1/revisit/identical-payload-digest")
        assert revisit.fields["WARC-Payload-Digest"] == first.fields["WARC-Payload-Digest"]
        assert revisit.fields["WARC-Refers-To"] == first.fields["WARC-Record-ID"]
        assert revisit.fields["WARC-Refers-To-Target-URI"] == first.url
        assert revisit.fields["WARC-Refers-To-Date"] == first.fields["WARC-Date"]


@pytest.mark.parametrize(
    ("duplicates", "kinds"),
    [
        ("revisit", ["response", "revisit", "revisit", "response"]),
        ("response", ["response", "response", "response", "response"]),
        ("none", ["response", "response"]),
    ],
)
def test_a_repeated_payload_is_kept_as_the_setting_says(tmp_path: Path, duplicates: str, kinds: list[str]) -> None:
    """Named by a revisit, written again whole, or left out with its request; the totals of all runs say how many."""
    crawl = _Crawl(tmp_path / "crawl", duplicates=duplicates)
    crawl.commit(capture("http://h/1", PAGE), capture("http://h/2", PAGE))
    crawl.close()
    crawl = _Crawl(tmp_path / "crawl", duplicates=duplicates)
    crawl.commit(capture("http://h/3", PAGE), capture("http://h/4", PAGE + b"!"))
    reads = crawl.close()
    found = [read for read in reads if read.kind in ("response", "revisit")]
    assert [read.kind for read in found] == kinds
    assert all(read.block.endswith(PAGE) for read in found[:-1] if read.kind == "response")
    assert len(_of("request", reads)) == len(_of("metadata", reads)) == len(kinds)
    totals = crawl.archive.document()
    assert (totals["responses"], totals["revisits"]) == (kinds.count("response"), kinds.count("revisit"))
    assert totals["left_out"] == 4 - len(kinds)
    files = list((tmp_path / "crawl" / "warc").iterdir())
    assert (totals["files"], totals["bytes"]) == (len(files), sum(path.stat().st_size for path in files))


def test_a_payload_is_known_again_in_a_later_run(tmp_path: Path) -> None:
    """What an earlier run archived is referred to; each run begins a file of its own."""
    _first = _Crawl(tmp_path / "crawl")
    _first.commit(capture("http://h/1", PAGE))
    _first.close()
    crawl = _Crawl(tmp_path / "crawl")
    crawl.commit(capture("http://h/2", PAGE))
    reads = crawl.close()
    assert [read.kind for read in reads if read.kind in ("warcinfo", "response", "revisit")] == [
        "warcinfo", "response", "warcinfo", "revisit",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("truncated_by", "told"),
    [("max_body", "length"), ("redirect_cap", "length"), ("short", "disconnect"), ("corrupt", "unspecified")],
)
def test_a_part_of_a_body_says_so_and_stands_for_nothing(tmp_path: Path, truncated_by: str, told: str) -> None:
    """A body that was cut has the standard's reason, is no original and no revisit."""
    crawl = _Crawl(tmp_path / "crawl")
    part = Capture(response("http://h/1", PAGE, truncated_by=truncated_by))
    crawl.commit(part, capture("http://h/2", PAGE), part)
    reads = crawl.close()
    assert not _of("revisit", reads)
    assert [read.fields.get("WARC-Truncated") for read in _of("response", reads)] == [told, None, told]


def test_an_empty_body_refers_to_nothing(tmp_path: Path) -> None:
    """Redirects without a body are no duplicates of each other."""
    crawl = _Crawl(tmp_path / "crawl")
    crawl.commit(capture("http://h/1", b""), capture("http://h/2", b""))
    assert len(_of("response", crawl.close())) == 2


def test_a_user_s_own_headers_are_kept_out(tmp_path: Path) -> None:
    """Headers from the settings may be keys to a site; their names stay, their values don't."""
    crawl = _Crawl(tmp_path / "crawl")
    crawl.commit(Capture(response(X_Key="s3cret", Cookie="id=1")))
    (request,) = _of("request", crawl.close())
    assert request.block == b"GET /a?b HTTP/1.1\r\nHost: h\r\nX-Key: [redacted]\r\nCookie: [redacted]\r\n\r\n"


def test_a_resumed_crawl_cuts_what_was_not_committed(tmp_path: Path) -> None:
    """Records whose commit never came are gone with it, and the payloads that they held are new again."""
    crawl = _Crawl(tmp_path / "crawl")
    crawl.commit(capture("http://h/1", b"one"))
    connection = crawl.directory.connect(PersistenceSettings())
    connection.execute("BEGIN")
    crawl.archive.write(connection, [CommitRecord(captures=(capture("http://h/2", PAGE),))])
    connection.execute("ROLLBACK")
    connection.close()
    crawl.writer.close()
    crawl.archive.close()
    crawl = _Crawl(tmp_path / "crawl")
    assert crawl.archive.repaired.cut_bytes > 0
    crawl.commit(capture("http://h/3", PAGE))
    assert [read.url for read in _of("response", crawl.close())] == ["http://h/1", "http://h/3"]


def test_after_a_loss_no_revisit_refers_to_what_is_lost(tmp_path: Path) -> None:
    """Where a power failure took records that the database knows, payloads are kept anew."""
    crawl = _Crawl(tmp_path / "crawl", must_sync=True)
    crawl.commit(capture("http://h/1", PAGE))
    connection = crawl.directory.connect(PersistenceSettings())
    connection.execute("BEGIN")
    crawl.archive.write(connection, [CommitRecord(captures=(capture("http://h/x"),))])
    connection.execute("ROLLBACK")
    connection.close()
    crawl.writer.close()
    crawl.archive.close()
    (path,) = (tmp_path / "crawl" / "warc").iterdir()
    path.write_bytes(path.read_bytes()[:900])
    crawl = _Crawl(tmp_path / "crawl")
    assert crawl.archive.repaired.is_short
    crawl.commit(capture("http://h/2", PAGE))
    reads = crawl.close()
    assert [read.url for read in _of("response", reads)][-1] == "http://h/2"
    assert not _of("revisit", reads)


class _FullDisk(WarcArchive):
    """An archive whose disk is full."""

    def write(self, connection: Connection, group: Sequence[CommitRecord]) -> None:
        super().write(connection, group)
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_stops_the_crawl(tmp_path: Path) -> None:
    """What can't be archived is not committed: the writer ends, and tells why."""
    crawl = _Crawl(tmp_path / "crawl")
    crawl.archive.__class__ = _FullDisk
    with pytest.raises(PersistenceError, match="No space left"):
        crawl.commit(capture(), page=page_row(1))
    reader = crawl.directory.connect_readonly()
    assert reader.execute("SELECT count(*) FROM pages").fetchone() == (0,)
    reader.close()
    crawl.archive.close()


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    """A file where the archive's folder should be is an error before the first request."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DirectoryError, match="keep an archive in"):
        _Crawl(tmp_path / "crawl", directory=str(tmp_path / "file"))


def test_without_captures_nothing_is_made(tmp_path: Path) -> None:
    """Commits that fetched nothing leave no file and no table."""
    crawl = _Crawl(tmp_path / "crawl")
    crawl.commit(page=page_row(1))
    assert crawl.close() == []
    reader = crawl.directory.connect_readonly()
    assert not stored_mark(reader)
    reader.close()


@pytest.mark.parametrize("compress", [0, 9])
def test_both_forms_are_read_back_by_others(tmp_path: Path, compress: int) -> None:
    """Plain and compressed, over several files, warcio and fastwarc see the same records, digests and all."""
    crawl = _Crawl(tmp_path / "crawl", compress=compress, max_file=3_000)
    bodies = [bytes([number]) * 700 for number in range(20)]
    for number, body in enumerate(bodies):
        crawl.commit(capture(f"http://h/{number}", body))
    reads = crawl.close()
    assert [read.block.partition(b"\r\n\r\n")[2] for read in _of("response", reads)] == bodies
    assert len(_of("warcinfo", reads)) > 3
