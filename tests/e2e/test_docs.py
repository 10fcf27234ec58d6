"""The documentation's examples, run as they stand."""

from __future__ import annotations

import ast
import contextlib
import inspect
import re
from pathlib import Path

import pytest

from tests.support.crawls import ROOT
from weaver.cli.demo_web import demo_web

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _blocks(page: str) -> list[str]:
    return _BLOCK.findall((ROOT / page).read_text("utf-8"))


async def _run(block: str, names: dict[str, object]) -> None:
    """Run a block as the asyncio prompt would: with await at its top."""
    code = compile(block, "quickstart", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    outcome = eval(code, names)
    if inspect.isawaitable(outcome):
        await outcome


@pytest.mark.slow
async def test_the_quickstart_runs_as_it_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each python block of docs/quickstart.md runs, one after the other, in one session and one folder."""
    blocks = _blocks("docs/quickstart.md")
    assert len(blocks) >= 4
    async with demo_web() as web:
        names: dict[str, object] = {"SEED": web.seed}
        with contextlib.chdir(tmp_path):
            for block in blocks:
                await _run(block, names)
    assert "200 fetched" in capsys.readouterr().out


@pytest.mark.slow
async def test_the_graph_page_runs_as_it_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each python block of docs/graph.md runs, in a folder where the quickstart's first crawl is."""
    first, blocks = _blocks("docs/quickstart.md")[0], _blocks("docs/graph.md")
    assert len(blocks) >= 3
    async with demo_web() as web:
        names: dict[str, object] = {"SEED": web.seed}
        with contextlib.chdir(tmp_path):
            for block in (first, *blocks):
                await _run(block, names)
    assert "pages moved" in capsys.readouterr().out


async def test_the_dedupe_page_runs_as_it_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each python block of docs/dedupe.md runs, one after the other, in one folder."""
    names: dict[str, object] = {}
    with contextlib.chdir(tmp_path):
        for block in _blocks("docs/dedupe.md"):
            await _run(block, names)
    assert capsys.readouterr().out.startswith("keep ['a', 'c']\na and b are alike: 0.92")


def test_links_among_the_documents_lead_somewhere() -> None:
    """Every relative link of README.md and docs/ names a file that is there."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
