"""The pages of the demo web: four hosts with all that a crawler meets, each planted on purpose and counted."""

from __future__ import annotations

import gzip
import html
import random
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from weaver.cli.demo_text import TOPICS, Topic, article, headline

ARTICLES = 12
PRINT_COPIES = 10
MOBILE_COPIES = 6
NEAR_COPIES = 6
PRIVATE_PAGES = 5
SPONSORED_PAGES = 3
OBSERVATORY_PAGES = 12
OBSERVATORY_DELAY_S = 0.25
LIGHTHOUSE_PAGES = 16
LIGHTHOUSE_ANSWER_S = 0.3
SHARED_PAGES = 4


@dataclass(frozen=True, slots=True)
class DemoPage:
    """What the demo web answers for one path."""

    body: bytes
    content_type: str = "text/html; charset=utf-8"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DemoSite:
    """One host: its pages by path, those that are made when asked for, and how long each answer takes."""

    name: str
    about: str
    pages: dict[str, DemoPage] = field(default_factory=dict)
    dynamic: Callable[[str], DemoPage | None] = lambda _path: None
    answer_s: float = 0.0


Origins = dict[str, str]
"""Where each host can be reached: name to `http://host:port`."""


def demo_sites(origins: Origins) -> list[DemoSite]:
    """All four hosts, linked with each other by `origins`."""
    return [_almanac(origins), _observatory(origins), _lighthouse(origins), _maze(origins)]


SITE_NAMES = ("almanac", "observatory", "lighthouse", "maze")


def page(title: str, paragraphs: Iterable[str], links: Iterable[str], head: str = "") -> str:
    """An ordinary page; `links` are whole elements."""
    body = "\n".join(f"<p>{html.escape(text)}</p>" for text in paragraphs)
    items = "\n".join(f"<li>{link}</li>" for link in links)
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title>{head}</head>\n"
        f"<body>\n<h1>{html.escape(title)}</h1>\n{body}\n<ul>\n{items}\n</ul>\n</body>\n</html>\n"
    )


def link(href: str, text: str, rel: str = "") -> str:
    """An `a` element."""
    attribute = f' rel="{rel}"' if rel else ""
    return f'<a href="{html.escape(href)}"{attribute}>{html.escape(text)}</a>'


def _article_path(topic: Topic, number: int) -> str:
    return f"/{topic.slug}/{number:02d}.html"


def _article_links(topic: Topic, number: int) -> list[str]:
    choice = random.Random(f"links {topic.slug}/{number}")
    links = [link("/", "Home"), link(f"/{topic.slug}/", topic.title)]
    if number < ARTICLES:
        links.append(link(_article_path(topic, number + 1), "Next"))
    for other in choice.sample(TOPICS, 3):
        target = choice.randrange(1, ARTICLES + 1)
        links.append(link(_article_path(other, target) + choice.choice(("", "#notes")), headline(other, target)))
    links.append(link(f"{_article_path(topic, 1)}?utm_source=almanac", "The first of this series"))
    return links


def _article(topic: Topic, number: int) -> str:
    links = _article_links(topic, number)
    index = TOPICS.index(topic) * ARTICLES + number
    if index <= PRINT_COPIES:
        links.append(link(f"/print/{topic.slug}-{number:02d}.html", "Print"))
    if topic is TOPICS[1] and number <= MOBILE_COPIES:
        links.append(link(f"/mobile/{number:02d}.html", "For small screens"))
    if topic is TOPICS[2] and number <= NEAR_COPIES:
        links.append(link(f"/reprint/{number:02d}.html", "Reprint"))
    return page(headline(topic, number), article(topic, number), links)


def _almanac(origins: Origins) -> DemoSite:
    pages = _front(origins) | _articles() | _copies() | _redirects(origins) | _odd_pages() | _fenced_pages()
    return DemoSite("almanac", "articles, their copies under other names, redirects, odd answers", pages)


