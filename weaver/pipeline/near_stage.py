"""Near duplicates in a crawl: what is constructed for them, and what the writer does for them besides commits."""

from __future__ import annotations

from weaver.base.settings import DedupeSettings
from weaver.dedupe import NearPages
from weaver.memory.budget import Budget
from weaver.persistence import Chore, Chores, Connection, NearArchive, NearMerging


def build_near(
    settings: DedupeSettings, budget: Budget, connection: Connection, *, is_complete: bool
) -> NearPages | None:
    """The index of near duplicates over the crawl's reading connection; None where the user wants none."""
    if not settings.near:
        return None
    near, boilerplate = budget.account("near"), budget.account("boilerplate")
    return NearPages(settings, near, boilerplate, NearArchive(connection), is_complete=is_complete)


def with_merging(near: NearPages | None, chore: Chore) -> Chore:
    """A chore with the merging of keys before it, for a page whose keys are not merged in time goes unseen."""
    return chore if near is None else Chores(NearMerging(near.unmerged_pages), chore)
