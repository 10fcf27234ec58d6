"""The grammar of refreshes and of the headers that link."""

from __future__ import annotations

import pytest

from weaver.parse.links import header_canonical, is_nofollow, refresh_of


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("0", (0, None)),
        (" 12 ", (12, None)),
        (".5; x", (0, "x")),
        ("1.9;url=x", (1, "x")),
        ("1,x", (1, "x")),
        ("1 x", (1, "x")),
        ("1;URL = 'a\"b' c", (1, 'a"b')),
        ('1; "x', (1, "x")),
        ("1; u x", (1, "u x")),
        ("1; urlx=y", (1, "urlx=y")),
        ("1; url=", (1, "")),
        ("1x", None),
        ("x", None),
        ("", None),
        ("; url=x", None),
        ("1e3; x", None),
        ("9" * 5000, (10**9, None)),
    ],
)
def test_refresh_is_read_as_browsers_read_it(content: str, expected: tuple[int, str | None] | None) -> None:
    """A refresh has a time, a separator, and perhaps a URL, named or not, quoted or not (WHATWG HTML, 4.2.5.3)."""
    assert refresh_of(content) == expected


@pytest.mark.parametrize("rel", ["", "nofollower", "no follow", "me"])
def test_only_whole_tokens_of_rel_count(rel: str) -> None:
    """A rel that merely looks like nofollow is none."""
    assert not is_nofollow(rel)


@pytest.mark.parametrize("header", ["", "<x", "<x>", "<x>; rel=next", "x; rel=canonical", "<http://[>; rel=canonical"])
def test_a_link_header_without_canonical_gives_none(header: str) -> None:
    """A Link header that names no canonical, or none that parses, gives none."""
    assert header_canonical({"link": header}, "http://a.test/") is None
