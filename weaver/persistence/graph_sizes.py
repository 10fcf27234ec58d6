"""Graph sizes: what the link graph takes on disk, and how many links there are, unsealed, sealed and dropped."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from weaver.base.errors import BlockDamaged
from weaver.codec import Kinds
from weaver.persistence.border import disk_errors
from weaver.persistence.disk_limit import dropped_links
from weaver.persistence.link_blocks import BlockShelf
from weaver.persistence.merging import depth
from weaver.persistence.packing import edges_by_kind

WINDOW_ROWS = 2_000
_PACKED = f"SELECT id, packed FROM links WHERE id > ? ORDER BY id LIMIT {WINDOW_ROWS}"
_REWRITTEN = "SELECT id FROM links WHERE is_rewritten AND id > ? ORDER BY id LIMIT 1"
_SEALED_KINDS = "SELECT kind.key, sum(kind.value) FROM link_blocks, json_each(kinds) AS kind GROUP BY kind.key"
_BLOCKS = "SELECT count(*), total(rows), total(links), total(packed_bytes), total(block_bytes) FROM link_blocks"


class GraphSizes(NamedTuple):
    """Rows and links by where they are, and their bytes.

    `packed_bytes` is what the sealed rows took before, `depth` the most blocks that cover one page id, `file_bytes`
    the whole database and `free_bytes` what of it waits to be used again.
    """

    unsealed_rows: int
    unsealed_links: int
    unsealed_bytes: int
    blocks: int
    sealed_rows: int
    sealed_links: int
    packed_bytes: int
    block_bytes: int
    depth: int
    file_bytes: int
    free_bytes: int
    dropped_rows: int
    dropped_links: int

    @property
    def bits_per_link(self) -> float | None:
        """Of rows and blocks together; None where there is no link."""
        links = self.unsealed_links + self.sealed_links
        return 8 * (self.unsealed_bytes + self.block_bytes) / links if links else None


def graph_sizes(connection: sqlite3.Connection) -> GraphSizes:
    """The sizes now; reads every unsealed row, and of the blocks what is told of them. Raises PersistenceError."""
    with disk_errors("measuring the graph"):
        unsealed = Counter[str]()
        for packed in _packed(connection):
            unsealed.update(rows=1, links=sum(edges_by_kind(packed).values()), size_bytes=len(packed))
        blocks = [int(value) for value in connection.execute(_BLOCKS).fetchall()[0]]
        dropped = dropped_links(connection)
        rows = unsealed["rows"], unsealed["links"], unsealed["size_bytes"]
        files = _file_sizes(connection)
        return GraphSizes._make((*rows, *blocks, depth(connection), *files, dropped.rows, dropped.links))


def _file_sizes(connection: sqlite3.Connection) -> tuple[int, int]:
    """Bytes of the database, and those of them that nothing uses."""
    page_bytes, pages, free_pages = (
        int(connection.execute(f"PRAGMA {name}").fetchall()[0][0])
        for name in ("page_size", "page_count", "freelist_count")
    )
    return page_bytes * pages, page_bytes * free_pages


def link_counts(connection: sqlite3.Connection) -> tuple[int, dict[int, int]]:
    """How many pages have a row, and how many edges of each kind there are; those that were dropped included.

    Reads the unsealed rows' headers, and the blocks of which rows were written anew since; where one is
    damaged such a row counts twice.
    """
    dropped = dropped_links(connection)
    pages, edges = dropped.rows, Counter(dropped.kinds)
    for packed in _packed(connection):
        pages += 1
        edges.update(edges_by_kind(packed))
    ((sealed_rows,),) = connection.execute("SELECT total(rows) FROM link_blocks").fetchall()
    edges.update({int(kind): links for kind, links in connection.execute(_SEALED_KINDS).fetchall()})
    for kinds in _superseded(connection):
        pages -= 1
        edges.subtract(kinds.tolist())
    return pages + int(sealed_rows), {kind: links for kind, links in sorted(edges.items()) if links}


def _packed(connection: sqlite3.Connection) -> Iterator[bytes]:
    last_id = 0
    while rows := connection.execute(_PACKED, (last_id,)).fetchall():
        last_id = rows[-1][0]
        yield from (packed for _, packed in rows)


def _superseded(connection: sqlite3.Connection) -> Iterator[Kinds]:
    """The kinds of the edges of each sealed row that counts no longer, for its page has one in `links`."""
    shelf, last_id = BlockShelf(connection), 0
    while rows := connection.execute(_REWRITTEN, (last_id,)).fetchall():
        last_id = rows[0][0]
        try:
            found = shelf.find(last_id)
        except BlockDamaged:
            continue
        if found is not None:
            yield found.edges[1]
