"""Where the conformance cases lie, and how a set of them is read."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

Case = dict[str, Any]

ENVIRONMENT = "WEAVER_CONFORMANCE"
_DEFAULT_ROOT = Path(__file__).resolve().parents[3] / "shared" / "conformance"
_SUFFIXES = (".json", ".json.gz")

_chosen_root: list[Path] = []


def set_root(path: Path) -> None:
    """Read the cases of another folder of the same layout from now on."""
    _chosen_root[:] = [path]


def conformance_root() -> Path | None:
    """The folder of the cases: the chosen one, the environment's, or the one beside the project; None if absent."""
    named = os.environ.get(ENVIRONMENT)
    root = _chosen_root[0] if _chosen_root else Path(named) if named else _DEFAULT_ROOT
    return root if root.is_dir() else None


def skip_reason() -> str:
    """Why there are no cases to judge; empty when there are."""
    if conformance_root() is not None:
        return ""
    return f"no conformance cases: {ENVIRONMENT} names no folder and there is none beside the project"


def folders() -> list[str]:
    """The kinds of sets that are here, sorted."""
    root = conformance_root()
    return sorted(entry.name for entry in root.iterdir() if entry.is_dir()) if root else []


def set_names(folder: str) -> list[str]:
    """The sets of one folder as `folder/name`, sorted; files that hold no cases are none."""
    root = conformance_root()
    if root is None:
        return []
    names = {entry.name.removesuffix(".gz").removesuffix(".json") for entry in (root / folder).glob("*.json*")}
    return sorted(f"{folder}/{name}" for name in names if _path_of(f"{folder}/{name}") is not None)


def load(set_name: str) -> list[Case]:
    """The cases of `folder/name`; none where the set is not here or its file holds something else."""
    path = _path_of(set_name)
    if path is None:
        return []
    content = path.read_bytes()
    document = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    cases = document.get("cases", []) if isinstance(document, dict) else []
    return [case for case in cases if isinstance(case, dict)]


def _path_of(set_name: str) -> Path | None:
    root = conformance_root()
    paths = [root / f"{set_name}{suffix}" for suffix in _SUFFIXES] if root else []
    return next((path for path in paths if path.is_file()), None)
