"""Discovery: a page's hrefs become ids, and what is new among them becomes rows and tasks."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import compress, count, repeat
from operator import not_
from typing import Protocol

from weaver.base.page import Task
from weaver.base.record import HostRecord, QueueRow, UrlRow
from weaver.base.url import Canonicalizer, directory_of, origin_of, url_key
from weaver.base.value import value
from weaver.frontier.depths import Depths, EdgesOf
from weaver.frontier.host_ids import HostIds
from weaver.frontier.href_cache import REFUSED, Folder, HrefCache
from weaver.frontier.refused import Refused
from weaver.frontier.scope import PROMOTABLE, TOO_DEEP, Scope
from weaver.frontier.seen import Seen
from weaver.memory.uncommitted import Uncommitted


class ColdUrls(Protocol):
    """URLs on disk, as far as they were committed."""

    def refused_url(self, url_id: int) -> tuple[str, str] | None:
        """The text of a known URL, and why it was refused."""
        ...


@value
class Finding:
    """Where links were found: the page (0: the user named them), the depth and redirects in a row of what they
    lead to, and why they are not to be followed (empty: they are)."""

    source_id: int
    depth: int
    redirects: int = 0
    refusal: str = ""


@value
class Discovered:
    """What is new since the last `take`, for one commit record, and the tasks to queue once it is submitted."""

    urls: tuple[UrlRow, ...]
    hosts: tuple[HostRecord, ...]
    promoted: tuple[tuple[int, int], ...]
    queued: tuple[QueueRow, ...]
    tasks: tuple[Task, ...]


class Discovery:
    """The way from raw hrefs to ids. One batch look-up a page for what the href cache does not know."""

    def __init__(
        self,
        canonicalizer: Canonicalizer,
        key_seed: int,
        seen: Seen,
        hosts: HostIds,
        scope: Scope,
        cache: HrefCache,
        refused: Refused,
        cold: ColdUrls,
        depths: Depths | None = None,
        edges_of: EdgesOf = lambda _url_id: (),
    ) -> None:
        self._canonicalizer = canonicalizer
        self._key_seed = key_seed
        self._seen = seen
        self._hosts = hosts
        self._scope = scope
        self._cache = cache
        self._refused = refused
        self._refused_urls: Uncommitted[int, tuple[str, str]] = Uncommitted()
        self._cold = cold
        self._depths = depths
        self._edges_of = edges_of
        self._urls: list[UrlRow] = []
        self._tasks: list[Task] = []
        self._promoted: list[tuple[int, int]] = []
        self.skipped: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"Discovery({self._seen}, refused={len(self._refused)})"

    @property
    def known_urls(self) -> int:
        """How many URLs were ever met: the nodes of the graph."""
        return self._seen.last_id

    def resolve(self, base: str, hrefs: list[str], finding: Finding) -> list[int]:
        """The id of each href, in order; REFUSED where it is no http(s) URL. New ones wait for `take`."""
        folder = self._cache.folder(directory_of(base))
        ids = list(map(folder.get, hrefs, repeat(0)))
        if 0 in ids:
            self._resolve_unknown(base, hrefs, ids, folder, finding)
        self._found(ids, finding)
        return ids

    def targets(self, base: str, hrefs: list[str], finding: Finding) -> array[int]:
        """The distinct ids of what `resolve` gives, without REFUSED. New ones wait for `take`.

        Where a key says that a URL is known, its text is not made, and its href needs no place in the cache.
        """
        keys, places, others = self._canonicalizer.plain_keys(hrefs, base, self._key_seed)
        ids, unknown = self._seen.lookup_words(keys)
        if unknown:
            firsts = memoryview(places).cast("I")
            urls = self._canonicalizer.canonical_many([hrefs[firsts[place]] for place in unknown], base)
            words = memoryview(keys).cast("Q")
            for place, url in zip(unknown, urls, strict=True):
                assert url is not None, f"{hrefs[firsts[place]]} on {base} has a key, and no URL"
                ids[place] = self._add(url, words[place], finding)
        self._found(ids, finding)
        return _distinct([*ids, *self.resolve(base, others, finding)]) if others else ids

    def _found(self, ids: Sequence[int], finding: Finding) -> None:
        """Known ones were met again: some may be queued after all, or are nearer than they were."""
        if finding.refusal:
            return
        if self._refused:
            self._promote(ids, finding)
        if self._depths is not None:
            self._lower(self._depths, self._depths.nearer(set(ids), finding.depth))

    def depth_of(self, task: Task) -> int:
        """The task's depth as it is known now: it may have been found nearer to a seed since it was queued."""
        return task.depth if self._depths is None else min(task.depth, self._depths.of(task.url_id))

    def _lower(self, depths: Depths, waiting: list[tuple[int, int]]) -> None:
        """Known URLs were found on a shorter path: so were all that they lead to, and some are no longer too deep."""
        while waiting:
            url_id, depth = waiting.pop()
            if depths.of(url_id) <= depth:
                continue
            depths.note(url_id, depth)
            url, reason = self._refused_urls.get(url_id) or self._cold.refused_url(url_id) or ("", "")
            if not reason:
                self._promoted.append((url_id, depth))
                waiting += [(target, depth + step) for target, step in self._edges_of(url_id)]
            elif reason == TOO_DEEP:
                self.readmit(url_id, url, reason, depth)

    def _resolve_unknown(self, base: str, hrefs: list[str], ids: list[int], folder: Folder, finding: Finding) -> None:
        positions = list(compress(count(), map(not_, ids)))
        unknown = list(dict.fromkeys([hrefs[position] for position in positions]))
        texts = self._canonicalizer.canonical_many(unknown, base)
        found = self._ids_of_texts([text for text in texts if text is not None], finding)
        resolved = {href: REFUSED if text is None else found[text] for href, text in zip(unknown, texts, strict=True)}
        for position in positions:
            ids[position] = resolved[hrefs[position]]
        self._cache.remember(folder, resolved)

    def _ids_of_texts(self, texts: list[str], finding: Finding) -> dict[str, int]:
        unique = list(dict.fromkeys(texts))
        keys = list(map(url_key, unique, repeat(self._key_seed)))
        found = dict(zip(unique, self._seen.lookup(keys) if keys else (), strict=True))
        for text, key in zip(unique, keys, strict=True):
            if not found[text]:
                found[text] = self._add(text, key, finding)
        return found

    def _add(self, url: str, key: int, finding: Finding) -> int:
        host = self._hosts.of_origin(origin_of(url))
        refusal = host.refusal or self._scope.page_refusal(url, finding.depth) or finding.refusal
        if not refusal and not self._hosts.admit(host.id):
            refusal = "host_page_cap"
        url_id = self._seen.add(key)
        if self._depths is not None:
            self._depths.note(url_id, finding.depth)
        self._urls.append(
            UrlRow(url_id, key, url, host.id, finding.depth, finding.source_id, finding.redirects, refusal)
        )
        if refusal:
            self._refuse(url_id, url, refusal)
        else:
            self._tasks.append(Task(url_id, url, host.id, finding.depth, finding.redirects))
        return url_id

    def _refuse(self, url_id: int, url: str, reason: str) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + 1
        self._refused_urls.add(url_id, (url, reason))
        if reason in PROMOTABLE:
            self._refused.add(url_id)

    def _promote(self, ids: Sequence[int], finding: Finding) -> None:
        for url_id in self._refused.among(ids):
            url, reason = self._refused_urls.get(url_id) or self._cold.refused_url(url_id) or ("", "")
            if url:
                self.readmit(url_id, url, reason, finding.depth, finding.redirects)

    def readmit(self, url_id: int, url: str, reason: str, depth: int, redirects: int = 0) -> bool:
        """Queue a URL that was refused for a reason that has passed; False where it still may not be fetched."""
        host = self._hosts.of_origin(origin_of(url))
        if url_id not in self._refused or host.refusal or self._scope.page_refusal(url, depth):
            return False
        if not self._hosts.admit(host.id):
            return False
        self._refused.discard(url_id)
        self._refused_urls.add(url_id, (url, ""))
        self.skipped[reason] -= 1
        if self._depths is not None:
            self._depths.note(url_id, depth)
        self._promoted.append((url_id, depth))
        self._tasks.append(Task(url_id, url, host.id, depth, redirects))
        return True

    def reconsider(self, url_id: int, url: str, reason: str, depth: int, redirects: int) -> None:
        """Judge anew, by the scope of this run, a URL that an earlier one refused."""
        self._refused.add(url_id)
        if not self.readmit(url_id, url, reason, depth, redirects) and reason not in PROMOTABLE:
            self._refused.discard(url_id)

    def take(self) -> Discovered:
        """What `resolve` found since the last call."""
        urls, self._urls = tuple(self._urls), []
        tasks, self._tasks = tuple(self._tasks), []
        promoted, self._promoted = tuple(self._promoted), []
        queued = tuple(QueueRow(task.host_id, task.depth, task.url_id) for task in tasks)
        return Discovered(urls, self._hosts.take_fresh(), promoted, queued, tasks)

    def submitted(self, number: int) -> None:
        """What was taken goes to disk with the commit record of this number."""
        self._seen.submitted(number)
        self._hosts.submitted(number)
        self._refused_urls.submitted(number)

    def committed(self, number: int) -> None:
        """All records up to this number are on disk."""
        self._seen.committed(number)
        self._hosts.committed(number)
        self._refused_urls.committed(number)


def _distinct(ids: Iterable[int]) -> array[int]:
    """The ids once each, in order, without REFUSED."""
    distinct = dict.fromkeys(ids)
    distinct.pop(REFUSED, None)
    return array("I", distinct)
