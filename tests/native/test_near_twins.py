"""The compiled near path gives what its twin in numpy gives: signatures, main texts and neighbours, for any text."""

from __future__ import annotations

import threading
import unicodedata
from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from weaver.dedupe import BoilerplateMemory, NearIndex, SignatureEngine, near, near_bands
from weaver.dedupe.character_table import character_table
from weaver.dedupe.characters import LAST_LETTER
from weaver.dedupe.main_text import BUCKET_BYTES
from weaver.dedupe.near import UNIT_BYTES
from weaver.dedupe.near_bands import WAYS, NearBands
from weaver.dedupe.shingles import Shingles
from weaver.dedupe.sketch import FEW, ROW_WORDS, SIGNATURE_WORDS, Words, header, similarity
from weaver.dedupe.words import PIECE, Form
from weaver.memory import Account
from weaver.native import compiled

pytestmark = pytest.mark.skipif(compiled is None, reason="the compiled module isn't there: nothing to compare")

FORMS: list[Form] = ["NFKC", "NFC", ""]
ENGINES = [SignatureEngine(seed=seed, form=form) for seed, form in enumerate(FORMS)] + [
    SignatureEngine(64, 1, 4, characters=False),
    SignatureEngine(512, 64, 5),
]
SETS = [Shingles(), Shingles(1, 3, characters=False), Shingles(64, 4, form="NFC")]
_PARTS = st.sampled_from([
    "word", "Word ", "é", "e\u0301", "日本", "語 ", "ﷺ", "ﬁ", "\xa0", "…", "½", "한", "\u1112\u1161\u11ab", "हिन्दी",
    "ไทย", "\ud800", "😀", "\n", " ", "_", "ß", "İ", "\u200b", "ｶﾞ", "x" * 40, "\U00016d67", "\U0010ffff", "2\u20e3",
    "ά", "\r\n", "\x85", "\u2028", "\x1f", "\x1c", "\t",
])  # fmt: skip
texts = st.one_of(st.text(max_size=80), st.lists(_PARTS, max_size=60).map("".join))
_FILLINGS = ["word ", "wörd ", "日本語", "x", "… ", "\ufdfa ", "w\u0301 ", "𝒳 ", "½"]


def assert_signed_alike(text: str) -> None:
    for engine in ENGINES:
        signature = engine.signature(text).copy()
        assert np.array_equal(signature, engine.signature_in_numpy(text)), (engine, text[:80])


@settings(max_examples=400, deadline=None)
@given(texts)
@example("")
@example("\x00")
@example(" ".join("a" * length for length in range(140)))
@example("".join("Az09_@[`{/:^ é\t"[number * number % 15] for number in range(300)))
def test_any_text_is_signed_alike(text: str) -> None:
    """Whatever the characters, the form and the shingles are, both signatures are the same to the bit."""
    assert_signed_alike(text)


@settings(max_examples=200, deadline=None)
@given(texts)
@example("")
@example("one two")
@example("again and again and again and again and again")
def test_any_text_has_the_same_set(text: str) -> None:
    """Both twins give the same distinct halves of shingles, rising."""
    for shingles in SETS:
        assert shingles.halves_of(text).tolist() == shingles.halves_in_numpy(text).tolist(), (shingles.words, text[:80])


@pytest.mark.parametrize("filling", _FILLINGS)
@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7, 9 * PIECE])
def test_texts_are_cut_alike(filling: str, size: int) -> None:
    """Long texts, with and without spaces to cut at, and longer in their normal form, have the same pieces."""
    for text in ((filling * size)[:size], f"{'y' * (PIECE - 3)} {(filling * size)[:size]}"):
        assert_signed_alike(text)
        assert np.array_equal(SETS[0].halves_of(text), SETS[0].halves_in_numpy(text))


@pytest.mark.parametrize("form", FORMS)
def test_every_character_is_read_alike(form: Form) -> None:
    """Alone, between letters and before a mark, each code point gives the same words."""
    engine = SignatureEngine(seed=9, form=form)
    for start in range(0, LAST_LETTER + 600, 256):
        some = [chr(code) for code in range(start, start + 256)]
        for text in (" ".join(some), "".join(f"a{character}b " for character in some), "\u0301".join(some)):
            assert np.array_equal(engine.signature(text).copy(), engine.signature_in_numpy(text)), hex(start)


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_what_merges_with_the_character_before_it_is_not_plain(form: Form) -> None:
    """No second character of a composition is taken for one that stands for itself."""
    table = character_table(form)
    seconds = {
        part
        for code in range(LAST_LETTER + 1)
        for part in unicodedata.normalize("NFD", chr(code))[1:]
        if len(unicodedata.normalize("NFC", chr(code))) == 1
    }
    for character in seconds:
        table.fill(ord(character))
    assert len(seconds) > 60
    assert not [character for character in seconds if int(table.entries[ord(character)]) >> 31]


