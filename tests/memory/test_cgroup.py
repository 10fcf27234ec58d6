"""Control groups: the limit of the process's groups, in every shape that machines and containers give them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.memory.fake_root import MIB, NO_LIMIT_V1, V1_MOUNT, V2_MOUNT, FakeRoot
from weaver.memory.cgroup import ControlGroups, stall_share
from weaver.memory.kept_file import KeptFile

PRESSURE = "some avg10=12.50 avg60=3.00 avg300=1.00 total=99\nfull avg10=50.00 avg60=1.00 avg300=0.00 total=9"


@pytest.fixture
def root(tmp_path: Path) -> FakeRoot:
    return FakeRoot(tmp_path)


def limit_and_used(root: FakeRoot) -> tuple[int | None, int | None]:
    with root.groups() as groups:
        return groups.limit_and_used()


def test_cgroup_v2_takes_the_least_limit_of_all_levels(root: FakeRoot) -> None:
    """In nested groups the least of `memory.max` and `memory.high` of every level counts, with that level's use."""
    root.put_process("0::/a/b/c", V2_MOUNT)
    root.put_v2("a", max=900 * MIB, high="max", current=700 * MIB, inactive_file=100 * MIB)
    root.put_v2("a/b", max=800 * MIB, high=600 * MIB, current=500 * MIB, inactive_file=50 * MIB)
    root.put_v2("a/b/c", max=700 * MIB, high="max", current=300 * MIB, inactive_file=10 * MIB)
    assert limit_and_used(root) == (600 * MIB, 450 * MIB)


def test_of_two_levels_with_one_limit_the_outer_one_tells_what_is_used(root: FakeRoot) -> None:
    """Where two levels have the same limit, the neighbours in the outer one count too."""
    root.put_process("0::/a/b", V2_MOUNT)
    root.put_v2("a", max=512 * MIB, current=500 * MIB, inactive_file=0)
    root.put_v2("a/b", max=512 * MIB, current=100 * MIB, inactive_file=0)
    assert limit_and_used(root) == (512 * MIB, 500 * MIB)


def test_file_cache_in_active_use_is_told_apart(root: FakeRoot) -> None:
    """`active_file` is in the figure of what is used, and told besides for the level whose limit is the least."""
    root.put_process("0::/a/b", V2_MOUNT)
    root.put_v2("a", max=512 * MIB, current=500 * MIB, inactive_file=100 * MIB, active_file=300 * MIB)
    root.put_v2("a/b", max="max", current=100 * MIB, inactive_file=0, active_file=7 * MIB)
    with root.groups() as groups:
        assert groups.limit_and_used() == (512 * MIB, 400 * MIB)
        assert groups.active_file() == 300 * MIB


def test_the_word_max_is_no_limit(root: FakeRoot) -> None:
    """`max` everywhere means that there is no limit; what the own group uses is told all the same."""
    root.put_process("0::/a", V2_MOUNT)
    root.put_v2("", max="max", high="max", current=900, inactive_file=100)
    root.put_v2("a", max="max", high="max", current=500, inactive_file=100)
    assert limit_and_used(root) == (None, 400)


def test_a_container_sees_its_own_group_at_the_mount(root: FakeRoot) -> None:
    """In a namespace the path is `/`, and the files of the container's group lie at the mount itself."""
    root.put_process("0::/", V2_MOUNT)
    root.put_v2("", max=256 * MIB, high="max", current=100 * MIB, inactive_file=40 * MIB)
    assert limit_and_used(root) == (256 * MIB, 60 * MIB)


@pytest.mark.parametrize("path", ["/../x", "/..", "/../../a/b"])
def test_a_path_out_of_the_namespace_leaves_the_mount(root: FakeRoot, path: str) -> None:
    """A process that was moved out of its namespace is judged by what is mounted."""
    root.put_process(f"0::{path}", V2_MOUNT)
    root.put_v2("", max=128 * MIB, current=MIB, inactive_file=0)
    root.put("sys/fs/x/memory.max", MIB)
    assert limit_and_used(root) == (128 * MIB, MIB)


def test_a_mount_that_shows_a_group_of_the_host_is_its_path_cut(root: FakeRoot) -> None:
    """In a container without a namespace the path is the host's, and the mount shows the part from its group down."""
    root.put_process(
        "0::/docker/abc/worker", "31 23 0:28 /docker/abc /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n"
    )
    root.put_v2("", max=512 * MIB, current=10, inactive_file=0)
    root.put_v2("worker", max=64 * MIB, current=5, inactive_file=0)
    assert limit_and_used(root) == (64 * MIB, 5)


