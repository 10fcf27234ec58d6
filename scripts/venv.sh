#!/usr/bin/env bash
# Make or refresh the virtualenv DIR with weaver in it (editable), from a lock file where that installs here.
# usage: scripts/venv.sh DIR LOCK EXTRAS      e.g. scripts/venv.sh .venv requirements.lock ""
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1 lock=$2 extras=$3

log=$(mktemp)
trap 'rm -f "$log"' EXIT

if ! "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$(bash scripts/find_python.sh)
    echo "weaver: making $venv with $("$python" --version) ..." >&2
    "$python" -m venv --clear "$venv"
fi

say_which() { "$venv/bin/python" -c 'from weaver.native import description as which; print("weaver:", which())' >&2; }

pip() { "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@"; }

echo "weaver: installing from $lock ..." >&2
if ! pip install --quiet --require-hashes -r "$lock" >"$log" 2>&1; then
    sed 's/^/    /' "$log" | tail -n 5 >&2
    echo "weaver: the locked versions don't install here; taking the newest that pyproject.toml allows ..." >&2
    pip install --quiet -e ".$extras" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
    say_which
    exit 0
fi
pip install --quiet --no-deps -e . >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
say_which
