"""What finding URLs by their keys costs the writer: CPU and bytes written, by how many keys are merged at a time."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from weaver.base.record import UrlRow
from weaver.base.settings import PersistenceSettings
from weaver.persistence import Connection, CrawlDirectory
from weaver.persistence.key_merging import merge_keys
from weaver.persistence.url_keys import add_keys, merged_ids

URLS_A_PAGE = 10
PAGES_A_COMMIT = 64
FILL_KEYS = 1 << 19
MIB = 1 << 20


def main() -> None:
    """One JSON line for each size of batch and of page cache."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--known", type=int, default=10_000_000, help="URLs that the index has (default 10 million)")
    parser.add_argument("--batches", type=int, nargs="+", default=[640, 16_384, 65_536, 262_144])
    parser.add_argument("--caches", type=int, nargs="+", default=[8, 32], help="of the writer's connection, in MiB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        filled = CrawlDirectory.create(Path(folder) / "filled")
        with closing(filled.connect(PersistenceSettings(), 64 * MIB)) as connection:
            for last_id in range(0, options.known, FILL_KEYS):
                _commit(connection, last_id, FILL_KEYS)
                merge_keys(connection)
        for cache_mib in options.caches:
            for batch_keys in options.batches:
                copy = shutil.copytree(filled.path, Path(folder) / "copy", dirs_exist_ok=True)
                print(json.dumps(_measured(CrawlDirectory.open_existing(copy), options.known, batch_keys, cache_mib)))


def _measured(directory: CrawlDirectory, known: int, batch_keys: int, cache_mib: int) -> dict[str, object]:
    """As many keys as a batch has, or a few commits of them, in the writer's way."""
    total = max(batch_keys, 64 * 640)
    with closing(directory.connect(PersistenceSettings(), cache_mib * MIB)) as connection:
        before = _written_bytes(), time.process_time(), time.perf_counter()
        made_s = 0.0
        for done in _batches(total, batch_keys):
            for at in range(done, min(done + batch_keys, total), URLS_A_PAGE * PAGES_A_COMMIT):
                made_s += _commit(connection, known + FILL_KEYS + at, URLS_A_PAGE * PAGES_A_COMMIT)
            merge_keys(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        after = _written_bytes(), time.process_time(), time.perf_counter()
        pages = total / URLS_A_PAGE
        keys = [int(key) for key in np.random.default_rng(5).integers(0, 1 << 64, 10_000, np.uint64)]
        began = time.perf_counter()
        for at in range(0, len(keys), URLS_A_PAGE):
            merged_ids(connection, keys[at : at + URLS_A_PAGE])
        look_up_s = time.perf_counter() - began
    return {
        "known": known,
        "batch": batch_keys,
        "cache_mib": cache_mib,
        "written_kib_a_page": round((after[0] - before[0]) / pages / 1024, 1),
        "cpu_us_a_page": round((after[1] - before[1] - made_s) / pages * 1e6, 1),
        "wall_us_a_page": round((after[2] - before[2]) / pages * 1e6, 1),
        "look_up_us_a_page": round(look_up_s / len(keys) * URLS_A_PAGE * 1e6, 1),
    }


def _batches(total: int, batch_keys: int) -> Iterator[int]:
    return iter(range(0, total, batch_keys))


def _commit(connection: Connection, last_id: int, count: int) -> float:
    """Commit random keys; the seconds that it took to make them."""
    began = time.process_time()
    keys = np.random.default_rng(last_id).integers(0, 1 << 64, count, np.uint64).tolist()
    urls = [UrlRow(last_id + i, key, "", 1, 0, 0) for i, key in enumerate(keys, 1)]
    made_s = time.process_time() - began
    connection.execute("BEGIN IMMEDIATE")
    add_keys(connection, urls)
    connection.execute("COMMIT")
    return made_s


def _written_bytes() -> int:
    """What this process gave to write calls so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


if __name__ == "__main__":
    main()