def _front(origins: Origins) -> dict[str, DemoPage]:
    odd = {
        "/old/1": "An address from the last century", "/loop/a": "Round and round", "/moved": "Moved to the lighthouse",
        "/refresh.html": "Moved by meta refresh", "/missing.html": "A page that is gone",
        "/broken": "A page that fails",
        "/gzip.html": "Compressed", "/latin1.html": "In Latin-1", "/logo.png": "The logo", "/index.html": "Front page",
        "/private/open.html": "Open to all", "/noindex.html": "Not to be indexed",
    }  # fmt: skip
    links = [link(f"/{topic.slug}/", topic.title) for topic in TOPICS]
    links += [link(path, text) for path, text in odd.items()]
    links += [link(f"/private/{number}.html", f"Private {number}") for number in range(1, PRIVATE_PAGES + 1)]
    links += [link(f"/sponsored/{number}", "Our sponsor", "sponsored") for number in range(1, SPONSORED_PAGES + 1)]
    links += [link(f"/share/{number}?from=front", f"Shared {number}") for number in range(1, SHARED_PAGES + 1)]
    links += [link(f"{origins[name]}/", name.title()) for name in SITE_NAMES[1:]]
    links += [link("mailto:editor@example.org", "Write to us"), link("javascript:void(0)", "Menu")]
    welcome = ["A small web that lives on this machine only.", *article(TOPICS[0], 0)]
    front = DemoPage(page("The Almanac", welcome, links).encode())
    return {"/": front, "/index.html": front}


def _articles() -> dict[str, DemoPage]:
    pages = {}
    for topic in TOPICS:
        numbers = range(1, ARTICLES + 1)
        links = [link(_article_path(topic, number), headline(topic, number)) for number in numbers]
        pages[f"/{topic.slug}/"] = DemoPage(page(topic.title, article(topic, 100, 4), links).encode())
        for number in numbers:
            pages[_article_path(topic, number)] = DemoPage(_article(topic, number).encode())
    return pages


def _copies() -> dict[str, DemoPage]:
    """The same bytes, the same text in other markup, and nearly the same text."""
    pages = {}
    for number in range(1, PRINT_COPIES + 1):
        pages[f"/print/{TOPICS[0].slug}-{number:02d}.html"] = DemoPage(_article(TOPICS[0], number).encode())
    for number in range(1, MOBILE_COPIES + 1):
        small = _article(TOPICS[1], number).replace("<p>", '<p class="small">').replace("<ul>", '<ul class="menu">')
        pages[f"/mobile/{number:02d}.html"] = DemoPage(small.encode())
    for number in range(1, NEAR_COPIES + 1):
        dated = _article(TOPICS[2], number).replace("</h1>", f"</h1>\n<p>Printed again on day {number}.</p>")
        pages[f"/reprint/{number:02d}.html"] = DemoPage(dated.encode())
    return pages


def _redirects(origins: Origins) -> dict[str, DemoPage]:
    hops = {
        "/old/1": (301, "/old/2"), "/old/2": (302, "/old/3"), "/old/3": (308, "/weaving/01.html"),
        "/loop/a": (302, "/loop/b"), "/loop/b": (302, "/loop/a"), "/moved": (301, f"{origins['lighthouse']}/"),
    }  # fmt: skip
    pages = {
        path: DemoPage(b"Moved.\n", "text/plain", status, (("Location", target),))
        for path, (status, target) in hops.items()
    }
    refresh = '<meta http-equiv="refresh" content="0; url=/bread/">'
    pages["/refresh.html"] = DemoPage(page("Moved", ["See our bread."], [], refresh).encode())
    return pages


def _odd_pages() -> dict[str, DemoPage]:
    latin = page("Über Brot", ["Käse und Brötchen für fünf Gäste; a page in ISO-8859-1."], [link("/bread/", "Brot")])
    squeezed = page("Compressed", article(TOPICS[3], 50), [link("/bread/01.html", "Bread")]).encode()
    hidden = page(
        "Not to be indexed",
        article(TOPICS[4], 50),
        [link("/birds/", "Birds")],
        '<meta name="robots" content="noindex">',
    )
    pages = {
        "/broken": DemoPage(b"The server lost its thread.\n", "text/plain", 500),
        "/gzip.html": DemoPage(gzip.compress(squeezed, mtime=0), headers=(("Content-Encoding", "gzip"),)),
        "/latin1.html": DemoPage(
            latin.replace("utf-8", "iso-8859-1").encode("latin-1"), "text/html; charset=iso-8859-1"
        ),
        "/logo.png": DemoPage(_png(), "image/png"),
        "/noindex.html": DemoPage(hidden.encode()),
    }
    for number in range(1, SHARED_PAGES + 1):
        canonical = f'<link rel="canonical" href="{_article_path(TOPICS[5], number)}">'
        shared = page(
            f"Shared: {headline(TOPICS[5], number)}", article(TOPICS[5], number), [link("/", "Home")], canonical
        )
        pages[f"/share/{number}"] = DemoPage(shared.encode())
    return pages


