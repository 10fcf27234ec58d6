"""Chart: what a soak found, drawn: memory by account against pages as text and as SVG."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.soak_watch import SAMPLES, Figures

MIB = 1 << 20
CHART_COLUMNS = 40
COLOURS = ("#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#edc948", "#b07aa1", "#ff9da7", "#9c755f")


def bands(samples: list[Figures], baseline: float) -> dict[str, list[float]]:
    """MiB by account, the baseline first and what no account knows last, for each sample."""
    tags = [tag for tag in samples[0]["accounts"] if any(sample["accounts"][tag] for sample in samples)]
    rows = {"baseline": [baseline] * len(samples)}
    rows |= {tag: [sample["accounts"][tag] / MIB for sample in samples] for tag in tags}
    known = [sum(column) for column in zip(*rows.values(), strict=True)]
    rows["untracked"] = [max(0.0, s["rss"] / MIB - total) for s, total in zip(samples, known, strict=True)]
    return rows


def svg(figures: Figures) -> str:
    """Memory by account against pages, stacked, with the budget above the baseline as a dashed line."""
    samples = figures["samples"]
    rows = bands(samples, figures["baseline_rss_mib"])
    limit = figures["budget_mib"] + figures["baseline_rss_mib"]
    width, height, left, top = 760, 380, 60, 40
    most = max(limit, *(sample["rss"] / MIB for sample in samples)) * 1.05
    xs = [left + sample["pages"] / samples[-1]["pages"] * width for sample in samples]
    below: list[float] = [0.0] * len(samples)
    parts = []
    for index, (tag, values) in enumerate(rows.items()):
        colour = "#bbbbbb" if tag == "baseline" else "#333333" if tag == "untracked" else COLOURS[index % len(COLOURS)]
        above = [low + value for low, value in zip(below, values, strict=True)]
        edge = [*zip(xs, above, strict=True), *reversed([*zip(xs, below, strict=True)])]
        points = " ".join(f"{x:.1f},{top + height * (1 - y / most):.1f}" for x, y in edge)
        parts.append(f'<polygon points="{points}" fill="{colour}"/>')
        key_y = top + 14 * index
        parts.append(f'<rect x="{left + width + 14}" y="{key_y}" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{left + width + 30}" y="{key_y + 9}">{tag} {values[-1]:.1f}</text>')
        below = above
    for tick in range(5):
        value, y = most * tick / 4, top + height * (1 - tick / 4)
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.0f}</text>')
        x, pages = left + width * tick / 4, samples[-1]["pages"] * tick // 4
        parts.append(f'<text x="{x}" y="{top + height + 18}" text-anchor="middle">{pages:,}</text>')
    y = top + height * (1 - limit / most)
    parts.append(f'<path d="M{left} {y:.1f}h{width}" stroke="#c00" stroke-dasharray="6 4"/>')
    title = f"MiB by account against pages; dashed: baseline + budget of {figures['budget_mib']:.0f} MiB"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 150}" height="{top + height + 30}" '
        f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="{left}" y="22" font-size="14">{title}</text>{"".join(parts)}</svg>\n'
    )


def chart(figures: Figures) -> Iterator[str]:
    """What a person reads: a bar of RSS by account for every fifth sample, then the figures."""
    samples = figures["samples"]
    rows = bands(samples, figures["baseline_rss_mib"])
    most = max(sample["rss"] / MIB for sample in samples)
    letters = dict(zip(rows, ".ABCDEFGHIJKLM"[: len(rows) - 1] + "?", strict=True))
    yield "  ".join(f"{letter} {tag}" for tag, letter in letters.items())
    for index in sorted({*range(0, len(samples), SAMPLES // 10), len(samples) - 1}):
        bar = "".join(letters[tag] * round(values[index] / most * CHART_COLUMNS) for tag, values in rows.items())
        sample = samples[index]
        yield (
            f"{sample['pages']:>9,} {bar:{CHART_COLUMNS + 4}} {sample['rss'] / MIB:6.1f} MiB {sample['at_s']:7.1f} s"
            f"  queued {sample['queued']:>9,}  db {sample['database'] / MIB:7.1f} MiB"
        )
    yield from (f"{name}: {value}" for name, value in figures.items() if name != "samples")
