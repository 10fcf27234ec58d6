#!/usr/bin/env bash
# Build weaver's wheel from the source tree into a folder; compiled where there is a compiler, and it says which.
# usage: build_wheel.sh FOLDER
set -euo pipefail
out=$(realpath -m "$1")
cd "$(dirname "$0")/../.."
python3 -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$out" .
ls "$out"/weaver-*.whl
