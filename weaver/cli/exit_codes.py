"""What weaver's exit codes mean to a script."""

from __future__ import annotations

from enum import IntEnum

from weaver.base.errors import DirectoryError, MissingLibrary, SeedError, SettingsError, TooLarge

# The user named a path that is not what it should be; any other error of the system is the disk's.
_WRONG_PATHS = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError)
_OF_THE_USER = (SettingsError, SeedError, TooLarge, MissingLibrary)
# SQLite's names for a failing disk; they carry a suffix for the operation, as SQLITE_IOERR_WRITE does.
_FAILING_DISK = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_CORRUPT")


class ExitCode(IntEnum):
    """The code of a command; PAUSED is a crawl that waited too long for memory to come free, and can be resumed.

    CLOSED_PIPE is what a shell reports of a program that SIGPIPE ended (128 + 13), as `head` ends its writers.
    """

    FINISHED = 0
    FAILED = 1
    USAGE = 2
    LIMIT = 3
    PAUSED = 4
    CLOSED_PIPE = 141
    INTERRUPTED = 130


EXIT_CODES = {
    "finished": ExitCode.FINISHED,
    "max_pages": ExitCode.LIMIT,
    "max_duration": ExitCode.LIMIT,
    "paused": ExitCode.PAUSED,
    "drained": ExitCode.INTERRUPTED,
    "stopped": ExitCode.INTERRUPTED,
}
"""By the crawl's exit reason."""


def error_code(error: Exception) -> ExitCode:
    """Wrong use where the user mends it; a failure where the disk is at fault, or weaver."""
    if isinstance(error, DirectoryError):
        return ExitCode.FAILED if _is_of_the_disk(error.__cause__) else ExitCode.USAGE
    return ExitCode.USAGE if isinstance(error, _OF_THE_USER) else ExitCode.FAILED


def _is_of_the_disk(cause: BaseException | None) -> bool:
    if isinstance(cause, OSError):
        return not isinstance(cause, _WRONG_PATHS)
    return str(getattr(cause, "sqlite_errorname", "")).startswith(_FAILING_DISK)
