"""Which of the twins runs: the compiled module where it was built and is wanted, else Python."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Protocol, cast

# Raised with each change of what the compiled module offers: a build of other sources is not used.
INTERFACE = 1
# Set to anything, it keeps the compiled module out: results are the same, slower.
PURE = "WEAVER_PURE"

_PlainPage = tuple[list[str], list[str], bool, list[tuple[str, dict[str, str]]], str | None, str]


class Compiled(Protocol):
    """What the compiled module offers."""

    def read_page(
        self,
        markup: bytes,
        kinds: bytes,
        max_links: int,
        max_depth: int,
        references: dict[str, str],
        is_nofollow: Callable[[str], bool],
    ) -> _PlainPage | None:
        """Hrefs, nofollow hrefs, whether there were more, head elements, title and text; None: read the tree."""
        ...

    def census(self, markup: bytes, kinds: bytes) -> tuple[list[int], list[int], list[int]]:
        """Tags by kind, and the places of formatting elements and of anchors."""
        ...

    def meta_attributes(self, start: bytes) -> list[dict[bytes, bytes]]:
        """The attributes of each `<meta>` that the prescan meets."""
        ...

    def joined_plain(self, base: str, hrefs: list[str]) -> list[str | None]:
        """Each href joined to `base`, without its fragment; None where only a parser can say."""
        ...

    def found_in_table(
        self, keys: list[int], key_column: memoryview, id_column: memoryview, mask: int, half: int, buckets: int
    ) -> tuple[list[int], list[int]]:
        """The id of each key or 0, and the slots of those that are there."""
        ...

    def squeezed(self, text: str) -> tuple[bytes, int]:
        """Text with each run of white space as one space, as UTF-8, and its length in characters."""
        ...


def _compiled() -> Compiled | None:
    if os.environ.get(PURE):
        return None
    try:
        module = import_module("weaver.native.compiled")
    except ImportError:
        return None
    return cast("Compiled", module) if getattr(module, "INTERFACE", 0) == INTERFACE else None


compiled = _compiled()


def description() -> str:
    """The state line: which of the twins runs."""
    if compiled is not None:
        return "compiled"
    return f"python ({PURE} is set)" if os.environ.get(PURE) else "python (not compiled)"
