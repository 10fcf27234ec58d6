"""weaver: a web crawler that cannot outgrow its memory.

import asyncio, weaver

async def main() -> None:
    settings = weaver.load_settings(flags=[("crawl.seeds", ("https://example.org/",))])
    async with weaver.open_crawl(settings, "crawl-example") as crawl:
        async for page in crawl.run():
            print(page.status, page.url, page.title)

asyncio.run(main())
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from weaver.base.errors import (
    BudgetExceeded,
    DirectoryError,
    DirectoryLocked,
    MissingLibrary,
    NotResident,
    PersistenceError,
    SeedError,
    SettingsError,
    TooLarge,
    WeaverError,
)
from weaver.base.page import EdgeKind, PageState
from weaver.base.version import VERSION

__version__ = VERSION

if TYPE_CHECKING:
    from weaver.analysis.corpus import Corpus, CorpusSettings, dedupe_corpus
    from weaver.analysis.disk_graph import DiskGraph, open_graph
    from weaver.base.settings import Settings
    from weaver.base.sources import load_settings
    from weaver.dedupe import Clusters, ContentIndex, NearIndex, SignatureEngine
    from weaver.pipeline import Crawl, CrawlGraph, ExitReason, PageResult, open_crawl

# Loaded at first use: `import weaver` stays quick, and `weaver --help` needs no HTTP client.
_HOMES = {
    "Clusters": "weaver.dedupe",
    "ContentIndex": "weaver.dedupe",
    "Corpus": "weaver.analysis.corpus",
    "CorpusSettings": "weaver.analysis.corpus",
    "Crawl": "weaver.pipeline",
    "CrawlGraph": "weaver.pipeline",
    "DiskGraph": "weaver.analysis.disk_graph",
    "ExitReason": "weaver.pipeline",
    "NearIndex": "weaver.dedupe",
    "PageResult": "weaver.pipeline",
    "Settings": "weaver.base.settings",
    "SignatureEngine": "weaver.dedupe",
    "dedupe_corpus": "weaver.analysis.corpus",
    "load_settings": "weaver.base.sources",
    "open_crawl": "weaver.pipeline",
    "open_graph": "weaver.analysis.disk_graph",
}

__all__ = [
    "BudgetExceeded",
    "Clusters",
    "ContentIndex",
    "Corpus",
    "CorpusSettings",
    "Crawl",
    "CrawlGraph",
    "DirectoryError",
    "DirectoryLocked",
    "DiskGraph",
    "EdgeKind",
    "ExitReason",
    "MissingLibrary",
    "NearIndex",
    "NotResident",
    "PageResult",
    "PageState",
    "PersistenceError",
    "SeedError",
    "Settings",
    "SettingsError",
    "SignatureEngine",
    "TooLarge",
    "WeaverError",
    "__version__",
    "dedupe_corpus",
    "load_settings",
    "open_crawl",
    "open_graph",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'weaver' has no attribute {name!r}")
    return getattr(import_module(home), name)
