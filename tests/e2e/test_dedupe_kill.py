"""kill -9 at any moment: `weaver dedupe` goes on by the same command and ends as if nothing had happened."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from pathlib import Path

import pytest

from tests.support.crawls import command, run_command

pytestmark = pytest.mark.slow

DOCUMENTS = 8_000
KILLS = 6
RESULTS = ("clusters.jsonl", "keep.txt", "keep.jsonl", "report.json")


def _write_corpus(path: Path) -> None:
    """A third of the texts repeats an earlier one, a third of these with a word changed."""
    chance = random.Random(3)
    words = [f"w{number}" for number in range(5_000)]
    texts: list[list[str]] = []
    with gzip.open(path, "wt", 1) as stream:
        for number in range(DOCUMENTS):
            text = chance.choice(texts) if number % 3 == 1 else chance.choices(words, k=chance.randint(20, 300))
            if number % 9 == 1:
                text = [*text[:7], "changed", *text[8:]]
            texts.append(text)
            stream.write(json.dumps({"id": number, "text": " ".join(text)}) + "\n")


async def test_a_killed_run_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    """Six kills at random moments: the same clusters, the same list to keep, the same pairs, the same report."""
    corpus = tmp_path / "made.jsonl.gz"
    _write_corpus(corpus)
    arguments = ("dedupe", str(corpus), "--json", "-q", "--pairs")
    await run_command(*arguments, str(tmp_path / "calm.csv"), "-o", str(tmp_path / "calm"))
    killed = (*arguments, str(tmp_path / "killed.csv"), "-o", str(tmp_path / "killed"))
    chance = random.Random(7)
    kills = 0
    while kills < KILLS:
        async with command(*killed) as process:
            end = asyncio.ensure_future(process.wait())
            done, _ = await asyncio.wait([end], timeout=chance.uniform(0.3, 1.2))
            if done:
                break
            process.kill()
            await end
            kills += 1
    await run_command(*killed)
    assert kills
    for name in RESULTS:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "calm" / name).read_bytes(), name
    assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "calm.csv").read_bytes()
    assert not (tmp_path / "killed" / "dedupe.db-wal").exists()
