"""Markup made up of pieces that tree builders treat in special ways, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

_NAMES = [
    "a", "b", "i", "p", "q", "u", "h1", "h2", "br", "hr", "li", "dd", "dt", "dl", "ul", "ol", "td", "th", "tr", "em",
    "tt", "div", "span", "table", "tbody", "thead", "tfoot", "caption", "col", "colgroup", "select", "option",
    "optgroup", "button", "form", "input", "label", "pre", "textarea", "title", "script", "style", "iframe",
    "noscript", "noframes", "object", "svg", "path", "g", "text", "desc", "image", "math", "template", "nobr", "html",
    "head", "body", "base", "meta", "link", "area", "img", "font", "address", "section", "article", "center", "main",
    "details", "summary", "x-y",
    "plaintext", "frameset", "ruby", "rt", "xmp", "mi", "annotation-xml", "foreignObject", "noembed", "marquee",
]  # fmt: skip
_ATTRIBUTES = st.sampled_from([
    "", "", "", ' href="../x.html"', " href=y", " href", " href='a&amp;b&copy=1&lt;' rel=nofollow",
    ' HREF=" u " href="v"', ' rel="x ugc"', ' name="robots" content="noindex"',
    ' http-equiv=refresh content="0;url=z"', ' rel="canonical" href=c', ' class="a>b"', " =odd", ' a="b"c', "/", " /",
    ' title="&#39;"', " x=\t'y'\n", " href='", ' href="', " href=a\0b", " rel='a\x0bugc' href=q", " rel=ugc\x0c href=q",
    " rel=&#117;gc href=q", " href=&#x80;&#0;&#xd800;&#1114112;&#13;", " href=&notit;x&not=&notin;&amp", " <",
])  # fmt: skip
_TEXTS = st.sampled_from([
    "text", " ", "\n", "\n\n ", "a < b", "&amp;", "&nbsp;", "&#8212;", "&#x41;", "&copy", "&notit;", "&unknown;",
    "& ", "&", "AT&T", "é", "\u3042", "<", "</>", "&#10;", "&#0;", "&nGt;", "\r\n", "\r", "\f", "x>y", "]]>",
    "&NewLine;", "&#", "&#x;", "&#128;", "&#150", "&#xD800;", "&#x110000;", "&#99999999999;", "&ampx", "&notin",
    "&CounterClockwiseContourIntegral;", "&frac123;", "&#13;", "\x0b", "\0", "\x80", "\U0001f600", "\ufffe", "</", "<a",
    "<!--", "<!", "<?", "\x85",
])  # fmt: skip
_ODD = st.sampled_from([
    "<!-- c -->", "<!---->", "<!-->", "<!-- a -- b --!> c -->", "<!doctype html>", "<?xml version='1.0'?>", "<!x>",
    "<![CDATA[x]]>", "<script><!-- <script> </script> --></script>", "<style>a > b {}</style>",
    "<title>t &amp; u</title>", "<textarea>\n<b>&lt;</textarea>", "<pre>\n\nx</pre>", "</p>",
    "<math><mi>x</mi></math>", "<SVG><a href=no>x</a></SVG>", "<svg><g>t</g></svg >", "<script>",
    "<title>\0&#0;</title>",
    "<noscript><a href=y>z</a></noscript>", "<template><a href=n></template>", "<svg/>",
    "<svg><desc>d</desc></svg>", "</br>", "</body>",
    "</html>", "</head>", "<p>", "<table>",
])  # fmt: skip

_name = st.sampled_from(_NAMES)
_start = st.builds(lambda name, attributes: f"<{name}{attributes}>", _name, _ATTRIBUTES)
_end = _name.map(lambda name: f"</{name}>")


def _wrapped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda name, attributes, parts: f"<{name}{attributes}>{''.join(parts)}</{name}>",
        _name,
        _ATTRIBUTES,
        st.lists(inner, max_size=4),
    )


_nested = st.recursive(st.one_of(_TEXTS, _ODD, _start), _wrapped, max_leaves=12)
_rows = st.lists(st.lists(st.one_of(_nested, _TEXTS), max_size=3), max_size=3).map(
    lambda rows: f"<table>{''.join('<tr>' + ''.join(f'<td>{cell}' for cell in row) for row in rows)}</table>"
)
_prefix = st.sampled_from(["", "<!DOCTYPE html>", "<!DOCTYPE html><html><head><title>T</title></head><body>", "<body>"])

# Pages, most of them nearly well formed, some anything but.
pages = st.builds(
    lambda prefix, parts: prefix + "".join(parts),
    _prefix,
    st.lists(st.one_of(_nested, _nested, _rows, _TEXTS, _start, _end, _ODD), max_size=10),
)
