"""A short soak: what a budget costs is speed and evictions, never pages, and nothing outside the accounts grows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGES = 6_000
# What no account knows: SQLite's caches and what the allocator keeps of freed objects.
UNTRACKED_MIB = 20.0
# At its end a crawl settles duplicates and digests its graph.
FINISH_MIB = 24.0
MARGIN = 1.1


def _soak(memory: str, results: Path) -> dict[str, Any]:
    """The figures of a soak in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.soak", "--pages", str(PAGES), "--memory", memory, "--json"]
    outcome = subprocess.run(
        [*command, "--results", str(results)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert outcome.returncode == 0, outcome.stderr
    figures: dict[str, Any] = json.loads(outcome.stdout)
    return figures


@pytest.fixture(scope="module")
def soaks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """One web crawled in two budgets; the smaller one makes the accounts of pages evict."""
    results = tmp_path_factory.mktemp("soak")
    return {memory: _soak(memory, results) for memory in ("4MiB", "64MiB")}


def test_every_budget_crawls_the_same_pages(soaks: dict[str, dict[str, Any]]) -> None:
    """The pages of a crawl, and its graph, don't depend on the memory budget."""
    small, large = soaks["4MiB"], soaks["64MiB"]
    assert small["exit_reason"] == large["exit_reason"] == "finished"
    assert small["ok_pages"] == large["ok_pages"] > PAGES * 0.9
    assert small["pages_digest"] == large["pages_digest"]
    assert small["graph_digest"] == large["graph_digest"]
    assert small["known_urls"] == large["known_urls"]


def test_the_small_budget_was_one(soaks: dict[str, dict[str, Any]]) -> None:
    """The comparison means something: with 4 MiB the accounts of pages evict, with 64 MiB they need not."""
    evicted = {
        memory: {tag: account["evicted"] for tag, account in figures["accounts"].items()}
        for memory, figures in soaks.items()
    }
    assert all(evicted["4MiB"][tag] for tag in ("seen", "graph", "content"))
    assert not any(evicted["64MiB"][tag] for tag in ("seen", "graph", "content"))


@pytest.mark.parametrize("memory", ["4MiB", "64MiB"])
def test_memory_stays_within_the_budget(soaks: dict[str, dict[str, Any]], memory: str) -> None:
    """RSS beyond the interpreter's own stays within the budget, and accounts within their limits."""
    figures = soaks[memory]
    allowed = figures["budget_mib"] * MARGIN + UNTRACKED_MIB + FINISH_MIB
    assert figures["peak_rss_mib"] - figures["baseline_rss_mib"] <= allowed
    assert figures["untracked_mib"] <= UNTRACKED_MIB


@pytest.mark.parametrize("memory", ["4MiB", "64MiB"])
def test_descriptors_and_tasks_stay_flat(soaks: dict[str, dict[str, Any]], memory: str) -> None:
    """However many pages were crawled, the crawl has the same few descriptors and tasks."""
    running = soaks[memory]["samples"][:-1]
    assert max(sample["fds"] for sample in running) - min(sample["fds"] for sample in running) <= 4
    assert len({sample["tasks"] for sample in running[1:-1]}) <= 3


def test_the_drawing_has_a_band_for_each_account(soaks: dict[str, dict[str, Any]]) -> None:
    """A soak leaves a drawing that names each account in use."""
    for figures in soaks.values():
        drawing = Path(figures["drawing"]).read_text("utf-8")
        used = [tag for tag, account in figures["accounts"].items() if account["used"]]
        assert used
        assert all(f">{tag} " in drawing for tag in used)
