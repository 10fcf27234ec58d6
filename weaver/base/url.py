"""A URL's text: the WHATWG parse, the crawl's canonical profile, its parts, its key and its template."""

from __future__ import annotations

import codecs
import re
from functools import cache, lru_cache
from typing import NamedTuple

import xxhash
from ada_url import join_url, normalize_url
from publicsuffixlist import PublicSuffixList

from weaver.base.settings import UrlSettings
from weaver.native import compiled

_HTTP = ("http://", "https://")
_DEFAULT_PORTS = {"http:": 80, "https:": 443}
# The first place where the path of a canonical URL can begin: `http://` has seven characters, a host at least one.
_PATH_FROM = 8
_ANY_BASE = "http://host/"
_DOMAIN_MEMO_ENTRIES = 16_384
# RFC 1035, 2.3.4: no longer name can be looked up; the memo holds none.
_MAX_NAME_LENGTH = 253

# The special-query percent-encode set (WHATWG URL, section 1.3), byte by byte.
_QUERY_BYTES = [
    chr(byte) if 0x20 < byte < 0x7F and chr(byte) not in "\"#<>'" else f"%{byte:02X}" for byte in range(256)
]
# What an encoding holds in Python and must not hold here (WHATWG Encoding, 10.2.2 and 12.2.2), as written instead.
_NEVER_ENCODED = {
    "gb18030": {0xE5E5: "%26%2358853%3B"},
    "iso2022_jp": dict.fromkeys((0x0E, 0x0F, 0x1B), "%26%2365533%3B"),
}
_STRIPPED = "".join(map(chr, range(0x21)))
_TAB_OR_NEWLINE = dict.fromkeys(map(ord, "\t\n\r"))
_UTF = ("utf-8", "utf-16", "utf-32")
_UNENCODABLE = "weaver.numeric_reference"

_PATH_PARAMETER_VALUE = re.compile(r"(;[^;=/]*)=[^;/]*")
_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
# Tokens that a generator counts or draws: 8 and more hex digits, 16 and more letters and digits, each with a digit.
_TOKEN = re.compile(r"(?<![0-9A-Za-z])(?=[A-Za-z]*[0-9])(?:[0-9A-Fa-f]{8,}|[0-9A-Za-z]{16,})(?![0-9A-Za-z])")
_DIGITS = re.compile(r"[0-9]+")

# What stands before the userinfo: a scheme with any slashes, or two slashes; WHATWG reads `\` as `/` and skips tabs.
# Possessive, for a stranger's run of blanks must not be tried at every length.
_BEFORE_USERINFO = r"\A([\x00-\x20]*+(?:[A-Za-z][^/\\?#@:]*+:|[/\\]\s*+[/\\])[/\\\s]*+)"
_USERINFO = re.compile(_BEFORE_USERINFO + r"[^/\\?#]*@")
_ALL_TO_LAST_AT = re.compile(_BEFORE_USERINFO + r".*@", re.DOTALL)


