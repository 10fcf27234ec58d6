"""SignatureEngine: a text's signature, from which an index tells how alike two texts are without either."""

from __future__ import annotations

from functools import cached_property, partial

import numpy as np

from weaver.dedupe.character_table import character_table
from weaver.dedupe.shingles import SHINGLE_WORDS, Shingles, shingle_plan
from weaver.dedupe.sketch import (
    BAND_VALUES,
    BANDS,
    FEW,
    FEWEST_BINS,
    MOST_BINS,
    ROW_WORDS,
    SIGNATURE_WORDS,
    SKETCH_BITS,
    SKETCH_WORDS,
    Words,
    bins_held,
    header,
)
from weaver.dedupe.words import PIECE, Form, Hashes, mix, odd_constants
from weaver.native import compiled

_EMPTY = (1 << 64) - 1
_MASK = (1 << 64) - 1
_COARSE = BANDS * BAND_VALUES
# Where a coarse bin without a value looks for one, before it takes the first there is.
_PROBES = 64
_HALF = np.uint64(32)
_ONE = np.uint64(1)
_BITS = np.arange(64, dtype=np.uint64)


class SignatureEngine:
    """One-permutation MinHash (Li, Owen and Zhang 2012), kept as an odd sketch, with keys of bands to find it by.

    A shingle's hash names one of `permutations` bins, and each bin keeps its least: so many values as many permutations
    would give, for one hash. The bands take the minima of 32 coarser bins; one without a value takes another's
    (densification: Shrivastava 2017), so that short texts have bands too. Texts are comparable by signatures of the
    same settings and seed only.

    All arrays belong to the instance and are as long as a piece of text: a signature makes no array, however long the
    text is. What `signature` returns is the engine's own row, overwritten by the next call. O(characters).
    """

    def __init__(
        self,
        permutations: int = MOST_BINS,
        shingle: int = SHINGLE_WORDS,
        seed: int = 0,
        *,
        form: Form = "NFKC",
        characters: bool = True,
    ) -> None:
        if permutations.bit_count() != 1 or not FEWEST_BINS <= permutations <= MOST_BINS:
            raise ValueError(
                f"expected a power of two from {FEWEST_BINS} to {MOST_BINS} permutations, got {permutations}"
            )
        self.permutations = permutations
        self._make_shingles = partial(Shingles, shingle, seed, form=form, characters=characters)
        bits = permutations.bit_length() - 1
        self._to_bin, self._to_value = np.uint64(64 - bits), np.uint64(bits)
        self._place_factor = odd_constants(seed, "place", 1)[0]
        self._band_factors = odd_constants(seed, "bands", _COARSE).reshape(BANDS, BAND_VALUES)
        self._band_seeds = odd_constants(seed, "band seeds", BANDS)
        self._band_mixer = odd_constants(seed, "band mixer", 1)[0]
        probes = (odd_constants(seed, "probes", _PROBES * _COARSE) >> _HALF) % np.uint64(_COARSE)
        self._probes: list[list[int]] = probes.reshape(_COARSE, _PROBES).tolist()
        self._minima = np.zeros(permutations, np.uint64)
        self._coarse = np.zeros(_COARSE, np.uint64)
        self._found = np.zeros(_COARSE, np.uint64)
        self._is_filled = np.zeros(permutations, np.bool_)
        self._places = np.zeros(permutations, np.uint64)
        # The last one takes what bins without a value would add.
        self._parities = np.zeros(SKETCH_BITS + 1, np.uint64)
        self._ones = np.ones(permutations, np.uint64)
        self._products = np.zeros((BANDS, BAND_VALUES), np.uint64)
        self._row = np.zeros(SIGNATURE_WORDS, np.uint64)
        self._table = character_table(form)
        self._plan = self._compiled_plan(probes, shingle, seed, characters=characters)
        self._work = np.zeros(0 if compiled is None else compiled.SIGN_WORK_BYTES, np.uint8)
        self._views = self._plan.data, self._work.data, self._table.entries.data, self._row.data

    def __repr__(self) -> str:
        return f"SignatureEngine(permutations={self.permutations}, shingle={self._make_shingles.args[0]})"

    @cached_property
    def _shingles(self) -> Shingles:
        """Made at first use, like the room for bins and values of a piece: 1 MiB that the compiled signer needs not."""
        return self._make_shingles()

    @cached_property
    def _bins(self) -> Hashes:
        return np.zeros(PIECE + self._shingles.words, np.uint64)

    @cached_property
    def _values(self) -> Hashes:
        return np.zeros(PIECE + self._shingles.words, np.uint64)

    def signature(self, text: str) -> Words:
        """The text's SIGNATURE_WORDS words, in a row that the next call overwrites; all zero for a text without any."""
        if compiled is None:
            return self.signature_in_numpy(text)
        compiled.sign(text, *self._views, self._table.normalised, self._table.fill)
        return self._row

    def signature_in_numpy(self, text: str) -> Words:
        """The same, by the twin."""
        self._minima.fill(_EMPTY)
        self._row.fill(0)
        for hashes in self._shingles.of(text):
            self._take(hashes)
        np.not_equal(self._minima, _EMPTY, out=self._is_filled)
        filled = int(np.count_nonzero(self._is_filled))
        if filled:
            span = bins_held(self.permutations, filled)
            held = filled if span == self.permutations else int(np.count_nonzero(self._is_filled[:span]))
            self._row[0] = header(self.permutations, filled, held)
            if filled > FEW:
                self._sketch(span)
            else:
                self._spell_out()
            self._set_bands()
        return self._row

    def shingles(self, text: str) -> Hashes:
        """The text's distinct shingles in ascending order, in a new array, for exact similarity (`jaccard`)."""
        return self._shingles.set_of(text)

    def _compiled_plan(self, probes: Hashes, shingle: int, seed: int, *, characters: bool) -> Hashes:
        """The engine's constants as native/signature.c has them."""
        single = np.array([self._to_value, self._place_factor, self._band_mixer], np.uint64)
        of_bands = self._band_factors.ravel(), self._band_seeds, probes
        return np.concatenate([shingle_plan(shingle, seed, characters=characters), single, *of_bands])

    def _take(self, hashes: Hashes) -> None:
        """Keep the least of each bin."""
        bins, values = self._bins[: len(hashes)], self._values[: len(hashes)]
        np.right_shift(hashes, self._to_bin, out=bins)
        np.left_shift(hashes, self._to_value, out=values)
        np.minimum.at(self._minima, bins.view(np.int64), values)

    def _sketch(self, span: int) -> None:
        """Flip one bit for each value of the first `span` bins."""
        places = self._places[:span]
        np.multiply(self._minima[:span], self._place_factor, out=places)
        np.right_shift(places, _HALF, out=places)
        np.multiply(places, np.uint64(SKETCH_BITS), out=places)
        np.right_shift(places, _HALF, out=places)
        np.logical_not(self._is_filled[:span], out=self._is_filled[:span])
        np.putmask(places, self._is_filled[:span], SKETCH_BITS)
        self._parities.fill(0)
        np.add.at(self._parities, places.view(np.int64), self._ones[:span])
        parities = self._parities[:SKETCH_BITS]
        np.bitwise_and(parities, _ONE, out=parities)
        by_word = parities.reshape(SKETCH_WORDS, 64)
        np.left_shift(by_word, _BITS, out=by_word)
        np.bitwise_or.reduce(by_word, axis=1, out=self._row[1:ROW_WORDS])

    def _spell_out(self) -> None:
        """For very few values, a hash of all of them instead: parities of so few would be equal by chance."""
        np.multiply(self._minima, self._is_filled, out=self._places)
        total = int(np.add.reduce(self._places))
        for word in range(1, ROW_WORDS):
            total = (total * int(self._place_factor) + word) & _MASK
            total ^= total >> 29
            self._row[word] = total

    def _set_bands(self) -> None:
        np.minimum.reduce(self._minima.reshape(_COARSE, -1), axis=1, out=self._coarse)
        if int(self._coarse.max()) == _EMPTY:
            self._densify()
        np.multiply(self._coarse.reshape(BANDS, BAND_VALUES), self._band_factors, out=self._products)
        keys = self._row[ROW_WORDS:]
        np.add.reduce(self._products, axis=1, out=keys)
        np.add(keys, self._band_seeds, out=keys)
        mix(keys, self._found[:BANDS], self._band_mixer)

    def _densify(self) -> None:
        """A coarse bin without a value takes that of the first one of its own row of probes that has one."""
        values: list[int] = self._coarse.tolist()
        first = min(values)
        for index, value in enumerate(values):
            if value == _EMPTY:
                probed = (values[probe] for probe in self._probes[index])
                self._coarse[index] = next((other for other in probed if other != _EMPTY), first)
