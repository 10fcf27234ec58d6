"""Descriptors: how many requests the process's file descriptors are enough for, and what says that they ran out."""

from __future__ import annotations

import contextlib
import errno
import resource

# For the database and its log, the lock, the event log, the loop, look-ups in threads, standard streams.
RESERVE = 40
# Sockets leave this many of the reserve alone whatever else is open: a database that can't open a file ends the crawl.
KEPT_BACK = 12
# One under way, one that races it to another address of the host (RFC 8305), one that is kept alive.
PER_REQUEST = 3
# What this machine, not the server, is short of.
LOCAL_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_UNLIMITED = 1 << 30


def affordable_concurrency(wanted: int) -> int:
    """The requests that may be under way at once: `wanted`, or as many as there are descriptors for, at least one.

    The soft limit is raised to the hard one first where `wanted` needs it.
    """
    if _spare(_soft_limit()) < wanted * PER_REQUEST:
        _raise_soft_limit()
    return max(1, min(wanted, _spare(_soft_limit()) // PER_REQUEST))


def affordable_connections(wanted: int, concurrency: int) -> int:
    """Connections to keep open: `wanted`, or what `concurrency` requests that all open new ones leave over."""
    return max(0, min(wanted, _spare(_soft_limit()) - (PER_REQUEST - 1) * concurrency))


def is_last_of_reserve(descriptor: int) -> bool:
    """Whether so many are open that this one should be given back; the system hands out the lowest number free."""
    limit = _soft_limit()
    return descriptor >= limit - min(KEPT_BACK, limit // 4)


def _spare(limit: int) -> int:
    return limit - RESERVE


def _soft_limit() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _UNLIMITED if soft == resource.RLIM_INFINITY else soft


def _raise_soft_limit() -> None:
    """A system may refuse what it names as the hard limit (macOS); the old limit stands then."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
