#!/bin/sh
# Run weaver in place of this shell, so that SIGTERM reaches it. A `crawl` without -o lives in $WEAVER_DATA/crawl and,
# when the container is started again, goes on where it was. $WEAVER_CONFIG names a settings file for its start.
set -eu
data=${WEAVER_DATA:-/data}
cd "$data"

if [ "${1:-}" = crawl ]; then
    for argument in "$@"; do
        case $argument in -o | --output | -o?* | --output=*) exec weaver "$@" ;; esac
    done
    if [ -e crawl/crawl.db ]; then
        exec weaver resume crawl
    fi
    shift
    exec weaver crawl -o crawl ${WEAVER_CONFIG:+-c "$WEAVER_CONFIG"} "$@"
fi
exec weaver "$@"
