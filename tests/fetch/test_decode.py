"""Content decoding: what is whole comes out whole, what is hostile costs little."""

from __future__ import annotations

import gzip
import io
import itertools
import random
import zlib
from collections.abc import Callable, Sequence

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from weaver.fetch.decode import Body, CodedBody, DecodeError, PlainBody, body_for
from weaver.fetch.zstd import Decompressors
from weaver.memory.budget import Account
from weaver.memory.buffers import Pool
from weaver.memory.scratch import Arena

MAX_BYTES = 8 << 20
POOL = Pool("test", 4)
RATIO = 200.0


def _body_for(lines: Sequence[str], max_bytes: int, ratio: float) -> Body:
    return body_for(lines, max_bytes, ratio, Arena("test", POOL), Decompressors(2, Account("bodies", 1 << 20)))


def _feed(body: Body, part: bytes) -> list[int]:
    """Feed one part; the sizes of the body after each step."""
    return list(body.feed(part))


def _raw_deflate(data: bytes) -> bytes:
    maker = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return maker.compress(data) + maker.flush()


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def _zstd_streamed(data: bytes) -> bytes:
    maker = zstandard.ZstdCompressor(write_checksum=False, write_content_size=False).compressobj()
    return maker.compress(data) + maker.flush()


ENCODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "deflate-zlib": ("deflate", zlib.compress),
    "deflate-raw": ("deflate", _raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", _zstd),
    "zstd-streamed": ("zstd", _zstd_streamed),
}
each_coding = pytest.mark.parametrize(("coding", "encode"), ENCODERS.values(), ids=ENCODERS)


def _decoded(
    coding: str, parts: list[bytes], *, is_whole: bool = True, max_bytes: int = MAX_BYTES, ratio: float = RATIO
) -> tuple[bytes, str]:
    body = _body_for([coding], max_bytes, ratio)
    for part in parts:
        if body.truncated_by:
            break
        _feed(body, part)
    return body.close(is_whole=is_whole), body.truncated_by


def _end_of(coding: str, data: bytes) -> str:
    try:
        return _decoded(coding, [data])[1]
    except DecodeError as error:
        return error.reason


def _split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@each_coding
@given(content=st.binary(max_size=3_000), repeats=st.integers(1, 20), cuts=st.lists(st.integers(0, 10_000), max_size=5))
def test_what_was_encoded_comes_back(
    coding: str, encode: Callable[[bytes], bytes], content: bytes, repeats: int, cuts: list[int]
) -> None:
    """Every coding is decoded to what was encoded, wherever the network cut it."""
    data = content * repeats
    assert _decoded(coding, _split(encode(data), cuts)) == (data, "")


@each_coding
def test_a_large_body_comes_back_whole(coding: str, encode: Callable[[bytes], bytes]) -> None:
    """A body of many pieces is whole, byte for byte, also where a piece ends with the input."""
    data = random.Random(7).randbytes(50_000) * 20 + b"end" * 200_000
    assert _decoded(coding, [encode(data)], ratio=10_000) == (data, "")


@each_coding
def test_one_byte_at_a_time(coding: str, encode: Callable[[bytes], bytes]) -> None:
    """The smallest parts make no difference."""
    data = b"<p>hello</p>" * 40
    assert _decoded(coding, [bytes([byte]) for byte in encode(data)]) == (data, "")


@each_coding
def test_a_bomb_is_refused_early(coding: str, encode: Callable[[bytes], bytes]) -> None:
    """A body that grows beyond the ratio is refused before its cap, whatever its coding."""
    bomb = encode(bytes(64 << 20))
    body = _body_for([coding], 32 << 20, RATIO)
    with pytest.raises(DecodeError) as caught:
        _feed(body, bomb)
    assert caught.value.reason == "bomb"
    assert isinstance(body, CodedBody)
    assert body.decoded_bytes <= 2 << 20


