"""HyperBall: how near each node is to all others, estimated for all nodes at once (Boldi and Vigna 2013)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.csr import Csr, Indices, Targets
from weaver.base.errors import SettingsError
from weaver.base.units import format_count, format_size

LEAST_LOG2_REGISTERS = 4
MOST_LOG2_REGISTERS = 8
# A further register of each node makes the estimates better by less than what rows on disk cost in time.
REGISTER_SHARE = 2
BYTES_PER_NODE = 56
"""Offsets of rows and transposed rows, the sums and the last estimates of 8 B, and a window; registers on top."""
MOST_ROUNDS = 1_000
MOST_POSITIONS = 256
PIECE_BYTES = 1 << 23
"""What the counters of a piece of edges take; with those that are made of them, four times that."""

_POWERS = np.exp2(-np.arange(64)).astype(np.float32)

Vector = NDArray[np.float64]
Registers = NDArray[np.uint8]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Nearness:
    """For each node, estimated: its harmonic centrality, and how many nodes can reach it (itself among them).

    `relative_error` is the standard error of a count with so many registers (1.04 / sqrt of their number).
    """

    harmonic: Vector
    reaching: Vector
    rounds: int
    has_converged: bool
    log2_registers: int

    @property
    def relative_error(self) -> float:
        return float(1.04 / np.sqrt(1 << self.log2_registers))


def register_bytes(log2_registers: int) -> int:
    """What the counters of one node take: its present ones, and those of the next round."""
    return 2 << log2_registers


def fitting_log2_registers(nodes: int, spare_bytes: int) -> int:
    """The most registers, of 16 to 256, that take half of what is spare; raises SettingsError where 16 don't fit it."""
    for log2 in range(MOST_LOG2_REGISTERS, LEAST_LOG2_REGISTERS, -1):
        if nodes * register_bytes(log2) <= spare_bytes // REGISTER_SHARE:
            return log2
    least = nodes * register_bytes(LEAST_LOG2_REGISTERS)
    if least > spare_bytes:
        raise SettingsError(
            f"the counters of {format_count(nodes)} nodes need {format_size(least)} beside the rest, --memory leaves"
            f" {format_size(spare_bytes)}"
        )
    return LEAST_LOG2_REGISTERS


def harmonic_centrality(
    transposed: Csr, log2_registers: int, piece_bytes: int = PIECE_BYTES, most_rounds: int = MOST_ROUNDS
) -> Nearness:
    """The sum over all other nodes of 1 / distance from there, 0 where there is no way.

    After round t a node's counter (HyperLogLog: Flajolet and others 2007) stands for all nodes at most t links before
    it: the maximum of its own and its sources' counters. O(rounds * edges * registers); ends when no counter changes.
    """
    registers = _first_registers(transposed.nodes, log2_registers)
    reached = _estimates(registers, np.arange(transposed.nodes), piece_bytes)
    harmonic = np.zeros(transposed.nodes)
    has_changed = np.ones(transposed.nodes, np.bool_)
    rounds = 0
    while has_changed.any() and rounds < most_rounds:
        rounds += 1
        registers, has_changed = _grown(transposed, registers, has_changed, piece_bytes)
        changed = np.flatnonzero(has_changed)
        estimates = _estimates(registers, changed, piece_bytes)
        # A counter's estimate never falls, but where its formula changes it may.
        harmonic[changed] += np.maximum(estimates - reached[changed], 0.0) / rounds
        reached[changed] = estimates
    return Nearness(harmonic, reached, max(0, rounds - 1), not has_changed.any(), log2_registers)


