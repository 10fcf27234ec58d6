"""The allocator: named as it is, and made to give freed memory back."""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import os
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from weaver.memory.allocator import (
    AllocatorInfo,
    detect,
    keep_large_blocks_apart,
    mimalloc_version,
    share_one_heap,
    system_allocator,
    trim,
)

# 60 000 blocks of 3 kB, of which every hundredth stays: what is freed lies behind what is kept.
_CHILD = """
import json
from weaver.memory.allocator import detect, trim
from weaver.memory.meter import Meter

meter = Meter()
blocks = [bytes(3000) for _ in range(60_000)]
kept = blocks[::100]
del blocks
before = meter.rss()
did_trim = trim()
print(json.dumps([detect().name, detect().version, did_trim, before - meter.rss()]))
"""


# A large block is freed, which moves glibc's threshold.
_FREED = """
import sys
from weaver.memory.allocator import keep_large_blocks_apart
from weaver.memory.meter import Meter

meter = Meter()
if sys.argv[1] == "apart":
    assert keep_large_blocks_apart()
first = b"x" * (24 << 20)
del first
before = meter.rss()
"""

# The next large one has small blocks above it when it goes.
_LARGE_BLOCKS = f"""{_FREED}
second = b"x" * (20 << 20)
above = [b"x" * 100_000 for _ in range(20)]
del second
print(meter.rss() - before)
"""

# What a page takes for a moment goes, and something small and lasting is above it, two hundred times.
_PASSING_BLOCKS = f"""{_FREED}
passing, lasting = [], []
for _ in range(200):
    passing.append(b"x" * (65 << 10))
    lasting.append(b"x" * 1000)
del passing
print(meter.rss() - before)
"""

# Whether what a thread allocates is in the process's own heap.
_THREAD = """
import sys
import threading
from pathlib import Path
from weaver.memory.allocator import share_one_heap

if sys.argv[1] == "one heap":
    assert share_one_heap()
kept = []
thread = threading.Thread(target=lambda: kept.append(bytes(100_000)))
thread.start()
thread.join()
heap = next(line for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith("[heap]"))
first, end = (int(address, 16) for address in heap.split()[0].split("-"))
print(first <= id(kept[0]) < end)
"""


def run_child(preload: str = "") -> tuple[str, str, bool, int]:
    """The child's allocator, its version, whether it was trimmed, and the bytes that came back."""
    environment = {**os.environ, "LD_PRELOAD": preload, "MALLOC_CONF": "dirty_decay_ms:-1"}
    done = subprocess.run([sys.executable, "-c", _CHILD], env=environment, capture_output=True, check=True)
    name, version, did_trim, released = json.loads(done.stdout)
    return name, version, did_trim, released


def library(name: str) -> str:
    """The library's file name; the test skips where the machine lacks it."""
    found = ctypes.util.find_library(name) if sys.platform == "linux" else None
    if found is None:
        pytest.skip(f"needs lib{name}")
    return found


def test_the_allocator_is_named() -> None:
    """Detection gives one of the names, the same each time, with a version for glibc."""
    info = detect()
    assert info is detect()
    assert info.name in {"glibc", "jemalloc", "mimalloc", "musl", "other"}
    if info.name == "glibc":
        assert info.version.startswith("2.")


def test_any_thread_may_trim() -> None:
    """A trim from several threads at once does no harm, and says whether it did something."""
    said: list[bool] = []
    threads = [threading.Thread(target=lambda: said.append(trim())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 4
    if detect().name in {"musl", "mimalloc", "other"}:
        assert not any(said)


def test_a_musl_process_is_known_by_its_triplet() -> None:
    """musl exports nothing of its own; the triplet that Python was built for tells, and glibc's names do not count."""
    process = ctypes.CDLL(None)
    assert system_allocator(process, "x86_64-alpine-linux-musl") == AllocatorInfo("musl", "")


def test_a_system_of_no_known_name_is_other() -> None:
    """A C library without glibc's functions, such as macOS's, is `other`."""
    assert system_allocator(SimpleNamespace(), "") == AllocatorInfo("other", "")


@pytest.mark.parametrize(("number", "version"), [(209, "2.0.9"), (217, "2.1.7"), (301, "3.0.1"), (30201, "3.2.1")])
def test_mimalloc_numbers_its_versions_in_two_ways(number: int, version: str) -> None:
    """Three digits and five are both read as a version."""
    assert mimalloc_version(number) == version


@pytest.mark.slow
def test_glibc_gives_freed_memory_back() -> None:
    """Trimming glibc returns what small survivors held back, 180 MB less the survivors."""
    if detect().name != "glibc":
        pytest.skip("needs glibc")
    name, _, did_trim, released = run_child()
    assert (name, did_trim) == ("glibc", True)
    assert released > 120 << 20


@pytest.mark.slow
def test_a_preloaded_jemalloc_is_named_and_purged() -> None:
    """With jemalloc preloaded, its name and release are reported, and the purge returns what was freed."""
    name, version, did_trim, released = run_child(library("jemalloc"))
    assert (name, did_trim) == ("jemalloc", True)
    assert version.startswith("5.")
    assert "-" not in version
    assert released > 120 << 20


@pytest.mark.slow
def test_a_preloaded_mimalloc_is_named_and_left_alone() -> None:
    """With mimalloc preloaded, its name and version are reported, and a trim does nothing."""
    name, version, did_trim, _ = run_child(library("mimalloc"))
    assert (name, did_trim) == ("mimalloc", False)
    assert version[0] in "123"


@pytest.mark.parametrize(("script", "most_mib"), [(_LARGE_BLOCKS, 8), (_PASSING_BLOCKS, 2)], ids=["large", "passing"])
def test_blocks_that_are_freed_go_back_at_once(script: str, most_mib: int) -> None:
    """What was allocated after a block of more than 64 KiB does not keep it resident, as by glibc's own habit."""
    if detect().name != "glibc":
        assert not keep_large_blocks_apart()
        pytest.skip("needs glibc")
    held = [
        int(subprocess.run([sys.executable, "-c", script, how], capture_output=True, check=True).stdout)
        for how in ("apart", "as it is")
    ]
    assert held[0] < most_mib << 20 < held[1]


def test_threads_share_a_heap() -> None:
    """What another thread allocates is in the process's heap, where glibc alone would give the thread its own."""
    if detect().name != "glibc":
        assert not share_one_heap()
        pytest.skip("needs glibc")
    told = [
        subprocess.run([sys.executable, "-c", _THREAD, how], capture_output=True, check=True, text=True).stdout
        for how in ("one heap", "as it is")
    ]
    assert told == ["True\n", "False\n"]
