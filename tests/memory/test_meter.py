"""The meter: what the system says of this process's memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.memory.fake_root import MIB, V2_MOUNT, FakeRoot
from weaver.memory.meter import Meter, Reading, capped_budget, group_limit_bytes, peak_rss_bytes, rss_bytes

PRESSURE = "some avg10=1.50 avg60=3.00 avg300=1.00 total=99\nfull avg10=0.50 avg60=1.00 avg300=0.00 total=9"


def read(root: Path, page_bytes: int = 4096) -> Reading:
    meter = Meter(root, page_bytes)
    try:
        return meter.read()
    finally:
        meter.close()


def test_the_peak_is_at_least_what_is_resident_now() -> None:
    """Both figures are those of this process, in bytes: megabytes, and the peak not below the present."""
    now = rss_bytes()
    assert now > 8 << 20
    assert peak_rss_bytes() >= now * 0.99


def test_the_meter_agrees_with_the_system() -> None:
    """What the kept file says of this process is what psutil says, and a reading of the machine is whole."""
    meter = Meter()
    assert abs(meter.rss() - rss_bytes()) < 8 * MIB
    reading = meter.read()
    assert reading.rss > 8 * MIB
    assert 0.0 <= reading.stall_share <= 1.0
    meter.close()
    assert meter.rss() > 8 * MIB
    meter.close()


def test_a_reading_holds_all_that_the_system_says(tmp_path: Path) -> None:
    """Resident pages, the group's limit and use, what the machine can give, and the group's pressure, in one value."""
    root = FakeRoot(tmp_path)
    root.put("proc/self/statm", "100000 2500 900 1 0 3000 0")
    root.put("proc/meminfo", "MemTotal:  900 kB\nMemFree:  1 kB\nMemAvailable:    700 kB\nBuffers: 4 kB")
    root.put_process("0::/job", V2_MOUNT)
    root.put_v2("job", max=64 * MIB, high="max", current=20 * MIB, inactive_file=5 * MIB, pressure=PRESSURE)
    assert read(tmp_path) == Reading(
        rss=2500 * 4096, group_used=15 * MIB, group_limit=64 * MIB, available=700 * 1024, stall_share=0.015
    )
    assert read(tmp_path, page_bytes=65_536).rss == 2500 * 65_536


def test_pressure_of_the_machine_stands_in_for_that_of_the_group(tmp_path: Path) -> None:
    """Where the group tells no pressure, /proc/pressure does; where neither does, there is none."""
    root = FakeRoot(tmp_path)
    assert read(tmp_path).stall_share == 0.0
    root.put("proc/pressure/memory", PRESSURE)
    assert read(tmp_path).stall_share == 0.015


@pytest.mark.parametrize("statm", ["", "x y z", "100000", "-1 -1 -1", "9" * 40 + " 1 1"])
def test_another_source_stands_in_where_statm_is_missing(tmp_path: Path, statm: str) -> None:
    """On a system without statm, or with a strange one, what is resident comes from psutil, and the rest is None."""
    root = FakeRoot(tmp_path)
    root.put("proc/self/statm", statm)
    root.put("proc/meminfo", "MemAvailable: much kB")
    reading = read(tmp_path)
    assert reading.rss > 8 * MIB
    assert (reading.group_used, reading.group_limit, reading.available) == (None, None, None)


def test_the_group_limit_is_told_on_its_own(tmp_path: Path) -> None:
    """The limit that caps a budget is the least of the groups'; None where they have none."""
    assert group_limit_bytes(tmp_path) is None
    root = FakeRoot(tmp_path)
    root.put_process("0::/job", V2_MOUNT)
    root.put_v2("job", max=64 * MIB, high=48 * MIB)
    assert group_limit_bytes(tmp_path) == 48 * MIB


def test_no_limit_caps_no_budget() -> None:
    """Without a limit, and under one that is far away, the budget is what was asked for."""
    assert capped_budget(256 * MIB, None, 60 * MIB) == 256 * MIB
    assert capped_budget(256 * MIB, 8 << 30, 60 * MIB) == 256 * MIB


def test_a_group_with_little_room_gets_the_least_budget() -> None:
    """Where the baseline alone fills the group, the budget is 1 MiB, never less."""
    assert capped_budget(256 * MIB, 64 * MIB, 60 * MIB) == MIB


@given(
    asked=st.integers(MIB, 1 << 40),
    limit=st.integers(1, 1 << 42),
    baseline=st.integers(0, 1 << 34),
)
def test_the_promised_peak_stays_under_nine_tenths_of_the_limit(asked: int, limit: int, baseline: int) -> None:
    """Budget, baseline and 10 % of both fit under 90 % of the limit, unless the budget is the least there is."""
    budget = capped_budget(asked, limit, baseline)
    assert MIB <= budget <= asked
    assert budget == MIB or 1.1 * (budget + baseline) <= 0.9 * limit * (1 + 1e-12)
