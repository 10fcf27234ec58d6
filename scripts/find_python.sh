#!/usr/bin/env bash
# Print the path of a Python that weaver runs on (3.11 or later); say what to do where there is none.
set -euo pipefail

for name in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
    path=$(command -v "$name" 2>/dev/null) || continue
    # A version manager's shim may be there without the version behind it, so ask it.
    if "$path" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "$path"
        exit 0
    fi
done
echo "weaver needs Python 3.11 or later with venv; none was found (tried: ${PYTHON:-} python3.13 python3.12 python3.11 python3 python)." >&2
echo "Install one (Debian, Ubuntu: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python" >&2
exit 1
