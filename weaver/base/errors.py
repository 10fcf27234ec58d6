"""The errors that weaver raises: each says when, whose fault it is, and what to do.

    WeaverError
    ├── SettingsError           the user's settings: an unknown key, a value out of range
    ├── SeedError               a seed that is no http(s) URL
    ├── DirectoryError          the crawl directory: missing, not ours, of a newer version
    │   ├── DirectoryLocked     another crawler holds it
    │   └── OtherWork           the results there are of other inputs or settings
    ├── PersistenceError        the disk: a commit failed; the crawl stops at once
    │   └── BlockDamaged        bytes that are no whole block of ours: they rotted, or were never one
    ├── BudgetExceeded          a charge was refused: the account is at its limit
    ├── NotResident             the answer needs edges that left RAM, and may not read them from disk
    ├── TooLarge                what was asked for would take more than it may; a limit mends it
    └── MissingLibrary          an optional library is not installed; the message names the extra

Data from strangers never raises past its parser; it becomes a value with a reason.
"""

from __future__ import annotations


class WeaverError(Exception):
    """Root of all errors that a caller of weaver may want to catch."""


class SettingsError(WeaverError):
    """A setting is unknown or its value is not acceptable; the user mends the settings."""


class SeedError(WeaverError):
    """A seed is not an absolute http(s) URL; the user mends the seed."""


class DirectoryError(WeaverError):
    """The crawl directory can't be used as asked; the message says what was found there."""


class DirectoryLocked(DirectoryError):
    """Another crawler is at work in this directory; wait for it, or stop it."""


class OtherWork(DirectoryError):
    """The directory holds the results of other inputs or settings; name another, or have them replaced."""


class PersistenceError(WeaverError):
    """A commit failed (disk full, I/O error, bad row); the crawl stops, what was committed stays."""


class BlockDamaged(PersistenceError):
    """A sealed block of links is not what was written: cut short, changed, or never one of ours."""


class BudgetExceeded(WeaverError):
    """An account refused a charge; the caller sheds load and goes on."""


class NotResident(WeaverError):
    """An answer needs edges that left RAM, and was to do without the disk; `partial` is what RAM says."""

    def __init__(self, message: str, partial: object) -> None:
        super().__init__(message)
        self.partial = partial


class TooLarge(WeaverError):
    """What was asked for would take more than it may; the user sets a limit, allows more, or insists."""


class MissingLibrary(WeaverError):
    """An optional library is not installed; the user installs the extra that the message names."""
