"""The compiled module is a choice: without a compiler the install goes on, with one it is built beside its sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from weaver.native import INTERFACE

ROOT = Path(__file__).resolve().parents[2]


def _built(root: Path, path: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "scripts" / "build_native.py"), *flags]
    return subprocess.run(command, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "build_native.py", tmp_path / "scripts")
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "weaver" / "native", tmp_path / "weaver" / "native", ignore=ignored)
    return tmp_path


def test_an_install_goes_on_without_a_compiler(sources: Path) -> None:
    """Where there is no compiler, the build says so and is no failure, unless it must be there."""
    outcome = _built(sources, "")
    assert outcome.returncode == 0
    assert outcome.stderr.startswith("weaver: not compiled, the Python twins will do: ")
    assert _built(sources, "", "--must").returncode == 1
    assert not list(sources.rglob("*.so"))


def test_broken_sources_leave_no_module(sources: Path) -> None:
    """A module that doesn't compile is not there afterwards, and what was there before is untouched."""
    (sources / "weaver" / "native" / "text.c").write_text("#error no\n", "utf-8")
    assert "not compiled" in _built(sources, os.environ["PATH"]).stderr
    assert not list(sources.rglob("*.so"))
    assert not [path for path in (sources / "weaver" / "native").iterdir() if path.is_dir()]


@pytest.mark.slow
@pytest.mark.needs("cc")
def test_the_module_is_built_beside_its_sources(sources: Path) -> None:
    """One command puts a module there that says which interface it has."""
    outcome = _built(sources, os.environ["PATH"])
    if "Python.h" in outcome.stderr:
        pytest.skip("Python's headers aren't installed")
    folder = sources / "weaver" / "native"
    asked = subprocess.run(
        [sys.executable, "-c", "import compiled; print(compiled.INTERFACE)"],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert asked.stdout.strip() == str(INTERFACE)
