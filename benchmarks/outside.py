"""Outside: the resident memory of a process as another one sees it, before and after the work that is asked of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

Figures = dict[str, Any]
Work = Iterator[Figures]
"""Gives once when it is ready to begin, and once with its figures, while it still holds what it made."""

_FIELD = re.compile(r"^(VmRSS|VmHWM):\s+(\d+) kB$", re.MULTILINE)


def serve(work: Work) -> None:
    """In the process that is watched: tell of each step on stdout, and wait on stdin before the next one."""
    for figures in work:
        print(json.dumps(figures), flush=True)
        sys.stdin.readline()


def measured(arguments: Sequence[str]) -> Figures:
    """The figures of `python -m ARGUMENTS`, which serves its work, and with them `rss_bytes` and `peak_rss_bytes`.

    Both are differences to what the process had when it was ready. Raises CalledProcessError if it fails.
    """
    command = [sys.executable, "-m", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        before = _step(process)[1]["VmRSS"]
        figures, after = _step(process)
        process.communicate("\n")
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return figures | {"rss_bytes": after["VmRSS"] - before, "peak_rss_bytes": after["VmHWM"] - before}


def _step(process: subprocess.Popen[str]) -> tuple[Figures, dict[str, int]]:
    assert process.stdin is not None
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise subprocess.CalledProcessError(process.wait(), process.args)
    status = Path(f"/proc/{process.pid}/status").read_text("ascii")
    memory = {name: int(kib) << 10 for name, kib in _FIELD.findall(status)}
    if not _is_last(line):
        process.stdin.write("\n")
        process.stdin.flush()
    return json.loads(line), memory


def _is_last(line: str) -> bool:
    """Whether the process waits with its figures: they stay in RAM until it is told to end."""
    return line.strip() != "{}"
