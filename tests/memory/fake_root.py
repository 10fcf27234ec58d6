"""A file system root made for a test: what /proc and /sys/fs/cgroup hold on some machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weaver.memory.cgroup import ControlGroups

MIB = 1 << 20
NO_LIMIT_V1 = 9_223_372_036_854_771_712
V2_MOUNT = "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNT = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"


class FakeRoot:
    """The root of a machine; nothing is there but what a test puts there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, name: str, content: str | int | bytes) -> None:
        """Write a file, with the folders above it."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else f"{content}\n".encode())

    def put_process(self, cgroup: str, mountinfo: str | None = None) -> None:
        """Say which groups the process is in, and what is mounted."""
        self.put("proc/self/cgroup", cgroup)
        if mountinfo is not None:
            self.put("proc/self/mountinfo", mountinfo)

    def put_v2(self, folder: str, **files: str | int) -> None:
        """Write a v2 group's `max`, `high`, `current`, `pressure`; `inactive_file`, `active_file` go to memory.stat."""
        where = f"sys/fs/cgroup/{folder}"
        inactive, active = files.pop("inactive_file", None), files.pop("active_file", 0)
        if inactive is not None:
            files_in_use = f"inactive_file {inactive}\nactive_file {active}"
            self.put(
                f"{where}/memory.stat", f"anon 12\nfile 90\ninactive_anon 7\nactive_anon 3\n{files_in_use}\nslab 5"
            )
        for name, content in files.items():
            self.put(f"{where}/memory.{name}", content)

    def put_v1(self, folder: str, limit: int, used: int, inactive_file: int = 0, least: int = NO_LIMIT_V1) -> None:
        """Write a v1 group's files; `least` is the limit that memory.stat tells of all the levels above."""
        where = f"sys/fs/cgroup/memory/{folder}"
        self.put(f"{where}/memory.limit_in_bytes", limit)
        self.put(f"{where}/memory.usage_in_bytes", used)
        self.put(
            f"{where}/memory.stat",
            f"cache 3\ninactive_file 1\nhierarchical_memory_limit {least}\n"
            f"hierarchical_memsw_limit {NO_LIMIT_V1}\ntotal_inactive_file {inactive_file}\ntotal_active_file 9",
        )

    @contextmanager
    def groups(self) -> Iterator[ControlGroups]:
        """The control groups as they are found now; closed at the end of the block."""
        groups = ControlGroups(self.path)
        try:
            yield groups
        finally:
            groups.close()
