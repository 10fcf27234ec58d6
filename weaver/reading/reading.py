"""Reader: one task's request, and for a page what its answer says and the digests that it is compared by."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from weaver.base.page import Fetched, Parsed, Response, Task, TaskKind
from weaver.base.settings import DedupeSettings, ParseSettings
from weaver.base.value import value
from weaver.dedupe import LargeTexts
from weaver.dedupe.fingerprint import digests_of
from weaver.fetch import Fetcher
from weaver.memory.admission import Admission
from weaver.parse import parse_page, peak_bytes

SHORT = "short"
# A longer body is read in a thread, one at a time: most of that work is done without Python's lock.
LARGE_BYTES = 256 << 10


@value
class Reading:
    """What came of one task; `parsed` is None where there was no page to read.

    `fetched` may have lost its body on the way, where nobody asked for it; `body_bytes` still says how long it was.
    The digests are empty for a page of which there is none, or only a part: that says nothing. `signature` is empty but
    for a page with so much text that to sign it takes long (`LargeTexts`).
    """

    fetched: Fetched
    parsed: Parsed | None = None
    body_bytes: int = 0
    body_digest: bytes = b""
    text_digest: bytes = b""
    signature: bytes = b""


class Reader(Protocol):
    """Reads tasks, here or elsewhere. Whoever crawls knows nothing else of fetching and parsing."""

    async def room_for(self, task: Task) -> Admission:
        """Room for what the task will bring, as soon as there is some."""
        ...

    async def read(self, task: Task, room: Admission) -> Reading:
        """Make the task's one request, now, and read the answer; `room` holds what it takes."""
        ...


class LocalReader:
    """The Reader of this process: the loop waits for the answer, and stands still while one of usual size is parsed."""

    def __init__(
        self, fetcher: Fetcher, parse: ParseSettings, dedupe: DedupeSettings, retries: int, seed: int = 0
    ) -> None:
        self._fetcher = fetcher
        self._parse = parse
        self._dedupe = dedupe
        self._retries = retries
        self._large_texts = LargeTexts(dedupe, seed)
        self._aside = ThreadPoolExecutor(1, "weaver-parse")

    def __repr__(self) -> str:
        return f"LocalReader({self._fetcher!r})"

    async def room_for(self, task: Task) -> Admission:
        return await self._fetcher.room_for(task)

    async def read(self, task: Task, room: Admission) -> Reading:
        fetched = await self._fetcher.get(task, room)
        if not isinstance(fetched, Response):
            return Reading(fetched)
        if not self._is_page(task, fetched):
            return Reading(fetched, body_bytes=len(fetched.body))
        room.settle(room.held_bytes + peak_bytes(fetched, self._parse))
        if len(fetched.body) <= LARGE_BYTES:
            return self._read(task, fetched)
        return await asyncio.get_running_loop().run_in_executor(self._aside, self._read, task, fetched)

    def _is_page(self, task: Task, response: Response) -> bool:
        """Robots, redirects and errors are no pages; nor is what will be asked for again, for it broke off."""
        if task.kind is TaskKind.ROBOTS or response.is_redirect or not 200 <= response.status < 300:
            return False
        return response.truncated_by != SHORT or task.attempts >= self._retries

    def _read(self, _task: Task, response: Response) -> Reading:
        parsed = parse_page(response, self._parse)
        of_body, of_text, signature = b"", b"", b""
        if response.body and not response.is_truncated:
            of_body, of_text = digests_of(response.body, parsed.text, self._dedupe)
            signature = self._large_texts.signature(parsed.text)
        return Reading(response, parsed, len(response.body), of_body, of_text, signature)
