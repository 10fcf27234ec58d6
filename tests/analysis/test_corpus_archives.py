"""WARC files as corpora: pages are documents, everything else is counted or left aside."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from weaver.analysis.corpus import dedupe_corpus
from weaver.analysis.corpus_archives import read_warc
from weaver.analysis.corpus_sources import Document, Item, Unreadable

SITE = "http://a.test"
MOST_BYTES = 1 << 20
PAGE = "<title>x</title><script>var y</script><p>Caf\u00e9 {} and what else is said here of it</p>"


def write_warc(path: Path, answers: list[tuple[str, str, str, bytes]]) -> Path:
    """A compressed file with a record for each (path, status line, content type, body), requests among them."""
    with path.open("wb") as stream:
        stream.write(_record("warcinfo", "", "application/warc-fields", b"software: test\r\n"))
        for target, status, content_type, body in answers:
            request = f"GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n".encode()
            stream.write(_record("request", target, "application/http; msgtype=request", request))
            head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n\r\n".encode()
            stream.write(_record("response", target, "application/http; msgtype=response", head + body))
    return path


def _record(kind: str, target: str, content_type: str, block: bytes, payload: str = "") -> bytes:
    fields = {
        "WARC-Type": kind,
        "WARC-Record-ID": "<urn:uuid:00000000-0000-4000-8000-000000000000>",
        "WARC-Date": "2026-11-21T00:00:00Z",
        **({"WARC-Target-URI": f"{SITE}{target}"} if target else {}),
        **({"WARC-Payload-Digest": payload} if payload else {}),
        "Content-Type": content_type,
        "Content-Length": str(len(block)),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return gzip.compress(f"WARC/1.1\r\n{head}\r\n".encode() + block + b"\r\n\r\n")


def read(path: Path, position: int = 0, place: int = 0) -> list[Item]:
    """All items from there on."""
    return list(read_warc(path, position, place, MOST_BYTES))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two pages with one text in two charsets, a third page, and what is no page."""
    return write_warc(tmp_path / "a.warc.gz", [
        ("/utf8", "200 OK", "text/html; charset=utf-8", PAGE.format("one").encode()),
        ("/latin", "200 OK", "text/html; charset=iso-8859-1", PAGE.format("one").encode("latin-1")),
        ("/other", "200 OK", "text/html", PAGE.format("two").encode()),
        ("/plain", "200 OK", "text/plain", b"plainly said"),
        ("/robots.txt", "200 OK", "text/plain", b"User-agent: *"),
        ("/gone", "404 Not Found", "text/html", b"gone"),
        ("/picture", "200 OK", "image/png", b"\x89PNG"),
        ("/large", "200 OK", "text/html", b"x" * (MOST_BYTES // 16 + 1)),
    ])  # fmt: skip


def test_pages_are_documents_in_their_own_charset(archive: Path) -> None:
    """The id is the URL, the text what a reader sees; robots.txt, failures, pictures and giants are named."""
    items = read(archive)
    documents = {item.id: item.text for item in items if isinstance(item, Document)}
    assert documents.keys() == {f"{SITE}/{name}" for name in ("utf8", "latin", "other", "plain")}
    assert documents[f"{SITE}/utf8"] == documents[f"{SITE}/latin"]
    assert documents[f"{SITE}/utf8"].split()[:2] == ["Caf\u00e9", "one"]
    assert [item.reason for item in items if isinstance(item, Unreadable)] == [
        "no_page", "no_page", "no_text", "too_long"
    ]  # fmt: skip


def test_reading_goes_on_at_any_record(archive: Path) -> None:
    """From each item's place the rest comes as it came before, so that a killed run reads nothing twice."""
    items = read(archive)
    for at, item in enumerate(items, 1):
        assert read(archive, item.position, item.place) == items[at:]


def test_a_torn_archive_ends_with_a_word(archive: Path) -> None:
    """A file cut short gives its whole records, and says that it broke off."""
    whole = read(archive)
    archive.write_bytes(archive.read_bytes()[:-200])
    torn = read(archive)
    assert torn[: len(whole) - 1] == whole[:-1]
    assert [item.reason for item in torn[len(whole) - 1 :] if isinstance(item, Unreadable)] != []


def test_a_revisit_is_the_page_that_it_names(tmp_path: Path) -> None:
    """A record that refers to an earlier payload is an exact duplicate of that page; one that names none is counted."""
    path, digest = tmp_path / "b.warc.gz", "sha1:AAAA"
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE.format("one").encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
    message = "application/http; msgtype=response"
    path.write_bytes(
        _record("response", "/first", message, page, digest)
        + _record("revisit", "/again", message, head, digest)
        + _record("revisit", "/odd", message, head, "sha1:BBBB")
    )
    with dedupe_corpus([path], tmp_path / "out") as corpus:
        assert [(member.id, member.kind) for member in corpus.members()] == [
            (f"{SITE}/first", "kept"), (f"{SITE}/again", "exact")
        ]  # fmt: skip
        assert corpus.report()["troubles"] == {"revisit": {"count": 1, "first": [f"{SITE}/odd"]}}


def test_an_archive_is_deduplicated_by_its_texts(archive: Path, tmp_path: Path) -> None:
    """Two pages that a reader can't tell apart are one document, whatever their bytes are."""
    with dedupe_corpus([archive], tmp_path / "out") as corpus:
        assert [(member.id, member.kind) for member in corpus.members()] == [
            (f"{SITE}/utf8", "kept"), (f"{SITE}/latin", "exact")
        ]  # fmt: skip
