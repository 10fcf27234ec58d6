"""The stack of open elements, simulated: proof that a tree builder's own never grows deep or wide on a page.

The simulation holds at least what the standard's stack and its list of active formatting elements hold (WHATWG HTML,
sections 13.2.4.2 and 13.2.4.3): an end tag takes away only what every tree builder takes away there. What is common
in honest pages (well nested, or `p`, `li`, `td` left open) is followed exactly; other disorder counts as depth.
So stray end tags can't talk the depth down, and a page that fails is at worst read without a tree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from weaver.parse.tokens import ATTRIBUTE, RAW_TEXT_NAMES, SHORT_TAG, TOKEN, VALUE

# A step is one look at an open element, some 2 ns in lexbor; what else costs time is counted in steps too.
_MOST_STEPS = 50_000_000
_MOVED_BYTES_PER_STEP = 10
_ATTRIBUTE_PAIRS_PER_STEP = 2
_MOST_CLONES = 150_000
_CLONES_PER_TAG = 2
_ATTRIBUTES_PER_CLONE = 8
_BYTES_PER_CLONE = 512
_LONG_TOKEN_BYTES = 512
# Names that lexbor doesn't know are kept in a small hash table: many of them make each look-up slow.
_MOST_NAMES = 4_000
# Of these lexbor keeps 130 to 240 bytes each, so that a page of nothing else would take 60 times its length.
_MOST_ATTRIBUTES = 60_000
# Of a tag that is followed here at all: a list of them is made in one call.
_MOST_TAG_ATTRIBUTES = 1_000
# The adoption agency moves a formatting element down past at most seven blocks (section 13.2.6.4.7, step 4.3).
_ADOPTION_REACH = 5

_VOID = b"area base basefont bgsound br col embed frame hr image img input keygen link meta param source track wbr"
# Of these a document, table or template has but one open.
_SINGLE = b"html head body colgroup caption thead tbody tfoot tr td th"
_UNCOUNTED = frozenset([*_VOID.split(), *_SINGLE.split(), *RAW_TEXT_NAMES])
_HEADING = b"h1"
_HEADINGS = frozenset(b"h%d" % level for level in range(2, 7))
_CLOSES_P = frozenset(
    b"address article aside blockquote center details dir div dl fieldset figcaption figure footer form h1 header hr"
    b" li dd dt listing main menu nav ol p pre section summary ul xmp h2 h3 h4 h5 h6".split()
)
# Their end tag closes them and all that is open in them.
_BLOCKS = _CLOSES_P - {b"form", b"hr", b"xmp"} | {b"button"}
_TABLE_SCOPES = frozenset((b"table", b"template"))
_SCOPES = frozenset((b"applet", b"marquee", b"object", b"select")) | _TABLE_SCOPES
_FORMATTING = frozenset(b"a b big code em font i nobr s small strike strong tt u".split())
_PASSED_BY_OTHERS = _FORMATTING | {b"option"}
# Elements that hide those outside them from an end tag, besides the scopes.
_WALLS = {b"li": frozenset((b"ol", b"ul")), b"p": frozenset((b"button",))}
_NO_WALLS: frozenset[bytes] = frozenset()
# A start tag closes the last open element if it is one of these.
_SIBLINGS = {b"li": (b"li",), b"dd": (b"dd", b"dt"), b"dt": (b"dd", b"dt"), _HEADING: (_HEADING,)}
_CELLS = frozenset((b"td", b"th", b"caption"))
_TABLE_PARTS = frozenset((b"col", b"colgroup", b"caption", b"thead", b"tbody", b"tfoot", b"tr", b"td", b"th"))
_DOCUMENT = frozenset((b"body", b"html"))
_OPTION = frozenset((b"option",))
_SELECT = frozenset((b"select",))
_FORM = frozenset((b"form",))
# Whose content follows rules that aren't simulated here.
_UNPROVEN = frozenset((b"svg", b"math", b"frameset", b"plaintext"))

_short_tag = re.compile(SHORT_TAG).match
_attributes = re.compile(ATTRIBUTE).findall
_attribute_names = re.compile(rb"([^\t\n\f\r />][^\t\n\f\r />=]*+)" + VALUE).findall
_openings = re.compile(rb"<[A-Za-z][^\t\n\f\r />]*+((?:[\t\n\f\r /]++|" + ATTRIBUTE + rb")*+)").finditer
_escaped_script = re.compile(rb"<!--(?s:.*?)<(?i:script)").search
_island = re.compile(rb"<(?i:svg|math)[\t\n\f\r />]").match


def is_linear(markup: bytes, max_depth: int) -> bool:
    """Whether the tree builder's work on `markup` is bounded by a constant times its length; linear itself."""
    return _OpenElements(markup, max_depth).has_passed()


