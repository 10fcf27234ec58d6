"""httrack on the same pages: it copies one host's pages, with the connections it is allowed, and keeps the files."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.contenders.outcome import Stopwatch, pin


def main() -> None:
    """usage: python -m benchmarks.contenders.httrack_mirror ENTRY CONCURRENCY CORE"""
    entry, connections = sys.argv[1], min(int(sys.argv[2]), 8)
    pin(int(sys.argv[3]))
    host = urlsplit(entry).netloc
    with tempfile.TemporaryDirectory(prefix="weaver-bench-") as folder:
        limits = ["--disable-security-limits", "--max-rate=0", "--connection-per-second=0", f"--sockets={connections}"]
        pages_only = ["--near=0", "--priority=1"]
        stopwatch = Stopwatch()
        subprocess.run(
            ["httrack", entry, "--path", folder, "--quiet", "--robots=2", *pages_only, *limits, f"+{host}/*"],
            check=False,
            stdout=subprocess.DEVNULL,
        )
        cost = stopwatch.stopped()
        site = Path(folder) / host.replace(":", "_")
        cost.report([str(path) for path in site.rglob("*") if path.is_file()], digest="")


if __name__ == "__main__":
    main()
