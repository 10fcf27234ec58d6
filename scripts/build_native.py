"""Compile weaver's C sources in place; a machine without a compiler or Python's headers goes on with the Python twins.

usage: python scripts/build_native.py [--must]      with --must, a failure is one
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "weaver" / "native"
# Products and sums are rounded one by one, as Python rounds them.
FLAGS = ["-O2", "-flto", "-fvisibility=hidden", "-ffp-contract=off", "-DNDEBUG"]


def command(target: Path) -> list[str]:
    """The compiler's command line, as this Python was built with."""
    link = shlex.split(sysconfig.get_config_var("LDSHARED") or "cc -shared")
    position_independent = shlex.split(sysconfig.get_config_var("CCSHARED") or "")
    include = f"-I{sysconfig.get_paths()['include']}"
    sources = [str(path) for path in sorted(FOLDER.glob("*.c"))]
    return [*link, *FLAGS, *position_independent, include, *sources, "-lm", "-o", str(target)]


def build() -> str:
    """Put the module beside its sources; why it could not be done, or nothing."""
    name = "compiled" + (sysconfig.get_config_var("EXT_SUFFIX") or ".so")
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        target = Path(folder) / name
        try:
            outcome = subprocess.run(command(target), capture_output=True, text=True, check=False)
        except OSError as error:
            return str(error)
        if outcome.returncode:
            return outcome.stderr.strip() or f"the compiler ended with {outcome.returncode}"
        # In one step, for a crawl may have the old one open.
        target.replace(FOLDER / name)
    return ""


def main() -> int:
    """Build, and say on stderr how it went."""
    refusal = build()
    if refusal:
        sys.stderr.write(f"weaver: not compiled, the Python twins will do: {refusal.splitlines()[0]}\n")
    return int(bool(refusal) and "--must" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
