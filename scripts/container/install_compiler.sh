#!/bin/sh
# Install a C compiler for the stage that builds the wheel; the image itself gets none.
# usage: install_compiler.sh
set -eu
apt-get update --quiet
apt-get install --quiet --yes --no-install-recommends gcc libc6-dev
rm -rf "${APT_LISTS:-/var/lib/apt/lists}"/*
