"""WARC files: their names, their growth up to a size, and what of them is cut after a crash."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from weaver.persistence.jsonl import write_all
from weaver.persistence.warc_record import NewRecord, member
from weaver.persistence.warc_tail import whole_bytes

OPEN = ".open"


@dataclass(slots=True)
class WarcTotals:
    """What was written in all runs; `left_out` counts the answers that left no record, for their payload is there."""

    responses: int = 0
    revisits: int = 0
    left_out: int = 0
    files: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class WarcMark:
    """How far the archive goes by the word of the database: so many bytes of a file, given without `.open`.

    The folder is as the settings have it: seen from the crawl's directory, which may be moved.
    """

    folder: str
    name: str
    size_bytes: int
    totals: WarcTotals = field(default_factory=WarcTotals)

    @classmethod
    def parse(cls, text: str) -> WarcMark | None:
        """The mark that `str` gave; None for no text."""
        if not text:
            return None
        values = json.loads(text)
        return cls(**{**values, "totals": WarcTotals(**values.get("totals", {}))})

    def __str__(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair did: bytes cut off, and whether the file was shorter than its mark, so that records are lost."""

    cut_bytes: int = 0
    is_short: bool = False


class WarcFiles:
    """The files of one crawl in one folder (`place`, seen from `home`), each begun by a warcinfo record.

    They are called `weaver-TIME-NUMBER-CRAWL.warc.gz`, and `.warc` where they are not compressed.

    A file is called `.open` until the database knows all that is in it: so what has its final name is never changed
    again, and what a crash left beyond the mark is told by its name. Numbers count up and are never used twice.
    Used by one thread at a time; raises OSError.
    """

    def __init__(
        self,
        home: Path,
        place: str,
        crawl: str,
        max_file_bytes: int,
        level: int,
        warcinfo: Callable[[str, float], NewRecord],
        wall: Callable[[], float],
    ) -> None:
        self._home = home
        self.place = place
        self.totals = WarcTotals()
        self._folder = home / place
        self._crawl = crawl
        self._max_file_bytes = max_file_bytes
        self._level = level
        self._warcinfo = warcinfo
        self._wall = wall
        self._stream: BinaryIO | None = None
        self._name = ""
        self._size_bytes = 0
        self._number = 0
        self._ended: list[str] = []

    def __repr__(self) -> str:
        return f"WarcFiles({self._folder / self._name}, {self._size_bytes} of {self._max_file_bytes} B)"

    @property
    def mark(self) -> WarcMark:
        """The end of what was appended."""
        return WarcMark(self.place, self._name, self._size_bytes, replace(self.totals))

    def repair(self, mark: WarcMark | None) -> Repair:
        """Cut off what no commit had reached, before the first append."""
        self._folder.mkdir(parents=True, exist_ok=True)
        number_of = self._numbered(self._folder)
        last = 0 if mark is None else self._number_in(mark.name)
        self._number = max([last, *number_of.values()])
        self.totals = WarcTotals() if mark is None else replace(mark.totals)
        folders = {self._folder} if mark is None else {self._folder, self._home / mark.folder}
        cut_bytes = sum(
            _repaired(path, number, mark, last)
            for folder in folders
            for path, number in self._numbered(folder).items()
            if path.suffix == OPEN
        )
        return Repair(cut_bytes, mark is not None and _is_short(self._home / mark.folder / mark.name, mark))

    def append(self, records: Sequence[NewRecord]) -> None:
        """Append records that belong together, to one file; the next one where this one is full."""
        if self._stream is not None and self._size_bytes >= self._max_file_bytes:
            self._end()
        stream = self._stream or self._begin()
        for record in records:
            self._add(stream, record)

    def sync(self) -> None:
        """Wait until all that was appended is on the disk."""
        if self._stream is not None:
            os.fsync(self._stream.fileno())

    def committed(self) -> None:
        """The database knows all that was appended: files that are full get their final names."""
        for name in self._ended:
            (self._folder / (name + OPEN)).replace(self._folder / name)
        self._ended.clear()

    def close(self, *, is_committed: bool) -> None:
        """End the last file; where the database does not know all of it, it stays `.open` for the next repair."""
        if is_committed:
            self._end()
            self.committed()
        elif self._stream is not None:
            self._stream.close()

    def _begin(self) -> BinaryIO:
        self._number += 1
        now = self._wall()
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d%H%M%S")
        suffix = ".warc.gz" if self._level else ".warc"
        self._name = f"weaver-{stamp}-{self._number:05}-{self._crawl}{suffix}"
        self._stream = stream = (self._folder / (self._name + OPEN)).open("xb", buffering=0)
        self._size_bytes = 0
        self.totals.files += 1
        self._add(stream, self._warcinfo(self._name, now))
        return stream

    def _add(self, stream: BinaryIO, record: NewRecord) -> None:
        written = member(record.parts(), self._level)
        write_all(stream, written)
        self._size_bytes += len(written)
        self.totals.bytes += len(written)
        self.totals.responses += record.kind == "response"
        self.totals.revisits += record.kind == "revisit"

    def _end(self) -> None:
        if self._stream is None:
            return
        try:
            self.sync()
        finally:
            self._stream.close()
            self._stream = None
        self._ended.append(self._name)

    def _numbered(self, folder: Path) -> dict[Path, int]:
        """This crawl's files in a folder, with their numbers."""
        files = sorted(folder.iterdir()) if folder.is_dir() else ()
        return {path: number for path in files if (number := self._number_in(path.name))}

    def _number_in(self, name: str) -> int:
        """The number in a name; 0 in another crawl's."""
        found = re.fullmatch(rf"weaver-\d{{14}}-(\d+)-{self._crawl}\.warc(\.gz)?(\.open)?", name)
        return int(found[1]) if found else 0


def _repaired(path: Path, number: int, mark: WarcMark | None, last: int) -> int:
    """The bytes cut off: an `.open` file was 1. begun after the last commit 2. in work at it 3. full before it."""
    found_bytes = path.stat().st_size
    if mark is None or number > last:
        path.unlink()
        return found_bytes
    kept_bytes = found_bytes
    if number == last:
        kept_bytes = mark.size_bytes if found_bytes >= mark.size_bytes else _whole(path)
        os.truncate(path, kept_bytes)
    path.replace(path.with_suffix(""))
    return found_bytes - kept_bytes


def _is_short(path: Path, mark: WarcMark) -> bool:
    """Also where an earlier repair found it so and its run came to no commit; a file that was taken away is not."""
    return path.exists() and path.stat().st_size < mark.size_bytes


def _whole(path: Path) -> int:
    with path.open("rb") as stream:
        return whole_bytes(stream)