_Follow = Callable[["_OpenElements", bytes], None]


class _OpenElements:
    """The stack, its scopes (place and serial number of each), and formatting elements that were closed over.

    `formatting` counts those that the tree builder may open again: on the stack, or lost to an end tag around them.
    """

    def __init__(self, markup: bytes, max_depth: int) -> None:
        self.markup = markup
        self.max_depth = max_depth
        self.stack: list[bytes] = []
        self.scopes: list[tuple[int, int]] = []
        self.lost: list[tuple[bytes, int]] = []
        self.formatting = 0
        self.anchor_clones = 0
        self.tables = 0
        self.is_in_cell = False
        self.scopes_seen = 0
        self.steps = 0
        self.clones_left = _MOST_CLONES
        self.tag_at = 0
        self.names: set[bytes] = set()
        self.attributes_left = _MOST_ATTRIBUTES

    def has_passed(self) -> bool:
        """True once the whole page is seen and no bound was met."""
        last_end = 0
        for token in TOKEN.finditer(self.markup):
            start, end = token.span()
            if end - last_end > _LONG_TOKEN_BYTES or (self.tables and not self.is_in_cell):
                self._weigh(start, end, last_end)
            last_end = end
            name = token[1]
            if name is None:
                self._pass_island(start, end)
            else:
                self._follow(name, start, end)
            if self.steps > _MOST_STEPS:
                return False
        return True

    def _follow(self, name: bytes, start: int, end: int) -> None:
        self.tag_at = start
        if end - start > len(name) + 2:
            self._note_attributes(_attribute_names(self.markup, start + len(name) + 1, end))
        follow, bare = _FOLLOWED.get(name) or self._met(name)
        follow(self, bare)
        depth = len(self.stack) + self.formatting
        self.steps += depth
        self.clones_left += _CLONES_PER_TAG - self.formatting - self.anchor_clones
        if depth > self.max_depth or self.clones_left < 0 or len(self.names) > _MOST_NAMES:
            self._refuse()

    def _note_attributes(self, names: list[bytes]) -> None:
        self.names.update(names)
        self.attributes_left -= len(names)
        if self.attributes_left < 0 or len(names) > _MOST_TAG_ATTRIBUTES:
            self._refuse()

    def _met(self, name: bytes) -> tuple[_Follow, bytes]:
        self.names.add(name)
        return _followed(name)

    def _weigh(self, start: int, end: int, text_from: int) -> None:
        """Count what a token costs besides the stack: text that is moved, attributes that are compared."""
        # Text in a table but in no cell is added to the text before the table, which may be moved for it.
        if self.tables and not self.is_in_cell and not (self.markup[text_from:start] or b" ").isspace():
            self.steps += len(self.markup) // _MOVED_BYTES_PER_STEP
        if end - start > _LONG_TOKEN_BYTES:
            for attributes in self._openings(start, end):
                self.steps += len(_attributes(attributes)) ** 2 // _ATTRIBUTE_PAIRS_PER_STEP

    def _pass_island(self, start: int, end: int) -> None:
        for attributes in self._openings(start, end):
            self._note_attributes(_attribute_names(attributes))
        # In `<!-- <script>` a script goes on past its end tag (section 13.2.5.18): not followed here.
        is_script = self.markup[start + 1 : start + 3].lower() == b"sc" and self.markup.find(b"<!--", start, end) > 0
        if is_script and _escaped_script(self.markup, start, end):
            self._refuse()

    def _openings(self, start: int, end: int) -> Iterator[bytes]:
        """The attributes of the tag that stands here; of every tag, if it is a drawing or formula."""
        if not self.markup[start + 1 : start + 2].isalpha():
            return
        is_island = _island(self.markup, start) is not None
        for opening in _openings(self.markup, start, end):
            yield opening[1]
            if not is_island:
                return

    def _refuse(self, _name: bytes = b"") -> None:
        self.steps += _MOST_STEPS + 1

    def _pass(self, _name: bytes) -> None:
        pass

    def _pass_table_part(self, name: bytes) -> None:
        self.is_in_cell = name in _CELLS

    def _leave_table_part(self, _name: bytes) -> None:
        self.is_in_cell = False

    def _pass_closing_p(self, _name: bytes) -> None:
        if self.stack and self.stack[-1] == b"p":
            self.stack.pop()

    def _end_document(self, _name: bytes) -> None:
        # Text after it is added to the body's last text, which may be moved for it.
        self.steps += len(self.markup) // _MOVED_BYTES_PER_STEP

    def _open(self, name: bytes) -> None:
        self.stack.append(name)

    def _open_block(self, name: bytes) -> None:
        stack = self.stack
        if stack and stack[-1] == b"p":
            stack.pop()
        if name in _SIBLINGS and stack and stack[-1] in _SIBLINGS[name]:
            stack.pop()
        stack.append(name)

    def _open_option(self, name: bytes) -> None:
        if self.stack[-1:] != [name]:
            self.stack.append(name)

    def _open_scope(self, name: bytes) -> None:
        self.scopes_seen += 1
        self.scopes.append((len(self.stack), self.scopes_seen))
        self.stack.append(name)
        if name in _TABLE_SCOPES:
            self.tables += name == b"table"
            self.is_in_cell = False

    def _open_formatting(self, name: bytes) -> None:
        short = _short_tag(self.markup, self.tag_at)
        if not short or short.end() - self.tag_at > _BYTES_PER_CLONE:
            self._widen(name)
        # An <a> closes the one before it.
        if name != b"a" or self.stack[-1:] != [name]:
            self.formatting += 1
            self.stack.append(name)

    def _end_block(self, name: bytes) -> None:
        stack, walls = self.stack, _WALLS.get(name, _NO_WALLS)
        for place in range(len(stack) - 1, self._floor() - 1, -1):
            self.steps += 1
            if stack[place] == name:
                self._cut(place)
                return
            if stack[place] in walls:
                return

    def _end_scope(self, name: bytes) -> None:
        self.is_in_cell = False
        for place, _ in reversed(self.scopes):
            self.steps += 1
            opened = self.stack[place]
            if opened == name:
                self._cut(place)
                return
            if name not in _TABLE_SCOPES or opened == b"template" or (opened == b"table" and name != b"template"):
                return

    def _end_select(self, _name: bytes) -> None:
        while self.stack and self.stack[-1] == b"option":
            self.stack.pop()
        if self.stack and self.stack[-1] == b"select":
            self._cut(len(self.stack) - 1)

    def _end_formatting(self, name: bytes) -> None:
        stack = self.stack
        if stack and stack[-1] == name:
            stack.pop()
            self.formatting -= 1
            return
        scope = self.scopes[-1][1] if self.scopes else 0
        self.steps += len(stack) + len(self.lost)
        if self._take_out(name, _ADOPTION_REACH, None):
            self.formatting -= 1
        elif (name, scope) in self.lost and name not in stack[self._floor() :]:
            self.lost.remove((name, scope))
            self.formatting -= 1

    def _end_form(self, name: bytes) -> None:
        self._take_out(name, len(self.stack), None)

    def _end_other(self, name: bytes) -> None:
        if self.stack and self.stack[-1] == name:
            self.stack.pop()
        else:
            self._take_out(name, len(self.stack), _PASSED_BY_OTHERS)

    def _take_out(self, name: bytes, reach: int, passed: frozenset[bytes] | None) -> bool:
        """Remove the last `name` within reach in the innermost scope, and leave what was opened after it."""
        stack = self.stack
        for place in range(len(stack) - 1, max(self._floor(), len(stack) - 1 - reach) - 1, -1):
            self.steps += 1
            if stack[place] == name:
                del stack[place]
                return True
            if passed is not None and stack[place] not in passed:
                return False
        return False

    def _cut(self, place: int) -> None:
        while self.scopes and self.scopes[-1][0] >= place:
            self.tables -= self.stack[self.scopes.pop()[0]] == b"table"
        scope = self.scopes[-1][1] if self.scopes else 0
        self.lost += [(name, scope) for name in self.stack[place:] if name in _FORMATTING]
        del self.stack[place:]

    def _floor(self) -> int:
        return self.scopes[-1][0] + 1 if self.scopes else 0

    def _widen(self, name: bytes) -> None:
        attributes = next(self._openings(self.tag_at, len(self.markup)), b"")
        clones = max(len(_attributes(attributes)) // _ATTRIBUTES_PER_CLONE, len(attributes) // _BYTES_PER_CLONE)
        if name == b"a":
            self.anchor_clones = max(self.anchor_clones, clones)
        else:
            self.formatting += clones


def _start_of(name: bytes) -> _Follow:
    kinds: tuple[tuple[frozenset[bytes], _Follow], ...] = (
        (_UNPROVEN, _OpenElements._refuse),
        (_TABLE_PARTS, _OpenElements._pass_table_part),
        (_UNCOUNTED & _CLOSES_P, _OpenElements._pass_closing_p),
        (_UNCOUNTED, _OpenElements._pass),
        (_SCOPES, _OpenElements._open_scope),
        (_FORMATTING, _OpenElements._open_formatting),
        (_CLOSES_P, _OpenElements._open_block),
        (_OPTION, _OpenElements._open_option),
    )
    return next((follow for names, follow in kinds if name in names), _OpenElements._open)


def _end_of(name: bytes) -> _Follow:
    kinds: tuple[tuple[frozenset[bytes], _Follow], ...] = (
        (_TABLE_PARTS, _OpenElements._leave_table_part),
        (_DOCUMENT, _OpenElements._end_document),
        (_UNCOUNTED, _OpenElements._pass),
        (_SELECT, _OpenElements._end_select),
        (_SCOPES, _OpenElements._end_scope),
        (_FORMATTING, _OpenElements._end_formatting),
        (_BLOCKS, _OpenElements._end_block),
        (_FORM, _OpenElements._end_form),
    )
    return next((follow for names, follow in kinds if name in names), _OpenElements._end_other)


def _followed(tag: bytes) -> tuple[_Follow, bytes]:
    """How a tag (`div`, `/div`, in any case) is followed, and the element that it names."""
    is_end = tag.startswith(b"/")
    name = tag.lower().removeprefix(b"/")
    return (_end_of if is_end else _start_of)(name), _HEADING if name in _HEADINGS else name


_KNOWN = _UNCOUNTED | _CLOSES_P | _BLOCKS | _HEADINGS | _SCOPES | _FORMATTING | _OPTION | _FORM | _UNPROVEN | {b"span"}
_FOLLOWED = {slash + name: _followed(slash + name) for slash in (b"", b"/") for name in _KNOWN}
