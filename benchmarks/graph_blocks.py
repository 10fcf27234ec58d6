"""What a link costs in sealed blocks, in bits and in time, in an edge list's own order and in that of a crawl."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weaver.codec.block_codec import BLOCK_BYTES, DEFAULT_LEVEL, BlockCodec, sort_rows
from weaver.graph.blocks import ROWS_BEFORE_DECODING, SealedBlocks
from weaver.memory import Account

LEVELS = (3, 9, 12, 14, 16, 19)
ROUNDS = 3
LOOK_UPS = 2_000
# A page of the parse benchmark, so that encoding is comparable with the rest of a page's cost.
LINKS_PER_PAGE = 94
Column = NDArray[np.uint32]
Figures = dict[str, object]
Rows = tuple[Column, Column]


def read_edges(path: Path) -> Rows:
    """Degrees by node from 0 on, and all targets by row, from lines of two ids; `.gz` or plain."""
    edges = np.loadtxt(path, dtype=np.uint32, comments="#", usecols=(0, 1), ndmin=2)
    return by_row(edges[:, 0], edges[:, 1], int(edges.max()) + 1)


def by_row(sources: Column, targets: Column, nodes: int) -> Rows:
    keys = np.unique(sources.astype(np.uint64) << np.uint64(32) | targets)
    degrees = np.bincount((keys >> np.uint64(32)).astype(np.int64), minlength=nodes)
    return degrees.astype(np.uint32), (keys & np.uint64(0xFFFFFFFF)).astype(np.uint32)


def in_discovery_order(degrees: Column, targets: Column) -> Rows:
    """The graph with nodes numbered as a crawl meets them: breadth first from node 0, unreached ones in order."""
    ends = np.cumsum(degrees, dtype=np.int64).tolist()
    begins, links = [0, *ends[:-1]], targets.tolist()
    number, order = [-1] * len(degrees), list[int]()
    for seed in range(len(degrees)):
        if number[seed] >= 0:
            continue
        number[seed], next_page = len(order), len(order)
        order.append(seed)
        while next_page < len(order):
            page = order[next_page]
            next_page += 1
            for target in links[begins[page] : ends[page]]:
                if number[target] < 0:
                    number[target] = len(order)
                    order.append(target)
    renumbered = np.array(number, np.uint32)
    return by_row(np.repeat(renumbered, degrees), renumbered[targets], len(degrees))


def cpu_s(task: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The least CPU time of some runs."""
    spent = []
    for _ in range(rounds):
        started = time.process_time()
        task()
        spent.append(time.process_time() - started)
    return min(spent)


def look_up_us(look_up: Callable[[int], object], nodes: list[int], name: str) -> Figures:
    """Wall time of a look-up: the least of some rounds for each node, for other processes' turns are not ours.

    `_p99_with_waits` is that of all look-ups in all rounds, with those turns.
    """
    spent_us = np.zeros((ROUNDS, len(nodes)))
    for spent in spent_us:
        for index, node in enumerate(nodes):
            started = time.perf_counter_ns()
            look_up(node)
            spent[index] = (time.perf_counter_ns() - started) / 1e3
    least_us = spent_us.min(axis=0)
    return {
        f"{name}_p50": round(float(np.percentile(least_us, 50)), 2),
        f"{name}_p99": round(float(np.percentile(least_us, 99)), 2),
        f"{name}_p99_with_waits": round(float(np.percentile(spent_us, 99)), 2),
    }


def sealed(rows: Rows, level: int) -> tuple[list[bytes], Figures]:
    """The blocks of all rows, and what they cost."""
    degrees, targets = rows
    nodes, codec = np.arange(len(degrees), dtype=np.uint32), BlockCodec(level)
    started = time.process_time()
    blocks = list(codec.encode_all(nodes, degrees, targets))
    encode_s = time.process_time() - started
    return blocks, {
        "bits_per_link": round(8 * sum(map(len, blocks)) / len(targets), 3),
        "encode_links_per_s": round(len(targets) / encode_s),
        "encode_us_per_page": round(1e6 * encode_s / len(targets) * LINKS_PER_PAGE, 1),
    }


