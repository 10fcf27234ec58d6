"""The report of duplicates: the clusters of copies and of near ones, what they cost, and what a site owner can do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.directory import open_reader
from weaver.analysis.duplicate_costs import Document, DuplicatePage, Found, judged
from weaver.analysis.duplicate_variants import variant_of
from weaver.analysis.edge_stream import EdgeStream
from weaver.analysis.near_clusters import near_members
from weaver.analysis.tables import Row, Table
from weaver.base.page import EdgeKind, PageState
from weaver.persistence.crawl_rows import DuplicatePair
from weaver.persistence.near_rows import near_pairs
from weaver.persistence.reader import CrawlReader

BATCH_PAIRS = 1_000
COLUMNS = (
    "representative_url", "url", "same", "similarity", "cluster", "variant", "advice", "target_url", "body_bytes",
    "host", "template",
)  # fmt: skip

Canonicals = NDArray[np.uint32]


def duplicates_document(directory: Path, top: int) -> Document:
    """The `weaver duplicates --json` document: totals, and the first `top` clusters, hosts and templates.

    `near` tells the same of pages that are nearly the same, by the clusters of the last run's end. Four passes, over
    the edges, the duplicates, the clusters and the near pairs. Memory: 4 B a known URL for its canonical, and at most
    MOST_TEMPLATES names of hosts and of templates. Raises DirectoryError.
    """
    with open_reader(directory) as reader:
        canonicals = _canonicals(reader)
        found = _added_up(_copies(reader, canonicals), top)
        near = _added_up(_near(directory, reader, canonicals), top)
        run = reader.last_run()
        return {
            "directory": str(directory),
            "pages": reader.pages_by_state().get(PageState.FETCHED, 0) + found.pages,
            "duplicates": {"pages": found.pages, "by": dict(found.same), "clusters": found.clusters.total()},
            "wasted": {"requests": found.pages, "bytes": found.size_bytes},
            **found.document(),
            "representative": representative_rule(reader),
            "near": {
                "is_settled": run is not None and run.ended_at is not None,
                "pages": near.pages,
                "bytes": near.size_bytes,
                "kinds": {
                    kind: {"clusters": clusters, "pages": near.pages_in[kind]}
                    for kind, clusters in sorted(near.clusters.items())
                },
                **near.document(),
            },
            "similarities": similarity_counts(directory, found.same),
        }


def duplicates_table(directory: Path, reader: CrawlReader) -> Table:
    """One row for each duplicate, cluster by cluster, with what it differs by and what to do; then the near ones."""
    canonicals = _canonicals(reader)
    pages = chain(_copies(reader, canonicals), _near(directory, reader, canonicals))
    return Table(COLUMNS, map(_row, pages))


def similarity_counts(directory: Path, exact: Counter[str]) -> Document:
    """How many pages are copies byte for byte and by their text, and near pairs by hundredths of similarity."""
    near: Counter[int] = Counter()
    for window in near_pairs(directory):
        near.update(int(similarity * 100 + 1e-9) for _, _, similarity in window)
    return {
        "same_body": exact["body"],
        "same_text": exact["text"],
        "near": [[hundredths / 100, count] for hundredths, count in sorted(near.items())],
    }


def _added_up(pages: Iterable[DuplicatePage], top: int) -> Found:
    found = Found(top)
    for page in pages:
        found.add(page)
    return found


def _near(directory: Path, reader: CrawlReader, canonicals: Canonicals) -> Iterator[DuplicatePage]:
    """All near duplicates, cluster by cluster."""
    is_settled = representative_rule(reader) != "auto"
    return near_members(directory, canonicals, reader.urls_of, is_settled_by_rule=is_settled)


def representative_rule(reader: CrawlReader) -> str:
    """The rule of the last run's settings by which a page stands for its duplicates."""
    run = reader.last_run()
    stored = json.loads(run.settings) if run is not None and run.settings else {}
    return str(stored.get("dedupe", {}).get("representative", "auto"))


def _copies(reader: CrawlReader, canonicals: Canonicals) -> Iterator[DuplicatePage]:
    """All exact duplicates, cluster by cluster."""
    pairs = reader.duplicates()
    while batch := list(islice(pairs, BATCH_PAIRS)):
        ids = {number for pair in batch for number in (pair.representative_id, pair.member_id)}
        ids |= {int(canonicals[number]) for number in ids if number < len(canonicals)}
        urls = reader.urls_of(ids - {0})
        for pair in batch:
            yield _copy(reader, pair, canonicals, urls)


def _copy(reader: CrawlReader, pair: DuplicatePair, canonicals: Canonicals, urls: dict[int, str]) -> DuplicatePage:
    """The representative is the crawl's own; where it names a canonical, that is the page that is meant."""
    known = reader.known_url(pair.member_id)
    url, other = urls.get(pair.member_id, ""), urls.get(pair.representative_id, "")
    meant = int(canonicals[pair.representative_id]) or pair.representative_id
    variant = variant_of(url, other)
    return DuplicatePage(
        url=url,
        representative_url=other,
        representative_id=pair.representative_id,
        same="body" if pair.same_body else "text",
        body_bytes=(known.body_bytes or 0) if known else 0,
        variant=variant,
        advice=judged(pair.member_id, int(canonicals[pair.member_id]), meant, variant),
        target=urls.get(meant, other),
    )


def _canonicals(reader: CrawlReader) -> Canonicals:
    """The page that each page names as its canonical, by its id; 0 for none."""
    last_id = reader.last_url_id()
    canonicals = np.zeros(last_id + 1, np.uint32)
    for window in EdgeStream(reader, last_id):
        is_canonical = window.kinds == EdgeKind.CANONICAL
        canonicals[window.sources[is_canonical]] = window.targets[is_canonical]
    return canonicals


def _row(page: DuplicatePage) -> Row:
    return (
        page.representative_url, page.url, page.same, round(page.similarity, 4), page.cluster, page.variant,
        page.advice, page.target, page.body_bytes, page.host, page.template,
    )  # fmt: skip
