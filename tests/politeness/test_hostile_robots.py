"""robots.txt as an attack: whatever its shape, reading it and asking it stay linear."""

from __future__ import annotations

import time
from functools import cache

import pytest

from weaver.politeness.robots import MAX_BODY_BYTES, parse_rules

_MIB = 1 << 20
BODIES = {
    "one line of 10 MB": b"User-agent: *\nDisallow: /" + b"a" * (10 * _MIB),
    "a million groups": b"User-agent:a\nDisallow:/\n" * 1_000_000,
    "a million groups for all": b"".join(b"user-agent:*\ndisallow:/%d\n" % i for i in range(100_000)),
    "line ends": b"\n" * MAX_BODY_BYTES,
    "spaces": b" " * MAX_BODY_BYTES,
    "a name and spaces": (b"disallow" + b" " * 1000 + b"\n") * 520,
    "colons": b":\n" * (MAX_BODY_BYTES // 2),
    "escapes": b"User-agent:*\nAllow:/" + b"%41" * (MAX_BODY_BYTES // 3 - 20) + b"\n",
    "stars": b"User-agent:*\nDisallow:/" + b"*a" * (MAX_BODY_BYTES // 2 - 20) + b"b\n",
    "many stars": b"User-agent:*\n" + b"".join(b"Disallow:/*%x*a*b\n" % i for i in range(24_000)),
    "zeros": b"\0" * MAX_BODY_BYTES,
    "no text": b"\xff" * MAX_BODY_BYTES,
    "agents": b"user-agent: weaver\n" * (MAX_BODY_BYTES // 19),
}
# What a plain file of the full size takes is the yardstick: 20 bytes a rule, as real files have.
_PLAIN = b"User-agent: *\n" + b"".join(b"Disallow: /p%06d/\n" % i for i in range(MAX_BODY_BYTES // 20))


@cache
def _cpu_s(body: bytes) -> float:
    def once() -> float:
        began = time.process_time()
        parse_rules(body, "weaver")
        return time.process_time() - began

    return min(once() for _ in range(3))


@pytest.mark.slow
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_reading_costs_no_more_than_twice_a_plain_file(body: bytes) -> None:
    """No shape of the first 512 KiB costs more than twice what ordinary rules of that size do."""
    assert _cpu_s(body) <= 2 * _cpu_s(_PLAIN) + 0.02


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_rules_take_no_more_than_their_text(body: bytes) -> None:
    """What stays in RAM is at most what was read, in bytes."""
    assert parse_rules(body, "weaver").resident_bytes <= MAX_BODY_BYTES + 1024


def test_stars_do_not_multiply() -> None:
    """A pattern of stars costs the same search steps as its length and the target's together: no back-tracking."""
    rules = parse_rules(b"User-agent: *\nDisallow: /" + b"*a" * 20 + b"*b$", "weaver")

    class CountingText(str):
        """Counts how often it is searched."""

        __slots__ = ("searches",)

        def find(self, *arguments: object) -> int:
            self.searches = getattr(self, "searches", 0) + 1
            return str.find(self, *arguments)  # type: ignore[arg-type]

    target = CountingText("/" + "a" * 2000)
    assert rules._strongest(target) == ""
    assert target.searches <= 20
