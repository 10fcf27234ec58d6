"""Clusters of nearly the same pages: which page stands for each, whether they share a content or only a template."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from itertools import chain, groupby, islice
from operator import attrgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.duplicate_costs import DuplicatePage, judged_near
from weaver.analysis.duplicate_variants import variant_of
from weaver.dedupe import ClusterKind, Member, kind_of, representative
from weaver.persistence.near_rows import NearMember, near_cluster_members

MOST_JUDGED = 5_000
"""Members of a cluster by which it is judged; of a larger one the first."""

Canonicals = NDArray[np.uint32]
UrlsOf = Callable[[Set[int]], dict[int, str]]


def near_members(
    directory: Path, canonicals: Canonicals, urls_of: UrlsOf, *, is_settled_by_rule: bool = False
) -> Iterator[DuplicatePage]:
    """All pages in clusters of nearly the same ones but those that stand for them, cluster by cluster.

    The page that others name as their canonical stands for a cluster; without one, the shortest URL; or the page that
    the crawl chose, where its settings had a rule for it (`is_settled_by_rule`). `similarity` is that with the page
    that was met before it. `canonicals` says what each page names by its id, `urls_of` URLs by ids. Memory:
    MOST_JUDGED rows.
    """
    rows = chain.from_iterable(near_cluster_members(directory))
    for cluster_id, members in groupby(rows, key=attrgetter("cluster_id")):
        yield from _cluster(members, canonicals, urls_of, cluster_id if is_settled_by_rule else 0)


def _cluster(
    members: Iterator[NearMember], canonicals: Canonicals, urls_of: UrlsOf, chosen: int
) -> Iterator[DuplicatePage]:
    head = list(islice(members, MOST_JUDGED))
    named = {_named(canonicals, member.page_id) for member in head}
    judged = [
        Member(row.page_id, row.url, is_canonical=row.page_id in named, boilerplate=row.boilerplate or 0.0)
        for row in head
    ]
    first = Member(chosen, urls_of({chosen}).get(chosen, "")) if chosen else representative(judged)
    # The page that was met first has no share of its own: nothing was compared with it yet.
    known = [member for member, row in zip(judged, head, strict=True) if row.boilerplate is not None]
    kind = kind_of(known)
    meant = _named(canonicals, first.doc_id) or first.doc_id
    target = urls_of({meant}).get(meant, first.url) if meant != first.doc_id else first.url
    for row in chain(head, members):
        if row.page_id != first.doc_id:
            yield _page(row, first, kind, (meant, target), _named(canonicals, row.page_id))


def _page(row: NearMember, first: Member, kind: ClusterKind, meant: tuple[int, str], named: int) -> DuplicatePage:
    variant = variant_of(row.url, first.url)
    meant_id, target = meant
    return DuplicatePage(
        url=row.url,
        representative_url=first.url,
        representative_id=first.doc_id,
        same="near",
        body_bytes=row.body_bytes,
        variant=variant,
        advice=judged_near(row.page_id, named, meant_id, variant, is_template=kind is ClusterKind.TEMPLATE),
        target=target,
        similarity=row.similarity,
        cluster=kind.value,
    )


def _named(canonicals: Canonicals, page_id: int) -> int:
    """What the page names as its canonical; 0 for none, and for a page that came since."""
    return int(canonicals[page_id]) if page_id < len(canonicals) else 0
