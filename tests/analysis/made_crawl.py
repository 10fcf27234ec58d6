"""A crawl directory made row by row, for tests of what reads one: nine URLs of two hosts, one of each fate."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path

from weaver.base.page import EdgeKind, PageState
from weaver.base.record import Adjacency, CommitRecord, HostRecord, PageRow, QueueRow, UrlRow
from weaver.base.settings import PersistenceSettings
from weaver.base.sources import load_settings
from weaver.base.url import url_key
from weaver.persistence import CrawlDirectory, Writer, end_run, start_run, write_meta
from weaver.politeness.robots_cache import packed_body

A, B = "http://a.test", "http://b.test:8080"
FRONT, TWO, COPY, MOVED, PRIVATE, GONE, NEXT, OTHER, ADVERT = range(1, 10)
URLS = {
    FRONT: f"{A}/", TWO: f"{A}/two", COPY: f"{A}/copy", MOVED: f"{A}/moved", PRIVATE: f"{A}/private/x",
    GONE: f"{A}/gone", NEXT: f"{A}/next", OTHER: f"{B}/", ADVERT: f"{A}/ad",
}  # fmt: skip
HOSTILE_TITLE = '=HYPERLINK("x")\x1b[2J <b>&"\ufffe\u202e end'
ROBOTS = b"User-agent: other\nDisallow: /\n\nUser-agent: *\nDisallow: /priv\nDisallow: /private/ # keep out\n"
AT = 1_700_000_000.0

LINK, NOFOLLOW, REDIRECT = EdgeKind.HYPERLINK, EdgeKind.NOFOLLOW, EdgeKind.REDIRECT
CANONICAL, DUPLICATE = EdgeKind.CANONICAL, EdgeKind.DUPLICATE
EDGES = {
    FRONT: [(target, LINK) for target in (FRONT, TWO, COPY, MOVED, PRIVATE, GONE, NEXT, OTHER)] + [(ADVERT, NOFOLLOW)],
    TWO: [(FRONT, LINK), (TWO, CANONICAL)],
    COPY: [(FRONT, LINK), (TWO, DUPLICATE)],
    MOVED: [(TWO, REDIRECT)],
}
PAGES = {
    FRONT: PageRow(FRONT, PageState.FETCHED, AT, 200, "text/html", 900, b"1" * 16, title="Front"),
    TWO: PageRow(TWO, PageState.FETCHED, AT + 1, 200, "text/html", 500, b"2" * 16, title=HOSTILE_TITLE),
    COPY: PageRow(COPY, PageState.DUPLICATE, AT + 2, 200, "text/html", 500, b"2" * 16, duplicate_of=TWO, title="Two"),
    MOVED: PageRow(MOVED, PageState.REDIRECT, AT + 3, 301),
    PRIVATE: PageRow(PRIVATE, PageState.BLOCKED, AT + 4, reason="robots"),
    GONE: PageRow(GONE, PageState.FAILED, AT + 5, 404, reason="http_404"),
}
REFUSED = {OTHER: "out_of_scope", ADVERT: "nofollow"}


def make_crawl(
    path: Path,
    *,
    exit_reason: str | None = "finished",
    extra: Callable[[Writer], None] | None = None,
    flags: Iterable[tuple[str, object]] = (),
) -> Path:
    """The directory; with no exit reason it looks as after a kill. `extra` may submit further records."""
    directory = CrawlDirectory.create(path)
    seed = directory.crawl_seed
    settings = load_settings(flags=[("crawl.seeds", (URLS[FRONT],)), *flags])
    errors: list[BaseException] = []
    writer = Writer(directory.connect, PersistenceSettings(), lambda _records: None, errors.append)
    writer.start()
    run_id = writer.ask(lambda connection: start_run(connection, AT, "0.1.0", settings.model_dump_json())).result()
    writer.submit(CommitRecord(urls=tuple(_url(url_id, seed) for url_id in URLS), hosts=_hosts()))
    for url_id, row in PAGES.items():
        writer.submit(CommitRecord(page=row, adjacency=adjacency(EDGES.get(url_id, []))))
    writer.submit(CommitRecord(queued=(QueueRow(1, 1, NEXT),)))
    if extra is not None:
        extra(writer)
    writer.ask(lambda connection: write_meta(connection, "status", json.dumps({"state": "running"}))).result()
    if exit_reason is not None:
        writer.ask(lambda connection: end_run(connection, run_id, AT + 9, exit_reason, 1.0, 9.0, "{}")).result()
    writer.close()
    assert not errors
    return path


def adjacency(edges: list[tuple[int, EdgeKind]]) -> Adjacency | None:
    """Edges as they are committed."""
    if not edges:
        return None
    return Adjacency(array("I", [target for target, _ in edges]).tobytes(), bytes(kind for _, kind in edges))


def _url(url_id: int, seed: int) -> UrlRow:
    url = URLS[url_id]
    is_seed = url_id == FRONT
    return UrlRow(
        id=url_id,
        key=url_key(url, seed),
        url=url,
        host_id=1 if url.startswith(A) else 2,
        depth=0 if is_seed else 1,
        source_id=0 if is_seed else FRONT,
        reason=REFUSED.get(url_id, ""),
    )


def _hosts() -> tuple[HostRecord, ...]:
    robots = HostRecord(1, A, AT + 6, 2.0, 0, "ok", packed_body(ROBOTS), AT)
    return robots, HostRecord(2, B)
