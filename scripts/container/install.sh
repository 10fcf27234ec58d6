#!/usr/bin/env bash
# Make a virtualenv at PREFIX with the locked dependencies and the wheel in it; nothing else is needed at run time.
# usage: install.sh WHEELS PREFIX
set -euo pipefail
wheels=$1 prefix=$2
cd "$(dirname "$0")/../.."
python3 -m venv "$prefix"
pip=("$prefix/bin/python" -m pip --disable-pip-version-check --no-cache-dir install --quiet)
"${pip[@]}" --require-hashes -r requirements.lock
"${pip[@]}" --no-deps "$wheels"/weaver-*.whl
