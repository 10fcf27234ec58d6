"""Sources: the files and folders of a corpus, what form each is in, and the documents and troubles that they yield."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from weaver.base.errors import SettingsError
from weaver.persistence.corpus_store import STORE_NAME

JSONL, CSV, PARQUET, WARC, FOLDER = "jsonl", "csv", "parquet", "warc", "folder"
HTML, TEXT = "html", "text"
FORMS = (JSONL, CSV, PARQUET, WARC, HTML, TEXT)
CONTAINERS = (JSONL, CSV, PARQUET, WARC)
"""Files that hold many documents; those of the other forms are one each."""
COMPRESSIONS = (".gz", ".zst")
_FORM_OF = {
    ".jsonl": JSONL, ".ndjson": JSONL, ".jl": JSONL, ".json": JSONL, ".csv": CSV, ".parquet": PARQUET, ".warc": WARC,
    ".html": HTML, ".htm": HTML, ".xhtml": HTML, ".txt": TEXT, ".text": TEXT, ".md": TEXT, ".rst": TEXT,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """A file or folder to read; a FOLDER stands for the files of one document each below it."""

    path: Path
    form: str

    @property
    def size_bytes(self) -> int:
        """For the progress; a folder's files are counted one by one, not in bytes."""
        return 0 if self.form == FOLDER else self.path.stat().st_size


@dataclass(frozen=True, slots=True)
class Fields:
    """Where a document's id and text are in a row; with `id_field` None it is `id`, else the document's position."""

    id_field: str | None = None
    text_field: str = "text"


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is in its source; `position` counts lines, rows, records or files from 1 on.

    `place` is where reading goes on behind it, `passed_bytes` how much of the source was read, for the progress.
    `payload` names the bytes that the text was made of; where `text` is None, that is all that is known.
    """

    id: str
    text: str | None
    position: int
    place: int
    passed_bytes: int = 0
    payload: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What stood in a document's place and could not be read, with the reason to be counted by."""

    reason: str
    where: str
    position: int
    place: int
    passed_bytes: int = 0


Item = Document | Unreadable


def form_of(path: Path) -> str | None:
    """The form that a file's name says, a compression's suffix left out; None where it says none."""
    suffix = path.suffix.lower()
    if suffix in COMPRESSIONS:
        inner = _FORM_OF.get(Path(path.stem).suffix.lower())
        return inner if inner in (JSONL, CSV, WARC) else None
    return _FORM_OF.get(suffix)


def sources_of(paths: Iterable[Path], form: str | None = None) -> list[Source]:
    """The sources that the paths name, each once, in their order; in a folder, its containers before its other files.

    `form` is that of files whose names say none. Raises SettingsError for a path that is missing, or of no known form.
    """
    found: dict[Path, Source] = {}
    for path in paths:
        for source in _sources_at(path, form):
            found.setdefault(source.path.resolve(), source)
    return list(found.values())


def _sources_at(path: Path, form: str | None) -> Iterator[Source]:
    if not path.exists():
        raise SettingsError(f"expected a file or folder, found nothing at {path}")
    if path.is_dir():
        inside = (file for file in files_below(path) if form_of(file) in CONTAINERS)
        yield from (Source(file, form_of(file) or "") for file in inside)
        yield Source(path, FOLDER)
        return
    known = form or form_of(path)
    if known is None:
        raise SettingsError(f"{path}: the name doesn't say what is in it; say so with --format ({', '.join(FORMS)})")
    yield Source(path, known)


def files_below(folder: Path) -> Iterator[Path]:
    """All files below a folder in one order whenever it is asked; no links to folders, no results of our own."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not (Path(place) / name / STORE_NAME).exists())
        yield from (Path(place) / name for name in sorted(names))
