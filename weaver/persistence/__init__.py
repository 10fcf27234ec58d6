"""The crawl on disk: one SQLite file, written by one thread, read by anyone, whole after any kill."""

from weaver.persistence.archive import Archive, Counts, MaxIds
from weaver.persistence.border import Connection
from weaver.persistence.chores import Chore, Chores
from weaver.persistence.database import CrawlDirectory, read_meta, write_meta
from weaver.persistence.digest import graph_digest
from weaver.persistence.events_log import EventsLog
from weaver.persistence.key_merging import KeyMerging, merge_keys, waiting_count
from weaver.persistence.link_restoring import hosts_of, newest_blocks, newest_rows
from weaver.persistence.lock import LockHolder
from weaver.persistence.memory_log import MemoryLog
from weaver.persistence.near_archive import NearArchive
from weaver.persistence.near_merging import NearMerging
from weaver.persistence.near_settling import settle_near_duplicates
from weaver.persistence.page_caches import PageCaches
from weaver.persistence.queued import QueuedUrl, QueueTotals, hosts_with_queue, queue_totals, queued_of_host
from weaver.persistence.receipts import append_receipt, read_receipts
from weaver.persistence.restoring import (
    duplicate_urls,
    host_page_counts,
    last_settings,
    newest_troubles,
    refused_ids,
    refused_urls,
    url_depths,
    used_time,
)
from weaver.persistence.runs import end_run, start_run
from weaver.persistence.sealer import Sealer
from weaver.persistence.settle import settle_duplicates
from weaver.persistence.upkeep import checkpoint_and_shrink, shrink_memory
from weaver.persistence.url_keys import waiting_keys
from weaver.persistence.warc import WarcArchive, open_archive, stored_mark
from weaver.persistence.writer import Writer

__all__ = [
    "Archive",
    "Chore",
    "Chores",
    "Connection",
    "Counts",
    "CrawlDirectory",
    "EventsLog",
    "KeyMerging",
    "LockHolder",
    "MaxIds",
    "MemoryLog",
    "NearArchive",
    "NearMerging",
    "PageCaches",
    "QueueTotals",
    "QueuedUrl",
    "Sealer",
    "WarcArchive",
    "Writer",
    "append_receipt",
    "checkpoint_and_shrink",
    "duplicate_urls",
    "end_run",
    "graph_digest",
    "host_page_counts",
    "hosts_of",
    "hosts_with_queue",
    "last_settings",
    "merge_keys",
    "newest_blocks",
    "newest_rows",
    "newest_troubles",
    "open_archive",
    "queue_totals",
    "queued_of_host",
    "read_meta",
    "read_receipts",
    "refused_ids",
    "refused_urls",
    "settle_duplicates",
    "settle_near_duplicates",
    "shrink_memory",
    "start_run",
    "stored_mark",
    "url_depths",
    "used_time",
    "waiting_count",
    "waiting_keys",
    "write_meta",
]
