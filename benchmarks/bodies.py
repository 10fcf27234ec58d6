"""What bodies in flight cost: how they are put together, and the constants that their account is charged with.

    python -m benchmarks.bodies [gathering|connections|requests|names|trees|decoders|gate]...

Each measurement runs in a process of its own; each line is one JSON document. Sizes are RSS unless they say otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import psutil
import uvloop
import zstandard

from weaver.base.clock import SystemClock
from weaver.base.page import Response, Task
from weaver.base.settings import FetchSettings, ParseSettings
from weaver.fetch import Fetcher, build_fetcher
from weaver.fetch.address_guard import AddressGuard
from weaver.fetch.decode import PlainBody
from weaver.fetch.resolver import CachingResolver
from weaver.fetch.zstd import Decompressors
from weaver.memory import allocator
from weaver.memory.admission import ByteGate
from weaver.memory.budget import Account
from weaver.memory.buffers import Pool
from weaver.memory.scratch import Arenas
from weaver.parse import parse_page

KIB, MIB = 1 << 10, 1 << 20
PART = 64 * KIB
MOST = 1 << 40
COUNT = 500
Figures = dict[str, object]


def _rss() -> int:
    return int(psutil.Process().memory_info().rss)


def _peak() -> int:
    found = re.search(rb"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_bytes())
    return int(found[1]) * KIB if found else 0


def _emit(what: str, **figures: object) -> None:
    print(json.dumps({"benchmark": "bodies", "what": what, **figures}), flush=True)


def gathering(how: str, size_bytes: int, at_once: int) -> Figures:
    """Bodies fed in parts of 64 KiB, `at_once` of them side by side: joined from a list, or as weaver does it."""
    count = max(8, 512 * MIB // size_bytes)
    source = memoryview(os.urandom(PART))
    arenas = Arenas("body", Pool("bodies", 16))

    def parts() -> list[bytes]:
        return [bytes(source[: min(PART, size_bytes - start)]) for start in range(0, size_bytes, PART)]

    def joined() -> None:
        bodies: list[list[bytes]] = [[] for _ in range(at_once)]
        for number in range(len(parts_of)):
            for body in bodies:
                body.append(bytes(source[: parts_of[number]]))
        for body in bodies:
            b"".join(body)

    def gathered() -> None:
        scopes = [arenas.open() for _ in range(at_once)]
        bodies = [PlainBody(MOST, scope) for scope in scopes]
        for number in range(len(parts_of)):
            for body in bodies:
                list(body.feed(bytes(source[: parts_of[number]])))
        for body, scope in zip(bodies, scopes, strict=True):
            body.close(is_whole=True)
            scope.__exit__(None, None, None)

    parts_of = [len(part) for part in parts()]
    run, before, started = joined if how == "list" else gathered, _rss(), time.process_time()
    for _ in range(count // at_once):
        run()
    us = (time.process_time() - started) / (count // at_once * at_once) * 1e6
    return {"us_per_body": round(us, 1), "peak_mib": round((_peak() - before) / MIB, 1)}


async def _serve(body_bytes: int, sent_bytes: int, tls: ssl.SSLContext | None) -> asyncio.Server:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {body_bytes}\r\n\r\n".encode()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            writer.write(head + bytes(sent_bytes))

    return await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls, backlog=1_024)


async def _server(body_bytes: int, sent_bytes: int, folder: str) -> None:
    tls = None
    if folder:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(f"{folder}/c.pem", f"{folder}/k.pem")
    server = await _serve(body_bytes, sent_bytes, tls)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _client(url: str, *, is_over: bool) -> int:
    """RSS for each of 500 connections: idle after its answer, or with its request still under way."""
    settings = FetchSettings(allow_private=True, verify_tls=False, timeout=60)
    fetcher = build_fetcher(settings, "weaver-benchmark", COUNT + 8, frozenset(), SystemClock())

    async def burst(count: int) -> list[asyncio.Future[object]]:
        tasks = [asyncio.ensure_future(fetcher.get(Task(n, f"{url}/{n}", 1))) for n in range(count)]
        if is_over:
            await asyncio.gather(*tasks)
            return []
        await asyncio.sleep(2)
        return [*tasks]

    tasks = await burst(8)
    before, had = await _settled(fetcher)
    tasks += await burst(COUNT)
    after, has = await _settled(fetcher)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await fetcher.close()
    return (after - before) // (has - had)


async def _settled(fetcher: Fetcher) -> tuple[int, int]:
    await asyncio.sleep(0.2)
    gc.collect()
    allocator.trim()
    return _rss(), fetcher.statistics().transport.open_connections


def names(addresses: int) -> Figures:
    """Bytes of an entry of the resolver's cache."""

    async def look_up(host: str) -> Sequence[str]:  # noqa: RUF029 - the resolver's protocol
        number = int(host[4:11])
        return [f"93.{number >> 16}.{number >> 8 & 255}.{number & 255}", f"2606:2800:220:1:248:{number:x}:25c8:1946",
                f"94.{number >> 16}.{number >> 8 & 255}.{number & 255}", f"2606:2800:220:1:249:{number:x}:25c8:1946",
                ][:addresses]  # fmt: skip

    async def fill() -> int:
        resolver = CachingResolver(
            AddressGuard(), SystemClock(), Account("hosts", MOST), capacity=MOST, ttl_s=300.0, lookup=look_up
        )
        for number in range(2_000):
            await resolver.resolve(f"host{number:07}.some-name.example.org")
        before = _rss()
        for number in range(10_000, 70_000):
            await resolver.resolve(f"host{number:07}.some-name.example.org")
        return _rss() - before

    return {"addresses": addresses, "bytes_per_name": asyncio.run(fill()) // 60_000}


TREES: dict[str, bytes] = {
    "article": b'<p>Some words of an ordinary text, with a <a href="/wiki/Some_Page_17">link</a> and <b>bold</b></p>',
    "text": b"lorem ipsum dolor sit amet ",
    "links": b"<a href=x>",
    "breaks": b"<br>",
    "attributes": b"<p a=1 b=2 c=3 d=4 e=5 f=6 g=7 h=8>",
    "cells": b"<tr><td>",
    "latin-1": "<p>\xe9 \xe0 \xfc text</p>".encode("latin-1"),
}


def trees(kind: str, size_bytes: int) -> Figures:
    """Bytes that parsing takes at its peak for each byte of a page's body."""
    body = TREES[kind] * (size_bytes // len(TREES[kind]))
    response = Response("http://a.test/", 200, {"content-type": "text/html"}, body, len(body), 0.0)
    parse_page(Response("http://a.test/", 200, {}, b"<p>x<a href=y>z", 9, 0.0), ParseSettings())
    before = _rss()
    Path("/proc/self/clear_refs").write_text("5")
    parsed = parse_page(response, ParseSettings())
    return {
        "body_bytes": len(body),
        "peak_bytes_per_byte": round((_peak() - before) / len(body), 1),
        "note": parsed.note,
    }


def decoders() -> Figures:
    """Microseconds to decode a page of 37 kB, with a decompressor of its own and with a pooled one."""
    packed = zstandard.ZstdCompressor().compress(Path(__file__).read_bytes() * 4)
    pool = Decompressors(1, Account("bodies", MOST))

    def fresh() -> bytes:
        return zstandard.ZstdDecompressor(max_window_size=8 * MIB).decompressobj().decompress(packed)

    def pooled() -> bytes:
        decompressor = pool.acquire()
        page = decompressor.decompressobj().decompress(packed)
        pool.give_back(decompressor)
        return page

    return {"zstd_fresh_us": _us(fresh), "zstd_pooled_us": _us(pooled)}


def gate() -> Figures:
    """Microseconds of an admission that need not wait."""
    free = ByteGate(Account("bodies", MOST))

    def admitted() -> None:
        admission = free.admit_nowait(60_000)
        assert admission is not None
        admission.release()

    return {"admit_and_release_us": _us(admitted)}


def _us(call: Callable[[], object]) -> float:
    return round(min(timeit.repeat(call, number=2_000, repeat=7)) / 2_000 * 1e6, 2)


def _apart(*arguments: object) -> Figures:
    """One measurement in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.bodies", "--apart", *map(str, arguments)]
    figures: Figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return figures


def _over_a_server(what: str, folder: str, loop: str, body_bytes: int, sent_bytes: int) -> None:
    command = [sys.executable, "-m", "benchmarks.bodies", "--apart", "server", str(body_bytes), str(sent_bytes), folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        port = server.stdout.readline().strip() if server.stdout else ""
        url = f"{'https' if folder else 'http'}://127.0.0.1:{port}"
        _emit(what, tls=bool(folder), loop=loop, **_apart("client", url, loop, int(body_bytes == sent_bytes)))
        server.terminate()


def _connections() -> None:
    with tempfile.TemporaryDirectory() as folder:
        folders = [""]
        if openssl := shutil.which("openssl"):
            subprocess.run(
                [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{folder}/k.pem", "-out",
                 f"{folder}/c.pem", "-days", "2", "-subj", "/CN=127.0.0.1"], check=True, capture_output=True,
            )  # fmt: skip
            folders.append(folder)
        for place in folders:
            for loop in ("asyncio", "uvloop"):
                _over_a_server("connections", place, loop, 20_000, 20_000)


def _gathering() -> None:
    for size_bytes, at_once in ((4 * KIB, 32), (32 * KIB, 32), (256 * KIB, 32), (MIB, 8), (8 * MIB, 3), (8 * MIB, 16)):
        figures = {how: _apart("gathering", how, size_bytes, at_once) for how in ("list", "weaver")}
        _emit("gathering", body_bytes=size_bytes, at_once=at_once, **figures)


MEASUREMENTS: dict[str, Callable[[], object]] = {
    "gathering": _gathering,
    "connections": _connections,
    "requests": lambda: _over_a_server("requests, connection and 20 kB included", "", "uvloop", 40_000, 20_000),
    "names": lambda: [_emit("names", **_apart("names", count)) for count in (1, 2, 4)],
    "trees": lambda: [
        _emit("trees", kind=kind, **_apart("trees", kind, size)) for size in (64 * KIB, MIB, 8 * MIB) for kind in TREES
    ],
    "decoders": lambda: _emit("decoders", **_apart("decoders")),
    "gate": lambda: _emit("gate", **_apart("gate")),
}  # fmt: skip


def _client_figures(url: str, loop: str, is_over: str) -> Figures:
    run: Callable[[Awaitable[int]], int] = uvloop.run if loop == "uvloop" else asyncio.run  # type: ignore[assignment]
    return {"bytes_each": run(_client(url, is_over=is_over == "1"))}


APART: dict[str, Callable[..., Figures]] = {
    "gathering": lambda how, size, at_once: gathering(how, int(size), int(at_once)),
    "client": _client_figures,
    "names": lambda count: names(int(count)),
    "trees": lambda kind, size: trees(kind, int(size)),
    "decoders": decoders,
    "gate": gate,
}


def main() -> None:
    """Run what is asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--apart", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("what", nargs="*")
    arguments = parser.parse_args()
    if not arguments.apart:
        for what in arguments.what or MEASUREMENTS:
            MEASUREMENTS[what]()
    elif arguments.what[0] == "server":
        _, body_bytes, sent_bytes, folder = arguments.what
        asyncio.run(_server(int(body_bytes), int(sent_bytes), folder))
    else:
        print(json.dumps(APART[arguments.what[0]](*arguments.what[1:])))


if __name__ == "__main__":
    main()
