"""The content index: the same content is recognised whatever the cap, and nothing else is."""

from __future__ import annotations

from weaver.base.page import Parsed, Verdict
from weaver.base.settings import DedupeSettings
from weaver.dedupe import ContentIndex, DuplicateLinks
from weaver.memory.budget import Budget

LONG = "a sentence that says enough to be worth comparing " * 8


class FakeDisk:
    """Digests that were committed."""

    def __init__(self) -> None:
        self.pages: dict[bytes, int] = {}

    def page_with_digest(self, digest: bytes) -> int:
        return self.pages.get(digest, 0)


def index(cold: FakeDisk, **settings: object) -> ContentIndex:
    return ContentIndex(DedupeSettings(**settings), Budget(8 << 20).account("content"), cold)  # type: ignore[arg-type]


def page(text: str) -> Parsed:
    return Parsed("http://a.test/", text=text, is_html=True)


def test_the_same_bytes_are_a_duplicate_of_the_first_page() -> None:
    """A body seen before names the page that had it first."""
    contents = index(FakeDisk())
    assert contents.observe(1, b"body", page("")).verdict is Verdict.NEW
    seen = contents.observe(2, b"body", page(""))
    assert (seen.verdict, seen.duplicate_of) == (Verdict.SAME_BODY, 1)


def test_the_same_text_in_other_markup_is_a_duplicate() -> None:
    """Two pages whose visible text differs in white space only are the same text."""
    contents = index(FakeDisk())
    contents.observe(1, b"<p>one", page(LONG))
    seen = contents.observe(2, b"<div>other", page(LONG.replace(" ", "\n  ")))
    assert (seen.verdict, seen.duplicate_of) == (Verdict.SAME_TEXT, 1)


def test_a_short_text_says_nothing() -> None:
    """Pages with little or no text are compared by their bytes alone."""
    contents = index(FakeDisk())
    contents.observe(1, b"one", page("Loading"))
    assert contents.observe(2, b"two", page("Loading")).verdict is Verdict.NEW


def test_a_cap_costs_a_look_up_not_knowledge() -> None:
    """With room for 10 digests, duplicates 1,000 pages apart are still found, on disk."""
    disk = FakeDisk()
    contents = index(disk, max_digests=10)
    for number in range(1, 1_001):
        seen = contents.observe(number, b"body %d" % number, page(""))
        assert seen.verdict is Verdict.NEW
        disk.pages[b"b" + seen.body_digest] = number
        contents.submitted(number)
        contents.committed(number)
    assert len(contents) <= 10
    assert all(contents.observe(2_000 + i, b"body %d" % i, page("")).duplicate_of == i for i in range(1, 1_001))
    assert contents.cold_hits >= 990
    assert contents.statistics().reseen == contents.cold_hits


def test_dropping_what_leaves_ram_is_counted() -> None:
    """With disk = "drop" the disk is not asked, and what was forgotten is told."""
    contents = index(FakeDisk(), max_digests=10, disk="drop")
    for number in range(1, 101):
        contents.observe(number, b"body %d" % number, page(""))
        contents.submitted(number)
        contents.committed(number)
    assert contents.forgotten >= 90
    assert contents.cold_lookups == 0


def test_what_dropping_costs_is_measured() -> None:
    """With disk = "drop" a content that comes again after it was forgotten counts as re-seen."""
    contents = index(FakeDisk(), max_digests=100, disk="drop")
    for number in range(1, 201):
        contents.observe(number, b"body %d" % (number % 150), page(""))
        contents.submitted(number)
        contents.committed(number)
    assert 40 <= contents.statistics().reseen <= 50


def test_a_page_is_no_duplicate_of_itself() -> None:
    """A page fetched a second time, as after a crash, is still new."""
    contents = index(FakeDisk())
    contents.observe(1, b"body", page(LONG))
    assert contents.observe(1, b"body", page(LONG)).verdict is Verdict.NEW


def test_links_of_duplicates_are_followed_for_a_bounded_number() -> None:
    """`elsewhere` follows the first duplicates of a template, `never` none, `always` all."""
    account = Budget(8 << 20).account("content")
    followed = {
        rule: sum(DuplicateLinks(rule, 3, account).are_followed("http://a.test/x?id") for _ in range(1))  # type: ignore[arg-type]
        for rule in ("never", "elsewhere", "always")
    }
    assert followed == {"never": 0, "elsewhere": 1, "always": 1}
    elsewhere = DuplicateLinks("elsewhere", 3, account)
    assert [elsewhere.are_followed("t") for _ in range(5)] == [True, True, True, False, False]
    assert elsewhere.are_followed("another template")


def test_a_template_that_meets_the_bound_is_told_once() -> None:
    """Each one is counted, and told when it happens; what an earlier run met before `listen` is only counted."""
    links = DuplicateLinks("elsewhere", 1, Budget(8 << 20).account("content"))
    told: list[tuple[str, int]] = []
    for template in ("early", "early"):
        links.are_followed(template)
    links.listen(lambda template, pages: told.append((template, pages)))
    for template in ("trap", "early", "trap", "real", "trap"):
        links.are_followed(template)
    assert told == [("trap", 2)]
    assert (links.bounded_templates, links.left_alone) == (2, 4)
