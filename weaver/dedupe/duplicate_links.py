"""DuplicateLinks: whether the links of a page that duplicates another are followed."""

from __future__ import annotations

from collections.abc import Callable
from sys import getsizeof
from typing import Literal

from weaver.memory.bounded import BoundedLRU
from weaver.memory.budget import Account

# An entry of the map and a count, without what the map adds for a size, and the template's text, which is a stranger's.
TEMPLATE_BYTES = 90
MAX_TEMPLATES = 50_000


class DuplicateLinks:
    """The rule for duplicates: `never`, `always`, or `elsewhere`, for a bounded number a URL template and host.

    The representative's links are known URLs already, so what is new on a duplicate leads elsewhere by itself;
    the bound ends an infinite space of one page, and a real page behind two names loses nothing. `left_alone` counts
    the duplicates whose links were not followed, `bounded_templates` the templates that met the bound, each of which
    `listen` has told: evidence of a trap.
    """

    def __init__(self, rule: Literal["never", "elsewhere", "always"], per_template: int, account: Account) -> None:
        self._rule = rule
        self.left_alone = self.bounded_templates = 0
        self._on_bound: Callable[[str, int], None] | None = None
        self._per_template = per_template
        self._counts: BoundedLRU[str, int] = BoundedLRU(
            "duplicate_templates",
            MAX_TEMPLATES,
            account=account,
            entry_bytes=TEMPLATE_BYTES,
            bytes_of=lambda template, _count: getsizeof(template),
        )

    def listen(self, on_bound: Callable[[str, int], None]) -> None:
        """Have each template told that meets the bound from now on, with how many duplicates it has."""
        self._on_bound = on_bound

    def are_followed(self, template: str) -> bool:
        """Count one more duplicate of the template; False where its links are left alone."""
        is_followed = self._rule == "always" or (self._rule == "elsewhere" and self._is_within(template))
        self.left_alone += not is_followed
        return is_followed

    def _is_within(self, template: str) -> bool:
        count = (self._counts.get(template) or 0) + 1
        self._counts.put(template, count)
        if count == self._per_template + 1:
            self.bounded_templates += 1
            if self._on_bound is not None:
                self._on_bound(template, count)
        return count <= self._per_template
