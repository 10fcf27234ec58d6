#!/bin/sh
# Run weaver in place of this shell, so that SIGTERM reaches it. A `crawl` without -o lives in $WEAVER_DATA/crawl and,
# when the container is started again, goes on where it was. $WEAVER_CONFIG names a settings file for its start.
set -eu
data=${WEAVER_DATA:-/data}
cd "$data"

# The allocator of docs/decisions/0013-allocator.md where it is installed; a LD_PRELOAD that is given stays as it is.
for library in /usr/lib/*/libjemalloc.so.2 /usr/lib/libjemalloc.so.2; do
    if [ -z "${LD_PRELOAD+given}" ] && [ -r "$library" ]; then
        export LD_PRELOAD="$library"
        export MALLOC_CONF="${MALLOC_CONF:-background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0,narenas:2}"
    fi
done

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
