"""Arrays that reserve their address space at once and take RAM page by page, where they are first written."""

from __future__ import annotations

import mmap
import sys
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

# A shared anonymous mapping would count as a file in the cgroup's eyes; Windows has no flags, and commits lazily too.
_PRIVATE: dict[str, int] = {} if sys.platform == "win32" else {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS}
# Only Linux promises that what was let go reads as zeros again.
_DONTNEED: int | None = mmap.MADV_DONTNEED if sys.platform == "linux" else None


def reserved_zeros(length: int, dtype: DTypeLike) -> NDArray[Any]:
    """Zeros that cost nothing until written, so that a table grows without the copy that doubling needs.

    The allocator is asked for nothing: what is freed goes back to the system, and no malloc setting changes this.
    """
    size_bytes = max(1, length) * np.dtype(dtype).itemsize
    return np.frombuffer(mmap.mmap(-1, size_bytes, **_PRIVATE), dtype=dtype, count=length)


def discard(array: NDArray[Any], start: int) -> int:
    """Make a reserved array's items from `start` on zeros and give their RAM back; the bytes of the whole pages given.

    Where the system can't take pages back, they are zeros all the same.
    """
    first_byte = start * array.itemsize
    first_page = -(-first_byte // mmap.PAGESIZE) * mmap.PAGESIZE
    pages_bytes = array.nbytes - first_page
    if _DONTNEED is None or pages_bytes <= 0:
        array[start:] = 0
        return 0
    array[start : first_page // array.itemsize] = 0
    _mapping_of(array).madvise(_DONTNEED, first_page, pages_bytes)
    return pages_bytes


def _mapping_of(array: NDArray[Any]) -> mmap.mmap:
    base: object = array.base
    mapping = base.obj if isinstance(base, memoryview) else None
    assert isinstance(mapping, mmap.mmap), f"expected an array of reserved_zeros, got one over {base!r}"
    return mapping
