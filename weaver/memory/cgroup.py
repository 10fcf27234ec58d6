"""The control groups that the process is in: the memory they allow it, have in use, and how long they stall for it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath

from weaver.memory.kept_file import Figure, KeptFile

# At most 19 digits, what 64 bits hold: Python refuses to read a number of thousands of digits.
_WHOLE = re.compile(rb"\A\s*(\d{1,19})\s*\Z")
_SOME_STALLED = re.compile(rb"^some avg10=(\d{1,3}(?:\.\d{1,6})?)\b", re.MULTILINE)
_OCTAL = re.compile(r"\\([0-7]{3})")

# "No limit" is the word `max` in v2 and LONG_MAX, rounded down to a page of the machine's size, in v1.
_NO_LIMIT_BYTES = 1 << 62


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How a version of control groups names what it has (kernel: admin-guide/cgroup-v2, cgroup-v1/memory)."""

    # v2 has one hierarchy for all controllers, and none named in /proc/self/cgroup.
    controller: str
    file_system: str
    usual_mounts: tuple[str, ...]
    limits: tuple[str, ...]
    used: str
    inactive_file: re.Pattern[bytes]
    active_file: re.Pattern[bytes]
    # v1 tells the least limit of all levels above, those that a container does not see too.
    hierarchical_limit: re.Pattern[bytes] | None


_V2 = _Dialect(
    controller="",
    file_system="cgroup2",
    usual_mounts=("sys/fs/cgroup/unified", "sys/fs/cgroup"),
    limits=("memory.max", "memory.high"),
    used="memory.current",
    inactive_file=re.compile(rb"^inactive_file (\d{1,19})$", re.MULTILINE),
    active_file=re.compile(rb"^active_file (\d{1,19})$", re.MULTILINE),
    hierarchical_limit=None,
)
_V1 = _Dialect(
    controller="memory",
    file_system="cgroup",
    usual_mounts=("sys/fs/cgroup/memory",),
    limits=("memory.limit_in_bytes",),
    used="memory.usage_in_bytes",
    inactive_file=re.compile(rb"^total_inactive_file (\d{1,19})$", re.MULTILINE),
    active_file=re.compile(rb"^total_active_file (\d{1,19})$", re.MULTILINE),
    hierarchical_limit=re.compile(rb"^hierarchical_memory_limit (\d{1,19})$", re.MULTILINE),
)


@dataclass(frozen=True, slots=True)
class _Mount:
    """Where a hierarchy of control groups is mounted, and which of its groups is seen there."""

    folder: Path
    group: str

    def names_below(self, group: str) -> tuple[str, ...] | None:
        """The names that lead from the mount to a group; None for a group that is not below it."""
        shown, asked = PurePosixPath(self.group).parts, PurePosixPath(group).parts
        below = asked[len(shown) :]
        return below if asked[: len(shown)] == shown and ".." not in below else None


