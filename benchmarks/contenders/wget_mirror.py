"""wget on the same pages: it follows the links of <a> and <area>, one request at a time, and keeps the files."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.contenders.outcome import Stopwatch, pin


def main() -> None:
    """usage: python -m benchmarks.contenders.wget_mirror ENTRY CONCURRENCY CORE"""
    pin(int(sys.argv[3]))
    with tempfile.TemporaryDirectory(prefix="weaver-bench-") as folder:
        command = ["wget", "--quiet", "--recursive", "--level=inf", "--follow-tags=a,area", "--no-host-directories"]
        stopwatch = Stopwatch()
        # It ends with 8 where one page was missing.
        subprocess.run([*command, f"--directory-prefix={folder}", sys.argv[1]], check=False)
        cost = stopwatch.stopped()
        # What its files are named after isn't the URL's text, so that only their number can be compared.
        cost.report([str(path) for path in Path(folder).rglob("*") if path.is_file()], digest="")


if __name__ == "__main__":
    main()
