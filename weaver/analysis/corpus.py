"""Corpus: the documents of any files without their duplicates, as a call in bounded memory and as what it left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Self

import orjson

from weaver.analysis.corpora import EARLIER_DOCUMENTS, Corpora
from weaver.analysis.corpus_clusters import (
    KEPT,
    CorpusClusters,
    Kept,
    Member,
    SimilarPair,
    check_fits,
)
from weaver.analysis.corpus_comparing import CorpusComparing
from weaver.analysis.corpus_keys import LEAST_THRESHOLD, KeyMaker
from weaver.analysis.corpus_reading import CorpusReading
from weaver.analysis.corpus_results import (
    MOST_PAIRS_PER_CLUSTER,
    REPORT,
    write_clusters,
    write_keep,
    write_pairs,
    write_report,
)
from weaver.analysis.corpus_sources import Fields, Source, sources_of
from weaver.base.errors import DirectoryError, OtherWork, SettingsError
from weaver.base.units import format_size, parse_size
from weaver.memory.budget import Budget
from weaver.persistence.corpus_store import CorpusStore, SourceRow

SHARES = {"database": 0.1, "documents": 0.35, "window": 0.25}
"""The rest is for the text that is being read, and for what no account sees."""
LEAST_MEMORY_BYTES = 16 << 20
SETTINGS, FINISHED, AGAINST = "settings", "finished", "against"
COMPARABLE = ("threshold", "words", "exact_only", "verify")
"""The settings that two corpora must share for near duplicates between them to be found."""

OnShare = Callable[[str, float], None]
"""Told what is being done, and how much of that is done, from 0 to 1."""
AnyPath = str | PathLike[str]


@dataclass(frozen=True, slots=True)
class CorpusSettings:
    """How documents are compared; a run that goes on has the same ones.

    `threshold` is the Jaccard similarity of the sets of `words`-word shingles from which two documents are near
    duplicates. `exact_only` looks for equal texts alone. `verify` keeps all shingles on disk and compares them exactly;
    without it, large sets are compared by signatures of 128 hashes.
    """

    threshold: float = 0.85
    id_field: str | None = None
    text_field: str = "text"
    words: int = 5
    exact_only: bool = False
    verify: bool = True

    def check(self) -> None:
        """Raise SettingsError for what can't be done."""
        if not LEAST_THRESHOLD <= self.threshold <= 1:
            raise SettingsError(f"expected a threshold from {LEAST_THRESHOLD} to 1, got {self.threshold}")
        if not 1 <= self.words <= 64:
            raise SettingsError(f"expected shingles of 1 to 64 words, got {self.words}")


class Corpus:
    """What `dedupe_corpus` left in a directory, read in bounded memory; `with` closes it.

    Raises DirectoryError where nothing is, or where the work is not finished.
    """

    def __init__(self, directory: AnyPath, memory: int | str = "256MiB") -> None:
        self.directory = Path(directory)
        budget = _budget(memory)
        self._resources = ExitStack()
        with ExitStack() as stack:
            cache_bytes = budget.account("database").limit // 2
            store = stack.enter_context(CorpusStore.open_readonly(self.directory, cache_bytes))
            if store.meta(FINISHED) is None:
                raise DirectoryError(f"{self.directory}: the work is not finished; the same command goes on")
            earlier = _earlier_stores(stack, store.meta(AGAINST) or [], cache_bytes)
            corpora = Corpora(earlier, store, budget.account("window"))
            check_fits(corpora.total, budget.account("documents").limit)
            self._clusters = CorpusClusters(corpora, corpora.columns(), budget.account("documents"))
            self._resources = stack.pop_all()

    def __repr__(self) -> str:
        return f"Corpus({self.directory}, {self._clusters!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the files go."""
        self._resources.close()

    def report(self) -> dict[str, Any]:
        """The `report.json` document."""
        report: dict[str, Any] = orjson.loads((self.directory / REPORT).read_bytes())
        return report

    def members(self) -> Iterator[Member]:
        """The documents of all clusters of two and more, cluster by cluster."""
        return self._clusters.members()

    def kept(self) -> Iterator[Kept]:
        """The documents to keep: one of each cluster, and those in none."""
        return (kept for kept, _ in self._clusters.kept())

    @property
    def omitted_pairs(self) -> int:
        """How many pairs `pairs` left out so far because their cluster had no more."""
        return self._clusters.omitted_pairs

    def pairs(self, most_per_cluster: int = MOST_PAIRS_PER_CLUSTER) -> Iterator[SimilarPair]:
        """Every two similar documents, at most so many pairs of a cluster."""
        return self._clusters.pairs(most_per_cluster)


