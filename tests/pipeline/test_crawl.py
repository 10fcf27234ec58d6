"""A whole crawl over a scripted web: every stage together, what is found, kept and told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.tiny_web import SITE, answer, crawl_all, html, redirect, settings_for, site
from weaver.analysis.duplicates import duplicates_document
from weaver.base.errors import DirectoryError, DirectoryLocked, PersistenceError, SeedError
from weaver.base.page import EdgeKind, Failure, Fetched, PageState
from weaver.fetch import ScriptedTransport
from weaver.persistence import Archive, CrawlDirectory, read_receipts
from weaver.pipeline import ExitReason, open_crawl

WORDS = "words that make a page long enough to be compared by its text, and not by its bytes alone. " * 4


def stored_queue(directory: Path) -> int:
    connection = CrawlDirectory.open_existing(directory).connect_readonly()
    queued = Archive(connection).counts().queued
    connection.close()
    return queued


def stored_edges(directory: Path) -> set[tuple[str, str, EdgeKind]]:
    connection = CrawlDirectory.open_existing(directory).connect_readonly()
    rows = connection.execute(
        "SELECT s.url, t.url, e.kind FROM edges e JOIN urls s ON s.id = e.source_id JOIN urls t ON t.id = e.target_id"
    ).fetchall()
    connection.close()
    return {(source.removeprefix(SITE), target.removeprefix(SITE), EdgeKind(kind)) for source, target, kind in rows}


async def test_every_linked_page_is_fetched_once(tmp_path: Path) -> None:
    """A crawl reaches what is linked, asks for each URL once, and keeps every link as an edge."""
    web = site({
        "/": html("home", "/a", "/b#part", "mailto:x@y"),
        "/a": html("page a", "/b", "/"),
        "/b": html("page b", "/a", "/missing"),
    })
    found = await crawl_all(web, tmp_path / "c")
    assert {path: page.state for path, page in found.items()} == {
        "/": PageState.FETCHED, "/a": PageState.FETCHED, "/b": PageState.FETCHED, "/missing": PageState.FAILED,
    }  # fmt: skip
    assert found["/missing"].reason == "http_404"
    assert sorted(request.url.removeprefix(SITE) for request in web.requests) == [
        "/",
        "/a",
        "/b",
        "/missing",
        "/robots.txt",
    ]
    assert {(source, target) for source, target, _ in stored_edges(tmp_path / "c")} == {
        ("/", "/a"), ("/", "/b"), ("/a", "/b"), ("/a", "/"), ("/b", "/a"), ("/b", "/missing"),
    }  # fmt: skip


async def test_robots_come_first_and_are_obeyed(tmp_path: Path) -> None:
    """The first request to a host is its robots.txt; what it disallows is never asked for."""
    web = site({"/": html("", "/open", "/shut/x"), "/open": html()}, "User-agent: *\nDisallow: /shut/\n")
    found = await crawl_all(web, tmp_path / "c")
    assert web.requests[0].url == f"{SITE}/robots.txt"
    assert found["/shut/x"].state is PageState.BLOCKED
    assert found["/shut/x"].reason == "robots"
    assert f"{SITE}/shut/x" not in {request.url for request in web.requests}


async def test_robots_redirected_to_another_host_still_rule_the_first(tmp_path: Path) -> None:
    """A robots.txt found behind a redirect to another host applies to the host that was asked (RFC 9309 2.3.1.2)."""
    web = site({
        "/robots.txt": redirect(f"{SITE}/robots.txt", "http://b.test/rules", 301),
        "http://b.test/rules": answer("http://b.test/rules", b"User-agent: *\nDisallow: /shut", kind="text/plain"),
        "/": html("", "/shut", "/open"),
        "/open": html(),
    })
    found = await crawl_all(web, tmp_path / "c")
    assert found["/shut"].state is PageState.BLOCKED
    assert found["/open"].state is PageState.FETCHED


async def test_redirects_are_edges_and_their_targets_are_fetched(tmp_path: Path) -> None:
    """A redirect becomes an edge; the target is a page of its own, fetched once however many lead to it."""
    web = site({
        "/": html("", "/old", "/older"),
        "/old": redirect(f"{SITE}/old", "/new"),
        "/older": redirect(f"{SITE}/older", "/new", 308),
        "/new": html("the new page"),
    })
    found = await crawl_all(web, tmp_path / "c")
    assert found["/old"].state is found["/older"].state is PageState.REDIRECT
    assert found["/new"].state is PageState.FETCHED
    assert {(source, target) for source, target, kind in stored_edges(tmp_path / "c") if kind is EdgeKind.REDIRECT} == {
        ("/old", "/new"), ("/older", "/new"),
    }  # fmt: skip


async def test_endless_redirects_end(tmp_path: Path) -> None:
    """A chain of redirects is followed to the limit, and its end says why."""
    web = site({f"/{n}": redirect(f"{SITE}/{n}", f"/{n + 1}") for n in range(100)})
    found = await crawl_all(web, tmp_path / "c", settings_for(f"{SITE}/0", fetch__max_redirects=5))
    assert sorted(found) == ["/0", "/1", "/2", "/3", "/4", "/5"]
    assert found["/5"].reason == "redirect_limit"


async def test_duplicates_are_named_and_the_first_in_order_of_url_stands_for_them(tmp_path: Path) -> None:
    """Pages with one body form a cluster; whichever came first, the shortest URL represents it on disk."""
    web = site({
        "/": html("", "/copy-with-long-name", "/copy", "/text"),
        "/copy-with-long-name": html(WORDS),
        "/copy": html(WORDS),
        "/text": html(WORDS.replace(" ", "\n")),
    })
    found = await crawl_all(web, tmp_path / "c")
    assert sum(page.state is PageState.DUPLICATE for page in found.values()) == 2
    duplicates = {
        (source, target) for source, target, kind in stored_edges(tmp_path / "c") if kind is EdgeKind.DUPLICATE
    }
    assert duplicates == {("/copy-with-long-name", "/copy"), ("/text", "/copy")}


@pytest.mark.parametrize("keeps", [True, False])
async def test_a_duplicate_comes_with_its_body_where_it_is_wanted(tmp_path: Path, keeps: bool) -> None:
    """With `crawl.duplicate_bodies = false` a copy is handed out without body and text, and all else is the same."""
    web = site({"/": html("", "/copy", "/other"), "/copy": html(WORDS), "/other": html(WORDS)})
    found = await crawl_all(web, tmp_path / "c", settings_for(crawl__duplicate_bodies=keeps))
    (copy,) = (page for page in found.values() if page.state is PageState.DUPLICATE)
    assert (bool(copy.body), bool(copy.text), bool(copy.duplicate_of)) == (keeps, keeps, True)
    assert all(page.body for page in found.values() if page.state is PageState.FETCHED)


@pytest.mark.parametrize(
    ("rule", "stands"),
    [("auto", "/a"), ("canonical", "/the-one"), ("most_linked", "/b-linked"), ("first_seen", "/c-1st")],
)
async def test_a_cluster_is_represented_by_the_rule_of_the_settings(tmp_path: Path, rule: str, stands: str) -> None:
    """The page named as canonical, the most linked, the first found or the shortest URL, in the report too."""
    body = html(WORDS, head='<link rel="canonical" href="/the-one">')
    names = ("/c-1st", "/b-linked", "/a", "/the-one")
    pages = {"/": html("", *names, "/hub"), "/hub": html("a hub", "/b-linked")}
    await crawl_all(site(pages | dict.fromkeys(names, body)), tmp_path / "c", settings_for(dedupe__representative=rule))
    edges = stored_edges(tmp_path / "c")
    assert {target for _, target, kind in edges if kind is EdgeKind.DUPLICATE} == {stands}
    document = duplicates_document(tmp_path / "c", top=1)
    assert document["representative"] == rule
    assert [cluster["url"] for cluster in document["clusters"]] == [SITE + stands]


async def test_the_links_of_a_duplicate_are_followed_where_they_lead_elsewhere(tmp_path: Path) -> None:
    """One body behind two folders has relative links to two sets of pages: both are crawled."""
    body = html("the same", "next")
    web = site({
        "/": html("", "/a/", "/b/"), "/a/": body, "/b/": body,
        "/a/next": html("next of a"), "/b/next": html("next of b"),
    })  # fmt: skip
    found = await crawl_all(web, tmp_path / "c")
    assert {"/a/next", "/b/next"} <= found.keys()


async def test_an_infinite_space_of_one_page_ends(tmp_path: Path) -> None:
    """Where every page is the same and links one deeper, the crawl stops after a bounded number of duplicates."""
    web = ScriptedTransport({})
    body = html("for ever the same", "deeper/")
    pages = {}
    path = "/"
    for _ in range(60):
        pages[path] = body
        path += "deeper/"
    web = site(pages)
    found = await crawl_all(web, tmp_path / "c", settings_for(crawl__duplicates_per_template=10))
    assert 10 <= len(found) <= 15


async def test_nofollow_is_respected_by_default(tmp_path: Path) -> None:
    """Links marked nofollow are edges of that kind and are not followed; a plain link to the same page is."""
    page = b'<a rel="nofollow" href="/hidden">h</a><a rel=nofollow href="/both">b</a><a href="/both">b</a>'
    web = site({"/": page, "/both": html(), "/hidden": html()})
    found = await crawl_all(web, tmp_path / "c")
    assert sorted(found) == ["/", "/both"]
    assert ("/", "/hidden", EdgeKind.NOFOLLOW) in stored_edges(tmp_path / "c")
    followed = await crawl_all(
        site({"/": page, "/both": html(), "/hidden": html()}), tmp_path / "d", settings_for(crawl__nofollow="follow")
    )
    assert sorted(followed) == ["/", "/both", "/hidden"]


async def test_canonical_and_meta_refresh_are_edges_of_their_kinds(tmp_path: Path) -> None:
    """A page's canonical and its refresh are known to the graph and are visited."""
    head = '<link rel="canonical" href="/real"><meta http-equiv="refresh" content="0; url=/moved">'
    found = await crawl_all(site({"/": html("x", head=head), "/real": html("r"), "/moved": html("m")}), tmp_path / "c")
    assert sorted(found) == ["/", "/moved", "/real"]
    assert stored_edges(tmp_path / "c") == {("/", "/real", EdgeKind.CANONICAL), ("/", "/moved", EdgeKind.REDIRECT)}


