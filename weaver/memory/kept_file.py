"""KeptFile: a small file of the kernel's that is opened once and read again and again."""

from __future__ import annotations

import os
import re
from pathlib import Path

# The longest of them, memory.stat, has under 4 KiB: one read takes a file whole.
READ_BYTES = 16_384


class KeptFile:
    """A file under /proc or /sys/fs/cgroup, read from its start each time for the price of one system call.

    Its data come from the kernel, or from whatever a container puts in its place: nothing about it raises. A file
    that is missing, has vanished or answers with an error is empty, and is opened anew by the next read. A kept
    descriptor follows its file, not its name: what a rename puts there is not seen.
    """

    __slots__ = ("_descriptor", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def __repr__(self) -> str:
        return f"KeptFile({self.path}: {'closed' if self._descriptor < 0 else 'open'})"

    def read(self) -> bytes:
        """The content now; empty where there is none to be had."""
        try:
            if self._descriptor < 0:
                self._descriptor = os.open(self.path, os.O_RDONLY)
            return os.pread(self._descriptor, READ_BYTES, 0)
        except OSError:
            self.close()
            return b""

    def close(self) -> None:
        """Close the descriptor; a later read opens another."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class Figure:
    """One whole number in a kept file, found by a pattern whose first group is its digits."""

    __slots__ = ("_file", "_pattern")

    def __init__(self, file: KeptFile, pattern: re.Pattern[bytes]) -> None:
        self._file = file
        self._pattern = pattern

    def read(self) -> int | None:
        """The number now; None where the file, or the number in it, is missing."""
        found = self._pattern.search(self._file.read())
        return int(found[1]) if found else None

    def close(self) -> None:
        """Close the file, which may be another figure's too."""
        self._file.close()
