"""Waiting in tests for what the event loop brings about, with an end for what never comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PATIENCE_S = 60.0


async def until(is_so: Callable[[], bool], advance: Callable[[], None] = lambda: None) -> None:
    """Let the loop turn until it is so; `advance` is called before each turn, to move a manual clock."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            advance()
            await asyncio.sleep(0.001)
