"""A crawl directory as those see it who only ask: is there a crawl, who is at work, and its reader."""

from __future__ import annotations

from pathlib import Path

from weaver.persistence.database import CrawlDirectory
from weaver.persistence.reader import open_reader

__all__ = ["holds_crawl", "is_at_work", "open_reader"]


def holds_crawl(path: Path) -> bool:
    """Whether there is a crawl in this directory."""
    return CrawlDirectory(path).database_path.is_file()


def is_at_work(path: Path) -> bool:
    """Whether a crawler holds the directory's lock now."""
    return CrawlDirectory(path).holder() is not None
