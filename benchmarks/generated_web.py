"""A generated site for machines without nginx: 2,000 pages of 37 kB with 94 links, served by a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
from collections.abc import Iterator

PAGES = 2_000
LINKS = 94
PAGE_BYTES = 37_000
WORDS = ("frontier", "lease", "robots", "delay", "digest", "edge", "slab", "commit", "journal", "budget", "window")


def page(number: int) -> bytes:
    """One page, the same each time."""
    chance = random.Random(number)
    near = [f'<a href="/p/{(number * 3 + step) % PAGES}">{step}</a>' for step in range(1, LINKS + 1)]
    words = " ".join(chance.choices(WORDS, k=PAGE_BYTES // 8))
    text = f"<!doctype html><title>Page {number}</title><body>{' '.join(near)}<p>{words}"
    return text.encode()[:PAGE_BYTES]


async def serve() -> None:
    """Serve until killed; the first line on stdout is the entry."""
    pages = {b"/p/%d" % number: page(number) for number in range(PAGES)}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = pages.get(head.split(b" ", 2)[1])
                status = b"200 OK" if body is not None else b"404 Not Found"
                writer.write(
                    b"HTTP/1.1 %b\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b"
                    % (status, len(body or b""), body or b"")
                )
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/p/0", flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def generated_web() -> Iterator[str]:
    """The entry URL of the generated site, served until the block ends."""
    command = [sys.executable, "-m", "benchmarks.generated_web"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(serve())
