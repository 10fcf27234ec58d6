"""Real sites on loopback: documentation that Debian ships as packages, served by nginx."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.nginx import Site, nginx


@dataclass(frozen=True, slots=True)
class DebianSite:
    """One package of documentation: the folder that is served, its entry page, and where it is served."""

    package: str
    folder: str
    entry: str
    address: str


PYTHON = DebianSite("python3.11-doc", "/usr/share/doc/python3.11/html", "/index.html", "127.0.0.11")
SQLITE = DebianSite("sqlite3-doc", "/usr/share/doc/sqlite3", "/index.html", "127.0.0.12")
POSTGRESQL = DebianSite("postgresql-doc-15", "/usr/share/doc/postgresql-doc-15/html", "/index.html", "127.0.0.13")
CPPREFERENCE = DebianSite(
    "cppreference-doc-en-html", "/usr/share/cppreference/doc/html", "/en/index.html", "127.0.0.14"
)

ALL = (PYTHON, SQLITE, POSTGRESQL, CPPREFERENCE)


@contextlib.contextmanager
def served(*sites: DebianSite) -> Iterator[list[str]]:
    """Serve the sites until the block ends; gives their entry URLs. Skips (in CI: fails) where one isn't installed."""
    for site in sites:
        if not (Path(site.folder) / site.entry[1:]).exists():
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs the Debian package {site.package}")
    with nginx([Site(site.address, 0, Path(site.folder)) for site in sites]) as server:
        yield [origin + site.entry for origin, site in zip(server.origins, sites, strict=True)]
