"""Optional libraries: loaded when they are asked for, with an error that says what to install where one is missing."""

from __future__ import annotations

import importlib
from typing import Any

from weaver.base.errors import MissingLibrary


def optional_library(module: str, extra: str) -> Any:
    """The module `module`, a library or one of ours that needs one. Raises MissingLibrary naming the extra."""
    # At run time, since what most commands never need takes up to a second and 60 MB to import.
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingLibrary(
            f"{error.name} is not installed, and this needs it: pip install 'weaver[{extra}]'"
        ) from error
