"""What one response may cost on the wire: counts what arrives and names the limit that was broken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MAX_INTERIM = 16  # 1xx responses before the answer; curl and browsers see one or two
FREE_FRAMING_BYTES = 256 << 10  # chunk sizes and extensions below which no share is judged
RATE_WINDOW_S = 10.0


@dataclass(frozen=True, slots=True)
class WireLimits:
    """Caps on what a server sends around a body: header bytes; bytes a second, and the window they are judged over."""

    max_header_bytes: int
    min_rate_bytes_s: int
    rate_window_s: float = RATE_WINDOW_S


class WireMeter:
    """One request's account of what came in; a new one for each attempt.

    Each method that counts returns the reason (one of fetch's) why the connection must be cut, or "".
    """

    __slots__ = (
        "_header_bytes",
        "_window_bytes",
        "_window_end",
        "interims",
        "is_reused",
        "limits",
        "peer",
        "received_bytes",
        "violation",
    )

    def __init__(self, limits: WireLimits) -> None:
        self.limits = limits
        # The first byte opens the first window: a server may think as long as the deadline lets it.
        self._window_end = 0.0
        self._window_bytes = 0
        self._header_bytes = -1
        self.received_bytes = 0
        self.interims = 0
        self.is_reused = False
        self.peer = ""
        self.violation = ""

    def __repr__(self) -> str:
        return f"WireMeter(received={self.received_bytes}, interims={self.interims}, violation={self.violation!r})"

    @property
    def is_stale_loss(self) -> bool:
        """Whether a kept-alive connection died before it brought a byte: the request never counted."""
        return self.is_reused and not self.received_bytes and not self.violation

    def receive(self, count: int, body_bytes: int, now: float) -> str:
        """Count bytes that were received and parsed; `body_bytes` of the response's body came so far in all."""
        if not self.received_bytes:
            self._window_end = now + self.limits.rate_window_s
        self.received_bytes += count
        if now >= self._window_end:
            self._judge_rate(now)
        if self._header_bytes < 0:
            if self.received_bytes > self.limits.max_header_bytes:
                return self._violated("header_limit")
        elif self.received_bytes > FREE_FRAMING_BYTES:
            framing_bytes = self.received_bytes - self._header_bytes - body_bytes
            if framing_bytes > FREE_FRAMING_BYTES + body_bytes:
                return self._violated("framing")
        return self.violation

    def interim(self) -> str:
        """Count a 1xx response."""
        self.interims += 1
        return self._violated("interim_limit") if self.interims > MAX_INTERIM else ""

    def headers(self, raw: Iterable[tuple[bytes, bytes]]) -> str:
        """Count the headers of the answer itself."""
        self._header_bytes = sum(len(name) + len(value) + 4 for name, value in raw)
        return self._violated("header_limit") if self._header_bytes > self.limits.max_header_bytes else ""

    def _judge_rate(self, now: float) -> None:
        window_s = now - self._window_end + self.limits.rate_window_s
        if self.received_bytes - self._window_bytes < self.limits.min_rate_bytes_s * window_s:
            self._violated("too_slow")
        self._window_end, self._window_bytes = now + self.limits.rate_window_s, self.received_bytes

    def _violated(self, reason: str) -> str:
        self.violation = self.violation or reason
        return self.violation