@each_coding
def test_the_cap_counts_decoded_bytes(coding: str, encode: Callable[[bytes], bytes]) -> None:
    """The body ends at its cap in decoded bytes, and says so."""
    data = random.Random(3).randbytes(300_000)
    assert _decoded(coding, [encode(data)], max_bytes=100_000) == (data[:100_000], "max_body")


@each_coding
def test_a_body_of_exactly_the_cap_is_whole(coding: str, encode: Callable[[bytes], bytes]) -> None:
    """The cap itself still fits."""
    data = random.Random(4).randbytes(100_000)
    assert _decoded(coding, [encode(data)], max_bytes=100_000) == (data, "")


@each_coding
def test_a_cut_stream_is_short(coding: str, encode: Callable[[bytes], bytes]) -> None:
    """A stream that ends before its own end is kept as far as it goes and flagged, also when HTTP says all came."""
    data = random.Random(5).randbytes(200_000)
    encoded = encode(data)
    for kept in (1, len(encoded) // 2, len(encoded) - 1):
        content, truncated_by = _decoded(coding, [encoded[:kept]])
        assert truncated_by == "short"
        assert data.startswith(content)


@each_coding
def test_an_interrupted_response_is_short(coding: str, encode: Callable[[bytes], bytes]) -> None:
    """A response that broke off is short although its stream may be complete."""
    assert _decoded(coding, [encode(b"hello")], is_whole=False)[1] == "short"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_plain_body_that_claims_a_coding_is_refused(coding: str) -> None:
    """HTML that is labelled as compressed is an error of its own, not a page."""
    with pytest.raises(DecodeError) as caught:
        _decoded(coding, [b"<!doctype html><html><body>hello, this is plain text, and a lot of it</body></html>"])
    assert caught.value.reason == "corrupt_encoding"


@each_coding
@given(seed=st.integers(0, 1 << 32), flips=st.integers(1, 8))
def test_corrupt_streams_end_in_words(coding: str, encode: Callable[[bytes], bytes], seed: int, flips: int) -> None:
    """Whatever is flipped in a stream, the end is a body, a truncated body or a reason; never anything else."""
    chance = random.Random(seed)
    encoded = bytearray(encode(chance.randbytes(500) * 40))
    for _ in range(flips):
        encoded[chance.randrange(len(encoded))] ^= 1 << chance.randrange(8)
    assert _end_of(coding, bytes(encoded)) in {"", "short", "corrupt", "max_body", "corrupt_encoding", "bomb"}


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@given(noise=st.binary(max_size=500))
def test_noise_ends_in_words(coding: str, noise: bytes) -> None:
    """Bytes of no coding at all raise nothing but DecodeError."""
    assert _end_of(coding, noise) in {"", "short", "corrupt", "corrupt_encoding"}


def test_all_gzip_members_are_read() -> None:
    """Members follow each other (RFC 1952, 2.2), wherever they are cut; what follows the last one is dropped."""
    encoded = gzip.compress(b"one ") + gzip.compress(b"two ") + gzip.compress(b"three")
    for cut in range(len(encoded)):
        assert _decoded("gzip", [encoded[:cut], encoded[cut:]]) == (b"one two three", "")
    assert _decoded("gzip", [encoded + b"\0\0\0 padding"]) == (b"one two three", "")
    assert _decoded("gzip", [encoded, b"\n"]) == (b"one two three", "")


def test_all_zstd_frames_are_read() -> None:
    """Frames follow each other (RFC 8878, 3.1), skippable ones are skipped, padding is dropped."""
    skippable = b"\x5a\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"abcde"
    encoded = skippable + _zstd(b"one ") + skippable + _zstd_streamed(b"two ") + _zstd(b"three") + skippable
    for cut in range(len(encoded)):
        assert _decoded("zstd", [encoded[:cut], encoded[cut:]]) == (b"one two three", "")
    assert _decoded("zstd", [_zstd(b"one") + b"\0" * 20]) == (b"one", "")


def test_a_giant_zstd_window_is_refused() -> None:
    """A frame that asks for more memory than RFC 9659 allows is refused from its header on."""
    frame = b"\x28\xb5\x2f\xfd" + bytes([0x00, (31 - 10) << 3]) + b"\x01\x00\x00"
    with pytest.raises(DecodeError) as caught:
        _decoded("zstd", [frame])
    assert caught.value.reason == "corrupt_encoding"


def test_zstd_runs_stay_bounded() -> None:
    """Four bytes that stand for 128 KiB are decoded one block at a time: the ratio stops them after a few."""
    run = (1 << 1 | (128 << 10) << 3).to_bytes(3, "little") + b"a"
    body = _body_for(["zstd"], 1 << 30, RATIO)
    with pytest.raises(DecodeError) as caught:
        _feed(body, b"\x28\xb5\x2f\xfd" + bytes([0x00, 7 << 3]) + run * 1_000)
    assert caught.value.reason == "bomb"
    assert isinstance(body, CodedBody)
    assert body.decoded_bytes <= 1 << 20


def test_a_stream_that_decodes_to_nothing_ends() -> None:
    """Empty blocks without end are cut off at the cap too."""
    empty_block = b"\0\0\0\xff\xff"
    body = _body_for(["deflate"], 1 << 20, RATIO)
    for _ in range(1_000):
        _feed(body, empty_block * 1_000)
        if body.truncated_by:
            break
    assert body.truncated_by == "max_body"


@pytest.mark.parametrize(
    "lines", [["gzip, gzip"], ["gzip", "gzip"], ["gzip,br"], ["identity, gzip, zstd"], ["gzip, " * 10 + "br"], ["a, b"]]
)
def test_stacked_codings_are_refused(lines: list[str]) -> None:
    """One layer is decoded, never more."""
    with pytest.raises(DecodeError) as caught:
        _body_for(lines, MAX_BYTES, RATIO)
    assert caught.value.reason == "encoding"


@pytest.mark.parametrize("lines", [[], [""], ["identity"], ["utf-8"], ["none"], ["IDENTITY, "]])
def test_no_coding_is_plain(lines: list[str]) -> None:
    """`identity`, and names that nobody knows, leave the body as it is."""
    body = _body_for(lines, 10, RATIO)
    assert isinstance(body, PlainBody)
    _feed(body, b"hello")
    assert (body.close(is_whole=True), body.truncated_by) == (b"hello", "")


def test_names_are_read_without_case_and_space() -> None:
    """Coding names are case-insensitive (RFC 9110, 8.4.1)."""
    assert _decoded(" GZip ", [gzip.compress(b"hello")]) == (b"hello", "")


def test_an_empty_body_in_a_coding_is_empty() -> None:
    """Servers label empty bodies too: nothing is missing there."""
    assert _decoded("gzip", []) == (b"", "")


def test_a_plain_body_is_cut_at_its_cap() -> None:
    """Without a coding the cap counts what came."""
    body = PlainBody(8, Arena("test", POOL))
    _feed(body, b"hello ")
    _feed(body, b"world")
    assert (body.close(is_whole=True), body.truncated_by) == (b"hello wo", "max_body")


def test_a_plain_body_that_broke_off_is_short() -> None:
    """What came is kept and flagged."""
    body = PlainBody(8, Arena("test", POOL))
    _feed(body, b"hello")
    assert (body.close(is_whole=False), body.truncated_by) == (b"hello", "short")


def test_a_streamed_gzip_header_with_a_name_is_read() -> None:
    """The optional fields of the gzip header are no part of the body."""
    buffer = io.BytesIO()
    with gzip.GzipFile("a long name.html", "wb", fileobj=buffer) as file:
        file.write(b"hello")
    assert _decoded("gzip", _split(buffer.getvalue(), [3, 9, 12])) == (b"hello", "")
