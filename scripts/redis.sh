#!/usr/bin/env bash
# Redis for tests on a Debian machine: on 127.0.0.1 only, without persistence.
#
#   scripts/redis.sh start    installs redis-server if it is missing (as root), starts it, and prints only the URL
#   scripts/redis.sh stop
set -euo pipefail

port=54379
home=${TMPDIR:-/tmp}/quoin-redis
pidfile=$home/redis.pid
is_running() { [ -s "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2> /dev/null; }

case ${1:-} in
  start)
    if ! command -v redis-server > /dev/null; then
      { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y redis-server; } > /dev/null ||
        { echo 'redis.sh: redis-server could not be installed' >&2; exit 1; }
    fi
    mkdir -p "$home"
    is_running || redis-server --bind 127.0.0.1 --port "$port" --dir "$home" --save '' --appendonly no --daemonize yes --pidfile "$pidfile" > /dev/null
    for _ in $(seq 50); do redis-cli -p "$port" ping > /dev/null 2>&1 && break; sleep 0.1; done
    redis-cli -p "$port" ping > /dev/null || { echo 'redis.sh: the server did not start' >&2; exit 1; }
    echo "redis://127.0.0.1:$port"
    ;;
  stop) ! is_running || kill "$(cat "$pidfile")" ;;
  *) sed -n '2,/^set -euo/{/^set -euo/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
esac