async def test_a_page_limit_is_exact(tmp_path: Path) -> None:
    """With max_pages the crawl fetches that many pages and not one more, and says so."""
    web = site({"/": html("", *(f"/{n}" for n in range(50)))} | {f"/{n}": html(str(n)) for n in range(50)})
    settings = settings_for(crawl__max_pages=7)
    async with open_crawl(settings, tmp_path / "c", transport=web) as crawl:
        assert await crawl.run_to_end() is ExitReason.MAX_PAGES
        assert crawl.status()["pages"]["fetched"] == 7  # type: ignore[index]
    assert len(web.requests) == 8


async def test_a_resumed_crawl_fetches_only_the_rest(tmp_path: Path) -> None:
    """Stopped at a limit and resumed, the crawl ends with the same pages and edges, each page fetched once."""
    pages = {"/": html("", *(f"/{n}" for n in range(40)))} | {f"/{n}": html(str(n), f"/{n + 40}") for n in range(120)}
    whole = site(pages)
    undisturbed = await crawl_all(whole, tmp_path / "whole")
    web = site(pages)
    await crawl_all(web, tmp_path / "c", settings_for(crawl__max_pages=25))
    first = {request.url for request in web.requests}
    second_web = site(pages)
    await crawl_all(second_web, tmp_path / "c", resume=True)
    again = {request.url for request in second_web.requests} & first
    assert again <= {f"{SITE}/robots.txt"}
    assert stored_edges(tmp_path / "c") == stored_edges(tmp_path / "whole")
    connection = CrawlDirectory.open_existing(tmp_path / "c").connect_readonly()
    counts = Archive(connection).counts()
    connection.close()
    assert sum(counts.pages.values()) == len(undisturbed)
    receipts = read_receipts(tmp_path / "c")
    whole_receipts = read_receipts(tmp_path / "whole")
    assert [receipt["exit_reason"] for receipt in receipts] == ["max_pages", "finished"]
    assert receipts[-1]["graph_digest"] == whole_receipts[-1]["graph_digest"] != ""
    for name in ("fetched", "new", "duplicate", "redirect", "failed", "skipped", "reasons"):
        assert receipts[-1]["counts"]["pages"][name] == whole_receipts[-1]["counts"]["pages"][name]


