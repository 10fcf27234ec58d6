"""Which document stands for a cluster, and whether its documents share a content or only a template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from types import MappingProxyType

from weaver.base.url import template_of

# From this share of repeated text on, what pages have in common says more about their site than about them.
TEMPLATE_BOILERPLATE = 0.6
# And so many of a cluster's URLs are of one template.
TEMPLATE_URLS = 0.8


@dataclass(frozen=True, slots=True)
class Member:
    """A document of a cluster: ids count in the order of discovery; `boilerplate` is the share of its text, 0 to 1."""

    doc_id: int
    url: str
    is_canonical: bool = False
    in_links: int = 0
    boilerplate: float = 0.0


class ClusterKind(StrEnum):
    """Why documents are alike: their content is the same, or a template leaves too little of their own to tell."""

    CONTENT = "content"
    TEMPLATE = "template"


RULES: Mapping[str, Callable[[Member], object]] = MappingProxyType({
    "canonical": lambda member: not member.is_canonical,
    "shortest_url": lambda member: len(member.url),
    "most_linked": lambda member: -member.in_links,
    "first_seen": lambda member: member.doc_id,
})
DEFAULT_RULES = ("canonical", "shortest_url", "first_seen")


def representative(members: Iterable[Member], rules: Sequence[str] = DEFAULT_RULES) -> Member:
    """The member that the rules put first, each deciding where those before it do not; at last the first seen.

    `is_canonical`: others of the cluster name it as their canonical, or it names itself. ValueError for a rule that
    there is not, or without members.
    """
    unknown = [rule for rule in rules if rule not in RULES]
    if unknown:
        raise ValueError(f"expected rules among {', '.join(RULES)}, got {unknown[0]!r}")
    return min(members, key=lambda member: (*(RULES[rule](member) for rule in rules), member.doc_id))


def kind_of(members: Sequence[Member]) -> ClusterKind:
    """TEMPLATE where the URLs are of one template and most of the texts is what the host repeats; else CONTENT.

    Copies of one article have little boilerplate or different URLs; a shop's empty categories have much, and one
    template. With less evidence a cluster counts as content, for that is the finding that asks for a look.
    """
    templates = Counter(template_of(member.url) for member in members)
    share = templates.most_common(1)[0][1] / len(members) if members else 0.0
    is_repeated = bool(members) and median(member.boilerplate for member in members) >= TEMPLATE_BOILERPLATE
    return ClusterKind.TEMPLATE if share >= TEMPLATE_URLS and is_repeated else ClusterKind.CONTENT
