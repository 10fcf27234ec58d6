"""The collector: Python's garbage collection set for a process that keeps much and makes few cycles."""

from __future__ import annotations

import gc

# Young objects before a collection, and young collections before an older one. Measured in a trial: the default
# spends up to half of the time on scanning what a crawl keeps; a crawl's pages themselves leave next to no cycles.
THRESHOLDS = (50_000, 20, 100)


def settle() -> None:
    """Leave what start-up made out of every later collection, and collect less often. For a process of one's own:
    the settings hold for all of it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
