"""Settling near duplicates: which pages a chain of pairs joins, and which of them stands for the others."""

from __future__ import annotations

import sqlite3

import numpy as np

from weaver.base.settings import RepresentativeRule
from weaver.codec import Nodes
from weaver.persistence.clusters import Clusters
from weaver.persistence.link_blocks import transaction
from weaver.persistence.representing import insert_pairs, representatives
from weaver.persistence.statements import Insert

# A page that is the copy of another stands for nothing itself: its pairs are those of the one that it is a copy of.
_PAIRS = """
    SELECT iif(one.state = 'duplicate', one.duplicate_of, one.id),
        iif(other.state = 'duplicate', other.duplicate_of, other.id)
    FROM near_duplicates
        CROSS JOIN pages AS one ON one.id = page_id
        CROSS JOIN pages AS other ON other.id = other_id
"""
_PART_ROWS = 2_048
_SETTLED = "CREATE TEMP TABLE near_settled (page_id INTEGER PRIMARY KEY, representative_id INTEGER NOT NULL)"
_MEMBER = Insert("INSERT INTO near_settled (page_id, representative_id)", 2)
_WRITES = (
    "DELETE FROM near_clusters WHERE page_id NOT IN (SELECT page_id FROM temp.near_settled)",
    """INSERT INTO near_clusters (page_id, representative_id)
        SELECT page_id, representative_id FROM temp.near_settled WHERE true ORDER BY page_id
        ON CONFLICT (page_id) DO UPDATE SET representative_id = excluded.representative_id
            WHERE representative_id <> excluded.representative_id""",
    "DROP TABLE temp.near_settled",
)


def settle_near_duplicates(connection: sqlite3.Connection, rule: RepresentativeRule = "auto") -> int:
    """Bring the clusters of near duplicates up to date; their number comes back. After `settle_duplicates`.

    A cluster is a connected component of pages by the pairs of `near_duplicates`, exact copies counted as the page
    that stands for them. It is represented by the page that `rule` puts first, at last by its shortest URL, the first
    of these in byte order. The pairs themselves stay as they were found. One transaction, which writes what has
    changed. Memory: see `Clusters` and `representatives`. O(pairs log pairs).
    """
    with transaction(connection):
        clusters = Clusters()
        clusters.join(*_pairs(connection))
        connection.execute(_SETTLED)
        insert_pairs(connection, _MEMBER, clusters.nodes, representatives(connection, rule, clusters))
        for statement in _WRITES:
            connection.execute(statement)
    return clusters.count


def _pairs(connection: sqlite3.Connection) -> tuple[Nodes, Nodes]:
    """Both ends of all pairs of pages that are not copies of one."""
    parts = [np.zeros((0, 2), np.uint32)]
    cursor = connection.execute(_PAIRS)
    while rows := cursor.fetchmany(_PART_ROWS):
        pairs = np.array(rows, np.uint32)
        parts.append(pairs[pairs[:, 0] != pairs[:, 1]])
    found = np.concatenate(parts)
    return found[:, 0], found[:, 1]
