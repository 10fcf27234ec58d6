"""A page's charset: found as a browser finds it, and the page's bytes as UTF-8.

The order is that of the WHATWG encoding sniffing algorithm (HTML, section 13.2.3.2): byte order mark, HTTP header,
prescan of the first 1024 bytes for a `<meta>` or an XML declaration; then, where nothing names one, UTF-8 if the
bytes are that (and not mere ASCII), else what a later `<meta>` says ("changing the encoding while parsing"), else
the default.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from weaver.native import compiled
from weaver.parse.labels import MULTI_BYTE, codec_of, encoding_of
from weaver.parse.tokens import ATTRIBUTE

UTF_8 = "utf-8"
_PRESCAN_BYTES = 1_024
# Where nothing is named at the start and the bytes aren't UTF-8, browsers change over at a later <meta> too.
_LATE_PRESCAN_BYTES = 64 << 10
_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", UTF_8), (b"\xfe\xff", "utf-16be"), (b"\xff\xfe", "utf-16le"))
# Read as bytes, these show that the page's own ASCII is two bytes wide.
_WIDE_XML = ((b"<\x00?\x00x\x00", "utf-16le"), (b"\x00<\x00?\x00x", "utf-16be"))
# A declaration that could be read as ASCII can't be true of these.
_DECLARED_OTHERWISE = {"utf-16be": UTF_8, "utf-16le": UTF_8, "x-user-defined": "windows-1252"}
_NOT_ASCII_BASED = frozenset({"utf-16be", "utf-16le", "iso-2022-jp", "replacement"})
_REPLACEMENT = "\ufffd".encode()

# A parameter of a media type; a comma ends it too, for that is where a second header was put to the first.
_header_parameters = re.compile(r""";[\t\n\r ]*([^;,="]*)=(?:"((?:[^"\\]|\\.)*+)"?[^;,]*|([^;,]*))""").finditer
_escaped_pair = re.compile(r"\\(.)").sub
_xml_encoding = re.compile(rb"""<\?xml[^>]*?encoding[\x00-\x20]*=[\x00-\x20]*(?:"([^">]*)"|'([^'>]*)')""").match
_prescan_step = re.compile(
    rb"<!--(?:-?>|(?s:.*?)(?:-->|\Z))|<(?i:meta)(?=[\t\n\f\r /])|(?P<tag></?[A-Za-z][^\t\n\f\r >]*+)|<[!/?][^>]*+"
)
_attribute_step = re.compile(rb"[\t\n\f\r /]*+(" + ATTRIBUTE + rb")").match
_attribute_parts = re.compile(
    rb"""(.[^\t\n\f\r =]*+)[\t\n\f\r ]*+(?:=[\t\n\f\r ]*+(["']?)(.*))?""", re.DOTALL
).fullmatch
_content_charset = re.compile(
    rb"""charset[\t\n\f\r ]*=[\t\n\f\r ]*(?:"([^"]*)"|'([^']*)'|([^\t\n\f\r ;"'][^\t\n\f\r ;]*))""", re.IGNORECASE
).search


def charset_of(body: bytes, content_type: str, default: str, *, is_xml: bool = False) -> str:
    """The charset of a page with this Content-Type header; a name of the WHATWG Encoding standard in lower case.

    XML knows no `<meta>`, and is UTF-8 where nothing names a charset (XML 1.0, section 4.3.3).
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return encoding
    named = header_charset(content_type) or declared_charset(body, is_xml=is_xml)
    if named or is_xml:
        return named or UTF_8
    if not body.isascii():
        named = UTF_8 if _is_utf8(body) else _first_meta_charset(body[:_LATE_PRESCAN_BYTES])
    return named or encoding_of(default) or "windows-1252"


def header_charset(content_type: str) -> str:
    """The first encoding that a Content-Type header names and that is known; empty where there is none."""
    for parameter in _header_parameters(content_type):
        name, quoted, plain = parameter.groups()
        if name.lower() == "charset":
            encoding = encoding_of(plain if quoted is None else _escaped_pair(r"\1", quoted))
            if encoding:
                return encoding
    return ""


def declared_charset(body: bytes, *, is_xml: bool = False) -> str:
    """The encoding that the page itself names in its first 1024 bytes; empty where it names none that is known."""
    start = body[:_PRESCAN_BYTES]
    for mark, encoding in _WIDE_XML:
        if start.startswith(mark):
            return encoding
    return (not is_xml and _first_meta_charset(start)) or _xml_charset(start)


def utf8_of(body: bytes, charset: str) -> bytes:
    """The page as UTF-8 without a byte order mark; what can't be read becomes U+FFFD. Never raises.

    UTF-8 stays as it is, for the tree builder replaces what is wrong in it.
    """
    if charset == UTF_8:
        return body.removeprefix(codecs.BOM_UTF8)
    if charset == "replacement":
        return _REPLACEMENT if body else b""
    if charset not in _NOT_ASCII_BASED and body.isascii():
        return body
    if charset in MULTI_BYTE:
        text = body.decode(codec_of(charset), "replace").removeprefix("\ufeff")
    else:
        text = codecs.charmap_decode(body, "replace", _single_byte_table(charset))[0]
    return text.encode(UTF_8, "replace")


def query_codec(charset: str) -> str:
    """The codec for the query of a link on such a page (WHATWG Encoding, section 4.3, "output encoding")."""
    return UTF_8 if charset in ("replacement", "x-user-defined") else codec_of(charset)


def _is_utf8(body: bytes) -> bool:
    try:
        # Not final: a body cut off in mid-character is UTF-8 all the same.
        codecs.utf_8_decode(body, "strict", False)  # noqa: FBT003 -- positional in C
    except UnicodeDecodeError:
        return False
    return True


@lru_cache(maxsize=32)
def _single_byte_table(charset: str) -> str:
    # Bytes 0x80-0x9F that a code page leaves open are control characters on the web.
    if charset == "x-user-defined":
        return "".join(chr(byte if byte < 0x80 else 0xF700 + byte) for byte in range(256))
    codec = codec_of(charset)
    characters = (bytes((byte,)).decode(codec, "replace") for byte in range(256))
    return "".join(
        chr(byte) if character == "\ufffd" and byte < 0xA0 else character for byte, character in enumerate(characters)
    )


def _first_meta_charset(start: bytes) -> str:
    return next(filter(None, map(_meta_charset, _metas(start))), "")


def _metas(start: bytes) -> Iterable[dict[bytes, bytes]]:
    return metas_in_python(start) if compiled is None else compiled.meta_attributes(start)


def metas_in_python(start: bytes) -> Iterator[dict[bytes, bytes]]:
    """The attributes of each `<meta>`, by the prescan's own simple grammar (section 13.2.3.2)."""
    position = 0
    while step := _prescan_step.search(start, position):
        position = step.end()
        if step["tag"] or start.startswith((b"<m", b"<M"), step.start()):
            attributes, position = _attributes_from(start, position)
            if not step["tag"]:
                yield attributes


def _attributes_from(start: bytes, position: int) -> tuple[dict[bytes, bytes], int]:
    attributes: dict[bytes, bytes] = {}
    while match := _attribute_step(start, position):
        position = match.end()
        parts = _attribute_parts(match[1])
        if parts is None:
            break
        name, quote, value = parts[1].lower(), parts[2] or b"", parts[3] or b""
        if quote and not value.endswith(quote):
            return {}, len(start)
        attributes.setdefault(name, value.removesuffix(quote))
    return attributes, position


def _meta_charset(attributes: dict[bytes, bytes]) -> str:
    if b"charset" in attributes:
        return _declared(attributes[b"charset"])
    if attributes.get(b"http-equiv", b"").lower() != b"content-type":
        return ""
    match = _content_charset(attributes.get(b"content", b""))
    return _declared(match[match.lastindex or 0]) if match else ""


def _xml_charset(start: bytes) -> str:
    match = _xml_encoding(start)
    return _declared(match[match.lastindex or 0]) if match else ""


def _declared(label: bytes) -> str:
    encoding = encoding_of(label.decode("latin-1"))
    return _DECLARED_OTHERWISE.get(encoding, encoding)
