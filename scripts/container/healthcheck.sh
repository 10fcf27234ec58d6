#!/bin/sh
# Healthy: the crawl in $WEAVER_DATA/crawl is running, and its status is fresh (it is written about once a second).
set -eu
weaver status "${1:-${WEAVER_DATA:-/data}/crawl}" --json | python3 -c '
import json, sys, time
status = json.load(sys.stdin)
age_s = time.time() - status["updated_at"]
print("%s, status written %.0f s ago" % (status["state"], age_s))
sys.exit(not (status["state"] == "running" and age_s < 30))
'
