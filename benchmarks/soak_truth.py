"""What a crawl of SoakWeb recognised, against what the web is by construction."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.soak_web import SoakWeb
from weaver.persistence import CrawlDirectory

_PAGES = """
    SELECT url, iif(state = 'duplicate', duplicate_of, id) AS page, ifnull(representative_id, 0)
    FROM pages JOIN urls USING (id) LEFT JOIN near_clusters ON near_clusters.page_id = page
    WHERE http_status = 200 AND state IN ('fetched', 'duplicate')
"""


def recognised(web: SoakWeb, directory: Path) -> dict[str, Any]:
    """Joins of pages into groups, asked and found: exact copies by content, near duplicates by text.

    A group of k contents takes k - 1 joins; each page, or cluster, beside the group's first is one that is missing, and
    each group beside a cluster's first one that is wrong.
    """
    pages_of: dict[int, set[int]] = {}
    clusters_of: dict[int, set[int]] = {}
    contents_of: dict[int, set[int]] = {}
    texts_in: dict[int, set[int]] = {}
    pages = 0
    for number, page, cluster in _rows(directory):
        content = web.original_of(number)
        text = web.near_original(content)
        cluster = cluster or -page
        pages_of.setdefault(content, set()).add(page)
        clusters_of.setdefault(text, set()).add(cluster)
        contents_of.setdefault(text, set()).add(content)
        texts_in.setdefault(cluster, set()).add(text)
        pages += 1
    copies = pages - len(pages_of)
    near = _joins(contents_of)
    found = near - _joins(clusters_of)
    return {
        "copies": copies,
        "copies_found": copies - _joins(pages_of),
        "near": near,
        "near_found": found,
        "near_wrong": _joins(texts_in),
        "near_recall": round(found / near, 5) if near else None,
    }


def _joins(groups: dict[int, set[int]]) -> int:
    return sum(len(group) - 1 for group in groups.values())


def _rows(directory: Path) -> Iterator[tuple[int, int, int]]:
    connection: sqlite3.Connection = CrawlDirectory.open_existing(directory).connect_readonly()
    with contextlib.closing(connection):
        for url, page, cluster in connection.execute(_PAGES):
            yield int(url.rpartition("/")[2]), page, cluster
