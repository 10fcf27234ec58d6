"""Main text: what a host repeats on page after page is left out, what a page has to say stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaver.dedupe import BoilerplateMemory
from weaver.dedupe.main_text import BUCKET_BYTES, FEWEST_PAGES, blocks_of
from weaver.memory import Account, Bounded

MENU = "Home\nProducts and services\nAbout this company\nContact us today"
FOOTER = "Copyright of this company, all rights reserved"


def memory(limit: int = 1 << 20, **settings: int) -> BoilerplateMemory:
    return BoilerplateMemory(Account("near", limit), **settings)


def page(number: int) -> str:
    body = "\n".join(f"Sentence {line} of story {number} is about something else {number * line}" for line in range(8))
    return f"{MENU}\n{body}\n{FOOTER}"


def test_what_a_host_repeats_is_left_out() -> None:
    """After some pages menu and footer are gone, and the page's own text is whole."""
    boilerplate = memory()
    texts = [boilerplate.main_text(page(number), "a.test") for number in range(20)]
    assert texts[0] == page(0)
    assert texts[19] == "\n".join(blocks_of(page(19))[4:-1])
    boilerplate.check()


def test_hosts_are_told_apart() -> None:
    """What one host repeats is text of its own elsewhere."""
    boilerplate = memory()
    for number in range(20):
        boilerplate.main_text(page(number), "a.test")
    assert boilerplate.main_text(page(99), "b.test") == page(99)


def test_the_share_left_out_is_told() -> None:
    """`split` says how much of the text the host repeats."""
    boilerplate = memory()
    for number in range(20):
        boilerplate.main_text(page(number), "a.test")
    split = boilerplate.split(page(50), "a.test")
    left_out = sum(map(len, blocks_of(MENU + "\n" + FOOTER)))
    assert split.boilerplate == pytest.approx(left_out / sum(map(len, blocks_of(page(50)))))
    assert boilerplate.split("", "a.test").boilerplate == 0.0


def test_a_page_of_repeats_is_compared_whole() -> None:
    """Where next to nothing is a page's own, it keeps its text: copies of one page never become empty."""
    boilerplate = memory()
    texts = {boilerplate.main_text(page(1), "a.test") for _ in range(50)}
    assert texts == {page(1)}


def test_a_term_in_a_sentence_stays() -> None:
    """A short block that other pages have too is left in, for it stands in a page's own text."""
    boilerplate = memory()
    for number in range(20):
        text = f"The story number {number} is told by\nint main\nwhich is what {number} is called in {number}"
        assert "int main" in boilerplate.main_text(text, "a.test")


def test_a_section_of_a_large_site_is_found() -> None:
    """On a site of a thousand pages a menu that 60 pages have is repeated, though it is in few of them."""
    boilerplate = memory()
    for number in range(1_000):
        extra = "Menu of this very section of ours\n" if number % 16 == 0 else ""
        text = boilerplate.main_text(extra + page(number), "a.test")
    assert "very section" not in boilerplate.main_text("Menu of this very section of ours\n" + page(5_000), "a.test")
    assert "Sentence" in text


def test_memory_is_bounded_and_keeps_what_is_seen_most() -> None:
    """Through a flood of blocks that come once, the blocks of every page are still known."""
    boilerplate = memory(max_blocks=800)
    for number in range(3_000):
        boilerplate.main_text(page(number), "a.test")
    assert len(boilerplate) <= boilerplate.capacity == 800
    assert boilerplate.statistics().evicted > 10_000
    assert "Contact us" not in boilerplate.main_text(page(9_999), "a.test")
    boilerplate.check()


def test_what_is_no_longer_shown_leaves_in_time() -> None:
    """A crowd of new blocks ages a block that never comes again until it is gone."""
    boilerplate = memory(max_blocks=8)
    for _ in range(20):
        boilerplate.main_text("A sentence that will never be shown again", "a.test")
    for number in range(2_000):
        boilerplate.main_text(f"Something of number {number} else\nAnd more of it {number}", f"{number}.test")
    assert boilerplate.split("A sentence that will never be shown again", "a.test").boilerplate == 0.0


@given(st.lists(st.text(max_size=20), max_size=20), st.text(max_size=5))
def test_any_blocks_come_back_as_text(blocks: list[str], host: str) -> None:
    """The first page of a host keeps all its blocks, whatever they are."""
    kept = [block for block in blocks if block]
    assert memory().main_text(blocks, host) == "\n".join(kept)


def test_it_gives_back_what_is_over_its_account() -> None:
    """Under a lower limit it halves until it fits, keeps the protocol of bounded stores, and goes on."""
    account = Account("near", 100 * BUCKET_BYTES)
    boilerplate = BoilerplateMemory(account)
    for number in range(30):
        boilerplate.main_text(page(number), "a.test")
    assert isinstance(boilerplate, Bounded)
    assert len(boilerplate.evict(5)) == 5
    account.limit //= 3
    while boilerplate.shrink():
        boilerplate.check()
    assert account.used <= account.limit
    for number in range(FEWEST_PAGES + 2):
        text = boilerplate.main_text(page(number), "a.test")
    assert "Contact us" not in text
    boilerplate.check()


def test_a_page_of_very_many_blocks_is_counted_in_part() -> None:
    """Blocks past the bound count as the page's own."""
    boilerplate = memory(8 << 20)
    lines = [f"This is line number {number} of all" for number in range(5_000)]
    for _ in range(FEWEST_PAGES + 1):
        text = boilerplate.main_text(lines, "a.test")
    assert set(lines[4_100:]) <= set(text.split("\n"))
    assert len(boilerplate) <= 4_097


def test_a_memory_without_room_is_refused() -> None:
    """At least one bucket of blocks."""
    with pytest.raises(ValueError, match="max_blocks"):
        memory(max_blocks=1)