async def test_a_resume_with_wider_limits_goes_on_where_the_old_ones_ended(tmp_path: Path) -> None:
    """Raising the depth, or following nofollow links, queues what was refused for it; nothing is fetched twice."""
    pages = {f"/{n}": html(str(n), f"/{n + 1}") for n in range(8)}
    pages["/0"] = b'<a href="/1">1</a><a rel="nofollow" href="/hidden">h</a>'
    pages["/hidden"] = html("hidden")
    web = site(pages)
    found = await crawl_all(web, tmp_path / "c", settings_for(f"{SITE}/0", crawl__max_depth=2))
    assert sorted(found) == ["/0", "/1", "/2"]
    wider = settings_for(f"{SITE}/0", crawl__max_depth=5, crawl__nofollow="follow")
    again = site(pages)
    found = await crawl_all(again, tmp_path / "c", wider, resume=True)
    assert sorted(found) == ["/3", "/4", "/5", "/hidden"]


async def test_leaving_the_loop_drains_and_keeps_what_was_done(tmp_path: Path) -> None:
    """A listener that breaks off leaves a directory that resumes to the same end."""
    pages = {"/": html("", *(f"/{n}" for n in range(30)))} | {f"/{n}": html(str(n)) for n in range(30)}
    async with open_crawl(settings_for(), tmp_path / "c", transport=site(pages)) as crawl:
        async for page in crawl.run():
            if page.url.endswith("/3"):
                break
    assert crawl.exit_reason is ExitReason.DRAINED
    await crawl_all(site(pages), tmp_path / "c", resume=True)
    assert len({target for _, target, _ in stored_edges(tmp_path / "c")}) == 30


