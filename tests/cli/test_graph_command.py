"""`weaver graph`: the link graph of a crawl directory as tables, documents and pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.analysis.made_crawl import ADVERT, COPY, EDGES, FRONT, MOVED, OTHER, TWO, URLS, make_crawl
from weaver.cli.main import cli

DIAMOND = "# two ways round, and a loop\n0 1\n0 2\n1 3\n2 3\n3 0\n4 4\n"


def run(*arguments: str | Path) -> Result:
    """Run the command."""
    return CliRunner().invoke(cli, ["graph", *map(str, arguments)], prog_name="weaver", env={"COLUMNS": "100"})


def document(*arguments: str | Path) -> Any:
    """Its `--json` document."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    """A crawl of nine URLs of two hosts."""
    return make_crawl(tmp_path / "crawl")


@pytest.fixture
def diamond(tmp_path: Path) -> Path:
    """An imported graph of five nodes."""
    (tmp_path / "edges.txt").write_text(DIAMOND)
    assert run("import", tmp_path / "edges.txt", "-o", tmp_path / "diamond", "-q").output == ""
    return tmp_path / "diamond"


def test_stats_count_nodes_edges_kinds_and_degrees(crawl: Path) -> None:
    """`stats --json` has nodes, edges, edges by kind and degrees both ways; the table has the same."""
    stats = document("stats", crawl)
    edges = sum(map(len, EDGES.values()))
    assert (stats["nodes"], stats["edges"], stats["by_kind"]["redirect"]) == (len(URLS), edges, 1)
    assert stats["degrees"]["out"]["highest"] == 9
    assert stats["degrees"]["in"]["none"] == 0
    shown = run("stats", crawl).stdout
    assert f"nodes  {len(URLS)}" in shown
    assert f"{edges} in {edges} pairs of pages" in shown
    assert "1 redirect" in shown


def test_kinds_choose_which_edges_count(crawl: Path) -> None:
    """`--kinds` leaves the other edges out everywhere; a kind that is none is wrong use."""
    assert document("stats", crawl, "--kinds", "nofollow,redirect")["edges"] == 2
    top = document("top", crawl, "--kinds", "nofollow")
    assert (top["top"][0]["url"], top["top"][0]["value"]) == (URLS[ADVERT], 1)
    wrong = run("stats", crawl, "--kinds", "nofollow,links")
    assert wrong.exit_code == 2
    assert "got 'links'" in wrong.output


@pytest.mark.parametrize("by", ["in", "out", "rank", "hubs", "authorities", "harmonic"])
def test_top_lists_the_highest_by_each_measure(crawl: Path, by: str) -> None:
    """`top --by` any measure lists so many pages, the highest first, with ids and URLs."""
    found = document("top", crawl, "--by", by, "--limit", 3)
    values = [row["value"] for row in found["top"]]
    assert len(values) == 3
    assert values == sorted(values, reverse=True)
    assert all(row["url"] == URLS[row["id"]] for row in found["top"])
    assert URLS[found["top"][0]["id"]] in run("top", crawl, "--by", by, "--limit", 1).stdout


def test_rank_tells_how_it_converged(crawl: Path, diamond: Path) -> None:
    """`rank` gives iterations, time and the last change; the matrices' hit ratio is in the document."""
    found = document("rank", crawl)
    assert found["converged"]
    assert found["residual"] < 1e-6
    assert found["matrices"]["hit_ratio"] == 0.5
    assert found["iteration_cpu_s"] >= 0
    cut = document("rank", diamond, "--iterations", 1)
    assert (cut["iterations"], cut["converged"]) == (1, False)
    assert "not converged after 1 iterations" in run("rank", diamond, "--iterations", 1).stdout


def test_components_are_counted_both_ways(diamond: Path) -> None:
    """`components --json` has weak and strong ones, each with count and largest."""
    found = document("components", diamond)
    assert found["weak"] == {"count": 2, "largest": 4, "sizes": [4, 1]}
    assert found["strong"] == {"count": 2, "largest": 4, "sizes": [4, 1]}
    assert "strong" in run("components", diamond).stdout


def test_a_path_is_found_by_url_or_id(crawl: Path, diamond: Path) -> None:
    """`path` tells the steps from one page to another; both may be URLs, as they are written, or ids."""
    found = document("path", crawl, "HTTP://A.test:80/moved#x", OTHER)
    assert [step["id"] for step in found["path"]] == [MOVED, TWO, FRONT, OTHER]
    assert found["hops"] == 3
    assert URLS[TWO] in run("path", crawl, MOVED, URLS[OTHER]).stdout
    nowhere = document("path", diamond, "1", "5")
    assert (nowhere["path"], nowhere["hops"]) == ([], None)
    assert run("path", diamond, "1", "5").stdout == "no path\n"


