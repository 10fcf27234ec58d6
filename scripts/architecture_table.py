"""Write the table "path, and what it is for" of docs/architecture.md from the first sentences of the modules."""

from __future__ import annotations

import argparse
import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
BEGIN = "<!-- the table below is written by scripts/architecture_table.py -->"
END = "<!-- end of the table -->"

# The order of the house, from the top floor down; a package that is not named here comes last.
FLOORS = (
    "cli",
    "analysis",
    "pipeline",
    "reading",
    "frontier",
    "politeness",
    "fetch",
    "parse",
    "dedupe",
    "graph",
    "persistence",
    "memory",
    "codec",
    "base",
)


def rows() -> list[str]:
    """One table row a module, the floors from the top down."""
    package = ROOT / "weaver"
    lines = ["| path | what it is for |", "|---|---|"]
    for path in sorted(package.rglob("*.py"), key=_place):
        sentence = (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("\n")[0]
        if sentence:
            lines.append(f"| `{path.relative_to(ROOT).as_posix()}` | {sentence.replace('|', chr(92) + '|')} |")
    return lines


def _place(path: Path) -> tuple[int, str, bool, str]:
    parts = path.relative_to(ROOT / "weaver").parts
    floor = parts[0] if len(parts) > 1 else ""
    rank = FLOORS.index(floor) if floor in FLOORS else (-1 if not floor else len(FLOORS))
    return rank, floor, path.name != "__init__.py", path.name


def with_table(page: str) -> str:
    """The page with the table between its two marks made anew."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE}: expected the marks {BEGIN!r} and {END!r}")
    return "\n".join([head + begin, "", *rows(), "", end + tail])


def main() -> int:
    """Write the page, or with --check say whether it is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when the table is out of date")
    arguments = parser.parse_args()
    page = PAGE.read_text("utf-8")
    wanted = with_table(page)
    if arguments.check and page != wanted:
        sys.stderr.write("docs/architecture.md is out of date: run python scripts/architecture_table.py\n")
        return 1
    if not arguments.check:
        PAGE.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
