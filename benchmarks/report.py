"""The last stored results of benchmarks.crawl for each site, beside the ones before: a table, and a picture.

`python -m benchmarks.report`; the picture is benchmarks/results/crawl-SITE.svg.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.crawl import RESULTS

Result = dict[str, Any]


def results_by_site() -> dict[str, list[Result]]:
    """All stored results, the oldest first."""
    found: dict[str, list[Result]] = {}
    for path in sorted(RESULTS.glob("crawl-*.json")):
        result: Result = json.loads(path.read_text("utf-8"))
        found.setdefault(result["site"], []).append(result)
    return found


def ratios(result: Result) -> dict[str, float]:
    """Each contender's CPU per page over the bare loop's of the same run."""
    bare = result["rows"]["bare_loop"]["cpu_ms_a_page"]
    return {name: row["cpu_ms_a_page"] / bare for name, row in result["rows"].items()}


def lines(last: Result, before: Result | None) -> list[str]:
    """The table of one site: what it is now, and what became of its ratio."""
    earlier = ratios(before) if before else {}
    head = f"{last['site']}, {last['at']}" + (f" (before: {before['at']})" if before else "")
    rows = [head, f"{'':14}{'CPU ms/page':>13}{'x bare':>9}{'before':>9}{'pages/s':>9}{'RSS MiB':>9}"]
    for name, ratio in ratios(last).items():
        row = last["rows"][name]
        old = f"{earlier[name]:.2f}" if name in earlier else "-"
        rows.append(
            f"{name:14}{row['cpu_ms_a_page']:13.3f}{ratio:9.2f}{old:>9}{row['pages'] / row['wall_s']:9.0f}"
            f"{row['peak_rss_mib']:9.0f}"
        )
    return rows


def draw(results: list[Result], target: Path) -> None:
    """CPU per page of the last run, with its spread; and weaver's ratio to the bare loop, run by run."""
    last = results[-1]
    names = list(last["rows"])
    figure = Figure(figsize=(10, 4), layout="constrained")
    bars, course = figure.subplots(1, 2)
    costs = [last["rows"][name]["cpu_ms_a_page"] for name in names]
    below = [cost - last["rows"][name]["cpu_ms_a_page_from"] for cost, name in zip(costs, names, strict=True)]
    above = [last["rows"][name]["cpu_ms_a_page_to"] - cost for cost, name in zip(costs, names, strict=True)]
    bars.barh(names, costs, xerr=(below, above))
    bars.set(xlabel="CPU ms a page", xscale="log", title=f"{last['site']}, {last['at'][:10]}")
    bars.invert_yaxis()
    # Results of before the contenders were renamed call weaver by its module.
    by_run = [ratios(result) for result in results]
    course.plot([run.get("weaver", run.get("weaver_crawl")) for run in by_run], marker="o")
    course.axhline(1, color="grey")
    course.set(xlabel="run", ylabel="weaver's CPU over the bare loop's", title="run by run", ylim=(0, None))
    figure.savefig(target)


def main() -> None:
    """Print the tables and draw the pictures."""
    found = results_by_site()
    if not found:
        raise SystemExit("no results yet: run `make bench` first")
    for site, results in found.items():
        print("\n".join(lines(results[-1], results[-2] if len(results) > 1 else None)))
        target = RESULTS / f"crawl-{site}.svg"
        draw(results, target)
        print(f"{target.relative_to(Path.cwd()) if target.is_relative_to(Path.cwd()) else target}\n")


if __name__ == "__main__":
    main()