def test_without_a_target_pages_are_counted_by_distance(diamond: Path) -> None:
    """`path DIR SOURCE` counts the nodes at each distance, up to `--hops`."""
    assert document("path", diamond, "1")["levels"] == [1, 2, 1]
    near = document("path", diamond, "1", "--hops", "1")
    assert (near["levels"], near["reached"]) == ([1, 2], 3)
    assert "4 nodes reached, the farthest 2 links away" in run("path", diamond, "1").stdout
    assert run("path", diamond, "1", "2", "--hops", "1").exit_code == 2


@pytest.mark.parametrize(("source", "complaint"), [("77", "expected an id from 1 to 9"), ("http://c.test/", "knows")])
def test_a_page_that_is_not_known_is_wrong_use(crawl: Path, source: str, complaint: str) -> None:
    """An id or URL that the crawl doesn't have is told in one line, with exit code 2."""
    result = run("path", crawl, source)
    assert result.exit_code == 2
    assert complaint in result.output


def test_hosts_are_listed_with_the_links_between_them(crawl: Path) -> None:
    """`hosts` adds the links up by host, within and between."""
    found = document("hosts", crawl)
    assert (found["hosts"], found["host_edges"], found["links_between"]) == (2, 1, 1)
    assert found["top"][0] | {"origin": "http://b.test:8080", "links_in": 1, "urls": 1} == found["top"][0]
    assert found["pairs"] == [{"source": "http://a.test", "target": "http://b.test:8080", "links": 1}]
    shown = run("hosts", crawl).stdout
    assert "2 hosts, 1 pairs of hosts with links" in shown


@pytest.mark.slow
@pytest.mark.parametrize("command", ["stats", "components"])
@pytest.mark.parametrize(("name", "magic"), [("plot.svg", b"<?xml"), ("plot.PNG", b"\x89PNG")])
def test_pictures_are_drawn_the_same_each_time(
    tmp_path: Path, crawl: Path, command: str, name: str, magic: bytes
) -> None:
    """`-o` draws degrees or component sizes as SVG or PNG, byte for byte the same for one graph."""
    drawn = []
    for _ in range(2):
        assert run(command, crawl, "-o", tmp_path / name).exit_code == 0
        drawn.append((tmp_path / name).read_bytes())
    assert drawn[0].startswith(magic)
    assert drawn[0] == drawn[1]
    assert run(command, crawl, "-o", tmp_path / "plot.pdf").exit_code == 2


def test_an_import_says_what_it_wrote(tmp_path: Path, diamond: Path) -> None:
    """`import` tells nodes and edges, and names a malformed line."""
    assert document("stats", diamond)["edges"] == 6
    done = document("import", tmp_path / "edges.txt", "-o", tmp_path / "again")
    assert (done["nodes"], done["edges"]) == (5, 6)
    (tmp_path / "bad.txt").write_text("0 1\n0\n")
    result = run("import", tmp_path / "bad.txt", "-o", tmp_path / "bad")
    assert result.exit_code == 1
    assert "bad.txt, line 2: expected two ids" in result.stderr
    assert not (tmp_path / "bad").exists()


def test_a_window_that_is_too_small_is_wrong_use(crawl: Path) -> None:
    """`--memory` below what the nodes need is refused with the size that they need."""
    result = run("components", crawl, "--memory", "1")
    assert result.exit_code == 2
    assert "need --memory" in result.output
    assert run("stats", crawl, "--memory", "many").exit_code == 2


def test_an_empty_graph_has_all_answers(tmp_path: Path) -> None:
    """A directory without nodes is answered with zeros, not with errors."""
    (tmp_path / "none.txt").write_text("# nothing\n")
    assert run("import", tmp_path / "none.txt", "-o", tmp_path / "none").exit_code == 0
    for command in (["stats"], ["top"], ["top", "--by", "harmonic"], ["rank"], ["components"], ["hosts"]):
        result = run(*command, tmp_path / "none")
        assert result.exit_code == 0, result.output
    assert run("stats", tmp_path / "none", "-o", tmp_path / "none.svg").exit_code == 0
    assert document("components", tmp_path / "none")["weak"]["count"] == 0


def test_what_strangers_wrote_does_not_reach_the_terminal(crawl: Path) -> None:
    """No output holds a control character but line ends."""
    for command in (["top", str(crawl)], ["path", str(crawl), str(COPY)]):
        assert all(sign.isprintable() or sign == "\n" for sign in run(*command).stdout)
