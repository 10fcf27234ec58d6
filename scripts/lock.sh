#!/usr/bin/env bash
# Make both lock files anew: every version with its hashes, for all Pythons that weaver supports. Needs uv.
set -euo pipefail
cd "$(dirname "$0")/.."

lock() { # FILE SENTENCE [OPTION...]
    local file=$1 sentence=$2
    shift 2
    printf '# %s; made by scripts/lock.sh from pyproject.toml.\n' "$sentence" >"$file.new"
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
        --no-header "$@" pyproject.toml >>"$file.new"
    mv "$file.new" "$file"
}

lock requirements.lock "The versions that weaver was tested with"
lock requirements-dev.lock "The versions that weaver is developed with" --extra dev
