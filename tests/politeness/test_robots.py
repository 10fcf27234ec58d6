"""The rules of one robots.txt: groups, patterns, escapes, and what people write instead (RFC 9309 2.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaver.politeness.robots import MAX_BODY_BYTES, NO_RULES, parse_rules, product_token, sitemaps_of


def allows(robots: str | bytes, target: str, token: str = "weaver") -> bool:
    body = robots if isinstance(robots, bytes) else robots.encode()
    return parse_rules(body, token).is_allowed(target)


def test_the_longest_match_wins_whatever_the_order() -> None:
    """The rule with the most octets decides, wherever it stands (2.2.2)."""
    for rules in ("Allow: /a/b\nDisallow: /a", "Disallow: /a\nAllow: /a/b"):
        assert allows(f"User-agent: *\n{rules}", "/a/b/c")
        assert not allows(f"User-agent: *\n{rules}", "/a/c")


def test_allow_wins_a_tie() -> None:
    """Of two rules of one length, allow counts (2.2.2)."""
    assert allows("User-agent: *\nDisallow: /page\nAllow: /page", "/page")
    assert allows("User-agent: *\nDisallow: /p*ge\nAllow: /page", "/page")


def test_what_no_rule_covers_is_allowed() -> None:
    """Without a matching rule, and without rules at all, everything is allowed."""
    assert allows("User-agent: *\nDisallow: /a", "/b")
    assert parse_rules(b"", "weaver") is NO_RULES
    assert NO_RULES.is_allowed("/")


def test_robots_txt_itself_is_always_allowed() -> None:
    """/robots.txt is implicitly allowed (2.2.2)."""
    assert allows("User-agent: *\nDisallow: /", "/robots.txt")
    assert not allows("User-agent: *\nDisallow: /", "/robots.txt.bak")


def test_the_group_that_names_weaver_replaces_the_one_for_all() -> None:
    """Only the most specific group counts, even when it is empty (2.2.1)."""
    robots = "User-agent: *\nDisallow: /\n\nUser-agent: Weaver\nDisallow: /private"
    assert allows(robots, "/public")
    assert not allows(robots, "/private/x")
    assert allows("User-agent: weaver\nDisallow:\nUser-agent: *\nDisallow: /", "/x")


def test_groups_for_one_token_are_merged() -> None:
    """Several groups that name weaver are one group (2.2.1)."""
    robots = "User-agent: weaver\nDisallow: /a\nUser-agent: x\nDisallow: /\nUser-agent: WEAVER\nDisallow: /b"
    assert [allows(robots, target) for target in ("/a", "/b", "/c")] == [False, False, True]


def test_several_user_agent_lines_share_the_rules_after_them() -> None:
    """A group may begin with several User-agent lines, blank lines and comments between them or not."""
    robots = "User-agent: other\n\n# and\nUser-agent: weaver\n\nDisallow: /x\n"
    assert not allows(robots, "/x")


@pytest.mark.parametrize("name", ["weav", "weaverbot", "weaver-bot", "weaver_x", "my-weaver"])
def test_a_token_is_matched_whole(name: str) -> None:
    """Neither a part of the token nor a longer token means weaver."""
    assert allows(f"User-agent: {name}\nDisallow: /", "/x")


@pytest.mark.parametrize("name", ["weaver", "WEAVER", "Weaver/1.0", "weaver (a crawler)", "weaver2", " weaver "])
def test_the_token_is_found_in_what_people_write(name: str) -> None:
    """Case, versions and comments after the token don't hide it."""
    assert not allows(f"User-agent: {name}\nDisallow: /", "/x")


@pytest.mark.parametrize("record", ["Sitemap: http://h/s.xml", "Noindex: /x", "Host: h", "Crawl-delay: 3", "nonsense"])
def test_other_records_end_no_group(record: str) -> None:
    """A record that is neither rule nor User-agent ends nothing (2.2.4)."""
    assert not allows(f"User-agent: weaver\n{record}\nDisallow: /", "/x")
    assert not allows(f"User-agent: weaver\n{record}\nUser-agent: other\nDisallow: /", "/x")
    assert not allows(f"User-agent: weaver\nDisallow: /a\n{record}\nDisallow: /b", "/b")


