"""Fingerprint: the digests that say whether two bodies, or two visible texts, are the same."""

from __future__ import annotations

from xxhash import xxh3_128_digest


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
    normalised = " ".join(text.split())
    if len(normalised) < min_chars:
        return b""
    return xxh3_128_digest(normalised.encode("utf-8", "surrogatepass"))
