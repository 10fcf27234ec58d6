"""What a URL's canonical text, parts, template, domain and logged form must be."""

from __future__ import annotations

import pytest
import xxhash

from weaver.base.settings import Settings, UrlSettings
from weaver.base.sources import settings_from
from weaver.base.url import (
    Canonicalizer,
    directory_of,
    host_of,
    join,
    origin_of,
    port_of,
    redacted,
    refusal,
    registrable_domain,
    target_of,
    template_of,
    url_key,
    with_query_in,
)

BASE = "http://example.org/docs/page.html?q=1"


def profile(**url: object) -> Canonicalizer:
    """The canonical profile with some of its settings changed."""
    return Canonicalizer(settings_from({"url": url}).url)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HTTP://Example.ORG", "http://example.org/"),
        ("https://example.org:443/a", "https://example.org/a"),
        ("http://example.org:443/a", "http://example.org:443/a"),
        ("http://example.org/a/./b/../c", "http://example.org/a/c"),
        ("http://example.org/a#part", "http://example.org/a"),
        ("http://example.org/a?#part", "http://example.org/a"),
        ("http://example.org/a?", "http://example.org/a"),
        ("http://user:secret@example.org/a@b", "http://example.org/a@b"),
        ("http://us@er:sec@ret@example.org:81/", "http://example.org:81/"),
        ("http://bücher.example/ü?ü", "http://xn--bcher-kva.example/%C3%BC?%C3%BC"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://[0:0::1]:80/", "http://[::1]/"),
        ("http://example.org\\a", "http://example.org/a"),
        ("  ht\ntp://example.org/\t ", "http://example.org/"),
    ],
)
def test_spellings_of_one_url_become_one_text(text: str, expected: str) -> None:
    """A URL's spellings that browsers and servers can't tell apart have one canonical text."""
    assert profile().canonical(text) == expected


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/%7Euser",
        "http://example.org/%2f",
        "http://example.org//a//b",
        "http://example.org/index.html",
        "http://www.example.org/",
        "http://example.org./",
        "http://example.org/?b=2&a=1",
        "http://example.org/?a&&b=",
        "http://example.org/a;jsessionid=1?x",
    ],
)
def test_what_only_the_server_knows_is_left_as_written(url: str) -> None:
    """The default profile does not guess which different URLs a server treats as one."""
    assert profile().canonical(url) == url


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("", "http://example.org/docs/page.html?q=1"),
        ("#part", "http://example.org/docs/page.html?q=1"),
        ("?r=2", "http://example.org/docs/page.html?r=2"),
        ("../x", "http://example.org/x"),
        ("//other.example", "http://other.example/"),
        ("https://other.example/x", "https://other.example/x"),
    ],
)
def test_references_are_resolved_against_their_page(href: str, expected: str) -> None:
    """A relative reference means what a browser on that page makes of it."""
    assert profile().canonical(href, BASE) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h/?utm_source=x", "http://h/"),
        ("http://h/?a=1&utm_source=x&b=2", "http://h/?a=1&b=2"),
        ("http://h/?UTM_Source=x&a=1", "http://h/?a=1"),
        ("http://h/?gclid&a=1&&b", "http://h/?a=1&b"),
        ("http://h/?a=1&fbclid", "http://h/?a=1"),
        ("http://h/?xutm_source=1&utm_sourcex=2", "http://h/?xutm_source=1&utm_sourcex=2"),
        ("http://h/?a=utm_source=1", "http://h/?a=utm_source=1"),
        ("http://h/&utm_source=1", "http://h/&utm_source=1"),
    ],
)
def test_campaign_parameters_are_dropped_by_name(url: str, expected: str) -> None:
    """Parameters on the list are dropped wherever they stand, others are untouched."""
    assert profile().canonical(url) == expected


def test_an_empty_list_drops_no_parameter() -> None:
    """A user who empties the list of parameters keeps every one."""
    assert profile(drop_parameters=()).canonical("http://h/?utm_source=x&=1") == "http://h/?utm_source=x&=1"


