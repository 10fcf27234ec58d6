"""The crawl's lock: one crawler a directory, held by the kernel (flock), so that no kill leaves it behind."""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from weaver.base.errors import DirectoryLocked
from weaver.persistence.border import directory_errors

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# A reader's probe holds the lock for some microseconds: a crawler that starts right then tries again.
_ATTEMPTS = 3
_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who wrote its name into the lock: for messages only, the kernel decides. `pid` is 0 when unknown."""

    pid: int = 0
    boot_id: str = ""
    started: str = ""

    def __str__(self) -> str:
        elsewhere = "" if self.boot_id in {"", boot_id()} else ", on another machine"
        return f"pid {self.pid or 'unknown'}, started {self.started or 'at an unknown time'}{elsewhere}"


def boot_id() -> str:
    """The kernel's name for this boot of this machine; empty where there is none."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


class DirectoryLock:
    """An exclusive lock on a file. It ends with `release` or with the process, however that ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __repr__(self) -> str:
        return f"DirectoryLock({self._path}, held={self.is_held})"

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def acquire(self) -> None:
        """Take the lock and write our name into it. Raises DirectoryLocked, naming the holder."""
        if self.is_held:
            return
        with directory_errors(f"lock {self._path}"):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            if not _locked(descriptor, fcntl.LOCK_EX, _ATTEMPTS):
                os.close(descriptor)
                raise DirectoryLocked(
                    f"another crawler ({_read(self._path)}) is at work in {self._path.parent}; wait for it, or stop it"
                )
            self._descriptor = descriptor
            ours = LockHolder(os.getpid(), boot_id(), datetime.now(UTC).isoformat(timespec="seconds"))
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(asdict(ours)).encode() + b"\n", 0)

    def release(self) -> None:
        """Give the lock up; nothing happens if it is not held. The file stays: removing it would race."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.ftruncate(descriptor, 0)
            os.close(descriptor)


def holder(path: Path) -> LockHolder | None:
    """Who holds the lock now, or None; asks the kernel by a shared lock that ends at once."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        with directory_errors(f"look at {path}"):
            return None if _locked(descriptor, fcntl.LOCK_SH, 1) else _read(path)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, mode: int, attempts: int) -> bool:
    for attempt in range(attempts):
        if attempt:
            time.sleep(_PAUSE_S)
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return True
    return False


def _read(path: Path) -> LockHolder:
    """What the lock file says; an unknown holder where it says nothing (yet)."""
    try:
        return LockHolder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return LockHolder()
