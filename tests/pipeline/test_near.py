"""Near duplicates in a crawl: found whatever RAM holds and after any resume, told as edges, and never in the digest."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks.soak import settings_for
from benchmarks.soak_truth import recognised
from benchmarks.soak_web import SoakWeb
from weaver.analysis.explain import explain
from weaver.base.page import EdgeKind
from weaver.base.settings import Settings
from weaver.memory.budget import DEFAULT_SHARES, Budget
from weaver.pipeline import open_crawl

PAGES = 700
HOSTS = 20
NEAR = 0.1


def _settings(web: SoakWeb, **dedupe: object) -> Settings:
    settings = settings_for(web, "64MiB", None, None)
    # Small groups, a short queue: few pages are on their way to the disk at any time.
    persistence = settings.persistence.model_copy(update={"commit_pages": 8, "queue_pages": 16})
    changed = {"dedupe": settings.dedupe.model_copy(update=dedupe), "persistence": persistence}
    return settings.model_copy(update=changed)


def _near_share(share: float) -> Callable[[int], Budget]:
    return lambda limit_bytes: Budget(limit_bytes, {**DEFAULT_SHARES, "near": share})


async def _crawl(
    directory: Path, share: float = DEFAULT_SHARES["near"], *, max_pages: int | None = None, **dedupe: object
) -> tuple[dict[str, Any], str]:
    """A crawl of a web with near duplicates, or what is left of it; its status and its digest."""
    web = SoakWeb(PAGES, HOSTS, near=NEAR)
    settings = _settings(web, **dedupe)
    settings = settings.model_copy(update={"crawl": settings.crawl.model_copy(update={"max_pages": max_pages})})
    resumed = (directory / "crawl.db").exists()
    async with open_crawl(settings, directory, transport=web, resume=resumed, make_budget=_near_share(share)) as crawl:
        await crawl.run_to_end()
        return crawl.status(), crawl.graph_digest


def _clusters(directory: Path) -> set[frozenset[str]]:
    """The clusters by their pages' URLs."""
    found: dict[int, set[str]] = {}
    with closing(sqlite3.connect(directory / "crawl.db")) as connection:
        rows = connection.execute("SELECT representative_id, url FROM near_clusters JOIN urls ON urls.id = page_id")
        for representative, url in rows:
            found.setdefault(representative, set()).add(url)
    return set(map(frozenset, found.values()))


async def test_a_tiny_index_finds_what_a_large_one_does(tmp_path: Path) -> None:
    """With RAM for 64 pages most near duplicates are found on disk: the same clusters, all of them true."""
    large, digest = await _crawl(tmp_path / "large")
    small, other_digest = await _crawl(tmp_path / "small", 0.0)
    web = SoakWeb(PAGES, HOSTS, near=NEAR)
    truth = recognised(web, tmp_path / "large")
    assert (truth["near_found"], truth["near_wrong"]) == (truth["near"], 0)
    assert large["pages"]["near_duplicates"] == truth["near"] > 0.08 * PAGES
    assert large["dedupe"]["near"]["cold_lookups"] == 0
    assert small["dedupe"]["near"]["cold_hits"] > 0
    assert recognised(web, tmp_path / "small")["near_wrong"] == 0
    assert recognised(web, tmp_path / "small")["near_recall"] > 0.9
    assert digest == other_digest


async def test_a_resumed_crawl_goes_on_finding(tmp_path: Path) -> None:
    """Signatures come back from disk: a crawl in three runs ends with the clusters and the digest of one in one."""
    _, digest = await _crawl(tmp_path / "once")
    for limit in (150, 300, None):
        status, resumed_digest = await _crawl(tmp_path / "thrice", max_pages=limit)
    assert status["pages"]["near_duplicates"] == recognised(SoakWeb(PAGES, HOSTS, near=NEAR), tmp_path / "once")["near"]
    assert resumed_digest == digest
    assert _clusters(tmp_path / "thrice") == _clusters(tmp_path / "once")


async def test_nobody_knows_the_keys_of_a_crawl(tmp_path: Path) -> None:
    """Two crawls of the same pages find them by other keys: pages can't be made to share one."""
    keys: list[set[bytes]] = []
    for name in ("one", "other"):
        await _crawl(tmp_path / name, max_pages=40)
        with closing(sqlite3.connect(tmp_path / name / "crawl.db")) as connection:
            rows = connection.execute("SELECT keys FROM signatures").fetchall()
        keys.append({row[0][at : at + 8] for row in rows for at in range(0, len(row[0]), 8)})
    assert min(map(len, keys)) > 100
    assert not keys[0] & keys[1]


async def test_a_near_duplicate_is_told(tmp_path: Path) -> None:
    """It stays fetched, with an edge of its kind to the earlier page, which `why` names with how near it is."""
    status, _ = await _crawl(tmp_path)
    assert status["memory"]["accounts"]["near"]["used"] > 0
    assert status["memory"]["stores"]["near"]["current"] == status["dedupe"]["near"]["pages_in_ram"]
    with closing(sqlite3.connect(tmp_path / "crawl.db")) as connection:
        url, other_url, similarity = connection.execute(
            "SELECT one.url, other.url, similarity FROM near_duplicates JOIN urls AS one ON one.id = page_id"
            " JOIN urls AS other ON other.id = other_id JOIN pages ON pages.id = page_id WHERE state = 'fetched'"
        ).fetchone()
    story = explain(tmp_path, url)
    assert story["state"] == "fetched"
    assert {"url": other_url, "similarity": round(similarity, 2)} in story["near"]
    kind = EdgeKind.NEAR_DUPLICATE.name.lower()
    assert {"kind": kind, "url": other_url} in story["out_links"]["special"]


async def test_a_user_may_want_none(tmp_path: Path) -> None:
    """With dedupe.near off nothing is compared, kept or told; the digest is the same."""
    status, digest = await _crawl(tmp_path / "off", near=False)
    _, digest_with = await _crawl(tmp_path / "on")
    assert status["pages"]["near_duplicates"] == 0
    assert status["dedupe"]["near"] is None
    assert status["memory"]["accounts"]["near"]["charged"] == 0
    assert digest == digest_with


@pytest.mark.parametrize("share", [-0.1, 0.6])
def test_the_web_has_so_many_near_duplicates_at_most(share: float) -> None:
    """A share that the web can't have is refused."""
    with pytest.raises(ValueError, match="expected duplicates up to"):
        SoakWeb(10, near=share)
