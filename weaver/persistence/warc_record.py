"""A new WARC record: its named fields and its block, as the bytes of WARC/1.1 (ISO 28500:2017)."""

from __future__ import annotations

import hashlib
import uuid
import zlib
from base64 import b32encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_GZIP_BITS = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class NewRecord:
    """One record to be written, its fields in order; the block is in parts, so that a body is not copied."""

    kind: str
    record_id: str
    date: str
    content_type: str
    block: tuple[bytes, ...]
    fields: tuple[tuple[str, str], ...] = ()

    def parts(self) -> list[bytes]:
        """The record as it stands in a file (section 4), in parts."""
        lines = [
            "WARC/1.1",
            f"WARC-Type: {self.kind}",
            f"WARC-Record-ID: {self.record_id}",
            f"WARC-Date: {self.date}",
            *(f"{name}: {value}" for name, value in self.fields if value),
            f"WARC-Block-Digest: {digest_text(sha1(self.block))}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {sum(map(len, self.block))}",
            "\r\n",
        ]
        return ["\r\n".join(lines).encode(), *self.block, b"\r\n\r\n"]


def member(parts: Iterable[bytes], level: int) -> bytes:
    """The parts as one gzip member (annex D); as they are at level 0."""
    if not level:
        return b"".join(parts)
    stream = zlib.compressobj(level, zlib.DEFLATED, _GZIP_BITS)
    compressed = [stream.compress(part) for part in parts]
    return b"".join((*compressed, stream.flush()))


def new_record_id() -> str:
    """A name that no other record has."""
    return f"<urn:uuid:{uuid.uuid4()}>"


def warc_date(wall_s: float) -> str:
    """Seconds since 1970 as a WARC-Date (section 5.4), to the microsecond."""
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def sha1(parts: Sequence[bytes]) -> bytes:
    """SHA-1 over the parts: what archives agree on to know a payload again; it guards nothing."""
    digest = hashlib.sha1(usedforsecurity=False)
    for part in parts:
        digest.update(part)
    return digest.digest()


def digest_text(digest: bytes) -> str:
    """A SHA-1 as a labelled digest (section 5.8), in the base 32 that replay tools expect."""
    return f"sha1:{b32encode(digest).decode()}"


def warc_fields(pairs: Iterable[tuple[str, str]]) -> bytes:
    """A block of type application/warc-fields; what would break a line becomes a space."""
    return "".join(f"{name}: {' '.join(value.split())}\r\n" for name, value in pairs if value).encode()