def dedupe_corpus(
    paths: Iterable[AnyPath],
    directory: AnyPath,
    settings: CorpusSettings | None = None,
    *,
    form: str | None = None,
    against: Iterable[AnyPath] = (),
    pairs: AnyPath | None = None,
    clusters_form: str = "jsonl",
    memory: int | str = "256MiB",
    fresh: bool = False,
    on_share: OnShare = lambda _doing, _share: None,
) -> Corpus:
    """Find the duplicates among the documents of all paths and write what was found into `directory`.

    Interrupted or killed, the same call goes on. `form` is that of files whose names say none; `against` names
    directories of earlier calls: what was there already is a duplicate; `pairs` is a CSV file for all similar pairs;
    `fresh` replaces what the directory holds. Raises SettingsError, DirectoryError (OtherWork where the directory has
    results of another call), MissingLibrary.
    """
    settings = settings or CorpusSettings()
    settings.check()
    sources = sources_of([Path(path) for path in paths], form)
    budget = _budget(memory)
    earlier = [Path(path) for path in against]
    if pairs is not None and not Path(pairs).absolute().parent.is_dir():
        raise SettingsError(f"expected a folder to write {pairs} into, found none")
    with ExitStack() as stack:
        cache_bytes = budget.account("database").limit // (1 + len(earlier))
        if fresh:
            CorpusStore.discard(Path(directory))
        stores = _earlier_stores(stack, [str(path) for path in earlier], cache_bytes)
        for earlier_store in stores:
            _check_comparable(earlier_store, settings)
        store = stack.enter_context(CorpusStore.open(Path(directory), cache_bytes))
        corpora = Corpora(stores, store, budget.account("window"))
        _begin(store, settings, sources, earlier, corpora.own_offset)
        run = _Run(corpora, settings, budget, Path(directory), on_share)
        run.read(sources)
        run.compare()
        run.write(clusters_form, Path(pairs) if pairs is not None else None)
        store.set_meta(FINISHED, 1)
        store.finish()
    return Corpus(directory, memory)