@pytest.mark.parametrize("word", ["wörd", "wo\u0308rd", "ﬁrst"])
def test_a_text_signed_beside_others_is_signed_alike(word: str) -> None:
    """Long texts are read without the interpreter's lock, but for what Python normalises; each thread's engine has its
    own."""
    words = [f"{word}{number}" for number in range(30_000)]
    expected = SignatureEngine().signature_in_numpy(" ".join(words)).copy()
    found: list[Words] = []

    def sign() -> None:
        engine = SignatureEngine()
        found.extend(engine.signature(" ".join(words)).copy() for _ in range(3))

    threads = [threading.Thread(target=sign) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 12
    assert all(np.array_equal(signature, expected) for signature in found)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.lists(st.one_of(_PARTS, st.sampled_from(["one two three four\n", "menu\n", "a b\n"])), max_size=12),
        max_size=12,
    ),
    st.integers(1, 40),
)
def test_pages_are_split_alike(pages: list[list[str]], buckets: int) -> None:
    """Over any pages of one host, both memories leave out the same, hold the same and let the same go."""
    ours, twin = (BoilerplateMemory(Account("near", buckets * BUCKET_BYTES), seed=3) for _ in range(2))
    for _ in range(3):
        for number, parts in enumerate(pages):
            text, host = "".join(parts), f"{number % 2}.test"
            assert ours.split(text, host) == twin.split_in_numpy(text, host)
            assert ours.statistics() == twin.statistics()
            assert np.array_equal(ours._tags, twin._tags)
            assert np.array_equal(ours._counts, twin._counts)
    ours.check()


@settings(max_examples=200, deadline=None)
@given(texts)
def test_lines_are_those_of_python(text: str) -> None:
    """Of a host's first page all is kept: its lines, in a string that equals Python's own."""
    own = BoilerplateMemory(Account("near", 1 << 16)).main_text(text, "h")
    expected = "\n".join(stripped for line in text.splitlines() if (stripped := line.strip()))
    assert own == expected
    assert hash(own) == hash(expected)


def test_pages_of_very_many_and_very_long_blocks_are_split_alike() -> None:
    """Blocks past the bound, longer than a buffer, wide, and in a crowd for few buckets."""
    random = Random(1)
    lines = [f"Line {number} é of very many" for number in range(5_000)]
    long = [
        "x" * 4_095,
        "x" * 4_096,
        "x" * 4_097,
        "é" * 9_000,
        "日" * 5_000,
        "😀" * 3_000,
        " " * 5_000 + "y" + "\u2003" * 9,
    ]
    ours, twin = (BoilerplateMemory(Account("near", 1 << 20), 2_000, 7) for _ in range(2))
    for _ in range(14):
        text = "\n".join([
            *random.sample(long, 5),
            *lines[: random.choice([10, 4_090, 5_000])],
            *random.sample(long, 4),
        ])
        assert ours.split(text, "h") == twin.split_in_numpy(text, "h")
    assert np.array_equal(ours._tags, twin._tags)
    assert np.array_equal(ours._counts, twin._counts)
    assert ours.split("", "h") == twin.split_in_numpy("", "h")


def signatures(count: int, seed: int) -> Words:
    """Random signatures of which many are near one another, or share band keys alone."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, 1 << 64, (count, SIGNATURE_WORDS), dtype=np.uint64)
    rows[:, 0] = ENGINES[0].signature(" ".join(map(str, range(400))))[0]
    for number in range(1, count):
        other = rows[random.integers(0, number)]
        if number % 3:
            rows[number, ROW_WORDS:] = np.where(random.random(8) < 0.5, other[ROW_WORDS:], rows[number, ROW_WORDS:])
        if number % 3 == 1:
            rows[number, 1:ROW_WORDS] = other[1:ROW_WORDS] ^ np.uint64(1 << int(random.integers(0, 64)))
    return rows


@pytest.mark.parametrize("blocks", [1, 2, 9])
@pytest.mark.parametrize("seed", range(3))
def test_neighbours_are_those_of_numpy(blocks: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through growth, eviction and pressure, both indexes match the same documents and hold the same."""
    ours, twin = (NearIndex(Account("near", blocks * UNIT_BYTES + 4_096)) for _ in range(2))
    found: list[bool] = []
    for number, row in enumerate(signatures(700, seed), start=1):
        observed = ours.take(number, row)
        with monkeypatch.context() as patched:
            patched.setattr(near, "compiled", None)
            patched.setattr(near_bands, "compiled", None)
            assert twin.take(number, row) == observed
        assert observed is not None
        found.append(observed.match is not None)
        assert ours.take(number, row) == twin.take(number, row)
        if number == 500:
            for index in (ours, twin):
                index._account.limit //= 2
                while index.shrink():
                    index.check()
    assert any(found)
    assert not all(found)
    assert np.array_equal(ours._bands._slots, twin._bands._slots)
    assert np.array_equal(ours._rows.words, twin._rows.words)
    ours.check()