def test_a_mount_that_shows_the_group_comes_before_one_that_does_not(root: FakeRoot) -> None:
    """Among several mounts of one hierarchy the one that the process's group lies below is read."""
    other = "30 23 0:28 /other /mnt/other rw - cgroup2 cgroup2 rw\n"
    root.put_process("0::/a", other + V2_MOUNT)
    root.put("mnt/other/memory.max", 1 * MIB)
    root.put_v2("a", max=64 * MIB, current=5, inactive_file=0)
    assert limit_and_used(root) == (64 * MIB, 5)


def test_a_mount_point_with_a_space_is_found(root: FakeRoot) -> None:
    """The kernel's escapes in mountinfo are resolved, and optional fields may be there or not."""
    root.put_process("0::/", "31 23 0:28 / /mnt/my\\040groups rw shared:1 master:2 - cgroup2 none rw\n")
    root.put("mnt/my groups/memory.max", 32 * MIB)
    assert limit_and_used(root) == (32 * MIB, None)


def test_without_mountinfo_the_usual_places_are_tried(root: FakeRoot) -> None:
    """Where mountinfo is missing, the group is looked for where distributions mount it."""
    root.put_process("0::/a")
    root.put_v2("a", max=48 * MIB, current=9, inactive_file=0)
    assert limit_and_used(root) == (48 * MIB, 9)


def test_a_group_that_was_removed_leaves_those_above_it(root: FakeRoot) -> None:
    """Where the own group's folder is gone, the nearest above it counts."""
    root.put_process("0::/a/b (deleted)", V2_MOUNT)
    root.put_v2("a", max=48 * MIB, current=9, inactive_file=0)
    assert limit_and_used(root) == (48 * MIB, 9)


def test_missing_files_are_skipped(root: FakeRoot) -> None:
    """A level without its files, as the root of v2 is, takes no part; use without memory.stat counts in full."""
    root.put_process("0::/a/b", V2_MOUNT)
    root.put_v2("a", high=80 * MIB, current=30 * MIB)
    (root.path / "sys/fs/cgroup/a/b").mkdir()
    assert limit_and_used(root) == (80 * MIB, 30 * MIB)


def test_a_limit_of_zero_is_none(root: FakeRoot) -> None:
    """`memory.high` of 0, by which administrators ask for reclaim, is not taken for a limit."""
    root.put_process("0::/", V2_MOUNT)
    root.put_v2("", max=64 * MIB, high=0, current=1, inactive_file=0)
    assert limit_and_used(root) == (64 * MIB, 1)


def test_a_limit_that_is_changed_is_seen(root: FakeRoot) -> None:
    """What an administrator sets while the process runs counts from the next reading."""
    root.put_process("0::/", V2_MOUNT)
    root.put_v2("", max=64 * MIB, current=1, inactive_file=0)
    with root.groups() as groups:
        assert groups.limit_and_used() == (64 * MIB, 1)
        root.put_v2("", max=32 * MIB, current=9)
        assert groups.limit_and_used() == (32 * MIB, 9)
        root.put_v2("", max="max")
        assert groups.limit_and_used() == (None, 9)


def test_cgroup_v1_takes_the_least_limit_of_all_levels(root: FakeRoot) -> None:
    """v1's memory controller is found among the others, and each of its levels asked; inactive files are left out."""
    root.put_process("9:name=systemd:/x\n4:cpu,memory:/a/b\n0::/", V1_MOUNT)
    root.put_v1("", NO_LIMIT_V1, 900 * MIB)
    root.put_v1("a", 300 * MIB, 250 * MIB, inactive_file=50 * MIB)
    root.put_v1("a/b", NO_LIMIT_V1, 100 * MIB, inactive_file=5 * MIB, least=300 * MIB)
    assert limit_and_used(root) == (300 * MIB, 200 * MIB)


def test_cgroup_v1_believes_a_limit_that_it_cannot_see(root: FakeRoot) -> None:
    """The hierarchical limit counts where the level that has it is outside the container."""
    root.put_process("4:memory:/docker/abc", V1_MOUNT.replace(" / ", " /docker/abc ", 1))
    root.put_v1("", NO_LIMIT_V1, 90 * MIB, inactive_file=10 * MIB, least=200 * MIB)
    assert limit_and_used(root) == (200 * MIB, 80 * MIB)


