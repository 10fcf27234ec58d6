"""An open crawl holds Python's collector tuned, and leaves it as it was."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from tests.support.tiny_web import html, settings_for, site
from weaver.base.errors import DirectoryError
from weaver.base.settings import MemorySettings
from weaver.memory.collector import FROZEN_BY_PYTHON, THRESHOLDS
from weaver.pipeline import open_crawl

TUNED = settings_for(memory__collector="tuned")
OPTED_OUT = settings_for(memory__collector="default")


async def test_the_collector_is_tuned_while_any_crawl_is_open(tmp_path: Path) -> None:
    """Two crawls in one process tune its collector once; the last to close restores it."""
    before = gc.get_threshold()
    web = site({"/": html("home")})
    async with open_crawl(TUNED, tmp_path / "a", transport=web):
        assert gc.get_threshold() == THRESHOLDS
        async with open_crawl(TUNED, tmp_path / "b", transport=web) as second:
            await second.run_to_end()
        assert gc.get_threshold() == THRESHOLDS
        assert gc.get_freeze_count() > FROZEN_BY_PYTHON
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() <= FROZEN_BY_PYTHON


async def test_a_crawl_that_cannot_be_opened_leaves_the_collector_alone(tmp_path: Path) -> None:
    """A directory that holds a crawl already changes nothing of the process."""
    before = gc.get_threshold()
    web = site({"/": html("home")})
    async with open_crawl(TUNED, tmp_path / "a", transport=web):
        pass
    with pytest.raises(DirectoryError):
        async with open_crawl(TUNED, tmp_path / "a", transport=web):
            pass
    assert gc.get_threshold() == before


async def test_the_setting_opts_out(tmp_path: Path) -> None:
    """With `memory.collector` on `default` the collector is Python's own."""
    before = gc.get_threshold()
    async with open_crawl(OPTED_OUT, tmp_path / "a", transport=site({"/": html("home")})):
        assert gc.get_threshold() == before
        assert gc.get_freeze_count() <= FROZEN_BY_PYTHON


def test_a_crawl_tunes_the_collector_unless_told_otherwise() -> None:
    """The setting's default is `tuned`."""
    assert MemorySettings().collector == "tuned"
