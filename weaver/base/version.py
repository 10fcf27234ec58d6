"""The version of weaver, where nothing else need be imported to know it."""

from __future__ import annotations

VERSION = "0.1.0"
