"""The allocator under Python: which malloc this process runs on, and how to make it give freed memory back."""

from __future__ import annotations

import ctypes
import sysconfig
from dataclasses import dataclass
from functools import cache
from typing import Literal

Name = Literal["glibc", "jemalloc", "mimalloc", "musl", "other"]

# jemalloc's MALLCTL_ARENAS_ALL: the purge takes every arena (man jemalloc, 3: "arena.<i>.purge").
_JEMALLOC_PURGE = b"arena.4096.purge"

# mallopt's names of these in glibc's malloc.h, and the values given to them.
_M_TRIM_THRESHOLD, _TRIM_BYTES = -1, 8 << 20
_M_MMAP_THRESHOLD, _MMAP_BYTES = -3, 64 << 10
_M_ARENA_MAX = -8

# Where mimalloc's version has five digits it is 3.2.1 for 30201; before, it was 2.0.9 for 209.
_MIMALLOC_LONG_VERSION = 10_000


@dataclass(frozen=True, slots=True)
class AllocatorInfo:
    """What `malloc` is in this process, and its version where it tells one."""

    name: Name
    version: str


@cache
def detect() -> AllocatorInfo:
    """The allocator of this process, by the functions that only it exports: a preloaded one comes before the system's.

    One that an extension module keeps to itself is not the process's, and is not seen.
    """
    process = _process()
    if process is None:
        return AllocatorInfo("other", "")
    if hasattr(process, "mallctl"):
        return AllocatorInfo("jemalloc", _jemalloc_version(process))
    if hasattr(process, "mi_version"):
        return AllocatorInfo("mimalloc", mimalloc_version(int(process.mi_version())))
    return system_allocator(process, str(sysconfig.get_config_var("HOST_GNU_TYPE") or ""))


def trim() -> bool:
    """Make the allocator give freed memory back to the system; whether it said that it gave any, or may have.

    glibc: malloc_trim(0), some 20 ms at 200 MiB; jemalloc: its own purge; elsewhere there is no such call, and
    nothing is done. The GIL is released meanwhile, but not malloc's locks: call it off the event loop, from any thread.
    """
    process = _process()
    name = detect().name
    if process is None:
        return False
    if name == "jemalloc":
        return bool(process.mallctl(_JEMALLOC_PURGE, None, None, None, ctypes.c_size_t(0)) == 0)
    return name == "glibc" and bool(process.malloc_trim(ctypes.c_size_t(0)) == 1)


def keep_large_blocks_apart() -> bool:
    """Have every block of 64 KiB or more in a mapping of its own, gone when it is freed; whether it is so from now on.

    glibc begins so at 128 KiB, but moves the threshold up to 32 MiB with the first large block that is freed: from then
    on each large one that goes leaves a hole in the heap, where something small and lasting settles. An LRU map of
    33 MiB under churn was 52 MiB in RSS that way, and is 35 this way. For the whole process; once is enough.
    """
    process = _process()
    if process is None or detect().name != "glibc":
        return False
    # The second is set because the first one stops glibc from moving it: else each large free would shrink the heap.
    return bool(process.mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES) and process.mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES))


def share_one_heap() -> bool:
    """Have all threads allocate from one heap; whether it is so for threads that begin from now on.

    glibc gives each its own, and what the writer's frees between two passes of sealing the loop's can't use: over
    60,000 pages at 12 MiB that was some 2 MiB at the peak.
    """
    process = _process()
    return process is not None and detect().name == "glibc" and bool(process.mallopt(_M_ARENA_MAX, 1))


def system_allocator(process: ctypes.CDLL, host_type: str) -> AllocatorInfo:
    """The C library's own allocator; `host_type` is the triplet that Python was built for."""
    # Asked first: a layer that lends glibc's names to other programs may be loaded into a musl process.
    if host_type.endswith("musl"):
        return AllocatorInfo("musl", "")
    if hasattr(process, "gnu_get_libc_version") and hasattr(process, "malloc_trim"):
        version = process.gnu_get_libc_version
        version.restype = ctypes.c_char_p
        return AllocatorInfo("glibc", version().decode("ascii", "replace"))
    return AllocatorInfo("other", "")


def mimalloc_version(number: int) -> str:
    """mimalloc's version in words: 2.0.9 for 209, 3.2.1 for 30201."""
    base = 100 if number >= _MIMALLOC_LONG_VERSION else 10
    return f"{number // base**2}.{number // base % base}.{number % base}"


def _jemalloc_version(process: ctypes.CDLL) -> str:
    version, size = ctypes.c_char_p(), ctypes.c_size_t(ctypes.sizeof(ctypes.c_char_p))
    failed = process.mallctl(b"version", ctypes.byref(version), ctypes.byref(size), None, ctypes.c_size_t(0))
    # "5.3.0-0-g54eaed1d8b56b1aa528be3bdd1877e59c56fa90c": the release, then the commit it was built from.
    return "" if failed or not version.value else version.value.decode("ascii", "replace").partition("-")[0]


@cache
def _process() -> ctypes.CDLL | None:
    """The functions that are loaded in this process; None where the system has no such view (Windows)."""
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):
        return None