async def test_failures_are_retried_and_then_told(tmp_path: Path) -> None:
    """A retryable failure is tried again up to the limit; success in between counts as success."""
    flaky = f"{SITE}/flaky"
    dead = f"{SITE}/dead"
    failure = Failure(dead, "connect", "refused", is_retryable=True)
    web = site({"/": html("", "/flaky", "/dead")})
    web.answers = {**web.answers, flaky: [failure, answer(flaky, html("at last"))], dead: failure}
    settings = settings_for(fetch__retries=1, politeness__max_backoff=0.01)
    found = await crawl_all(web, tmp_path / "c", settings)
    assert found["/flaky"].state is PageState.FETCHED
    assert (found["/dead"].state, found["/dead"].reason) == (PageState.FAILED, "connect")
    assert [request.url for request in web.requests].count(dead) == 2


async def test_a_page_without_html_is_a_leaf_with_a_digest(tmp_path: Path) -> None:
    """Images and other bodies are hashed, not parsed; two equal ones are duplicates."""
    image = b"\x89PNG" + bytes(100)
    web = site({
        "/": html("", "/one.png", "/two.png"),
        "/one.png": answer(f"{SITE}/one.png", image, kind="image/png"),
        "/two.png": answer(f"{SITE}/two.png", image, kind="image/png"),
    })
    found = await crawl_all(web, tmp_path / "c")
    assert {found["/one.png"].state, found["/two.png"].state} == {PageState.FETCHED, PageState.DUPLICATE}