def _fenced_pages() -> dict[str, DemoPage]:
    """What robots.txt and rel=sponsored keep a polite crawler from."""
    robots = b"User-agent: *\nDisallow: /private/\nAllow: /private/open.html\n"
    pages = {"/robots.txt": DemoPage(robots, "text/plain")}
    for number in range(1, PRIVATE_PAGES + 1):
        pages[f"/private/{number}.html"] = DemoPage(page("Private", ["Not for crawlers."], []).encode())
    pages["/private/open.html"] = DemoPage(page("Open", ["Allowed by a longer rule."], [link("/", "Home")]).encode())
    for number in range(1, SPONSORED_PAGES + 1):
        pages[f"/sponsored/{number}"] = DemoPage(page(f"Sponsor {number}", ["Buy thread."], []).encode())
    return pages


def _numbered_site(topic: Topic, count: int, origins: Origins) -> dict[str, DemoPage]:
    """A front page and `count` pages in a row, each leading home and to the next."""
    numbers = range(1, count + 1)
    almanac = link(f"{origins['almanac']}/", "The Almanac")
    entries = [link(f"/{number}.html", headline(topic, number + 200)) for number in numbers]
    pages = {"/": DemoPage(page(topic.title, article(topic, 200), [*entries, almanac]).encode())}
    for number in numbers:
        links = [link("/", "Home"), link(f"/{number % count + 1}.html", "Next"), almanac]
        pages[f"/{number}.html"] = DemoPage(
            page(headline(topic, number + 200), article(topic, number + 200), links).encode()
        )
    return pages


def _observatory(origins: Origins) -> DemoSite:
    pages = _numbered_site(TOPICS[2], OBSERVATORY_PAGES, origins)
    robots = f"User-agent: *\nCrawl-delay: {OBSERVATORY_DELAY_S}\n"
    pages["/robots.txt"] = DemoPage(robots.encode(), "text/plain")
    return DemoSite("observatory", f"asks for {OBSERVATORY_DELAY_S} s between requests in its robots.txt", pages)


def _lighthouse(origins: Origins) -> DemoSite:
    pages = _numbered_site(TOPICS[1], LIGHTHOUSE_PAGES, origins)
    return DemoSite("lighthouse", f"takes {LIGHTHOUSE_ANSWER_S} s for each answer", pages, answer_s=LIGHTHOUSE_ANSWER_S)


def _maze(origins: Origins) -> DemoSite:
    links = [
        link("/calendar/2026-01", "Calendar"),
        link("/echo/", "Echo"),
        link(f"{origins['almanac']}/", "The Almanac"),
    ]
    front = DemoPage(page("The Maze", ["A calendar without an end, and an echo."], links).encode())
    return DemoSite("maze", "a calendar without an end, and one page under endless names", {"/": front}, _maze_page)


def _maze_page(path: str) -> DemoPage | None:
    if path.startswith("/echo/") and path.endswith("/"):
        return DemoPage(page("Echo", article(TOPICS[4], 300), ['<a href="again/">Again</a>']).encode())
    year, _, month = path.removeprefix("/calendar/").partition("-")
    if not path.startswith("/calendar/") or not (year.isdecimal() and month[:2].isdecimal() and len(path) < 40):
        return None
    return _calendar_page(int(year), int(month[:2]), month[3:])


def _calendar_page(year: int, month: int, day: str) -> DemoPage:
    months = year * 12 + month - 1
    names = [f"/calendar/{index // 12:04d}-{index % 12 + 1:02d}" for index in (months - 1, months, months + 1)]
    links = [link(names[0], "Earlier"), link(names[2], "Later")]
    links += [link(f"{names[1]}-{number:02d}", f"Day {number}") for number in (1, 11, 21)] if not day else []
    title = f"{year:04d}-{month:02d}{'-' if day else ''}{day}"
    return DemoPage(page(title, [f"Nothing is planned for {title}.", *article(TOPICS[4], months, 4)], links).encode())


def _png() -> bytes:
    """One grey pixel as a valid PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    header = (1).to_bytes(4) + (1).to_bytes(4) + bytes((8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0\x80", 0))
        + chunk(b"IEND", b"")
    )
