"""Seen before? Exact duplicates by body and by visible text, in a bounded index with the disk behind it."""

from weaver.dedupe.content_index import ColdContents, ContentIndex
from weaver.dedupe.duplicate_links import DuplicateLinks

__all__ = ["ColdContents", "ContentIndex", "DuplicateLinks"]
