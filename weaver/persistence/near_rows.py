"""What a crawl stored of near duplicates: the pairs, and the members of their clusters, as rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from weaver.persistence.border import disk_errors
from weaver.persistence.database import CrawlDirectory

WINDOW_ROWS = 2_000
_WINDOW = (
    f"SELECT page_id, other_id, similarity FROM near_duplicates WHERE page_id > ? ORDER BY page_id LIMIT {WINDOW_ROWS}"
)
# A page that nothing met before was near has the similarity of the first that was near it.
_MEMBERS = f"""
    SELECT representative_id, near_clusters.page_id, url, body_bytes, coalesce(pair.similarity, (
        SELECT max(later.similarity) FROM near_duplicates AS later WHERE later.other_id = near_clusters.page_id
    ), 1.0), pair.boilerplate
    FROM near_clusters
        CROSS JOIN urls ON urls.id = near_clusters.page_id
        CROSS JOIN pages ON pages.id = near_clusters.page_id
        LEFT JOIN near_duplicates AS pair ON pair.page_id = near_clusters.page_id
    WHERE (representative_id, near_clusters.page_id) > (?, ?)
    ORDER BY representative_id, near_clusters.page_id LIMIT {WINDOW_ROWS}
"""

NearPair = tuple[int, int, float]


class NearMember(NamedTuple):
    """A page of a cluster, which `cluster_id` names; `boilerplate` is None for one that was met before all others."""

    cluster_id: int
    page_id: int
    url: str
    body_bytes: int
    similarity: float
    boilerplate: float | None


def near_pairs(path: Path) -> Iterator[list[NearPair]]:
    """Each page, the one that it is nearly the same as, and their similarity, a window at a time; by the first id.

    Raises DirectoryError.
    """
    with _reading(path) as connection:
        last_id = 0
        while rows := connection.execute(_WINDOW, (last_id,)).fetchall():
            yield rows
            last_id = rows[-1][0]


def near_cluster_members(path: Path) -> Iterator[list[NearMember]]:
    """The pages of all clusters as of the last run's end, cluster by cluster, a window at a time.

    Raises DirectoryError.
    """
    with _reading(path) as connection:
        last = (0, 0)
        while rows := [NearMember._make(row) for row in connection.execute(_MEMBERS, last)]:
            yield rows
            last = (rows[-1].cluster_id, rows[-1].page_id)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    with (
        closing(CrawlDirectory.open_existing(path).connect_readonly()) as connection,
        disk_errors(f"reading the near duplicates in {path}"),
    ):
        yield connection