class _Run:
    """One call's steps; each goes on where the store says it stopped."""

    def __init__(
        self, corpora: Corpora, settings: CorpusSettings, budget: Budget, directory: Path, on_share: OnShare
    ) -> None:
        self._corpora = corpora
        self._settings = settings
        self._budget = budget
        self._directory = directory
        self._on_share = on_share
        self._keys = None if settings.exact_only else KeyMaker(settings.threshold)

    def read(self, sources: list[Source]) -> None:
        fields = Fields(self._settings.id_field, self._settings.text_field)
        reading = CorpusReading(
            self._corpora,
            self._keys,
            fields,
            self._settings.words,
            self._budget.limit,
            keeps_shingles=self._settings.verify,
        )
        reading.read(sources, lambda share: self._on_share("reading", share))
        check_fits(self._corpora.total, self._budget.account("documents").limit)

    def compare(self) -> None:
        if self._keys is None or self._corpora.own.meta(FINISHED) is not None:
            return
        window = self._budget.account("window")
        comparing = CorpusComparing(
            self._corpora, self._keys, window.limit, self._directory, is_exact=self._settings.verify
        )
        cut = comparing.compare(self._corpora.columns(), lambda share: self._on_share("comparing", share))
        self._corpora.own.set_meta("candidates", comparing.candidates)
        self._corpora.own.set_meta("cut", asdict(cut))

    def write(self, clusters_form: str, pairs: Path | None) -> None:
        corpora = self._corpora
        clusters = CorpusClusters(corpora, corpora.columns(), self._budget.account("documents"))
        self._on_share("writing", 0.0)
        write_clusters(clusters, self._directory, clusters_form)
        self._on_share("writing", 0.4)
        totals = write_keep(clusters, self._directory)
        self._on_share("writing", 0.7)
        written = write_pairs(clusters, pairs) if pairs is not None else None
        report = self._report(clusters) | {
            "kept_bytes": totals.text_bytes,
            "pairs_written": written,
            "pairs_omitted": clusters.omitted_pairs if pairs is not None else None,
        }
        write_report(report, self._directory)
        self._on_share("writing", 1.0)

    def _report(self, clusters: CorpusClusters) -> dict[str, Any]:
        store = self._corpora.own
        counts = clusters.counts()
        return {
            "settings": asdict(self._settings),
            "sources": [source.path for source in store.sources()],
            "against": store.meta(AGAINST),
            "documents": store.count(),
            "kept": counts[KEPT],
            "duplicates": {"exact": counts["exact"], "near": counts["near"]},
            "clusters": clusters.clusters,
            "largest_cluster": clusters.largest,
            "text_bytes": store.text_bytes(),
            "similarities": store.similarity_counts(),
            "candidates": store.meta("candidates"),
            "cut": store.meta("cut"),
            "troubles": store.troubles(),
        }


def _budget(memory: int | str) -> Budget:
    try:
        limit = parse_size(memory)
    except ValueError as error:
        raise SettingsError(f"memory: {error}") from error
    if limit < LEAST_MEMORY_BYTES:
        raise SettingsError(f"expected at least {format_size(LEAST_MEMORY_BYTES)} of memory, got {format_size(limit)}")
    return Budget(limit, SHARES)


def _earlier_stores(stack: ExitStack, paths: list[str], cache_bytes: int) -> list[CorpusStore]:
    stores = [stack.enter_context(CorpusStore.open_readonly(Path(path), cache_bytes)) for path in paths]
    for path, store in zip(paths, stores, strict=True):
        if store.meta(FINISHED) is None:
            raise DirectoryError(f"{path}: the work there is not finished; its own command goes on")
    return stores


def _check_comparable(earlier: CorpusStore, settings: CorpusSettings) -> None:
    """Raise SettingsError where an earlier corpus can't be compared with: its keys were made for other questions."""
    made, wanted = earlier.meta(SETTINGS), asdict(settings)
    differing = [name for name in COMPARABLE if made[name] != wanted[name]]
    if differing and not settings.exact_only:
        told = ", ".join(f"{name} {made[name]} instead of {wanted[name]}" for name in differing)
        raise SettingsError(f"can't compare with {earlier.path.parent}, which was made with {told}")


def _begin(
    store: CorpusStore, settings: CorpusSettings, sources: list[Source], against: list[Path], offset: int
) -> None:
    """Enter what is to be done into a new store, or see that it is what was begun. Raises OtherWork."""
    wanted = {
        SETTINGS: asdict(settings),
        "sources": [[str(source.path.resolve()), source.form, source.size_bytes] for source in sources],
        AGAINST: [str(path.resolve()) for path in against],
        EARLIER_DOCUMENTS: offset,
    }
    begun = {key: store.meta(key) for key in wanted}
    if begun[SETTINGS] is None:
        with store.transaction():
            for key, value in wanted.items():
                store.set_meta(key, value)
            for number, source in enumerate(sources, 1):
                store.put_source(SourceRow(number, str(source.path), source.form, 0, 0, is_done=False))
        return
    if begun != wanted:
        told = "; ".join(_differences(begun | begun[SETTINGS], wanted | asdict(settings)))
        raise OtherWork(f"{store.path.parent} holds other work, with {told}; name another directory, or begin afresh")


def _differences(begun: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    for key, value in wanted.items():
        if begun[key] != value and key != SETTINGS:
            yield f"{key} {begun[key]} instead of {value}"