def _numeric_reference(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return b"".join(b"%%26%%23%d%%3B" % ord(character) for character in characters), error.end


codecs.register_error(_UNENCODABLE, _numeric_reference)


def join(text: str, base: str | None = None) -> str | None:
    """The href of `text` resolved against `base`, as a browser has it, fragment included; None where none does.

    Source: the WHATWG URL standard, section 4.4. Never raises: lone surrogates become U+FFFD as in its USVString.
    """
    try:
        return normalize_url(text) if base is None else join_url(base, text)
    except ValueError:
        return _join_scalars(text, base)


def _join_scalars(text: str, base: str | None) -> str | None:
    scalars = _scalar_values(text)
    scalar_base = base if base is None else _scalar_values(base)
    if scalars == text and scalar_base == base:
        return None
    return join(scalars, scalar_base)


def _scalar_values(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class PlainKeys(NamedTuple):
    """Distinct keys (`url_key`) of URLs in native words of 64 bits, the place of the first href of each in words of 32
    bits, and the hrefs that are left."""

    keys: bytes
    places: bytes
    others: list[str]


class Canonicalizer:
    """The crawl's canonical profile: which spellings of a URL count as one page.

    Beyond WHATWG (case of scheme and host, default port, dot segments, percent-encoding of what must be) it drops
    the fragment, the userinfo, the parameters that the settings name (ASCII case ignored) and a query that is
    empty; on request it sorts parameters by name, repeats of one name in their order. Everything else stays as
    written: `%7E` is not `~`, `/index.html` not `/`, `www.` and a host's last dot are kept, for only the server knows.
    """

    def __init__(self, settings: UrlSettings) -> None:
        self._dropped = frozenset(name.lower() for name in settings.drop_parameters)
        self._must_sort = settings.sort_query
        names = "|".join(re.escape(name) for name in sorted(self._dropped)) or r"(?!)"
        self._dropped_names = None if self._must_sort else f"&{'&'.join(sorted(self._dropped))}&".encode()
        self._has_dropped = re.compile(rf"(?:^|&)(?:{names})(?:[=&]|$)", re.IGNORECASE | re.ASCII).search

    def __repr__(self) -> str:
        return f"Canonicalizer(dropped={len(self._dropped)}, sorted={self._must_sort})"

    def canonical(self, text: str, base: str | None = None) -> str | None:
        """The canonical http(s) URL of `text` seen on `base`: printable ASCII, idempotent; None where there is none.

        Never raises, whatever the text; `refusal` says why it was None.
        """
        url = join(text, base)
        if url is None or not url.startswith(_HTTP):
            return None
        if "#" in url:
            url = url[: url.index("#")]
        if "@" in url:
            url = _without_userinfo(url)
        return self._with_canonical_query(url) if "?" in url else url

    def canonical_many(self, hrefs: list[str], base: str) -> list[str | None]:
        """`canonical` of each href on `base`, which is a URL as `join` gives it.

        Compiled, it joins what is plainly written by itself, and asks the parser for the rest.
        """
        texts: list[str | None] = [None] * len(hrefs) if compiled is None else compiled.joined_plain(base, hrefs)
        own: str | None = None
        for place, text in enumerate(texts):
            href = hrefs[place]
            if text is not None:
                texts[place] = self._with_canonical_query(text) if "?" in text else text
            elif href and href[0] != "#":
                texts[place] = self.canonical(href, base)
            else:
                # Links within the page, often the most, share one look at the base.
                own = texts[place] = own or self.canonical("", base)
        return texts

    def plain_keys(self, hrefs: list[str], base: str, seed: int) -> PlainKeys:
        """The keys of what `canonical_many` gives for hrefs that need no parser, without making its texts.

        Compiled, nearly all are such; else none.
        """
        if compiled is None:
            return PlainKeys(b"", b"", hrefs)
        return PlainKeys(*compiled.plain_keys(base, hrefs, seed, self._dropped_names))

    def _with_canonical_query(self, url: str) -> str:
        path, _, query = url.partition("?")
        if self._must_sort or self._has_dropped(query):
            query = self._canonical_query(query)
        return f"{path}?{query}" if query else path

    def _canonical_query(self, query: str) -> str:
        names = ((_name_of(parameter), parameter) for parameter in query.split("&") if parameter)
        kept = [(name, parameter) for name, parameter in names if name.lower() not in self._dropped]
        if self._must_sort:
            kept.sort(key=lambda named: named[0])
        return "&".join(parameter for _, parameter in kept)


def refusal(text: str, base: str | None = None) -> str:
    """Why `canonical` gave None: `scheme` (not http(s)) or `invalid`; empty where it gave a URL."""
    url = join(text, base)
    if url is None:
        return "invalid"
    return "" if url.startswith(_HTTP) else "scheme"


def _without_userinfo(url: str) -> str:
    authority_from = url.index("//") + 2
    at = url.rfind("@", authority_from, url.index("/", authority_from))
    return url if at < 0 else url[:authority_from] + url[at + 1 :]


def _name_of(parameter: str) -> str:
    return parameter.partition("=")[0]


def with_query_in(text: str, codec: str) -> str:
    """`text` with its query percent-encoded as in a document of another encoding; the rest is left to `join`.

    For pages that aren't UTF-8: browsers encode a link's query in the page's encoding (WHATWG URL, section 1.3,
    percent-encode after encoding), what it can't hold as `&#N;`. `codec` is Python's name; an unknown one and UTF-16
    mean UTF-8, as the standard's output encoding has it.
    """
    start = text.find("?")
    query, hash_mark, fragment = text.rstrip(_STRIPPED)[start + 1 :].partition("#")
    if start < 0 or "#" in text[:start] or (query.isascii() and query.isprintable()):
        return text
    return f"{text[: start + 1]}{_percent_encoded(query.translate(_TAB_OR_NEWLINE), codec)}{hash_mark}{fragment}"


def _percent_encoded(query: str, codec: str) -> str:
    try:
        name = codecs.lookup(codec).name
        if name.startswith(_UTF):
            return query
        encoded = query.translate(_NEVER_ENCODED.get(name, {})).encode(name, _UNENCODABLE)
    except (LookupError, UnicodeError):
        return query
    return "".join(_QUERY_BYTES[byte] for byte in encoded)


def origin_of(url: str) -> str:
    """`http://host:port` of a canonical URL, a default port left out."""
    return url[: url.index("/", _PATH_FROM)]


def host_of(url_or_origin: str) -> str:
    """The host of a canonical URL or origin, without its port; an IPv6 address keeps its brackets."""
    authority = url_or_origin.split("/", 3)[2]
    if authority.startswith("["):
        return authority[: authority.index("]") + 1]
    return authority.partition(":")[0]


def port_of(origin: str) -> int:
    """The port of an origin or canonical URL: its scheme's default where none is written."""
    scheme, _, authority, *_ = origin.split("/", 3)
    port = authority[len(host_of(origin)) + 1 :]
    return int(port) if port else _DEFAULT_PORTS[scheme]


def directory_of(url: str) -> str:
    """`http://host/a/` of a canonical URL: what its relative references are resolved in (RFC 3986, 5.2.3)."""
    # A query may hold slashes, so that it goes first.
    path = url.partition("?")[0]
    return path[: path.rindex("/") + 1]


def target_of(url: str) -> str:
    """Path and query of a canonical URL: what robots rules match (RFC 9309, 2.2.2)."""
    return url[url.index("/", _PATH_FROM) :]


def template_of(url: str) -> str:
    """What all pages of one generator share: the canonical URL without what a generator counts or draws.

    Digit runs, UUIDs, hex and other long tokens become `0`; a segment is kept where it first stands, so that
    `/a/a/a` and `/a` are one, as are the rounds of a relative link that goes in circles; path and query parameters
    keep their names alone, query parameters in order.
    """
    path, _, query = target_of(url).partition("?")
    segments = [segment for segment in _without_tokens(_PATH_PARAMETER_VALUE.sub(r"\1", path)).split("/") if segment]
    folder_mark = "/" if segments and path.endswith("/") else ""
    names = sorted({_without_tokens(_name_of(parameter)) for parameter in query.split("&")} - {""})
    return f"{origin_of(url)}/{'/'.join(dict.fromkeys(segments))}{folder_mark}{'?' if names else ''}{'&'.join(names)}"


def _without_tokens(text: str) -> str:
    return _DIGITS.sub("0", _TOKEN.sub("0", _UUID.sub("0", text)))


def registrable_domain(host: str) -> str:
    """The registrable domain of a canonical host by the public suffix list that is shipped, never fetched.

    An IP address, a single label, a public suffix and what is too long for a name are their own; last dots are
    left out.
    """
    name = host.rstrip(".")
    return name if len(name) > _MAX_NAME_LENGTH else _registrable_domain(name)


@lru_cache(maxsize=_DOMAIN_MEMO_ENTRIES)
def _registrable_domain(name: str) -> str:
    # A canonical host whose last label is a number is an IPv4 address (WHATWG URL, section 3.5).
    if name.startswith("[") or name.rpartition(".")[2].isdigit():
        return name
    return _public_suffixes().privatesuffix(name) or name


@cache
def _public_suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def url_key(url: str, seed: int) -> int:
    """The URL's 64-bit key, unsigned: xxh3 of its UTF-8 text, seeded per crawl (`seed` is 64-bit unsigned)."""
    return xxhash.xxh3_64_intdigest(url.encode(), seed)


def redacted(text: str) -> str:
    """What may be logged of a URL or what claims to be one: userinfo removed, unprintable characters escaped.

    Where the text has a scheme but no valid parse, all up to its last `@` is taken for userinfo.
    """
    if "@" in text:
        is_valid = join(text, _ANY_BASE) is not None
        text = (_USERINFO if is_valid else _ALL_TO_LAST_AT).sub(r"\1", text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
