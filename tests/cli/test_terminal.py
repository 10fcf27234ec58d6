"""Terminal: no text from a stranger moves the cursor, reorders the line, or breaks the frame."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weaver.cli.terminal import columns_of, printable, shortened


@given(st.text())
def test_printable_text_holds_no_control(text: str) -> None:
    """Whatever the text, what is printed has no control, no separator and no sign that reorders."""
    shown = printable(text)
    assert not any(ord(character) < 32 or 0x7F <= ord(character) <= 0x9F for character in shown)
    assert not set(shown) & set("\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_ordinary_text_is_left_alone() -> None:
    """Letters of any script pass unchanged."""
    assert printable("Über 漢字 x²") == "Über 漢字 x²"
    assert printable("a\x1b[31mb\u202ec") == "a\\x1b[31mb\\u202ec"


@given(st.text(), st.integers(4, 60))
def test_shortened_text_fits(text: str, columns: int) -> None:
    """A shortened text takes no more columns than it may, wide characters counted twice."""
    assert columns_of(shortened(text, columns)) <= columns


def test_both_ends_of_a_long_url_are_kept() -> None:
    """The middle of a long URL is left out: its host and its last segment tell most."""
    shown = shortened("http://a.test/" + "x" * 10_000_000 + "/last.html", 40)
    assert shown.startswith("http://a.test/")
    assert shown.endswith("last.html")
