"""The near-duplicate pairs that a crawl stored: their table as rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from weaver.persistence.border import disk_errors
from weaver.persistence.database import CrawlDirectory

WINDOW_ROWS = 2_000
_WINDOW = (
    f"SELECT page_id, other_id, similarity FROM near_duplicates WHERE page_id > ? ORDER BY page_id LIMIT {WINDOW_ROWS}"
)

NearPair = tuple[int, int, float]


def near_pairs(path: Path) -> Iterator[list[NearPair]]:
    """Each page, the one that it is nearly the same as, and their similarity, a window at a time; by the first id.

    Raises DirectoryError.
    """
    with (
        closing(CrawlDirectory.open_existing(path).connect_readonly()) as connection,
        disk_errors(f"reading the near duplicates in {path}"),
    ):
        last_id = 0
        while rows := connection.execute(_WINDOW, (last_id,)).fetchall():
            yield rows
            last_id = rows[-1][0]
