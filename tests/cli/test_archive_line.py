"""The line on the archive of a crawl."""

from __future__ import annotations

from pathlib import Path

from weaver.cli.summary import summary

WARC = {"directory": "warc", "responses": 1_200, "revisits": 30, "left_out": 0, "files": 2, "bytes": 3 << 20}


def test_the_summary_tells_what_the_archive_holds() -> None:
    """Responses, revisits and what was left out, the size and the files; nothing where no archive is kept."""
    told = summary({"state": "finished", "warc": WARC}, {}, Path("c"))
    assert "archive     1,200 responses, 30 revisits; 3.0 MiB in 2 files in warc" in told
    told = summary({"state": "finished", "warc": WARC | {"left_out": 7, "files": 1}}, {}, Path("c"))
    assert "30 revisits, 7 left out (warc.duplicates); 3.0 MiB in 1 file in warc" in told
    assert "archive" not in summary({"state": "finished", "warc": None}, {}, Path("c"))