def test_rules_before_any_group_are_ignored() -> None:
    """A rule that follows no User-agent line belongs to nobody (2.2)."""
    assert allows("Disallow: /\nUser-agent: *\nDisallow: /a", "/b")


@pytest.mark.parametrize(
    ("pattern", "target", "matches"),
    [
        ("/*.gif", "/a/b.gif?x", True),
        ("/*.gif$", "/a/b.gif", True),
        ("/*.gif$", "/a/b.gif?x", False),
        ("/a$", "/a", True),
        ("/a$", "/ab", False),
        ("/a*b*c", "/a-b-c-d", True),
        ("/a*b*c$", "/abcb", False),
        ("/a*b*c$", "/abcbc", True),
        ("/ab*b$", "/ab", False),
        ("*", "/x", True),
        ("/*/", "/a", False),
        ("/a**b", "/a1b", True),
        ("/a?b=", "/a?b=1", True),
        ("/a$b", "/a$b", True),
        ("/a%24", "/a$b", True),
        ("/a%2Ab", "/a*b", True),
        ("/a%2Ab", "/axb", False),
        ("/A", "/a", False),
        ("a", "/a", False),
    ],
)
def test_patterns(pattern: str, target: str, matches: bool) -> None:
    """`*` is any run, a `$` at the end the end, all else literal and case-sensitive (2.2.3)."""
    assert allows(f"User-agent: *\nDisallow: {pattern}", target) is not matches


@pytest.mark.parametrize(
    ("pattern", "target"),
    [
        ("/foo/bar/%62%61%7A", "/foo/bar/baz"),
        ("/foo/bar/baz", "/foo/bar/%62%61%7a"),
        ("/foo/bar/ツ", "/foo/bar/%E3%83%84"),
        ("/foo/bar/%e3%83%84", "/foo/bar/%E3%83%84"),
        ("/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar"),
        ("/foo/bar?baz=https%3A%2F%2Ffoo.bar", "/foo/bar?baz=https://foo.bar"),
        ("/*?u=%2F", "/x?u=/"),
        ("/a b", "/a%20b"),
        ("/a|b", "/a%7Cb"),
        ("/x[]=", "/x%5B%5D=1"),
    ],
)
def test_escapes_are_compared_by_meaning(pattern: str, target: str) -> None:
    """Both sides are brought to one normal form first (2.2.2, all rows of its table)."""
    assert not allows(f"User-agent: *\nDisallow: {pattern}", target)


def test_an_escaped_slash_is_no_slash_in_a_path() -> None:
    """%2F in a path is not / (2.2.2, reserved characters)."""
    assert allows("User-agent: *\nDisallow: /a/b", "/a%2Fb")
    assert allows("User-agent: *\nDisallow: /a%2Fb", "/a/b")
    assert not allows("User-agent: *\nDisallow: /*%2F", "/x?u=%2F")


@pytest.mark.parametrize("newline", ["\n", "\r", "\r\n"])
def test_every_line_end_ends_a_line(newline: str) -> None:
    """LF, CR and CRLF are all ends of line (2.2)."""
    assert not allows(newline.join(["User-agent: *", "", "Disallow: /a", "Disallow: /b", ""]), "/b")


@pytest.mark.parametrize("prefix", [b"\xef\xbb\xbf", b"\xef\xbb", b"\xef", b""])
def test_a_byte_order_mark_is_no_text(prefix: bytes) -> None:
    """A UTF-8 mark, even a broken one, hides no first line."""
    assert not allows(prefix + b"User-agent: *\nDisallow: /", "/x")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_with_a_mark_is_read(encoding: str) -> None:
    """What Windows editors save is understood."""
    assert not allows("\ufeffUser-agent: *\nDisallow: /".encode(encoding), "/x")


