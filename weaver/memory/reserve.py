"""Arrays that reserve their address space at once and take RAM page by page, where they are first written."""

from __future__ import annotations

import mmap
import sys
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

# A shared anonymous mapping would count as a file in the cgroup's eyes; Windows has no flags, and commits lazily too.
_PRIVATE: dict[str, int] = {} if sys.platform == "win32" else {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS}


def reserved_zeros(length: int, dtype: DTypeLike) -> NDArray[Any]:
    """Zeros that cost nothing until written, so that a table grows without the copy that doubling needs.

    The allocator is asked for nothing: what is freed goes back to the system, and no malloc setting changes this.
    """
    size_bytes = max(1, length) * np.dtype(dtype).itemsize
    return np.frombuffer(mmap.mmap(-1, size_bytes, **_PRIVATE), dtype=dtype, count=length)
