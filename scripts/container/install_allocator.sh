#!/bin/sh
# Install jemalloc, which entrypoint.sh preloads: it gives freed memory back by itself (docs/decisions/0013-allocator.md).
# usage: install_allocator.sh
set -eu
apt-get update --quiet
apt-get install --quiet --yes --no-install-recommends libjemalloc2
rm -rf "${APT_LISTS:-/var/lib/apt/lists}"/*
