"""`weaver graph broken`: the links of a crawl that fail, moved or are blocked, with the pages that carry them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from weaver.analysis.broken import BrokenQuestion, broken_document, broken_table
from weaver.analysis.export import whole_file
from weaver.analysis.row_formats import csv_chunks
from weaver.cli.terminal import printable, shortened

TITLES = {
    "broken": "Broken, no page at the other end",
    "moved_permanently": "Moved for good (301, 308), to be changed",
    "moved_temporarily": "Moved for now (302, 303, 307)",
    "redirect_chains": "Redirected more than once",
    "redirect_loops": "Redirected in a circle",
    "blocked": "Not asked (robots.txt, opt-out, private address)",
}
URL_COLUMNS = 96

Document = dict[str, Any]


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Targets shown of each kind.")
@click.option("--moved", is_flag=True, help="Only what redirects.")
@click.option("--host", metavar="H", help="Only links on the pages of this host.")
@click.option("--target-host", metavar="H", help="Only links that lead to this host.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE.csv", help="Write all of them as CSV.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def broken(
    directory: Path,
    limit: int,
    moved: bool,
    host: str | None,
    target_host: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """List the link targets in DIRECTORY that fail, moved or are blocked, with the pages that carry them.

    Those carried by most pages come first. It reads the disk and nothing else: the crawl may be at work, and nothing
    that left RAM is missing.
    """
    question = BrokenQuestion(directory, host, target_host, moved)
    if output is not None:
        _write(question, output)
        if not as_json:
            return
    document = broken_document(question, limit)
    click.echo(json.dumps(document) if as_json else "\n".join(broken_lines(document)))


def broken_lines(document: Document) -> Iterator[str]:
    """The document for a terminal: each section that has targets, under its title."""
    sections = [name for name in TITLES if name in document]
    targets, links = (sum(document[name][figure] for name in sections) for figure in ("targets", "links"))
    known = _counted(document["nodes"], "known URL")
    yield f"{known}, {targets:,} of them in trouble; {_counted(links, 'link')} to these"
    for name in sections:
        section = document[name]
        if section["targets"]:
            yield ""
            yield f"{TITLES[name]}: {_counted(section['targets'], 'target')}, {_counted(section['links'], 'link')}"
            for entry in section["top"]:
                yield from _entry_lines(entry)
            if len(section["top"]) < section["targets"]:
                yield f"  ... {section['targets'] - len(section['top']):,} more (--limit, or -o FILE.csv for all)"


def _write(question: BrokenQuestion, output: Path) -> None:
    if output.suffix.lower() != ".csv":
        raise click.UsageError(f"expected a file that ends in .csv, got {printable(str(output))}")
    with broken_table(question) as table, whole_file(output) as stream:
        for chunk in csv_chunks(table):
            stream.write(chunk)
    click.echo(f"weaver: written to {printable(str(output))}", err=True)


def _entry_lines(entry: Document) -> Iterator[str]:
    yield f"{entry['pages']:>8,}  {_answer(entry):<16}  {_short(entry['url'])}"
    for step in entry.get("chain", [])[1:-1]:
        yield f"{'via':>26}  {_short(step['url'])}"
    if "chain" in entry:
        yield f"{'to':>26}  {_short(entry['chain'][-1]['url'])}{_fate(entry)}"
    kinds = ", ".join(kind for kind in entry["kinds"] if kind != "hyperlink")
    for page in entry["examples"]:
        yield f"{'on':>26}  {_short(page['url'])}{f' ({kinds})' if kinds else ''}"


def _answer(entry: Document) -> str:
    """The status where it says it all, else the reason."""
    status, reason = entry["status"], entry["reason"] or ""
    if status and reason in ("", f"http_{status}"):
        return str(status)
    return printable(reason or entry["state"])


def _fate(entry: Document) -> str:
    """What is at the end of a redirect, where it is not a page."""
    end = entry["end"]
    if end is None:
        return " (and round again)"
    if end["state"] in ("fetched", "duplicate"):
        return ""
    return f" ({_answer(end)})"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _short(url: str) -> str:
    return shortened(url, URL_COLUMNS)
