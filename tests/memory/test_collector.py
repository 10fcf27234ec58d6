"""The collector: set for a crawl, and still collecting."""

from __future__ import annotations

import gc

from weaver.memory.collector import THRESHOLDS, settle


def test_start_up_is_left_out_and_collections_go_on() -> None:
    """After settling, what there was is frozen, the thresholds are raised, and the collector is on."""
    before = gc.get_threshold()
    try:
        settle()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold() == THRESHOLDS
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
