"""Fingerprint: the digests that say whether two bodies, or two visible texts, are the same."""

from __future__ import annotations

from xxhash import xxh3_128_digest

from weaver.base.settings import DedupeSettings
from weaver.native import compiled


def body_digest(body: bytes) -> bytes:
    """xxh3-128 of the decoded body: 16 bytes; 64 bits would collide at web scale."""
    return xxh3_128_digest(body)


def text_digest(text: str, min_chars: int) -> bytes:
    """xxh3-128 of the visible text with white space normalised; empty where the text is too short to say much.

    Runs of white space (Unicode's, as `str.split` sees them) count as one space; case, digits and punctuation
    stay, for they tell pages apart.
    """
    if len(text) < min_chars:
        return b""
    normalised, chars = _squeezed(text)
    return b"" if chars < min_chars else xxh3_128_digest(normalised)


def digests_of(body: bytes, text: str, settings: DedupeSettings) -> tuple[bytes, bytes]:
    """The digests of a page's body and of its visible text; the second is empty where it is not taken."""
    return body_digest(body), text_digest(text, settings.min_text) if settings.text else b""


def squeezed_in_python(text: str) -> tuple[bytes, int]:
    """The text with each run of white space as one space, as UTF-8, and its length in characters."""
    normalised = " ".join(text.split())
    return normalised.encode("utf-8", "surrogatepass"), len(normalised)


_squeezed = squeezed_in_python if compiled is None else compiled.squeezed
