"""How a page's charset is found, and its bytes become UTF-8."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaver.parse.charset import charset_of, declared_charset, header_charset, query_codec, utf8_of
from weaver.parse.labels import ENCODING_BY_LABEL, encoding_of

ALL = sorted(set(ENCODING_BY_LABEL.values()))


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"\xef\xbb\xbf<meta charset=koi8-r>", "text/html; charset=koi8-r", "utf-8"),
        (b"\xff\xfex\x00", "text/html; charset=utf-8", "utf-16le"),
        (b"<meta charset=utf-8>", "text/html; charset=KOI8-R", "koi8-r"),
        (b"<meta charset=koi8-r>", "text/html; charset=unheard-of", "koi8-r"),
        (b"<meta charset=koi8-r>\xc3\xbc", "text/html", "koi8-r"),
        (b"\xc3\xbc", "text/html", "utf-8"),
        (b"\xc3\xbc\xc3", "text/html", "utf-8"),
        (b"\xfc", "text/html", "windows-1252"),
        (b"ascii", "text/html", "windows-1252"),
        (b"<p>" * 400 + b"\xfc<meta charset=koi8-r>", "text/html", "koi8-r"),
    ],
)
def test_the_order_of_witnesses(body: bytes, content_type: str, expected: str) -> None:
    """Mark, header, early meta, UTF-8 by its bytes, later meta, default: the first that speaks is believed."""
    assert charset_of(body, content_type, "windows-1252") == expected


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ('text/html; a="b; charset=koi8-r"; charset=utf-8', "utf-8"),
        ("text/html;charset=bogus;charset=utf-8", "utf-8"),
        ('text/html; charset="u\\tf-8"', "utf-8"),
        ("text/html; charset=utf-8, text/html", "utf-8"),
        ("text/html; xcharset=utf-8", ""),
        ("charset=utf-8", ""),
    ],
)
def test_the_header_names_a_charset_in_its_parameters(content_type: str, expected: str) -> None:
    """A charset is read from the Content-Type's own parameter, quoted or not, and from nothing that looks like it."""
    assert header_charset(content_type) == expected


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"<!-- <meta charset=koi8-r> --><meta charset=euc-jp>", "euc-jp"),
        (b"<!--><meta charset=euc-jp>", "euc-jp"),
        (b"<title a='<meta charset=koi8-r>'></title><META/CharSet = 'EUC-JP'/>", "euc-jp"),
        (b"<meta http-equiv=content-type content='text/html; charset=euc-jp'>", "euc-jp"),
        (b"<meta content='charset x; charset = \"euc-jp\"' http-equiv=Content-Type>", "euc-jp"),
        (b"<meta content='text/html; charset=euc-jp'>", ""),
        (b"<meta charset=bogus><meta charset=euc-jp>", "euc-jp"),
        (b"<meta charset=utf-16>", "utf-8"),
        (b"<meta charset=x-user-defined>", "windows-1252"),
        (b"<meta charset='euc-jp", ""),
        (b"<metal charset=euc-jp>", ""),
        (b"<?xml version='1.0' encoding='euc-jp'?>", "euc-jp"),
        (b" " * 1020 + b"<meta charset=euc-jp>", ""),
    ],
)
def test_the_prescan_follows_the_standard(start: bytes, expected: str) -> None:
    """The first 1024 bytes are searched for a meta by the standard's own simple grammar."""
    assert declared_charset(start) == expected


def test_xml_knows_no_meta() -> None:
    """An XML document is UTF-8 unless header, mark or declaration say otherwise."""
    assert charset_of(b"<meta charset=koi8-r>\xfc", "", "windows-1252", is_xml=True) == "utf-8"
    assert charset_of(b"<?xml version='1.0' encoding='koi8-r'?>", "", "windows-1252", is_xml=True) == "koi8-r"


def test_labels_are_those_of_the_standard() -> None:
    """All 228 labels are known, in any case and with white space around them; nothing else is."""
    assert len(ENCODING_BY_LABEL) == 228
    assert encoding_of("\t Latin1 ") == "windows-1252"
    assert encoding_of("utf-7") == ""


@pytest.mark.parametrize(
    ("charset", "body", "text"),
    [
        ("windows-1252", b"\x80\x81", "\u20ac\x81"),
        ("windows-1253", b"\xaa", "\ufffd"),
        ("shift_jis", b"\x83n", "ハ"),
        ("euc-kr", b"\xb0\xa1", "가"),
        ("gbk", b"\xd6\xd0", "中"),
        ("big5", b"\xa4\xa4", "中"),
        ("utf-16be", b"\xfe\xff\x00a", "a"),
        ("x-user-defined", b"a\x80", "a\uf780"),
        ("replacement", b"anything", "\ufffd"),
        ("iso-2022-jp", b"\x1b$B$O", "は"),
    ],
)
def test_bytes_are_read_as_browsers_read_them(charset: str, body: bytes, text: str) -> None:
    """Each charset gives the characters that the Encoding standard gives; what is wrong becomes U+FFFD."""
    assert utf8_of(body, charset).decode() == text


@given(body=st.binary(max_size=60), charset=st.sampled_from(ALL))
def test_any_bytes_become_utf8(body: bytes, charset: str) -> None:
    """Whatever bytes in whatever charset become UTF-8, and the charset has a codec for queries."""
    if charset != "utf-8":
        utf8_of(body, charset).decode()
    assert codecs.lookup(query_codec(charset))


@given(body=st.binary(max_size=200), content_type=st.text(max_size=60))
def test_every_page_has_a_known_charset(body: bytes, content_type: str) -> None:
    """Whatever the bytes and the header, the charset found is one of the standard's."""
    assert charset_of(body, content_type, "windows-1252") in ALL
