"""Which of the twins runs: the compiled module where it was built and is wanted, else Python."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol, cast

# Raised with each change of what the compiled module offers: a build of other sources is not used.
INTERFACE = 11
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

    def plain_keys(
        self, base: str, hrefs: list[str], seed: int, dropped: bytes | None
    ) -> tuple[bytes, bytes, list[str]]:
        """The distinct keys of the URLs that plain hrefs lead to on `base`, in native words of 64 bits; the place of
        the first href of each, in words of 32 bits; and the hrefs that are not plain, such as those with one of the
        dropped parameters (in lower case, each between two `&`), or with a query where None."""
        ...

    def found_words(
        self, keys: bytes, key_column: memoryview, id_column: memoryview, mask: int, half: int, buckets: int
    ) -> tuple[bytes, bytes, list[int]]:
        """The id of each key or 0, in native words; the slots of those that are there, as `intp`; the places of those
        that are not."""
        ...

    def found_in_table(
        self, keys: list[int], key_column: memoryview, id_column: memoryview, mask: int, half: int, buckets: int
    ) -> tuple[list[int], list[int]]:
        """The id of each key or 0, and the slots of those that are there."""
        ...

    def put_in_table(
        self,
        keys: Buffer,
        ids: Buffer,
        key_column: Buffer,
        id_column: Buffer,
        taken: Buffer,
        mask: int,
        half: int,
        buckets: int,
        may_move: bool,
    ) -> tuple[int, bytes]:
        """Keep keys with their ids where there is room; how many are new, and the places of the others, as `intp`."""
        ...

    def sum_of_lines(
        self, starts: list[bytes], heads: Buffer, ends: list[bytes], tails: Buffer, hashed: Callable[[bytes], bytes]
    ) -> bytes:
        """The sum modulo 2^128 of the xxh3-128 of lines, big-endian: each of the start and the end that two columns of
        int64 name; `hashed` gives the hash of a very short or long one."""
        ...

    def squeezed(self, text: str) -> tuple[bytes, int]:
        """Text with each run of white space as one space, as UTF-8, and its length in characters."""
        ...

    # The bytes of `work` in `sign`, of `run` in `shingle_set`, and of `work` in `own_text`.
    SIGN_WORK_BYTES: int
    SHINGLE_RUN_BYTES: int
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
        """Put the text's signature into `row`; `fill` learns the entries of a character's block.

        Other threads run while a long text is read, but for what Python does of it.
        """
        ...

    def shingle_set(
        self,
        text: str,
        plan: Buffer,
        run: Buffer,
        entries: Buffer,
        normalised: Callable[[str], str],
        fill: Callable[[int], None],
    ) -> bytes:
        """The distinct upper halves of the shingles' hashes, rising, in native words of 32 bits; read as by `sign`."""
        ...

    def own_text(
        self, text: str, of_host: int, cells: Buffer, buckets: int, work: Buffer
    ) -> tuple[str, float, int, int]:
        """The text without what its host repeats, the share left out, and how many blocks came and left."""
        ...

    def near_observe(
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
        most_bits: Buffer,
        has_room: bool,
        doc_id: int,
    ) -> tuple[list[tuple[int, int, float]], bytes, bytes, bool] | None:
        """Rows that share a band key and may be near, the oldest first: word 0, how many bits differ, and how similar.

        And the document's row and band keys, and whether it became the next row; None where it has no words.
        """
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

    def near_split(self, slots: Buffer, lower: int, upper: int, buckets: int, bit: int) -> None:
        """Of so many buckets from `lower` on, the slots with the bit move to those from `upper` on, in order."""
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