def _grown(transposed: Csr, registers: Registers, has_changed: Flags, piece_bytes: int) -> tuple[Registers, Flags]:
    """The counters with those of their nodes' sources taken in, and which ones that changed.

    Only sources whose counters changed in the last round have anything to add.
    """
    grown, is_changing = registers.copy(), np.zeros(len(registers), np.bool_)
    for nodes, degrees, sources in _pieces(transposed, has_changed, max(1, piece_bytes // registers.shape[1])):
        order = np.argsort(-degrees, kind="stable")
        unions = _unions(registers, degrees[order], (np.cumsum(degrees) - degrees)[order], sources)
        nodes = nodes[order]
        before = grown[nodes]
        np.maximum(unions, before, out=unions)
        is_changing[nodes] |= (unions != before).any(axis=1)
        grown[nodes] = unions
    return grown, is_changing


def _unions(registers: Registers, degrees: Indices, begins: Indices, sources: Targets) -> Registers:
    """The maximum of the counters of each row's sources; rows come with falling degrees.

    The second sources of all rows are taken in at once, then the third ones, ...: a third of the time of
    maximum.reduceat. The rest of a long row is a maximum of its own.
    """
    unions: Registers = registers[sources[begins]]
    for position in range(1, min(int(degrees[0]), MOST_POSITIONS)):
        longer = int(np.searchsorted(-degrees, -position))
        taken = registers[sources[begins[:longer] + position]]
        np.maximum(unions[:longer], taken, out=unions[:longer])
    for row in range(int(np.searchsorted(-degrees, -MOST_POSITIONS))):
        begin = int(begins[row])
        rest = sources[begin + MOST_POSITIONS : begin + int(degrees[row])]
        np.maximum(unions[row], registers[rest].max(axis=0), out=unions[row])
    return unions


def _pieces(transposed: Csr, is_wanted: Flags, most: int) -> Iterator[tuple[Indices, Indices, Targets]]:
    """Nodes that have wanted sources, how many, and these, row by row; a long row comes in several pieces.

    No piece has more than `most` sources.
    """
    for window in transposed.windows():
        wanted = is_wanted[window.targets]
        sources, owners = window.targets[wanted], window.sources[wanted]
        for at in range(0, len(sources), most):
            part = owners[at : at + most]
            begins = np.flatnonzero(np.concatenate((np.ones(1, np.bool_), part[1:] != part[:-1])))
            yield part[begins], np.diff(begins, append=len(part)), sources[at : at + most]


def _first_registers(nodes: int, log2_registers: int) -> Registers:
    """Counters that stand for each node alone: by its hash one register, and in it the length of a run of zeros."""
    registers = np.zeros((nodes, 1 << log2_registers), np.uint8)
    hashes = _hashes(nodes)
    rest = hashes >> np.uint64(log2_registers)
    # The lowest bit set: of a number less than 2^53, float64 knows the exponent exactly.
    lowest = (rest & (~rest + np.uint64(1))) & np.uint64((1 << 53) - 1)
    runs = np.where(lowest > 0, np.frexp(lowest.astype(np.float64))[1], 54).astype(np.uint8)
    registers[np.arange(nodes), hashes & np.uint64((1 << log2_registers) - 1)] = runs
    return registers


def _hashes(nodes: int) -> NDArray[np.uint64]:
    """Numbers as good as random, the same ones each time: SplitMix64 (Steele and others 2014) of 1, 2, 3, ..."""
    mixed = np.arange(1, nodes + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _estimates(registers: Registers, nodes: Indices, piece_bytes: int) -> Vector:
    """How many nodes the counters of `nodes` stand for; linear counting while many registers are 0."""
    width = registers.shape[1]
    estimates = np.empty(len(nodes))
    step = max(1, piece_bytes // (4 * width))
    for at in range(0, len(nodes), step):
        part = registers[nodes[at : at + step]]
        raw = _alpha(width) * width * width / _POWERS[part].sum(axis=1, dtype=np.float64)
        zeros = width - np.count_nonzero(part, axis=1)
        linear = width * np.log(width / np.maximum(zeros, 1))
        estimates[at : at + step] = np.where((raw <= 2.5 * width) & (zeros > 0), linear, raw)
    return estimates


def _alpha(width: int) -> float:
    """The constant of HyperLogLog that takes its bias away."""
    return {16: 0.673, 32: 0.697, 64: 0.709}.get(width, 0.7213 / (1 + 1.079 / width))
