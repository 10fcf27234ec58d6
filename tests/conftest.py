"""What all tests share: programs that a test needs, and how many examples hypothesis draws."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

# Servers live where a plain user's PATH does not look.
_SYSTEM_FOLDERS = os.pathsep.join(("/usr/sbin", "/usr/local/sbin", "/sbin"))
_IS_CI = os.environ.get("CI", "").lower() not in {"", "0", "false"}

settings.register_profile("default", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), max_examples=200)
settings.load_profile("ci" if _IS_CI else "default")


def find_program(name: str) -> str | None:
    """The program's path, looked up where users and where servers are; None if the machine lacks it."""
    return shutil.which(name) or shutil.which(name, path=_SYSTEM_FOLDERS)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail in CI, and skip elsewhere, where a program that the test names with `needs` is missing."""
    missing = [name for mark in item.iter_markers("needs") for name in mark.args if find_program(name) is None]
    if missing and _IS_CI:
        pytest.fail(f"needs {', '.join(missing)}, which CI must have", pytrace=False)
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
