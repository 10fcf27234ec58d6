"""What a body is: HTML, XHTML, or something that is hashed without being parsed."""

from __future__ import annotations

import re
from enum import Enum, auto

from weaver.base.page import Response

_SNIFFED_BYTES = 1_024
_UNKNOWN_TYPES = frozenset(("", "unknown/unknown", "application/unknown", "*/*"))
# WHATWG MIME Sniffing, section 7.1: what an HTML page opens with; and XML that goes on to be XHTML.
_opens_html = re.compile(
    rb"(?:\xef\xbb\xbf)?[\t\n\f\r ]*+<(?:!--|(?:!DOCTYPE HTML|HTML|HEAD|SCRIPT|IFRAME|H1|DIV|FONT|TABLE|A|STYLE|TITLE"
    rb"|B|BODY|BR|P|META|LINK|UL|OL|FORM|CENTER|SPAN)[\t\n\f\r />])",
    re.IGNORECASE,
).match
_opens_xhtml = re.compile(rb"(?:\xef\xbb\xbf)?[\t\n\f\r ]*+<\?xml\b(?s:.*?)<html[\t\n\f\r >]").match


class Kind(Enum):
    """How a body is read."""

    HTML = auto()
    XHTML = auto()
    OTHER = auto()


def kind_of(response: Response) -> Kind:
    """HTML and XHTML by their media type; where the server names none, HTML by the body's first 1024 bytes."""
    media_type = response.content_type
    if media_type == "text/html":
        return Kind.HTML
    if media_type == "application/xhtml+xml":
        return Kind.XHTML
    if media_type in _UNKNOWN_TYPES or "/" not in media_type:
        start = response.body[:_SNIFFED_BYTES]
        return Kind.HTML if _opens_html(start) or _opens_xhtml(start) else Kind.OTHER
    return Kind.OTHER
