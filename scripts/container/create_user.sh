#!/bin/sh
# Create the user that weaver runs as, and the folder that is its to write.
# usage: create_user.sh NAME UID FOLDER
set -eu
name=$1 uid=$2 folder=$3
if ! id "$name" >/dev/null 2>&1; then
    groupadd --gid "$uid" "$name"
    useradd --uid "$uid" --gid "$uid" --no-create-home --home-dir "$folder" --shell /usr/sbin/nologin "$name"
fi
mkdir -p "$folder"
chown "$uid:$uid" "$folder"
