"""Where processes that read have room, and what they are counted as."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.memory.fake_root import MIB, V2_MOUNT, FakeRoot
from weaver.base.settings import CrawlSettings, Settings
from weaver.memory.budget import Budget
from weaver.memory.meter import Meter
from weaver.memory.processes import WORKER_BASE_BYTES, base_bytes_of_workers
from weaver.pipeline.reading_stage import has_room_for_workers


@pytest.mark.parametrize(
    ("limit_mib", "count", "has_room"),
    [(None, 3, True), (256, 1, False), (420, 1, False), (480, 1, True), (480, 2, False), (700, 3, True)],
)
def test_processes_come_only_where_the_groups_limit_has_room(
    tmp_path: Path, limit_mib: int | None, count: int, has_room: bool
) -> None:
    """What is promised without them and what each has at its start must stay below the limit; without one, all may."""
    root = FakeRoot(tmp_path)
    root.put("proc/self/statm", "100000 2500 900 1 0 3000 0")
    root.put("proc/meminfo", "MemAvailable:    700 kB")
    root.put_process("0::/job", V2_MOUNT)
    root.put_v2("job", max="max" if limit_mib is None else limit_mib * MIB, high="max", current=20 * MIB)
    meter = Meter(tmp_path)
    assert has_room_for_workers(meter, Budget(256 * MIB), 74 * MIB, count) is has_room
    meter.close()


@pytest.mark.parametrize(("wanted", "beside"), [("auto", 0), (1, 0), (4, 3)])
def test_a_number_that_is_given_is_reckoned_with(wanted: str | int, beside: int) -> None:
    """Each process beyond the first has its base, where the user says how many; what may come by itself has none."""
    settings = Settings(crawl=CrawlSettings.model_validate({"workers": wanted}))
    assert base_bytes_of_workers(settings) == beside * WORKER_BASE_BYTES
