"""Files of JSON lines that only grow: a line that a crash tore in two never spoils the next one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO


def json_line(facts: Mapping[str, object]) -> bytes:
    """One line; what JSON can't hold is written as its text."""
    return json.dumps(facts, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"


def open_for_append(path: Path) -> BinaryIO:
    """The file, unbuffered, at a line's beginning: a torn last line is ended first. Raises OSError."""
    stream = path.open("ab", buffering=0)
    size_bytes = stream.tell()
    if size_bytes and _last_byte(path, size_bytes) != b"\n":
        stream.write(b"\n")
    return stream


def append_synced(path: Path, line: bytes) -> None:
    """Append one line and wait until it is on the disk. Raises OSError."""
    with open_for_append(path) as stream:
        write_all(stream, line)
        os.fsync(stream.fileno())


def write_all(stream: BinaryIO, line: bytes) -> None:
    """Write the line whole: a full disk may take a part first, and say so at the next call. Raises OSError."""
    rest = memoryview(line)
    while rest:
        rest = rest[stream.write(rest) :]


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file, in order; torn lines are left out, a missing file is empty. Raises OSError."""
    if not path.exists():
        return
    with path.open("rb") as stream:
        for line in stream:
            try:
                facts = json.loads(line)
            except ValueError:
                continue
            if isinstance(facts, dict):
                yield facts


def _last_byte(path: Path, size_bytes: int) -> bytes:
    with path.open("rb") as stream:
        stream.seek(size_bytes - 1)
        return stream.read(1)
