"""What a commit record takes in RAM until it is on disk: itself, and what the stages keep of it meanwhile."""

from __future__ import annotations

from operator import attrgetter

from weaver.base.record import CommitRecord, HostRecord

# Measured with tracemalloc on CPython 3.11 (tests/memory/test_accounts.py repeats it). A record: the places in the
# queues, its tuples. A page: its row, its digests (in the record and as the content index's keys), its text in the page
# run, and the row that leaves the frontier. A URL, its text apart: the row, the id and the key, both numbers, and the
# seen set's entry; one that is refused is in a map of its own besides. The rest are rows.
RECORD_BYTES = 400
PAGE_BYTES = 1_300
URL_BYTES = 350
REFUSED_BYTES = 120
QUEUED_BYTES = 72
PROMOTED_BYTES = 260
HOST_BYTES = 700
NEAR_BYTES = 420

_TEXT_OF_URL = attrgetter("url")


def record_bytes(record: CommitRecord) -> int:
    """Bytes that a record takes from its submission to its commit, within 15 %; 2 us for a page with 14 new URLs."""
    size = RECORD_BYTES + len(record.queued) * QUEUED_BYTES + len(record.promoted) * PROMOTED_BYTES
    if record.urls:
        # What is new and not queued was refused; what is queued and not new was promoted.
        refused = len(record.urls) - len(record.queued) + len(record.promoted)
        size += len(record.urls) * URL_BYTES + sum(map(len, map(_TEXT_OF_URL, record.urls)))
        size += max(0, refused) * REFUSED_BYTES
    if record.hosts:
        size += sum(map(_host_bytes, record.hosts))
    if record.page is not None:
        size += PAGE_BYTES + len(record.page.title) + len(record.page.reason)
    if record.near is not None:
        size += NEAR_BYTES
    if record.adjacency is not None:
        size += len(record.adjacency.targets) + len(record.adjacency.kinds)
    return size


def _host_bytes(host: HostRecord) -> int:
    return HOST_BYTES + len(host.origin) + len(host.robots_body)
