"""Which of the twins runs: the compiled module where it was built and is wanted, else Python."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol, cast

# Raised with each change of what the compiled module offers: a build of other sources is not used.
INTERFACE = 6
# Set to anything, it keeps the compiled module out: results are the same, slower.
PURE = "WEAVER_PURE"

# Of the buffer protocol, which has no name in Python's own types before 3.12.
Buffer = Any
# Hrefs, nofollow hrefs, whether there were more, head elements, title and text.
Found = tuple[list[str], list[str], bool, list[tuple[str, dict[str, str]]], str | None, str]


class Compiled(Protocol):
    """What the compiled module offers."""

    def read_page(self, markup: bytes, kinds: bytes, max_links: int, max_depth: int) -> tuple[Found, bool] | None:
        """What is in a plain page, and if its tree is sure to cost little; None: read the tree.

        Other threads run while a large page is read.
        """
        ...

    def read_flat(self, markup: bytes, max_links: int) -> Found:
        """What is in a page as mere markup; other threads run while a large one is read."""
        ...

    def is_wide(self, markup: bytes) -> bool:
        """Whether a page, or a tag of it, has more attributes than a tree may have."""
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

    # The bytes of `work` in `sign` and in `own_text`.
    SIGN_WORK_BYTES: int
    OWN_TEXT_WORK_BYTES: int

    def sign(
        self,
        text: str,
        plan: Buffer,
        work: Buffer,
        entries: Buffer,
        row: Buffer,
        normalised: Callable[[str], str],
        fill: Callable[[int], None],
    ) -> None:
        """Put the text's signature into `row`; `fill` learns the entries of a character's block."""
        ...

    def own_text(
        self, text: str, of_host: int, tags: Buffer, counts: Buffer, buckets: int, work: Buffer
    ) -> tuple[str, float, int, int]:
        """The text without what its host repeats, the share left out, and how many blocks came and left."""
        ...

    def near_rows(
        self,
        signature: Buffer,
        slots: Buffer,
        first: int,
        count: int,
        half: int,
        rows: Buffer,
        places: Buffer,
        next_number: int,
        held: int,
        most_bits: int,
    ) -> list[tuple[int, int]]:
        """Word 0 of each row that shares a band key and may be near, and how many bits differ; the oldest first."""
        ...

    def near_put(
        self,
        signature: Buffer,
        slots: Buffer,
        first: int,
        count: int,
        half: int,
        number: int,
        rows: Buffer,
        row: int,
        doc_id: int,
    ) -> None:
        """Keep the signature as the row of a document, and the row's number under each of the band keys."""
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