def test_bytes_that_are_no_utf_8_spoil_their_line_only() -> None:
    """Invalid UTF-8 is replaced, and the rest is read."""
    assert not allows(b"User-agent: *\nDisallow: /\xff\xfe\nDisallow: /b", "/b")


@pytest.mark.parametrize("line", ["Disalow: /", "dissallow:/", "DISALLOW : /", "\tDisallow: / # all", "Disallow /"])
def test_what_was_meant_as_disallow_is_one(line: str) -> None:
    """Common slips are read as they were meant."""
    assert not allows(f"User-agent: *\n{line}", "/x")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("2", 2.0), ("0.5", 0.5), (".5", 0.5), ("1e9", None), ("-1", None), ("nan", None), ("1.2.1", None), ("", None)],
)
def test_crawl_delay_is_a_plain_number_of_seconds(value: str, expected: float | None) -> None:
    """What is no plain decimal number is no delay."""
    assert parse_rules(f"User-agent: *\nCrawl-delay: {value}".encode(), "weaver").crawl_delay_s == expected


def test_crawl_delay_belongs_to_the_names_right_before_it() -> None:
    """A Crawl-delay speaks for the User-agent lines that it follows, not for those after it."""
    robots = (
        b"User-agent: *\nCrawl-delay: 1\nUser-agent: weaver\nUser-agent: b\nCrawl-delay: 12\nUser-agent: c\nDisallow:"
    )
    delays = [parse_rules(robots, token).crawl_delay_s for token in ("weaver", "b", "c", "other")]
    assert delays == [12.0, 12.0, None, 1.0]


def test_sitemaps_belong_to_no_group() -> None:
    """Sitemap records are found anywhere, in order, as written."""
    assert sitemaps_of(b"Sitemap: /a.xml\nUser-agent: x\nDisallow: /\nSITEMAP:http://h/b.xml #c\n") == [
        "/a.xml",
        "http://h/b.xml",
    ]


def test_only_whole_lines_of_the_first_512_kib_count() -> None:
    """Beyond the limit nothing is read, and a rule that the limit cuts is dropped rather than widened."""
    head = b"User-agent: *\nDisallow: /a\n"
    padding = b"#" * (MAX_BODY_BYTES - len(head) - len(b"\nDisallow: /"))
    body = head + padding + b"\nDisallow: /private\nDisallow: /b\n"
    rules = parse_rules(body, "weaver")
    assert not rules.is_allowed("/a")
    assert rules.is_allowed("/private")
    assert rules.is_allowed("/b")
    assert rules.is_allowed("/")


def test_a_product_token_is_the_beginning_of_a_user_agent() -> None:
    """The token ends at a slash or a space."""
    assert product_token(" Weaver/1.0 (+http://x)") == "weaver"


@given(body=st.binary(max_size=400), token=st.text(max_size=12), target=st.text(max_size=60))
def test_no_bytes_make_it_raise(body: bytes, token: str, target: str) -> None:
    """Whatever a server sends and whatever is asked, there is an answer."""
    parse_rules(body, token).is_allowed(target)
    parse_rules(b"User-agent: *\nDisallow: /" + body, token).is_allowed(target)


_PIECES = st.lists(st.sampled_from(["*", "a", "b", "ab", "$", "%61", "/"]), max_size=6).map("".join)


@given(pattern=_PIECES, target=st.text(alphabet="ab/", max_size=8))
def test_matching_agrees_with_a_regular_expression(pattern: str, target: str) -> None:
    """On small inputs the matcher does what the obvious, back-tracking expression does."""
    import re

    is_anchored = pattern.endswith("$")
    text = pattern.removesuffix("$").replace("%61", "a")
    expression = "".join(".*" if character == "*" else re.escape(character) for character in "/" + text)
    expected = re.match(expression + ("$" if is_anchored else ""), "/" + target) is not None
    assert allows(f"User-agent: *\nDisallow: /{pattern}", "/" + target) is not expected