def test_names_with_signs_are_taken_literally() -> None:
    """A listed name is a name, not a pattern."""
    canonicalizer = profile(drop_parameters=("a.b", "c[]"))
    assert canonicalizer.canonical("http://h/?axb=1&a.b=2&c[]=3&c=4") == "http://h/?axb=1&c=4"


def test_a_sorted_query_keeps_repeats_in_their_order() -> None:
    """On request parameters are ordered by name; repeats of one name keep their order, empty ones go."""
    assert profile(sort_query=True).canonical("http://h/?b=2&a=2&&a=1&B") == "http://h/?B&a=2&a=1&b=2"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("mailto:someone@example.org", "scheme"),
        ("javascript:void(0)", "scheme"),
        ("data:text/html,x", "scheme"),
        ("ftp://example.org/", "scheme"),
        ("httpx://example.org/", "scheme"),
        ("http://", "invalid"),
        ("http://a b/", "invalid"),
        ("http://example.org:65536/", "invalid"),
        ("http://[::1", "invalid"),
    ],
)
def test_what_is_no_web_address_is_refused_with_its_reason(text: str, reason: str) -> None:
    """A text that is not an http(s) URL has no canonical form, and the reason can be asked for."""
    assert profile().canonical(text, BASE) is None
    assert refusal(text, BASE) == reason


def test_relative_text_without_a_page_is_invalid() -> None:
    """Without a base a relative reference names nothing."""
    assert profile().canonical("/a") is None
    assert refusal("/a") == "invalid"
    assert refusal("http://h/") == ""


def test_lone_surrogates_become_replacement_characters() -> None:
    """Half a surrogate pair is read as U+FFFD, a whole pair as its character, as in a browser."""
    assert join("http://h/\ud800x?\ud83d\ude00") == "http://h/%EF%BF%BDx?%F0%9F%98%80"
    assert join("x", "http://h/\udfff/") == "http://h/%EF%BF%BD/x"


@pytest.mark.parametrize(
    ("url", "origin", "host", "port", "directory", "target"),
    [
        ("http://h/", "http://h", "h", 80, "http://h/", "/"),
        ("https://h/a/b?c=/d/", "https://h", "h", 443, "https://h/a/", "/a/b?c=/d/"),
        ("http://h:8080/a/", "http://h:8080", "h", 8080, "http://h:8080/a/", "/a/"),
        ("https://[::1]:80/a", "https://[::1]:80", "[::1]", 80, "https://[::1]:80/", "/a"),
        ("http://[::1]/?/", "http://[::1]", "[::1]", 80, "http://[::1]/", "/?/"),
    ],
)
def test_parts_are_cut_from_the_canonical_text(
    url: str, origin: str, host: str, port: int, directory: str, target: str
) -> None:
    """Origin, host, port, folder and target of a canonical URL are what its text says."""
    assert (origin_of(url), host_of(url), port_of(url)) == (origin, host, port)
    assert (host_of(origin), port_of(origin)) == (host, port)
    assert (directory_of(url), target_of(url)) == (directory, target)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://h/item/1", "http://h/item/22"),
        ("http://h/2024/05/12/", "http://h/2025/11/03/"),
        ("http://h/a/a/a", "http://h/a"),
        ("http://h/foo/bar/foo/bar/", "http://h/foo/bar/"),
        ("http://h/x/550e8400-e29b-41d4-a716-446655440000", "http://h/x/6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("http://h/commit/4f2a9c1b7d", "http://h/commit/00ffa3d9c2"),
        ("http://h/(S(lit3py55t21z5v55vlm25s55))/x", "http://h/(S(1hpyl3o1c7xqd4552f2zm1qt))/x"),
        ("http://h/p;jsessionid=A1B2C3?x=1", "http://h/p;jsessionid=D4E5F6?x=2"),
        ("http://h/list?page=2&sort=name", "http://h/list?sort=date&page=3"),
        ("http://h/list?f1=a&f2=b", "http://h/list?f7=c"),
    ],
)
def test_pages_of_one_generator_share_a_template(one: str, other: str) -> None:
    """Two URLs that differ only in what a generator counts or draws have one template."""
    assert template_of(one) == template_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://h/a", "http://h/b"),
        ("http://h/a", "http://h/a/"),
        ("http://h/a", "https://h/a"),
        ("http://h/a", "http://h:81/a"),
        ("http://h/list?page=1", "http://h/list?id=1"),
        ("http://h/list", "http://h/list?page=1"),
        ("http://h/deadbeef", "http://h/facade"),
        ("http://h/a-long-headline-of-words", "http://h/another-long-headline"),
    ],
)
def test_pages_of_two_generators_have_two_templates(one: str, other: str) -> None:
    """What tells pages apart in kind stays in the template: origin, words, folder or file, parameter names."""
    assert template_of(one) != template_of(other)


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("example.org", "example.org"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("co.uk", "co.uk"),
        ("me.github.io", "me.github.io"),
        ("www.example.org.", "example.org"),
        ("www.xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("a.b.xn--55qx5d.cn", "b.xn--55qx5d.cn"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("a.b.unlisted", "b.unlisted"),
    ],
)
def test_the_registrable_domain_follows_the_shipped_list(host: str, domain: str) -> None:
    """A host belongs to the name below its public suffix; addresses and bare labels are their own."""
    assert registrable_domain(host) == domain


