"""Settling: which page of a cluster of duplicates stands for it, whatever order they were fetched in."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator
from contextlib import closing

import numpy as np

from weaver.base.settings import RepresentativeRule
from weaver.codec import Nodes
from weaver.persistence.clusters import Clusters
from weaver.persistence.duplicate_edges import DuplicateEdges
from weaver.persistence.link_blocks import transaction
from weaver.persistence.representing import insert_pairs, representatives
from weaver.persistence.statements import Insert
from weaver.persistence.tally import recount_pages

_ANY = "SELECT 1 FROM pages WHERE state = 'duplicate' LIMIT 1"
_DUPLICATES = "SELECT id FROM pages WHERE state = 'duplicate'"
_CARRIERS = """
    SELECT {column}, id FROM pages WHERE state IN ('fetched', 'duplicate') AND {column} <> x'' ORDER BY {column}, id
"""
_PART_ROWS = 2_048
_DIGESTS = ("body_digest", "text_digest")
_SETTLED = "CREATE TEMP TABLE settled (id INTEGER PRIMARY KEY, representative_id INTEGER NOT NULL)"
_MEMBER = Insert("INSERT INTO settled (id, representative_id)", 2)
_WRITES = (
    """UPDATE pages SET state = 'fetched', duplicate_of = 0
        WHERE id IN (SELECT representative_id FROM temp.settled) AND (state <> 'fetched' OR duplicate_of <> 0)""",
    """UPDATE pages SET state = 'duplicate', duplicate_of = settled.representative_id FROM temp.settled
        WHERE pages.id = settled.id AND settled.representative_id <> settled.id
            AND (state <> 'duplicate' OR duplicate_of <> settled.representative_id)""",
    # A digest is written as `contents` has it: `b` or `t` in front. In its order, which is the tree's.
    """INSERT INTO contents (digest, page_id)
        SELECT DISTINCT CAST(x'62' || body_digest AS BLOB), representative_id
            FROM temp.settled CROSS JOIN pages USING (id) WHERE body_digest <> x'' ORDER BY 1
        ON CONFLICT (digest) DO UPDATE SET page_id = excluded.page_id WHERE page_id <> excluded.page_id""",
    """INSERT INTO contents (digest, page_id)
        SELECT DISTINCT CAST(x'74' || text_digest AS BLOB), representative_id
            FROM temp.settled CROSS JOIN pages USING (id) WHERE text_digest <> x'' ORDER BY 1
        ON CONFLICT (digest) DO UPDATE SET page_id = excluded.page_id WHERE page_id <> excluded.page_id""",
    "DROP TABLE temp.settled",
)

Pairs = tuple[Nodes, Nodes]

_NO_PAIRS: Pairs = (np.zeros(0, np.uint32), np.zeros(0, np.uint32))


def settle_duplicates(connection: sqlite3.Connection, rule: RepresentativeRule = "auto") -> int:
    """Give each cluster of duplicates its one representative; the number of clusters comes back.

    A cluster is a connected component of fetched and duplicate pages that share a body digest or a text
    digest, with at least one that the crawl called a duplicate. It is represented by the page that `rule` puts first,
    at last by its shortest URL, the first of these in byte order: that one is `fetched`, the others are its duplicates,
    each with exactly one edge of kind DUPLICATE, to it; the cluster's digests lead to it. One transaction; settling
    twice changes nothing. Memory: see `Clusters`, `representatives` and `DuplicateEdges`; digests are sorted in
    SQLite's temporary files. Without duplicates it costs one look into an empty index, with some a sorted pass over all
    digests, and one over the blocks that have members.
    """
    if not connection.execute(_ANY).fetchall():
        return 0
    with transaction(connection):
        clusters = _clusters(connection)
        chosen = representatives(connection, rule, clusters)
        connection.execute(_SETTLED)
        insert_pairs(connection, _MEMBER, clusters.nodes, chosen)
        DuplicateEdges(connection, clusters.nodes, chosen).settle()
        for statement in _WRITES:
            connection.execute(statement)
        recount_pages(connection)
    return clusters.count


def _clusters(connection: sqlite3.Connection) -> Clusters:
    """The clusters that have a duplicate."""
    duplicates = np.fromiter((page_id for (page_id,) in connection.execute(_DUPLICATES)), np.uint32)
    clusters = Clusters()
    for column in _DIGESTS:
        clusters.join(*_apart(clusters, _sharing(connection, column)))
    clusters.join(duplicates, duplicates)
    return clusters.with_any(duplicates)


def _apart(clusters: Clusters, pairs: Iterable[Pairs]) -> Pairs:
    """Those pairs that join something: of most pages that share their body the text is the same, too."""
    found = [_NO_PAIRS]
    for ones, others in pairs:
        is_apart = clusters.are_apart(ones, others)
        found.append((ones[is_apart], others[is_apart]))
    ones, others = map(np.concatenate, zip(*found, strict=True))
    return ones, others


def _sharing(connection: sqlite3.Connection, column: str) -> Iterator[Pairs]:
    """The first page with each digest that several have, beside each of the others; some at a time."""
    first_id, last_digest = 0, b""
    with closing(connection.execute(_CARRIERS.format(column=column))) as carriers:
        while rows := carriers.fetchmany(_PART_ROWS):
            ones, others = array("I"), array("I")
            for digest, page_id in rows:
                if digest == last_digest:
                    ones.append(first_id)
                    others.append(page_id)
                else:
                    first_id, last_digest = page_id, digest
            yield np.frombuffer(ones, np.uint32), np.frombuffer(others, np.uint32)