@pytest.mark.parametrize("none", [NO_LIMIT_V1, 0x7FFF_FFFF_FFFF_0000, 2**63 - 1, 2**62])
def test_cgroup_v1_has_many_numbers_for_no_limit(root: FakeRoot, none: int) -> None:
    """LONG_MAX rounded to whatever page the machine has is no limit."""
    root.put_process("4:memory:/", V1_MOUNT)
    root.put_v1("", none, 90 * MIB, least=none)
    assert limit_and_used(root) == (None, 90 * MIB)


def test_a_hybrid_machine_counts_memory_in_v1_and_pressure_in_v2(root: FakeRoot) -> None:
    """Where v1 has the memory controller, `unified` is asked for pressure only."""
    unified = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
    root.put_process("4:memory:/job\n0::/job", V1_MOUNT + unified)
    root.put_v1("job", 64 * MIB, 8 * MIB)
    root.put_v2("unified/job", pressure=PRESSURE)
    with root.groups() as groups:
        assert groups.limit_and_used() == (64 * MIB, 8 * MIB)
        assert groups.stall_share() == 0.125


def test_pressure_is_that_of_the_own_group(root: FakeRoot) -> None:
    """The share of time in which some task waited, of the process's own group; None where the group does not tell."""
    root.put_process("0::/a", V2_MOUNT)
    root.put_v2("", pressure=PRESSURE)
    root.put_v2("a", pressure=PRESSURE.replace("12.50", "0.50"))
    with root.groups() as groups:
        assert groups.stall_share() == 0.005
        root.put_v2("a", pressure="")
        assert groups.stall_share() is None


def test_pressure_that_the_kernel_refuses_is_none(root: FakeRoot) -> None:
    """A pressure file that opens and then answers with an error, as with PSI switched off, tells nothing."""
    root.put_process("0::/", V2_MOUNT)
    (root.path / "sys/fs/cgroup/memory.pressure").mkdir(parents=True)
    with root.groups() as groups:
        assert groups.stall_share() is None


def test_a_share_of_pressure_is_at_most_one(root: FakeRoot) -> None:
    """More than 100 % is taken for all of the time."""
    root.put("pressure", "some avg10=250.00 avg60=0.00 avg300=0.00 total=0")
    file = KeptFile(root.path / "pressure")
    assert stall_share(file) == 1.0
    file.close()


@pytest.mark.parametrize(
    ("cgroup", "mountinfo"),
    [
        ("", ""),
        ("0", "1 2 3"),
        ("0::", " - cgroup2"),
        ("::::\n0::/a\x00b", "31 23 0:28 / /sys/fs/cgroup rw - cgroup2\n - - -"),
        ("4:memory:/" + "x/" * 3000, V1_MOUNT),
        ("0::/" + "y" * 5000, V2_MOUNT),
        ("\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), "\x85"),
    ],
)
def test_garbage_is_no_limit_and_no_error(root: FakeRoot, cgroup: str, mountinfo: str) -> None:
    """Whatever stands in /proc about groups, nothing is raised."""
    root.put_process(cgroup, mountinfo)
    assert limit_and_used(root) == (None, None)


@given(content=st.binary(max_size=200) | st.sampled_from([b"9" * 5000, b"-1", b"1 2", b"0x10", b"max\n", b" 7 "]))
def test_any_content_of_a_limit_is_survived(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """A limit, a use and a pressure of any bytes at all are read without an error, and a limit is above 0."""
    root = FakeRoot(tmp_path_factory.mktemp("root"))
    root.put_process("0::/", V2_MOUNT)
    for name in ("max", "high", "current", "stat", "pressure"):
        root.put(f"sys/fs/cgroup/memory.{name}", content)
    with root.groups() as groups:
        limit, used = groups.limit_and_used()
        assert limit is None or 0 < limit < 2**62
        assert used is None or used >= 0
        assert 0.0 <= (groups.stall_share() or 0.0) <= 1.0


def test_a_machine_without_groups_has_no_limit(tmp_path: Path) -> None:
    """Where there is no /proc at all, there is no limit, and no pressure."""
    groups = ControlGroups(tmp_path)
    assert groups.limit_and_used() == (None, None)
    assert groups.stall_share() is None
    groups.close()
