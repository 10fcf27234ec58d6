"""ScratchFile: arrays put aside in a file without a name, which is gone with its last user or its process."""

from __future__ import annotations

import os
import tempfile
import weakref
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from weaver.base.errors import DirectoryError

Number = TypeVar("Number", np.uint32, np.uint64)


class ScratchFile:
    """Grows at its end; any span is read into a new array, so that no page of it is counted to the process.

    In `directory` where that can be written, else where the system keeps its temporary files.
    """

    def __init__(self, directory: Path) -> None:
        place = directory if os.access(directory, os.W_OK) else Path(tempfile.gettempdir())
        try:
            self._stream = tempfile.TemporaryFile(dir=place, buffering=0)  # noqa: SIM115 - it lives as long as we do
        except OSError as error:
            raise DirectoryError(f"can't put data aside in {place}: {error.strerror}") from error
        self.size_bytes = 0
        self._closing = weakref.finalize(self, self._stream.close)

    def __repr__(self) -> str:
        return f"ScratchFile({self.size_bytes} B)"

    def append(self, values: NDArray[Number]) -> None:
        """Write the values behind what is there. Raises DirectoryError when the disk is full."""
        waiting = np.ascontiguousarray(values).view(np.uint8).data
        try:
            while waiting:
                written = os.pwrite(self._stream.fileno(), waiting, self.size_bytes)
                self.size_bytes += written
                waiting = waiting[written:]
        except OSError as error:
            raise DirectoryError(f"can't put data aside: {error.strerror}") from error

    def read(self, kind: type[Number], begin: int, end: int) -> NDArray[Number]:
        """The values `begin` to `end` of a file of this kind."""
        values: NDArray[Number] = np.empty(end - begin, kind)
        waiting, at = values.view(np.uint8).data, begin * values.itemsize
        while waiting:
            count = os.preadv(self._stream.fileno(), [waiting], at)
            if not count:
                raise EOFError(f"expected {len(waiting)} bytes at {at} of {self!r}")
            at += count
            waiting = waiting[count:]
        return values

    def close(self) -> None:
        """Give the disk back now, and not when nobody uses it any more; may be called again."""
        self._closing()
