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
    from weaver.analysis.disk_graph import DiskGraph, open_graph
    from weaver.base.settings import Settings
    from weaver.base.sources import load_settings
    from weaver.pipeline import Crawl, ExitReason, PageResult, open_crawl

# Loaded at first use: `import weaver` stays quick, and `weaver --help` needs no HTTP client.
_HOMES = {
    "Crawl": "weaver.pipeline",
    "DiskGraph": "weaver.analysis.disk_graph",
    "ExitReason": "weaver.pipeline",
    "PageResult": "weaver.pipeline",
    "Settings": "weaver.base.settings",
    "load_settings": "weaver.base.sources",
    "open_crawl": "weaver.pipeline",
    "open_graph": "weaver.analysis.disk_graph",
}

__all__ = [
    "BudgetExceeded",
    "Crawl",
    "DirectoryError",
    "DirectoryLocked",
    "DiskGraph",
    "EdgeKind",
    "ExitReason",
    "MissingLibrary",
    "PageResult",
    "PageState",
    "PersistenceError",
    "SeedError",
    "Settings",
    "SettingsError",
    "TooLarge",
    "WeaverError",
    "__version__",
    "load_settings",
    "open_crawl",
    "open_graph",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'weaver' has no attribute {name!r}")
    return getattr(import_module(home), name)
