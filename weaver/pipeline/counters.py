"""Counters: what the crawl has done so far, exact whatever was evicted."""

from __future__ import annotations

from dataclasses import dataclass, field

from weaver.base.page import PageState
from weaver.base.record import PageRow


@dataclass(slots=True)
class Counters:
    """Pages by outcome and the rest that `status` tells; `reasons` counts outcomes by their reason."""

    new: int = 0
    duplicate: int = 0
    near_duplicates: int = 0
    redirect: int = 0
    failed: int = 0
    blocked_robots: int = 0
    skipped: int = 0
    body_bytes: int = 0
    wire_bytes: int = 0
    retries: int = 0
    robots_fetched: int = 0
    internal_errors: int = 0
    local_limits: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def fetched(self) -> int:
        """Pages whose body was taken, duplicates included."""
        return self.new + self.duplicate

    def count(self, page: PageRow) -> None:
        """Add one page's outcome."""
        self.count_state(page.state, page.reason, 1)
        self.body_bytes += page.body_bytes

    def count_state(self, state: str, reason: str, pages: int) -> None:
        """Add a number of pages with one outcome, as on resume."""
        match state:
            case PageState.FETCHED:
                self.new += pages
            case PageState.DUPLICATE:
                self.duplicate += pages
            case PageState.REDIRECT:
                self.redirect += pages
            case PageState.FAILED:
                self.failed += pages
            case PageState.BLOCKED:
                self.blocked_robots += pages
            case PageState.SKIPPED:
                self.skipped += pages
        if reason:
            self.reasons[reason] = self.reasons.get(reason, 0) + pages