def test_a_name_too_long_to_exist_is_not_remembered() -> None:
    """A stranger's host name of a megabyte is its own domain and takes no place in the memo."""
    host = "a." * 500_000 + "com"
    assert registrable_domain(host) == host


def test_a_key_is_the_seeded_hash_of_the_text() -> None:
    """A URL's key is xxh3-64 of its UTF-8 text under the crawl's seed, unsigned."""
    assert url_key("http://h/", 7) == xxhash.xxh3_64_intdigest(b"http://h/", 7)
    assert url_key("http://h/", 7) != url_key("http://h/", 8)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://user:secret@h/x", "http://h/x"),
        ("http://us:se/cret@h/x", "http://h/x"),
        ("//user:secret@h/", "//h/"),
        ("http:\\\\user:secret@h", "http:\\\\h"),
        ("ht\ntp:/user:secret@h", "ht\\ntp:/h"),
        ("https://h/@name?x=a@b", "https://h/@name?x=a@b"),
        ("/@name", "/@name"),
        ("x\x1b[31m\u202e\ud800\x00", "x\\x1b[31m\\u202e\\ud800\\x00"),
        ("http://h/ü", "http://h/ü"),
    ],
)
def test_a_log_shows_neither_secrets_nor_control_characters(text: str, expected: str) -> None:
    """What is logged of a URL has no userinfo, and nothing that a terminal would act on."""
    assert redacted(text) == expected


@pytest.mark.parametrize(
    ("href", "codec", "expected"),
    [
        ("/ü?q=ü#ü", "cp1252", "/ü?q=%FC#ü"),
        ("?q=†", "big5", "?q=%26%238224%3B"),
        ("?a=日&b=<", "shift_jis", "?a=%93%FA&b=%3C"),
        (" ?é\n2 ", "latin-1", " ?%E92"),
        ("?ü", "utf-8", "?ü"),
        ("?ü", "utf-16-le", "?ü"),
        ("?ü", "no-such-codec", "?ü"),
        ("?\ud800", "utf-8", "?\ud800"),
        ("#?ü", "cp1252", "#?ü"),
        ("/ü", "cp1252", "/ü"),
        ("?a=1", "cp1252", "?a=1"),
    ],
)
def test_a_query_is_encoded_as_its_page_is(href: str, codec: str, expected: str) -> None:
    """The query of a link on a page of a legacy encoding goes out in that encoding, path and fragment do not."""
    assert with_query_in(href, codec) == expected


def test_the_canonicalizer_tells_its_state() -> None:
    """The repr says how many parameters are dropped and whether queries are sorted."""
    assert repr(Canonicalizer(Settings().url)) == "Canonicalizer(dropped=14, sorted=False)"
    assert UrlSettings.model_fields["sort_query"].default is False
