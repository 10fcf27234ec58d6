"""Decision: the gate's word on a task."""

from __future__ import annotations

from enum import StrEnum


class Decision(StrEnum):
    """Whether a task may be fetched now; the text of a refusal is the reason that is counted and stored."""

    ALLOW = "allow"
    ROBOTS_FIRST = "robots_first"
    ROBOTS = "robots"
    OPT_OUT = "opt_out"
    ROBOTS_UNREACHABLE = "robots_unreachable"

    @property
    def is_blocked(self) -> bool:
        return self not in {Decision.ALLOW, Decision.ROBOTS_FIRST}

    @property
    def reason(self) -> str:
        """Why the task is blocked; empty when it is not."""
        return str(self) if self.is_blocked else ""