class ControlGroups:
    """The process's groups from its own up to the mount, in v1's memory controller or in cgroup v2, swap left out.

    The groups are found once, at construction; their files are kept open. Nothing raises: what the kernel does not
    say is None. The kernel counts memory in one of the two hierarchies: in v1 where that is mounted, on hybrid
    machines too; pressure is told in v2 only.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        v1, v2 = _group_folders(root, _V1), _group_folders(root, _V2)
        folders, dialect = (v1, _V1) if v1 else (v2, _V2)
        self._levels = [_Level(folder, dialect, is_own=depth == 0) for depth, folder in enumerate(folders)]
        self._pressure = KeptFile(v2[0] / "memory.pressure") if v2 else None
        self._tightest = self._levels[0] if self._levels else None

    def __repr__(self) -> str:
        limit, used = self.limit_and_used()
        return f"ControlGroups({len(self._levels)} levels: {used} of {limit})"

    def limit_and_used(self) -> tuple[int | None, int | None]:
        """The least limit of all levels, and what is in use at the level that has it, both in bytes.

        What is in use leaves out the file cache that the kernel takes back first. Of two levels with one limit the
        outer counts: it holds what its other groups use too. Without any limit: what the process's own group uses.
        """
        least: int | None = None
        tightest = self._levels[0] if self._levels else None
        for level in self._levels:
            limit = level.limit()
            if limit is not None and (least is None or limit <= least):
                least, tightest = limit, level
        self._tightest = tightest
        return least, tightest.used() if tightest else None

    def active_file(self) -> int:
        """The file cache in active use at the level that `limit_and_used` found last, and part of its figure."""
        return self._tightest.active_file if self._tightest else 0

    def stall_share(self) -> float | None:
        """The share of the last 10 s in which a task of the own group waited for memory; None where not told."""
        return stall_share(self._pressure) if self._pressure else None

    def close(self) -> None:
        """Close the files; a later call opens them again."""
        for level in self._levels:
            level.close()
        if self._pressure:
            self._pressure.close()


class _Level:
    """One group's memory files."""

    def __init__(self, folder: Path, dialect: _Dialect, *, is_own: bool) -> None:
        stat = KeptFile(folder / "memory.stat")
        self._limits = [Figure(KeptFile(folder / name), _WHOLE) for name in dialect.limits]
        if is_own and dialect.hierarchical_limit is not None:
            self._limits.append(Figure(stat, dialect.hierarchical_limit))
        self._used = Figure(KeptFile(folder / dialect.used), _WHOLE)
        self._stat = stat
        self._dialect = dialect
        self.active_file = 0

    def limit(self) -> int | None:
        # A limit of 0 is how administrators ask for reclaim; no process lives under it.
        limits = (limit for figure in self._limits if (limit := figure.read()) is not None)
        return min((limit for limit in limits if 0 < limit < _NO_LIMIT_BYTES), default=None)

    def used(self) -> int | None:
        # memory.stat is read once for both: the kernel sums it up over all its processors each time.
        used, stat = self._used.read(), self._stat.read()
        self.active_file = _figure(self._dialect.active_file, stat)
        return None if used is None else max(0, used - _figure(self._dialect.inactive_file, stat))

    def close(self) -> None:
        for figure in (*self._limits, self._used):
            figure.close()
        self._stat.close()


def _figure(pattern: re.Pattern[bytes], stat: bytes) -> int:
    found = pattern.search(stat)
    return int(found[1]) if found else 0


def stall_share(pressure: KeptFile) -> float | None:
    """PSI's `some avg10` as a share of 1; None where the kernel does not keep it (kernel: accounting/psi)."""
    found = _SOME_STALLED.search(pressure.read())
    return min(1.0, float(found[1]) / 100) if found else None


def _group_folders(root: Path, dialect: _Dialect) -> list[Path]:
    """The folders of the process's groups in one hierarchy, its own first; none where it is in no such hierarchy."""
    group = _own_group(_text(root / "proc/self/cgroup"), dialect)
    mounts = [*_mounts(root, dialect), *(_Mount(root / name, "/") for name in dialect.usual_mounts)]
    return [] if group is None else _folders(mounts, group)


def _own_group(cgroup: str, dialect: _Dialect) -> str | None:
    """The process's group by /proc/self/cgroup: `0::/a/b` in v2, `4:cpu,memory:/a/b` in v1."""
    for line in cgroup.split("\n"):
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if group and dialect.controller in controllers.split(","):
            return group
    return None


def _mounts(root: Path, dialect: _Dialect) -> Iterator[_Mount]:
    """The mounts of a hierarchy by /proc/self/mountinfo (man proc_pid_mountinfo, 5)."""
    for line in _text(root / "proc/self/mountinfo").split("\n"):
        where, _, what = line.partition(" - ")
        fields = where.split(" ")
        kind, _, options = what.partition(" ")
        has_controller = not dialect.controller or dialect.controller in options.rpartition(" ")[2].split(",")
        if len(fields) > 4 and kind == dialect.file_system and has_controller:
            yield _Mount(root / _unescaped(fields[4]).lstrip("/"), _unescaped(fields[3]))


def _folders(mounts: list[_Mount], group: str) -> list[Path]:
    """The folders of the group and of all above it that are seen, the group's own first.

    1. A mount that shows the group, or one above it: in a container without a namespace both have the host's names.
    2. A path that leaves the namespace (`/../x`), or lies beside all that is mounted: the mount stands for the group.
    """
    shown = [(mount, names) for mount in mounts if (names := mount.names_below(group)) is not None]
    for mount, names in chain(shown, ((mount, ()) for mount in mounts)):
        folders = [mount.folder.joinpath(*names[:depth]) for depth in range(len(names), -1, -1)]
        # A group that was removed, or is not shown, leaves those above it.
        if seen := [folder for folder in folders if _is_folder(folder)]:
            return seen
    return []


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _text(path: Path) -> str:
    try:
        return os.fsdecode(path.read_bytes())
    except OSError:
        return ""


def _unescaped(field: str) -> str:
    """A field of mountinfo with its escapes, such as `\\040` for a space, resolved."""
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), field)