async def test_status_holds_what_clients_read(tmp_path: Path) -> None:
    """The status document has at least the fields that are promised, live and on disk."""
    async with open_crawl(
        settings_for(), tmp_path / "c", transport=site({"/": html("x", "/a"), "/a": html("y")})
    ) as crawl:
        await crawl.run_to_end()
        status: dict[str, Any] = crawl.status()
    assert status["state"] == "finished"
    assert status["pages"].keys() >= {"fetched", "new", "duplicate", "failed", "blocked_robots", "skipped"}
    assert status["urls"].keys() >= {"known", "queued", "in_flight"}
    assert status["graph"].keys() >= {"nodes", "edges", "resident_nodes", "resident_edges", "resident_bytes"}
    assert status["memory"].keys() >= {"budget_bytes", "rss_bytes", "accounts"}
    for account in status["memory"]["accounts"].values():
        assert account.keys() >= {"used", "limit", "high_water", "evicted"}
    assert (status["pages"]["fetched"], status["urls"]["queued"], status["graph"]["edges"]) == (2, 0, 1)
    assert status["hosts"] == 1


@pytest.mark.slow
async def test_a_time_limit_ends_a_crawl_whose_host_never_answers(tmp_path: Path) -> None:
    """What is under way at the end of max_duration gets a moment, not the whole request timeout; it stays queued."""

    class Silent(ScriptedTransport):
        async def get(self, *_: object, **__: object) -> Fetched:
            return await asyncio.get_running_loop().create_future()

    settings = settings_for(crawl__max_duration=0.05, fetch__timeout=300)
    async with asyncio.timeout(20):
        async with open_crawl(settings, tmp_path / "c", transport=Silent()) as crawl:
            assert await crawl.run_to_end() is ExitReason.MAX_DURATION
    assert stored_queue(tmp_path / "c") == 1


async def test_a_seed_s_user_name_is_kept_nowhere(tmp_path: Path) -> None:
    """Userinfo in a seed is not sent, not stored, not told: only the canonical URL is."""
    web = site({"/": html("x")})
    await crawl_all(web, tmp_path / "c", settings_for("http://usr:canary-2718@a.test/#part"))
    assert all(b"canary-2718" not in file.read_bytes() for file in (tmp_path / "c").iterdir())
    assert all("canary-2718" not in request.url for request in web.requests)
    with pytest.raises(SeedError) as caught:
        async with open_crawl(settings_for("http://usr:canary-2718@:x/"), tmp_path / "d"):
            pass
    assert "canary-2718" not in str(caught.value)


async def test_a_resume_with_another_scope_judges_refused_urls_anew(tmp_path: Path) -> None:
    """Widening the scope and resuming queues what the old scope left out, seeds included."""
    pages = {"/": html("", "/left-out", "http://b.test/"), "/left-out": html(), "http://b.test/": html("b")}
    robots = answer("http://b.test/robots.txt", b"", 404, "text/plain")
    pages["http://b.test/robots.txt"] = robots  # type: ignore[assignment]
    first = await crawl_all(site(pages), tmp_path / "c", settings_for(scope__exclude=["left-out"]))
    assert sorted(first) == ["/"]
    second = await crawl_all(site(pages), tmp_path / "c", settings_for(scope__mode="any"), resume=True)
    assert sorted(second) == ["/left-out", "http://b.test/"]


async def test_the_bound_on_duplicates_holds_over_a_resume(tmp_path: Path) -> None:
    """A crawl that was stopped and resumed follows no more duplicates of a template than one that was not."""
    pages = {"/": html("", *(f"/copy/{n}" for n in range(30)))}
    pages |= {f"/copy/{n}": html(WORDS) + f'<a href="/own/{n}"></a>'.encode() for n in range(30)}
    pages |= {f"/own/{n}": html(str(n)) for n in range(30)}
    limits = {"crawl__duplicates_per_template": 5, "crawl__concurrency": 1}
    whole = await crawl_all(site(pages), tmp_path / "whole", settings_for(**limits))
    found = await crawl_all(site(pages), tmp_path / "c", settings_for(crawl__max_pages=20, **limits))
    found |= await crawl_all(site(pages), tmp_path / "c", settings_for(**limits), resume=True)
    assert len([path for path in found if path.startswith("/own")]) == 6
    assert found.keys() == whole.keys()


