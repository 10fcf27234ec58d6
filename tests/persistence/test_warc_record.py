"""Records and HTTP heads as bytes: what stands in them, and what must never stand in them."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.warcs import exchange, response
from weaver.persistence.warc_http import request_head, response_head
from weaver.persistence.warc_record import NewRecord, digest_text, member, sha1, warc_date, warc_fields

TOKENS = st.binary(min_size=1, max_size=12).map(lambda raw: raw.hex().encode())
FRAMING = st.sampled_from([b"Content-Length", b"content-encoding", b"Transfer-Encoding", b"CONTENT-LENGTH"])


def test_a_record_is_laid_out_as_the_standard_says() -> None:
    """Version line, named fields, an empty line, the block of the length told, and two line ends."""
    record = NewRecord("resource", "<urn:uuid:1>", "2026-01-02T03:04:05Z", "text/plain", (b"he", b"llo"), (("A", "b"),))
    assert b"".join(record.parts()) == (
        b"WARC/1.1\r\nWARC-Type: resource\r\nWARC-Record-ID: <urn:uuid:1>\r\nWARC-Date: 2026-01-02T03:04:05Z\r\n"
        b"A: b\r\nWARC-Block-Digest: sha1:VL2MMHO4YXUKFWV63YHTWSBM3GXKSQ2N\r\nContent-Type: text/plain\r\n"
        b"Content-Length: 5\r\n\r\nhello\r\n\r\n"
    )


def test_a_field_without_a_value_is_left_out() -> None:
    """An address that nobody knows leaves no empty field."""
    record = NewRecord("resource", "i", "d", "t", (), (("WARC-IP-Address", ""),))
    assert b"WARC-IP-Address" not in b"".join(record.parts())


@given(st.lists(st.binary()), st.integers(0, 9))
def test_a_member_holds_its_parts(parts: list[bytes], level: int) -> None:
    """Whatever the level, a member is one gzip stream of all parts, and at 0 the parts themselves."""
    written = member(parts, level)
    assert (zlib.decompress(written, 31) if level else written) == b"".join(parts)


def test_dates_and_digests_are_as_replay_tools_expect() -> None:
    """UTC with a Z to the microsecond, and SHA-1 in base 32."""
    assert warc_date(1_700_000_000.25) == "2023-11-14T22:13:20.250000Z"
    assert digest_text(sha1((b"",))) == "sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ"


def test_a_value_can_not_end_its_line() -> None:
    """A line break in a value of warc-fields would be a field of a stranger's making."""
    assert warc_fields([("via", "a\r\nx: y"), ("empty", "")]) == b"via: a x: y\r\n"


@pytest.mark.parametrize("name", ["Cookie", "AUTHORIZATION", "X-Key"])
def test_secrets_are_not_archived(name: str) -> None:
    """The request's head is as sent, but for the values of headers that let somebody in."""
    secrets = frozenset({"cookie", "authorization", "x-key"})
    head = request_head(exchange(**{name.replace("-", "_"): "s3cret"}), secrets)
    assert head == f"GET /a?b HTTP/1.1\r\nHost: h\r\n{name}: [redacted]\r\n\r\n".encode()


def test_a_head_that_fits_its_body_is_kept_as_it_came() -> None:
    """Spelling, order and repeats of header lines stay, where they are true of the body that is kept."""
    lines = ((b"set-cookie", b"a"), (b"Set-Cookie", b"b"), (b"CONTENT-length", b"5"))
    head = response_head(response(lines=lines))
    assert head == b"HTTP/1.1 200 OK\r\nset-cookie: a\r\nSet-Cookie: b\r\nCONTENT-length: 5\r\n\r\n"


def test_what_is_not_true_of_the_body_gets_another_name() -> None:
    """Coding and framing that the kept body no longer has are told as X-Crawler-, and its length is its own."""
    lines = ((b"Content-Encoding", b"gzip"), (b"A", b"b"), (b"Content-Length", b"3"))
    assert response_head(response(lines=lines)) == (
        b"HTTP/1.1 200 OK\r\nX-Crawler-Content-Encoding: gzip\r\nA: b\r\nX-Crawler-Content-Length: 3\r\n"
        b"Content-Length: 5\r\n\r\n"
    )


@given(st.lists(st.tuples(st.one_of(TOKENS, FRAMING), st.binary(max_size=20))), st.binary())
def test_a_head_never_contradicts_its_body(lines: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Whatever a server says, the head is one block of lines, has no coding, and no length but the body's."""
    head = response_head(response(body=body, lines=tuple(lines)))
    assert head.index(b"\r\n\r\n") == len(head) - 4
    kept = [line.partition(b": ") for line in head.removesuffix(b"\r\n\r\n").split(b"\r\n")[1:]]
    assert len(kept) in (len(lines), len(lines) + 1)
    names = [name.lower() for name, _, _ in kept]
    assert b"content-encoding" not in names
    assert b"transfer-encoding" not in names
    assert {value for name, _, value in kept if name.lower() == b"content-length"} <= {b"%d" % len(body)}
