"""The shape of the code: what a reader may rely on in every module, and who may import whom."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "weaver").rglob("*.py"))
PACKAGES = [path for path in MODULES if path.name == "__init__.py"]
MAX_LINES = 400
NOT_NOUNS = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def _declared_names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower() for requirement in requirements}


def _imports_below_the_top(tree: ast.Module) -> Iterator[ast.stmt]:
    # Module level is the top; a guarded block there (TYPE_CHECKING, an optional library) still is.
    top = {id(node) for block in tree.body for node in _same_scope(block)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in top:
            yield node


def _same_scope(statement: ast.stmt) -> Iterator[ast.AST]:
    yield statement
    if isinstance(statement, ast.If | ast.Try):
        yield from ast.walk(statement)


def _is_declaration(statement: ast.stmt) -> bool:
    """A docstring, an import, a private or dunder constant, or where a name is found at its first use (PEP 562)."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return True
    if isinstance(statement, ast.If):
        return ast.unparse(statement.test) == "TYPE_CHECKING"
    if isinstance(statement, ast.FunctionDef):
        return statement.name in ("__getattr__", "__dir__")
    if isinstance(statement, ast.Assign):
        return all(isinstance(target, ast.Name) and target.id.startswith("_") for target in statement.targets)
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_opens_with_one_sentence(path: Path) -> None:
    """Each module's docstring begins with one sentence on one line that says what the module is for."""
    first = (ast.get_docstring(_tree(path)) or "").partition("\n")[0]
    assert first.endswith((".", "?")), f"{_name(path)} opens with {first!r}"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_stand_at_the_top(path: Path) -> None:
    """No function and no class imports: what a module needs is seen at its head."""
    late = [node.lineno for node in _imports_below_the_top(_tree(path))]
    assert not late, f"{_name(path)} imports in lines {late}"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_is_read_in_one_sitting(path: Path) -> None:
    """No module is longer than 400 lines."""
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= MAX_LINES, f"{_name(path)} has {lines} lines"


def test_modules_are_named_for_what_they_own() -> None:
    """No module is called utils, helpers, common or manager: there is a noun for what it owns."""
    assert not [_name(path) for path in MODULES if path.stem in NOT_NOUNS or path.parent.name in NOT_NOUNS]


@pytest.mark.parametrize("path", PACKAGES, ids=_name)
def test_a_package_init_only_names_what_is_public(path: Path) -> None:
    """A package's __init__ imports its public names and holds no logic."""
    odd = [statement.lineno for statement in _tree(path).body if not _is_declaration(statement)]
    assert not odd, f"{_name(path)} does more than re-export in lines {odd}"


def test_only_the_command_line_prints() -> None:
    """Nothing outside weaver.cli calls print: a library's caller owns the terminal."""
    printing = [
        f"{_name(path)}:{node.lineno}"
        for path in MODULES
        if "cli" not in path.relative_to(ROOT).parts
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not printing


@pytest.mark.slow
def test_the_import_contracts_hold() -> None:
    """Imports point down the house and the stages are strangers, as pyproject.toml's contracts say."""
    linter = str(Path(sys.executable).with_name("lint-imports"))
    outcome = _run(linter, "--no-cache", "--no-logo")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.slow
def test_importing_weaver_is_light() -> None:
    """`import weaver` pulls in neither networkx nor scipy, whose import alone costs tens of megabytes."""
    outcome = _run(sys.executable, "-c", "import json, sys, weaver; print(json.dumps(sorted(sys.modules)))")
    assert outcome.returncode == 0, outcome.stderr
    loaded = {name.partition(".")[0] for name in json.loads(outcome.stdout)}
    assert not loaded & {"networkx", "scipy", "pandas", "matplotlib"}


@pytest.mark.slow
def test_the_table_of_modules_is_up_to_date() -> None:
    """docs/architecture.md lists every module with its own first sentence."""
    outcome = _run(sys.executable, "scripts/architecture_table.py", "--check")
    assert outcome.returncode == 0, outcome.stderr


def test_the_lock_files_name_no_machine() -> None:
    """The lock files hold versions and hashes only: no index, no host, no path."""
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text("utf-8")
        assert "http" not in text.replace("aiohttp", "").replace("httptools", "")
        assert "--index" not in text
        assert "file:" not in text
        assert "--hash=sha256:" in text


def test_the_lock_files_hold_every_dependency() -> None:
    """Each dependency that pyproject.toml declares is pinned in the lock file that installs it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    runtime = _declared_names(project["dependencies"])
    development = runtime | _declared_names(project["optional-dependencies"]["dev"])
    for name, packages in (("requirements.lock", runtime), ("requirements-dev.lock", development)):
        pinned = {line.partition("==")[0] for line in (ROOT / name).read_text("utf-8").splitlines() if "==" in line}
        assert packages <= pinned, f"{name} lacks {packages - pinned}: run scripts/lock.sh"
