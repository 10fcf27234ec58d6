"""WARC files as a corpus: whoever wrote them, however they end."""

from __future__ import annotations

import gzip
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weaver.analysis.corpus_warc import CORRUPT, MAX_BODY, TORN, WarcReader, iterate_warc
from weaver.persistence.warc_record import NewRecord, member

DATE = "2026-01-02T03:04:05Z"


def _record(kind: str, block: bytes, url: str = "http://h/", **fields: str) -> NewRecord:
    content_type = "text/plain" if kind == "resource" else f"application/http;msgtype={kind}"
    named = (("WARC-Target-URI", url), *((name.replace("_", "-"), value) for name, value in fields.items()))
    return NewRecord(kind, f"<urn:{url}>", DATE, content_type, (block,), named)


def _answer(body: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 200 OK", b"Content-Type: Text/HTML; charset=utf-8", *lines, b"", body))


def _file(path: Path, *records: NewRecord, level: int = 6) -> Path:
    path.write_bytes(b"".join(member(record.parts(), level) for record in records))
    return path


@pytest.mark.parametrize("level", [0, 6])
def test_a_response_is_read_with_all_that_tells_of_it(tmp_path: Path, level: int) -> None:
    """URL, date, status, header lines in order, media type, body, digest, and the places where it begins and ends."""
    made = _record("response", _answer(b"hi", b"Set-Cookie: a", b"Set-Cookie: b"), WARC_Payload_Digest="sha1:X")
    path = _file(tmp_path / "a", made, made, level=level)
    first, second = iterate_warc(path)
    assert (first.kind, first.url, first.status, first.body) == ("response", "http://h/", 200, b"hi")
    assert first.date == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (first.content_type, first.digest, first.truncated_by) == ("text/html", "sha1:X", "")
    assert [value for name, value in first.headers if name == "Set-Cookie"] == ["a", "b"]
    assert (first.offset, first.end, second.end) == (0, second.offset, path.stat().st_size)
    assert [record.offset for record in iterate_warc(path, offset=second.offset)] == [second.offset]


def test_bodies_as_other_crawlers_keep_them_are_decoded(tmp_path: Path) -> None:
    """Chunks and content codings, which Heritrix and wget leave as received, are gone."""
    packed = gzip.compress(b"words " * 100)
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(packed), packed)
    block = _answer(chunked, b"Transfer-Encoding: chunked", b"Content-Encoding: gzip")
    (record,) = iterate_warc(_file(tmp_path / "a", _record("response", block)))
    assert record.body == b"words " * 100


def test_other_records_give_their_block(tmp_path: Path) -> None:
    """A resource has no HTTP head: its type and its block are its own."""
    (record,) = iterate_warc(_file(tmp_path / "a", _record("resource", b"text")))
    assert (record.kind, record.content_type, record.body, record.status) == ("resource", "text/plain", b"text", 0)


def test_a_revisit_tells_where_its_payload_is(tmp_path: Path) -> None:
    """It has a head, no body, and the URL that it refers to."""
    made = _record("revisit", _answer(b""), WARC_Refers_To_Target_URI="http://h/first")
    (record,) = iterate_warc(_file(tmp_path / "a", made))
    assert (record.body, record.status, record.refers_to) == (b"", 200, "http://h/first")


def test_a_large_body_is_read_up_to_the_limit(tmp_path: Path) -> None:
    """A bomb in a record takes no more than a page may; the records behind it are read."""
    bomb = _record("response", _answer(gzip.compress(bytes(5 << 20)), b"Content-Encoding: gzip"))
    path = _file(tmp_path / "a", bomb, _record("resource", b"text"))
    first, second = iterate_warc(path, max_body_bytes=1_000)
    assert (len(first.body), first.truncated_by) == (1_000, MAX_BODY)
    assert (second.body, second.truncated_by) == (b"text", "")


def test_a_body_in_another_coding_than_told_spoils_itself_only(tmp_path: Path) -> None:
    """A server that says gzip and sends none leaves a corrupt record, and the next one is whole."""
    path = _file(
        tmp_path / "a",
        _record("response", _answer(b"no gzip at all" * 9, b"Content-Encoding: gzip")),
        _record("resource", b"text"),
    )
    first, second = iterate_warc(path)
    assert (first.body, first.truncated_by, first.end) == (b"", CORRUPT, second.offset)
    assert second.body == b"text"


def test_one_stream_around_all_records_is_read_too(tmp_path: Path) -> None:
    """A plain file that somebody compressed as a whole has its records, the last one not taken for torn."""
    plain = b"".join(b"".join(_record("resource", bytes([65 + n])).parts()) for n in range(3))
    path = tmp_path / "a.warc.gz"
    path.write_bytes(gzip.compress(plain))
    assert [(record.body, record.truncated_by) for record in iterate_warc(path)] == [
        (b"A", ""), (b"B", ""), (b"C", ""),
    ]  # fmt: skip


@given(st.data(), st.sampled_from([0, 6]))
@settings(max_examples=60, deadline=None)
def test_a_torn_file_gives_its_whole_records(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, level: int
) -> None:
    """Cut anywhere, each record that is whole is there as it was, and at most one more, which says that it is torn."""
    records = [_record("resource", bytes([65 + n]) * 50, f"http://h/{n}") for n in range(3)]
    sizes = [len(member(record.parts(), level)) for record in records]
    whole = b"".join(member(record.parts(), level) for record in records)
    cut = data.draw(st.integers(0, len(whole)))
    path = tmp_path_factory.mktemp("torn") / "a.warc"
    path.write_bytes(whole[:cut])
    found = list(WarcReader(path))
    kept = sum(sum(sizes[: n + 1]) <= cut for n in range(3))
    assert [record.body for record in found[:kept]] == [bytes([65 + n]) * 50 for n in range(kept)]
    assert all(not record.truncated_by for record in found[:kept])
    assert [record.truncated_by for record in found[kept:]] in ([], [TORN])


@pytest.mark.parametrize("junk", [b"", b"hello\n" * 100, gzip.compress(b"hello\n" * 100), zlib.compress(b"x") * 50])
def test_what_is_no_warc_is_told_and_raises_nothing(tmp_path: Path, junk: bytes) -> None:
    """A stranger's file is a stranger's data: it gives no records, and a word why where there is something."""
    path = tmp_path / "a.warc"
    path.write_bytes(junk)
    reader = WarcReader(path)
    assert list(reader) == []
    assert bool(reader.damage) == bool(junk)


def test_damage_in_the_middle_ends_the_reading_with_a_word(tmp_path: Path) -> None:
    """What was read before it is kept."""
    good, bad = (member(_record("resource", b"text" * 99).parts(), 6) for _ in range(2))
    path = tmp_path / "a.warc.gz"
    path.write_bytes(good + bad[:30] + bytes(40) + bad[70:] + good)
    reader = WarcReader(path)
    assert [record.body for record in reader][:1] == [b"text" * 99]
    assert reader.damage
