"""What holds for the canonical text of any string at all."""

from __future__ import annotations

import ada_url
import pytest
from hypothesis import given
from hypothesis import strategies as st

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

PROFILES = [
    Canonicalizer(settings_from({"url": {"sort_query": is_sorted, "drop_parameters": names}}).url)
    for is_sorted in (False, True)
    for names in ((), ("utm_source", "id", ""))
]
BASES = ("http://example.org/a/b?c", "https://[::1]:8443/x/", None, "about:blank", "no base", "http://h/\ud800")

any_text = st.text(st.characters(exclude_categories=()), max_size=60)
url_alphabet = st.sampled_from([
    *"ab1:/?#[]@!$&'()*+,;=%\\.-_~^|<>\"`{} \t\n\x00\x7fäß日İſ。\u200d\ud800\udfff",
    *("http://", "https:", "//", "../", "%2e", "%41", "xn--", "utm_source=", "id=", "&&", "%F", "0x7f", ".1", ":80"),
])
url_like = st.lists(url_alphabet, max_size=30).map("".join)
web_like = st.builds("http://{}{}".format, url_like, url_like)
texts = any_text | url_like | web_like


@given(texts, st.sampled_from(BASES), st.sampled_from(PROFILES))
def test_any_text_has_a_canonical_url_or_a_reason(text: str, base: str | None, profile: Canonicalizer) -> None:
    """No text raises: it has either a printable ASCII http(s) URL, which is its own canonical form, or a reason."""
    url = profile.canonical(text, base)
    if url is None:
        assert refusal(text, base) in {"scheme", "invalid"}
        return
    assert refusal(text, base) == ""
    assert url.startswith(("http://", "https://"))
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url
    assert "#" not in url
    assert profile.canonical(url) == url
    assert profile.canonical(url, "http://elsewhere.example/") == url


@given(texts, st.sampled_from(BASES), st.sampled_from(PROFILES))
def test_parts_agree_with_the_parser(text: str, base: str | None, profile: Canonicalizer) -> None:
    """Origin, host, port and target cut from the text are those that a full parse of it finds."""
    url = profile.canonical(text, base)
    if url is None:
        return
    parsed = ada_url.URL(url)
    assert origin_of(url) == parsed.origin
    assert host_of(url) == host_of(origin_of(url)) == parsed.hostname
    assert port_of(url) == port_of(origin_of(url)) == int(parsed.port or {"http:": 80, "https:": 443}[parsed.protocol])
    assert target_of(url) == parsed.pathname + parsed.search
    assert not parsed.username
    assert not parsed.password
    assert directory_of(url) == ada_url.join_url(url, ".")


@given(texts, st.sampled_from(PROFILES))
def test_userinfo_and_fragment_never_matter(text: str, profile: Canonicalizer) -> None:
    """A URL with userinfo and a fragment added is the same page."""
    url = profile.canonical(text)
    if url is not None:
        scheme, slashes, rest = url.partition("//")
        assert profile.canonical(f"{scheme}{slashes}us%40er:p:w@{rest}#part?a") == url


@given(texts, st.integers(0, 2**64 - 1))
def test_template_domain_and_key_take_any_canonical_url(text: str, seed: int) -> None:
    """Every canonical URL has a stable template on its origin, a domain its host ends with, and a 64-bit key."""
    url = PROFILES[0].canonical(text)
    if url is None:
        return
    assert template_of(url).startswith(f"{origin_of(url)}/")
    assert template_of(template_of(url)) == template_of(url)
    host = host_of(url)
    assert host.rstrip(".").endswith(registrable_domain(host))
    assert registrable_domain(registrable_domain(host)) == registrable_domain(host)
    assert 0 <= url_key(url, seed) < 2**64


@given(texts)
def test_a_logged_text_is_printable_and_names_the_same_place(text: str) -> None:
    """Whatever is logged is printable, has no userinfo, and a plain URL is logged as it is."""
    shown = redacted(text)
    assert shown.isprintable()
    url = PROFILES[0].canonical(text)
    if url is not None:
        assert redacted(url) == url


@given(st.text("us:/@\\ \t#?", max_size=12), st.sampled_from(["http://", "https:", "//", "ftp://", "\thttp:\\\\"]))
def test_no_password_is_ever_logged(noise: str, start: str) -> None:
    """A password in the userinfo of an address, valid or broken, does not reach the log."""
    shown = redacted(f"{start}user:s3cret{noise}@example.org/")
    is_userinfo = not set(noise) & set("/\\?#") or join(f"{start}user:s3cret{noise}@example.org/", BASES[0]) is None
    assert "s3cret" not in shown or not is_userinfo


@given(texts, st.sampled_from(["cp1252", "cp932", "cp949", "gb18030", "iso2022_jp", "big5hkscs", "utf-8", "hex"]))
def test_a_page_encoding_never_moves_a_link_elsewhere(text: str, codec: str) -> None:
    """The page's encoding changes the bytes of a query only, never origin or path."""
    plain = PROFILES[0].canonical(text, BASES[0])
    encoded = PROFILES[0].canonical(with_query_in(text, codec), BASES[0])
    if plain is None or encoded is None:
        assert plain == encoded
    else:
        assert plain.partition("?")[0] == encoded.partition("?")[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "http://h/" + "日" * 300_000,
        "http://" + "a" * 1_000_000,
        "http://" + "a." * 500_000,
        "http://" + "日" * 300_000,
        "http://" + "@" * 300_000 + "h/",
        "http://h/" + "../" * 300_000,
        "http://h/" + ";" * 1_000_000,
        "http://h/?" + "&utm_source=" * 100_000,
        "http://h/" + "a1" * 500_000,
        "a:" + " " * 1_000_000 + "/@",
        "/" * 1_000_000 + "?@",
        "\t" * 1_000_000 + "@",
        "\ud800" * 500_000,
    ],
)
def test_a_megabyte_is_no_burden(text: str) -> None:
    """A text of a megabyte is judged, split, templated and redacted in time proportional to its length."""
    redacted(text)
    with_query_in(text, "cp932")
    url = PROFILES[3].canonical(text, BASES[0])
    if url is not None:
        template_of(url)
        registrable_domain(host_of(url))
