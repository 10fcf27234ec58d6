"""What the link graph takes on disk, as a document, and the same before and after it is compacted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from weaver.persistence.compacting import compact_directory
from weaver.persistence.graph_sizes import GraphSizes

Document = dict[str, Any]


def storage_document(sizes: GraphSizes) -> Document:
    """The sizes by where the links are: in sealed blocks, in rows, or dropped by the user's limit.

    `packed_bytes` is what the sealed links took as rows, `depth` the most blocks that cover one page id.
    """
    return {
        "bytes": sizes.block_bytes + sizes.unsealed_bytes,
        "bits_per_link": sizes.bits_per_link,
        "file_bytes": sizes.file_bytes,
        "free_bytes": sizes.free_bytes,
        "sealed": {
            "pages": sizes.sealed_rows,
            "links": sizes.sealed_links,
            "blocks": sizes.blocks,
            "depth": sizes.depth,
            "bytes": sizes.block_bytes,
            "packed_bytes": sizes.packed_bytes,
        },
        "unsealed": {"pages": sizes.unsealed_rows, "links": sizes.unsealed_links, "bytes": sizes.unsealed_bytes},
        "dropped": {"pages": sizes.dropped_rows, "links": sizes.dropped_links},
        "is_partial": sizes.dropped_rows > 0,
    }


def compaction_document(directory: Path, *, vacuums: bool) -> Document:
    """Compact the crawl there. Raises DirectoryError, DirectoryLocked where a crawl is at work, PersistenceError."""
    before, after = compact_directory(directory, vacuums=vacuums)
    return {
        "directory": str(directory),
        "before": storage_document(before),
        "after": storage_document(after),
    }