def read_figures(rows: Rows, blocks: list[bytes]) -> Figures:
    """What reading costs: all of it, one row cold, one row from a decoded block."""
    degrees, targets = rows
    codec, store = BlockCodec(), SealedBlocks(Account("graph", 1 << 40))
    decoded = [codec.decode(block) for block in blocks]
    if not np.array_equal(np.concatenate([block.targets for block in decoded]), targets):
        sys.exit("the rows that came back are not those that went in")
    firsts = np.array([block.header.first_node for block in decoded])
    decode_s = cpu_s(lambda: [codec.decode(block) for block in blocks])
    nodes = np.random.default_rng(1).integers(0, len(degrees), LOOK_UPS).tolist()
    of_node = dict(zip(nodes, (np.searchsorted(firsts, nodes, side="right") - 1).tolist(), strict=True))
    cold = look_up_us(lambda node: codec.row(blocks[of_node[node]], node), nodes, "row_us")
    for number, block in enumerate(blocks):
        store.put(number, block)
    ram_bits = 8 * store.resident_bytes / len(targets)
    for first in firsts.tolist() * ROWS_BEFORE_DECODING:
        store.row(first)
    cached = look_up_us(store.row, nodes, "row_cached_us")
    return {
        "ram_bits_per_link": round(ram_bits, 3),
        "decode_links_per_s": round(len(targets) / decode_s),
        **cold,
        **cached,
        "decoded_bytes_per_link": round(sum(block.bytes for block in decoded) / len(targets), 2),
    }


def sort_us_per_page(rows: Rows) -> float:
    """What sorting costs that a page's links need before they are sealed."""
    degrees, targets = rows
    few = degrees[: np.searchsorted(np.cumsum(degrees, dtype=np.int64), BLOCK_BYTES)]
    shuffled = np.random.default_rng(1).permutation(targets[: int(few.sum())])
    kinds = np.zeros(len(shuffled), np.uint8)
    return round(1e6 * cpu_s(lambda: sort_rows(few, shuffled, kinds)) / len(shuffled) * LINKS_PER_PAGE, 1)


def figures_of(rows: Rows, levels: list[int]) -> Figures:
    blocks, at_default = sealed(rows, DEFAULT_LEVEL)
    return {
        **at_default,
        **read_figures(rows, blocks),
        "sort_us_per_page": sort_us_per_page(rows),
        "blocks": len(blocks),
        "block_bytes_mean": round(sum(map(len, blocks)) / len(blocks)),
        "levels": {level: sealed(rows, level)[1] for level in levels},
    }


def measure(path: Path, levels: list[int]) -> Figures:
    given = read_edges(path)
    orders = {
        "given": figures_of(given, levels),
        "discovery": figures_of(in_discovery_order(*given), levels),
    }
    headline = ("bits_per_link", "decode_links_per_s", "row_us_p99", "row_cached_us_p99", "encode_links_per_s")
    return {
        **{name: orders["given"][name] for name in headline},
        "nodes": len(given[0]),
        "links": len(given[1]),
        "level": DEFAULT_LEVEL,
        "column_bytes_per_block": BLOCK_BYTES,
        "order": orders,
    }


def print_table(figures: Figures) -> None:
    print(f"{figures['links']:,} links of {figures['nodes']:,} nodes, level {figures['level']}")
    orders = figures["order"]
    assert isinstance(orders, dict)
    for order, found in orders.items():
        print(f"\n{order} order")
        for name, value in found.items():
            if name != "levels":
                print(f"  {name:24} {value:>14,}")
        for level, cost in found["levels"].items():
            print(f"  level {level:2}: {cost['bits_per_link']} bits, {cost['encode_us_per_page']} us a page")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edges", type=Path, required=True, help="lines of two ids from 0, plain or .gz")
    parser.add_argument("--levels", type=int, nargs="*", default=list(LEVELS), help="zstd levels to compare")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    arguments = parser.parse_args()
    figures = measure(arguments.edges, arguments.levels)
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        print_table(figures)


if __name__ == "__main__":
    main()