def test_buffers_of_another_size_are_refused() -> None:
    """What does not fit is an error, and nothing is read or written."""
    assert compiled is not None
    engine, row, table = ENGINES[0], np.zeros(SIGNATURE_WORDS, np.uint64), character_table("NFKC")
    parts = [engine._plan, engine._work, table.entries, row]
    for at, part in enumerate(parts):
        wrong = [*parts[:at], part[:-1].copy(), *parts[at + 1 :]]
        with pytest.raises(ValueError, match="signature engine"):
            compiled.sign("text", *wrong, table.normalised, table.fill)  # type: ignore[arg-type]
    shingles = SETS[0]
    of_set = [shingles._plan, shingles._compiled_run, table.entries]
    for at, part in enumerate(of_set):
        wrong = [*of_set[:at], part[:-1].copy(), *of_set[at + 1 :]]
        with pytest.raises(ValueError, match="expected the plan and the"):
            compiled.shingle_set("text", *wrong, table.normalised, table.fill)  # type: ignore[arg-type]
    small, work = np.zeros(4, np.uint32), np.zeros(compiled.OWN_TEXT_WORK_BYTES, np.uint8)
    with pytest.raises(ValueError, match="memory of blocks"):
        compiled.own_text("text", 1, small, 1, work)
    with pytest.raises(ValueError, match="memory of blocks"):
        compiled.own_text("text", 1, np.zeros(12, np.uint32), 1, work[:-1])
    with pytest.raises(ValueError, match="buckets of its bands"):
        compiled.near_observe(row, small, 1, 1, 1, row, small, 64, 0, bytes(4_096), False, 1)
    with pytest.raises(ValueError, match="the places of blocks"):
        compiled.near_observe(row, np.zeros(32, np.uint32), 1, 1, 1, row, small, 64, 0, bytes(9), False, 1)
    with pytest.raises(ValueError, match="buckets to split"):
        compiled.near_split(np.zeros(64, np.uint32), 1, 1, 1, 1 << 24)
    with pytest.raises(ValueError, match="the row's place"):
        compiled.near_put(row, np.zeros(32, np.uint32), 1, 1, 1, 64, row, 9, 1)


def test_a_fault_while_a_character_is_learnt_is_the_callers() -> None:
    """What the character table raises comes out, and the engine goes on."""
    assert compiled is not None

    def fail(_: object) -> str:
        raise LookupError

    engine, row = SignatureEngine(), np.zeros(SIGNATURE_WORDS, np.uint64)
    entries = np.zeros_like(character_table("NFKC").entries)
    with pytest.raises(LookupError):
        compiled.sign("a", engine._plan, engine._work, entries, row, fail, fail)
    with pytest.raises(LookupError):
        compiled.sign("a", engine._plan, engine._work, entries, row, fail, lambda _: None)
    with pytest.raises(LookupError):
        compiled.shingle_set("é " * 40_000, *SETS[0]._views[:2], entries, fail, fail)
    with pytest.raises(TypeError, match="normal form"):
        compiled.sign("a", engine._plan, engine._work, entries, row, lambda _: 1, lambda _: None)  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize("bit", [1 << 24, 1 << 31])
def test_buckets_are_split_as_numpy_splits_them(bit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Full, half full and empty buckets keep and give the same slots in the same order."""
    assert compiled is not None
    random = np.random.default_rng(2)
    ours = NearBands(64, 16)
    slots = random.integers(0, 1 << 32, (16, WAYS), dtype=np.uint64).astype(np.uint32)
    slots[:4, 9:] = slots[4] = 0
    twin = NearBands(64, 16)
    for bands in (ours, twin):
        bands._buckets[:16] = slots
    compiled.near_split(ours.layout[0], 0, 16, 16, bit)
    twin._split_in_numpy(0, 16, bit)
    assert np.array_equal(ours._slots, twin._slots)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_similarities_are_those_of_python(data: st.DataObject) -> None:
    """Whatever two headers and the bits between them are, both give the same number to the last bit."""
    assert compiled is not None
    bins = [data.draw(st.sampled_from([64, 512, 2_048])) for _ in range(2)]
    filled = [data.draw(st.integers(1, size)) for size in bins]
    held = [data.draw(st.integers(0, count)) for count in filled]
    one, other = (np.zeros(SIGNATURE_WORDS, np.uint64) for _ in range(2))
    one[0], other[0] = map(header, bins, filled, held)
    bits = data.draw(st.integers(0, 191))
    for bit in range(bits):
        other[1 + bit // 64] |= np.uint64(1 << bit % 64)
    slots, rows, places = np.zeros(32, np.uint32), np.zeros(64 * ROW_WORDS, np.uint64), np.zeros(1, np.uint32)
    compiled.near_put(other, slots, 1, 1, 1, 0, rows, 0, 7)
    observed = compiled.near_observe(one, slots, 1, 1, 1, rows, places, 1, 1, b"\xff" * 4_096, False, 8)
    assert observed is not None
    word = 7 << 32 | int(other[0])
    is_near = filled[0] > FEW or not bits
    assert observed[0] == ([(word, bits, similarity(int(one[0]), word, bits))] if is_near else [])
