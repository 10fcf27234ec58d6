"""The build's hook: compile the native module where that can be done; an install never fails for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NativeModule(BuildHookInterface):
    """Runs scripts/build_native.py; a wheel that holds the module is of this Python and machine."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the files are gathered."""
        if self.target_name != "wheel":
            return
        script = Path(self.root) / "scripts" / "build_native.py"
        subprocess.run([sys.executable, str(script)], check=False)
        if version != "editable" and any((Path(self.root) / "weaver" / "native").glob("compiled*.so")):
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
