"""Each compiled part gives what its twin in Python gives, whatever it is given."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.native.markup import pages
from weaver.base.settings import UrlSettings
from weaver.base.url import Canonicalizer, join, url_key
from weaver.dedupe.fingerprint import squeezed_in_python
from weaver.memory.budget import Account
from weaver.memory.table import KeyTable
from weaver.native import compiled
from weaver.parse import census, charset

pytestmark = pytest.mark.skipif(compiled is None, reason="the compiled module isn't there: nothing to compare")

_BASES = st.sampled_from([
    "http://h/", "http://h/a/b/c.html", "https://h:8443/a//b/?q=/x/", "http://[::1]/a/", "http://h/%C3%A9/é",
    "http://h/a?b", "http://h/a/b#c/d", "http://u:p@h/a/", "ftp://h/a/",
])  # fmt: skip
_HREF_PARTS = st.sampled_from([
    "..", ".", "/", "//", "a", "b.html", "?", "#", "x=1", "&", "utm_source=z", "%2e", "%2E%2e", "%41", ":", "http:",
    "h", "http://h", "http://h/", "https://h:8443", "javascript:", " ", "\\", "é", ";", "@", "...", ".a", "a.", "|",
    "'", '"', "{", "http://www.example.com/", "https://1.2.3.4/x", "http://a.0x1/", "http://xn--a/",
    "http://a.b-c.d9/y", "http://9.com/", "-", "http://a..b/", "http://a./", "http://A.b/", "\t", "[", "%", "~", "*",
    "\ud800", "",
])  # fmt: skip
hrefs = st.lists(_HREF_PARTS, max_size=8).map("".join)
_SEEDS = st.integers(0, 2**64 - 1)


@settings(max_examples=1000, deadline=None)
@given(_BASES, st.lists(hrefs, max_size=6), st.booleans())
@example(
    "http://h/a/",
    ["../../x", "./y", ".", "..", "a:b", "../a:b", "/a:b", "?", "", "x?", "http://h/y?utm_source=1"],
    True,
)
def test_hrefs_are_joined_as_by_the_parser(base: str, some: list[str], must_sort: bool) -> None:
    """What is joined without a parser is what the parser and the profile give."""
    canonicalizer = Canonicalizer(UrlSettings(sort_query=must_sort))
    base = join(base) or base
    assert canonicalizer.canonical_many(some, base) == [canonicalizer.canonical(href, base) for href in some]


@settings(max_examples=300, deadline=None)
@given(pages, st.binary(max_size=40))
def test_the_census_counts_as_numpy_does(markup: str, tail: bytes) -> None:
    """Tags by kind and their places are the same, whatever the bytes."""
    body = markup.encode() + tail
    assert compiled is not None
    assert compiled.census(body, census.KIND_BY_PAIR.tobytes()) == census.counted_in_numpy(body)


_META_PARTS = st.sampled_from([
    b"<meta", b"<META ", b"</meta ", b"<meta/", b" charset=", b"utf-8", b'"utf-8"', b"'x", b">", b"/>", b" ",
    b"content=", b'"text/html; charset=x"', b" http-equiv=content-type", b"<!--", b"-->", b"<!-->", b"<!--->", b"-",
    b"<p ", b"<p/", b"</", b"<!x", b"<?", b"=", b"\x00", b"<", b"a='<meta charset=z>'", b"\xff",
])  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given(st.lists(_META_PARTS, max_size=14).map(b"".join))
def test_the_prescan_finds_the_same_metas(start: bytes) -> None:
    """The attributes of each `<meta>` are those that the prescan in Python finds."""
    assert compiled is not None
    assert compiled.meta_attributes(start) == list(charset.metas_in_python(start))


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(), st.text(" \t\n\xa0\x1c\x85\u2003\u3000ab\xe9\u20ac\U0001f600\ud800")))
def test_white_space_is_squeezed_as_by_split(text: str) -> None:
    """Runs of Unicode's white space become one space, and lone surrogates pass."""
    assert compiled is not None
    assert compiled.squeezed(text) == squeezed_in_python(text)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), max_size=300), st.lists(st.integers(0, 2**64 - 1), max_size=20))
def test_keys_are_looked_up_as_by_numpy(known: list[int], others: list[int]) -> None:
    """Present and absent keys get the ids that the table's own batch look-up gives."""
    table = KeyTable("keys", 256, Account("keys", 1 << 20))
    table.put_many(np.array(known, np.uint64), np.arange(1, len(known) + 1, dtype=np.uint32))
    asked = [*others, *known, 0]
    ids = table.get_many(np.array(asked, np.uint64)).tolist()
    assert table.get_list(asked) == ids
    found, absent = table.get_words(np.array(asked, np.uint64).tobytes())
    assert np.frombuffer(found, np.uint32).tolist() == ids
    assert absent == [place for place, known in enumerate(ids) if not known]


@settings(max_examples=1000, deadline=None)
@given(
    _BASES,
    st.lists(hrefs | st.sampled_from(("", "#top", "?utm_source=1", "?UTM_Source", "?=&&a")), max_size=6),
    st.booleans(),
    _SEEDS,
)
@example("http://h/a?b=1", ["", "#x", "a?b", "a?", "a?b=1&utm_source=2", "/a?b=1"], False, 7)
def test_the_keys_of_plain_hrefs_are_those_of_their_urls(
    base: str, some: list[str], must_sort: bool, seed: int
) -> None:
    """A key is that of the URL which the parser and the profile give; each comes once, with its first href."""
    canonicalizer = Canonicalizer(UrlSettings(sort_query=must_sort))
    base = join(base) or base
    found, places, others = canonicalizer.plain_keys(some, base, seed)
    keys = {
        href: url_key(url, seed) if url else None
        for href, url in zip(some, canonicalizer.canonical_many(some, base), strict=True)
    }
    plain = [keys[href] for href in some if href not in others]
    assert np.frombuffer(found, np.uint64).tolist() == list(dict.fromkeys(plain))
    assert [keys[some[place]] for place in np.frombuffer(places, np.uint32).tolist()] == list(dict.fromkeys(plain))


@pytest.mark.parametrize("seed", [0, 7, 2**64 - 1])
def test_urls_of_every_length_have_their_key(seed: int) -> None:
    """Up to 240 bytes the key is worked out in C, by all branches of the hash; what is longer or shorter is left."""
    canonicalizer = Canonicalizer(UrlSettings())
    for length in range(1, 260):
        url = "http://h/" + "".join(chr(97 + at % 26) for at in range(length))
        found, _, others = canonicalizer.plain_keys([url], "http://h/", seed)
        assert (np.frombuffer(found, np.uint64).tolist(), others) in (([url_key(url, seed)], []), ([], [url]))
        assert bool(others) == (not 17 <= len(url) <= 240)


def test_the_twin_can_be_asked_for() -> None:
    """WEAVER_PURE keeps the compiled module out, and the state line says so."""
    command = [sys.executable, "-c", "from weaver.native import description; print(description())"]
    asked = subprocess.run(command, env={**os.environ, "WEAVER_PURE": "1"}, capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "python (WEAVER_PURE is set)"
