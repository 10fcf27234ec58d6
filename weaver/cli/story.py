"""The story of one URL as lines for a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from weaver.base.units import format_size
from weaver.cli.terminal import printable

LABEL_COLUMNS = 12
CHAIN_HEAD = 3
CHAIN_TAIL = 5

Story = Mapping[str, Any]


def story_lines(story: Story) -> list[str]:
    """All that `weaver why` has to say, the verdict first."""
    lines = [story["url"], f"{story['state'].replace('_', ' ')}: {story['because']}", ""]
    for part in _PARTS:
        lines += part(story)
    return [printable(line) for line in lines]


def _line(label: str, text: str) -> str:
    return f"{label:<{LABEL_COLUMNS}}{text}"


def _found(story: Story) -> list[str]:
    chain = [f"{'  ' * min(step['depth'], 8)}{step['url']}  ({step['by']})" for step in story.get("found_by", ())]
    if len(chain) > CHAIN_HEAD + CHAIN_TAIL:
        left_out = len(chain) - CHAIN_HEAD - CHAIN_TAIL
        chain[CHAIN_HEAD:-CHAIN_TAIL] = [f"... {left_out} more ..."]
    return [_line("found by" if index == 0 else "", text) for index, text in enumerate(chain)]


def _scope(story: Story) -> list[str]:
    scope = story["scope"]
    return [_line("scope", "inside" if scope["in_scope"] else f"outside: {scope['reason']}")]


def _robots(story: Story) -> list[str]:
    robots = story["robots"]
    if robots["status"] is None:
        return [_line("robots", "robots.txt of this host was never asked for")]
    if since := robots.get("unreachable_since"):
        why = f" ({robots['why']})" if robots["why"] else ""
        return [_line("robots", f"unreachable since {since}{why}; until it answers, nothing may be fetched")]
    rule = robots.get("blocked_by")
    verdict = f"line {rule['line']} forbids it: {rule['text']}" if rule else "no line forbids it"
    return [_line("robots", f"{robots['status']}, fetched {robots['fetched_at'] or 'never'}; {verdict}")]


def _visit(story: Story) -> list[str]:
    visit = story.get("visit")
    if visit is None:
        return []
    label, facts = "decided", [f"at {visit['at']}"]
    if visit["http_status"]:
        label = "visited"
        size = format_size(visit["body_bytes"] or 0)
        facts += [f"status {visit['http_status']}", visit["content_type"] or "no content type", size]
    lines = [_line(label, ", ".join(facts))]
    return lines + ([_line("title", visit["title"])] if visit["title"] else [])


def _queue(story: Story) -> list[str]:
    queue = story.get("queue")
    if queue is None:
        return []
    place = f"{queue.get('before_it_at_its_host', 0):,} of {queue.get('queued_at_its_host', 0):,} come before it"
    lines = [_line("queue", f"{place} at {queue['host']}, which may be asked from {queue['host_ready_at'] or 'now'}")]
    if queue["crawl_delay_s"]:
        lines.append(_line("", f"its robots.txt asks for {queue['crawl_delay_s']} s between requests"))
    return lines


def _duplicate(story: Story) -> list[str]:
    lines = []
    if duplicate := story.get("duplicate_of"):
        lines.append(_line("same", f"{duplicate['same']} as {duplicate['url']}"))
    for index, url in enumerate(story.get("copies", ())):
        lines.append(_line("" if index else "copies", url))
    for index, page in enumerate(story.get("near", ())):
        lines.append(_line("" if index else "near", f"nearly the same as {page['url']} ({page['similarity']:.2f})"))
    return lines


def _out_links(story: Story) -> list[str]:
    out_links = story.get("out_links")
    if not out_links or not out_links["count"]:
        return []
    special = [_line("", f"{link['kind']} to {link['url']}") for link in out_links["special"]]
    return [_line("links out", f"{out_links['count']:,}"), *special]


def _in_links(story: Story) -> list[str]:
    in_links = story.get("in_links")
    if not in_links:
        return []
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in in_links["kinds"].items())
    lines = [_line("links in", f"{in_links['count']:,}{f' ({kinds})' if kinds else ''}")]
    return lines + list(_examples(in_links))


def _examples(in_links: Story) -> Iterator[str]:
    for url in in_links["some"]:
        yield _line("", f"from {url}")


_PARTS: tuple[Callable[[Story], list[str]], ...] = (
    _found, _scope, _robots, _visit, _duplicate, _queue, _out_links, _in_links,
)  # fmt: skip
