"""Duplicates in a crawl: what near ones need, what the writer does for them besides commits, and what is told."""

from __future__ import annotations

from weaver.base.events import Events
from weaver.base.settings import DedupeSettings
from weaver.dedupe import DuplicateLinks, NearPages
from weaver.memory.budget import Budget
from weaver.persistence import Chore, Chores, Connection, NearArchive, NearMerging


def build_near(
    settings: DedupeSettings, budget: Budget, connection: Connection, *, seed: int = 0, is_complete: bool
) -> NearPages | None:
    """The index of near duplicates over the crawl's reading connection, with the crawl's seed; None where the user
    wants none."""
    if not settings.near:
        return None
    near, boilerplate = budget.account("near"), budget.account("boilerplate")
    return NearPages(settings, near, boilerplate, NearArchive(connection), seed=seed, is_complete=is_complete)


def with_merging(near: NearPages | None, chore: Chore) -> Chore:
    """A chore with the merging of keys before it, for a page whose keys are not merged in time goes unseen."""
    return chore if near is None else Chores(NearMerging(near.unmerged_pages), chore)


def tell_templates(duplicate_links: DuplicateLinks, events: Events) -> None:
    """An event for each URL template whose duplicates' links are no longer followed: it may be a trap."""
    duplicate_links.listen(
        lambda template, pages: events.emit("duplicates_of_template", template=template, pages=pages)
    )