@pytest.mark.parametrize("seed", ["ftp://a.test/", "not a url", "/path"])
async def test_a_seed_that_is_no_url_is_refused(tmp_path: Path, seed: str) -> None:
    """A seed must be an absolute http(s) URL; the error names it, and no directory is made."""
    with pytest.raises(SeedError, match="expected an absolute"):
        async with open_crawl(settings_for(seed), tmp_path / "c"):
            pass
    assert not (tmp_path / "c").exists()


async def test_one_directory_has_one_crawler(tmp_path: Path) -> None:
    """A second crawler in a directory is refused while the first is there, and a new crawl never overwrites one."""
    async with open_crawl(settings_for(), tmp_path / "c", transport=site({"/": html()})):
        with pytest.raises(DirectoryLocked):
            async with open_crawl(settings_for(), tmp_path / "c", transport=site({}), resume=True):
                pass
    with pytest.raises(DirectoryError, match="already"):
        async with open_crawl(settings_for(), tmp_path / "c", transport=site({})):
            pass


async def test_the_death_of_the_writer_is_the_end_of_the_crawl(tmp_path: Path) -> None:
    """When the disk fails the crawl stops at once with the reason; nothing goes on unsaved."""
    pages = {"/": html("", *(f"/{n}" for n in range(500)))} | {f"/{n}": html(str(n)) for n in range(500)}

    def broken(_connection: object) -> None:
        raise OSError(28, "No space left on device")

    async def crawl_until_broken() -> None:
        async with open_crawl(settings_for(), tmp_path / "c", transport=site(pages)) as crawl:
            async for page in crawl.run():
                if page.url.endswith("/7"):
                    crawl._run_log._journal.writer.ask(broken)

    with pytest.raises(PersistenceError, match="No space left"):
        await crawl_until_broken()


@pytest.mark.parametrize("limits", [{"frontier__window": 16, "frontier__window_per_host": 4, "memory__budget": "4MiB"}])
async def test_small_caps_change_nothing_but_speed(tmp_path: Path, limits: dict[str, object]) -> None:
    """With every cap tiny, the crawl ends with the same edges and outcomes as with room for all."""
    pages = {f"/{n}/": html(f"page {n % 150}", *(f"/{(n * 7 + k) % 300}/" for k in range(6))) for n in range(300)}
    whole = await crawl_all(site(pages), tmp_path / "whole", settings_for(f"{SITE}/0/"))
    capped = await crawl_all(
        site(pages), tmp_path / "capped", settings_for(f"{SITE}/0/", dedupe__max_digests=16, **limits)
    )
    assert whole.keys() == capped.keys()
    assert stored_edges(tmp_path / "whole") == stored_edges(tmp_path / "capped")


async def test_request_headers_of_the_user_never_reach_the_disk(tmp_path: Path) -> None:
    """Headers may hold secrets: no file of the crawl directory contains one, whatever happened."""
    settings = settings_for(fetch__headers={"X-Api-Key": "canary-3141592"})
    await crawl_all(site({"/": html("x", "/a"), "/a": html("y")}), tmp_path / "c", settings)
    assert all(b"canary-3141592" not in file.read_bytes() for file in (tmp_path / "c").iterdir())


async def test_a_slow_listener_gets_every_page(tmp_path: Path) -> None:
    """The crawl waits for a listener that takes its time, also at its end; no result is dropped."""
    pages = {"/": html("", *(f"/{n}" for n in range(12)))} | {f"/{n}": html(str(n)) for n in range(12)}
    heard = []
    settings = settings_for(crawl__concurrency=2)
    async with open_crawl(settings, tmp_path / "c", transport=site(pages)) as crawl:
        async for page in crawl.run():
            heard.append(page.url)
            for _ in range(300):
                await asyncio.sleep(0)
    assert len(heard) == len(set(heard)) == 13
    assert crawl.exit_reason is ExitReason.FINISHED
