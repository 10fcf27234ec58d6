"""A memory history as a crawl leaves it: two accounts that fill up, a bout of pressure, as many runs as wanted."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

MIB = 1 << 20
BASELINE, BUDGET = 70 * MIB, 100 * MIB
SEEN_LIMIT, GRAPH_LIMIT = 60 * MIB, 30 * MIB
AT = 1_700_000_000.0
CLIMB = {"kind": "memory_rung", "at": AT + 60.0, "from": "calm", "to": "evict", "reason": "RSS at 1.05 of the budget"}
DESCENT = {"kind": "memory_rung", "at": AT + 70.0, "from": "evict", "to": "calm", "reason": "pressure has gone"}


def sample(run_s: float, *, at: float | None = None, rung: str = "calm", untracked: int = 4 * MIB) -> dict[str, object]:
    """One line: `seen` fills in a minute, `graph` in half of one."""
    seen, graph = int(min(1.0, run_s / 60) * SEEN_LIMIT), int(min(1.0, run_s / 30) * GRAPH_LIMIT)
    return {
        "at": AT + run_s if at is None else at,
        "run_s": run_s,
        "pages": int(100 * run_s),
        "known_urls": int(1_000 * run_s),
        "rss": BASELINE + seen + graph + untracked,
        "baseline": BASELINE,
        "budget": BUDGET,
        "limit": None,
        "untracked": untracked,
        "rung": rung,
        "accounts": {"seen": seen, "graph": graph},
    }


def run_of(seconds: int, began_at: float = AT) -> list[dict[str, object]]:
    """A run's samples, one in five seconds; from the 60th to the 70th second it is pressed."""
    return [
        sample(second, at=began_at + second, rung="evict" if 60 <= second < 70 else "calm")
        for second in range(0, seconds + 1, 5)
    ]


def lines(*facts: Mapping[str, object]) -> str:
    """JSON lines."""
    return "".join(f"{json.dumps(fact)}\n" for fact in facts)


def put_history(crawl: Path, *samples: Mapping[str, object]) -> None:
    """Give a crawl this history, the events of its pressure, and a status with limits."""
    (crawl / "memory.jsonl").write_text(lines(*samples), encoding="utf-8")
    (crawl / "events.jsonl").write_text(lines({"kind": "run_started", "at": AT}, CLIMB, DESCENT), encoding="utf-8")
    put_status(crawl)


def put_status(crawl: Path) -> None:
    """Write what the heartbeat of a crawl says of memory."""
    accounts = {
        tag: {
            "used": limit, "limit": limit, "base_limit": limit, "high_water": limit,
            "charged": 3 * limit, "released": 2 * limit, "evicted": 1_234,
        }
        for tag, limit in (("seen", SEEN_LIMIT), ("graph", GRAPH_LIMIT))
    }  # fmt: skip
    stores = {"seen": {"evicted": 1_234, "reseen": 56}, "graph": {"evicted": 1_234, "reseen": 0}}
    memory = {"budget_bytes": BUDGET, "peak_rss_bytes": 200 * MIB, "accounts": accounts, "stores": stores}
    with contextlib.closing(sqlite3.connect(crawl / "crawl.db")) as connection, connection:
        text = json.dumps({"state": "finished", "memory": memory})
        connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('status', ?)", (text,))
