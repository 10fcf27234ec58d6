"""`weaver dedupe`: the duplicates among the documents of files, folders and archives, and which ones to keep."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import click

from weaver.analysis.corpus import Corpus, CorpusSettings, dedupe_corpus
from weaver.analysis.corpus_results import CLUSTER_FORMS, KEEP_ROWS, KEEP_TEXT, MOST_PAIRS_PER_CLUSTER
from weaver.analysis.corpus_sources import FORMS
from weaver.base.errors import OtherWork
from weaver.base.units import format_size
from weaver.cli.bar import share_bar
from weaver.cli.exit_codes import ExitCode
from weaver.cli.graph import memory_option
from weaver.cli.terminal import printable

_PATH = click.Path(path_type=Path)
_TROUBLES = {
    "not_json": "lines are no JSON object",
    "no_text_field": "rows have no text",
    "no_id_field": "rows have no id",
    "too_long": "are too long",
    "text_cut": "long texts were compared by their beginning only",
    "damaged": "sources break off",
    "unreadable": "files can't be read",
    "unknown_form": "files are of no known kind",
    "no_text": "records hold no text",
    "no_page": "records hold no page",
    "revisit": "records stand for a page that is not here",
}

MOST_NAMES = 100

Report = Mapping[str, Any]


@click.command()
@click.argument("paths", nargs=-1, required=True, type=_PATH, metavar="PATH...")
@click.option("-o", "--output", type=_PATH, metavar="DIR", help="For the results [dedupe-NAME, of the first path].")
@click.option("--threshold", type=float, default=0.85, show_default=True, help="Jaccard similarity of near duplicates.")
@click.option("--id-field", metavar="NAME", help="[id; where a document has none, its file and line]")
@click.option("--text-field", default="text", show_default=True, metavar="NAME")
@click.option("--format", "form", type=click.Choice(FORMS), help="Of files whose names say none.")
@click.option("--shingle", "words", type=int, default=5, show_default=True, help="Words of a shingle.")
@click.option("--pairs", type=_PATH, metavar="FILE.csv", help="Write id_a,id_b,similarity of all similar documents.")
@click.option("--against", multiple=True, type=_PATH, metavar="DIR", help="Earlier results: what is there is known.")
@click.option("--clusters", "clusters_form", type=click.Choice(CLUSTER_FORMS), default="jsonl", show_default=True)
@click.option("--exact-only", is_flag=True, help="Equal texts only.")
@click.option("--verify/--no-verify", default=True, show_default=True, help="Compare all shingles, or signatures only.")
@memory_option
@click.option("--fresh", is_flag=True, help="Replace what DIR holds, instead of going on with it.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar and no summary.")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON document on stdout.")
def dedupe(
    paths: tuple[Path, ...],
    output: Path | None,
    form: str | None,
    pairs: Path | None,
    against: tuple[Path, ...],
    clusters_form: str,
    memory_bytes: int,
    fresh: bool,
    quiet: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Find the exact and near duplicates among the documents at PATH..., in memory that does not grow with them.

    \b
    .jsonl .csv (.gz .zst)     a document a line; .parquet a row (extra `parquet`)
    .warc (.gz)                the text that a reader sees of each page (extra `warc`)
    .html .txt .md             a document a file; a folder is searched for all of these

    Interrupted or killed, the same command goes on. In DIR: clusters.jsonl, keep.txt, keep.jsonl, report.json.
    """
    with _Bars(not quiet) as tell:
        work = partial(
            dedupe_corpus,
            paths,
            settings=CorpusSettings(**settings),
            form=form,
            against=against,
            pairs=pairs,
            clusters_form=clusters_form,
            memory=memory_bytes,
            fresh=fresh,
            on_share=tell,
        )
        corpus = _in_a_directory_of_its_own(work, _name(paths[0])) if output is None else work(output)
    with corpus:
        _tell(corpus, pairs, quiet, as_json)


def _in_a_directory_of_its_own(work: Callable[[Path], Corpus], name: str) -> Corpus:
    """`dedupe-NAME`, or the first of `dedupe-NAME-2`, ... that is free or holds this work."""
    for number in range(1, MOST_NAMES):
        with suppress(OtherWork):
            return work(Path(f"dedupe-{name}-{number}" if number > 1 else f"dedupe-{name}"))
    return work(Path(f"dedupe-{name}-{MOST_NAMES}"))


def _tell(corpus: Corpus, pairs: Path | None, quiet: bool, as_json: bool) -> None:
    report = corpus.report()
    if as_json:
        click.echo(json.dumps({"directory": str(corpus.directory), **report}))
    elif not quiet:
        click.echo("\n".join(report_lines(report, corpus.directory, pairs)), err=True)
    if not report["documents"]:
        raise click.exceptions.Exit(ExitCode.FAILED)


def report_lines(report: Report, directory: Path, pairs: Path | None = None) -> Iterator[str]:
    """The report for a terminal."""
    duplicates, total = report["duplicates"], report["documents"]
    found = duplicates["exact"] + duplicates["near"]
    share = f" ({found / total:.1%})" if total else ""
    yield f"{total:,} documents, {format_size(report['text_bytes'])} of text"
    if not total and not report["troubles"]:
        yield "nothing to read was found: files are empty, or no file of a folder has a name that says what it is"
    yield f"{found:,} duplicates{share}: {duplicates['exact']:,} exact, {duplicates['near']:,} near"
    yield f"{report['clusters']:,} clusters, the largest of {report['largest_cluster']:,}"
    yield f"{report['kept']:,} to keep, {format_size(report['kept_bytes'])}"
    for reason, trouble in report["troubles"].items():
        yield f"{trouble['count']:,} {_TROUBLES.get(reason, reason)}: {printable('; '.join(trouble['first']))}"
    yield from _cut_lines(report)
    yield f"in {printable(str(directory))}: {KEEP_TEXT}, {KEEP_ROWS}, clusters, report.json"
    if pairs is not None:
        yield f"{report['pairs_written']:,} pairs in {printable(str(pairs))}"


def _cut_lines(report: Report) -> Iterator[str]:
    """What was left out to keep the work linear."""
    if report["pairs_omitted"]:
        yield f"{report['pairs_omitted']:,} pairs left out, beyond {MOST_PAIRS_PER_CLUSTER:,} of one cluster"
    cut = report["cut"]
    if cut and cut["keys"]:
        yield (
            f"{cut['keys']:,} groups of look-alikes, the largest of {cut['longest']:,}, were compared in part:"
            " clusters are whole as a rule, pairs are not all there"
        )


class _Bars:
    """A bar for each thing that is done, one after the other."""

    def __init__(self, is_wanted: bool) -> None:
        self._is_wanted = is_wanted
        self._stack = ExitStack()
        self._doing = ""

    def __enter__(self) -> Any:
        return self._tell

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _tell(self, doing: str, share: float) -> None:
        if doing != self._doing:
            self._stack.close()
            self._doing = doing
            self._on_share = self._stack.enter_context(share_bar(doing, is_wanted=self._is_wanted))
        self._on_share(share)


def _name(path: Path) -> str:
    """The path's last part without its suffixes."""
    name = path.resolve().name
    return name.partition(".")[0] or name
