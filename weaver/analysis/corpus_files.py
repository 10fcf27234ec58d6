"""Files: a document each, HTML as the text that a reader sees, others as they are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from weaver.analysis.corpus_sources import (
    CONTAINERS,
    FOLDER,
    HTML,
    Document,
    Item,
    Source,
    Unreadable,
    files_below,
    form_of,
)
from weaver.base.page import Response
from weaver.base.settings import ParseSettings
from weaver.parse import parse_page
from weaver.parse.charset import charset_of, header_charset, utf8_of

# Parsing takes 18 bytes for each byte of HTML (weaver.parse.html).
HTML_SHARE = 16
"""What HTML may have, as 1 / HTML_SHARE of what a text may."""
_NOWHERE = "http://localhost/"
_SETTINGS = ParseSettings()


def read_files(source: Source, position: int, most_bytes: int) -> Iterator[Item]:
    """The files of a folder behind its first `position`, or the one file; ids are the paths below the folder.

    A file of more than `most_bytes` is passed over, one of HTML from a HTML_SHARE of that on.
    """
    is_folder = source.form == FOLDER
    files = files_below(source.path) if is_folder else iter((source.path,))
    for at, path in enumerate(islice(files, position, None), position + 1):
        form = form_of(path) if is_folder else source.form
        if form not in CONTAINERS:
            name = path.relative_to(source.path).as_posix() if is_folder else path.as_posix()
            yield _item(path, form, name, at, most_bytes)


def visible_text(body: bytes, content_type: str, url: str = _NOWHERE) -> str | None:
    """The text that a reader sees of an HTML page, or of a text; None for what is neither. Never raises."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.startswith("text/") and media_type != "text/html":
        return _decoded(body, content_type)
    headers = {"content-type": content_type} if content_type else {}
    parsed = parse_page(Response(url, 200, headers, body, len(body), 0.0), _SETTINGS)
    return parsed.text if parsed.is_html else None


def _item(path: Path, form: str | None, name: str, at: int, most_bytes: int) -> Item:
    if form is None:
        return Unreadable("unknown_form", f"{name}: {path.suffix or 'no suffix'}", at, at)
    most_bytes = most_bytes // HTML_SHARE if form == HTML else most_bytes
    try:
        with path.open("rb") as stream:
            body = stream.read(most_bytes + 1)
    except OSError as error:
        return Unreadable("unreadable", f"{name}: {error.strerror}", at, at)
    if len(body) > most_bytes:
        return Unreadable("too_long", f"{name}: over {most_bytes} bytes", at, at)
    text = visible_text(body, "text/html") if form == HTML else _decoded(body, "")
    return Document(name, text or "", at, at)


def _decoded(body: bytes, content_type: str) -> str:
    if not header_charset(content_type):
        with contextlib.suppress(UnicodeDecodeError):
            return body.decode("utf-8-sig")
    charset = charset_of(body, content_type, _SETTINGS.default_charset)
    return utf8_of(body, charset).decode("utf-8", "replace")
