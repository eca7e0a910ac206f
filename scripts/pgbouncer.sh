#!/usr/bin/env bash
# PgBouncer for tests on a Debian machine: transaction mode, in front of the server of scripts/postgres.sh, on 127.0.0.1 only.
#
#   scripts/pgbouncer.sh start [17|15]   installs pgbouncer if it is missing (as root), starts it, and prints only the URL
#   scripts/pgbouncer.sh stop
set -euo pipefail

port=54432
home=${TMPDIR:-/tmp}/quoin-pgbouncer
pidfile=$home/pgbouncer.pid
is_running() { [ -s "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2> /dev/null; }
is_answering() { (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null; }
stop() {
  is_running || return 0
  kill "$(cat "$pidfile")"
  for _ in $(seq 50); do is_running || return 0; sleep 0.1; done
}

case ${1:-} in
  start)
    if ! command -v pgbouncer > /dev/null; then
      { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y pgbouncer; } > /dev/null ||
        { echo 'pgbouncer.sh: pgbouncer could not be installed' >&2; exit 1; }
    fi
    stop
    url=$("$(dirname "$0")/postgres.sh" url "${2:-17}")
    account=$(id -un) && [ "$account" != root ] || account=nobody
    mkdir -p "$home" && chmod 755 "$home"
    echo '"quoin" "quoin"' > "$home/users.txt"
    cat > "$home/pgbouncer.ini" << INI
[databases]
* = host=127.0.0.1 port=$(sed -E 's,.*:([0-9]+)/.*,\1,' <<< "$url")
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = trust
auth_file = $home/users.txt
pool_mode = transaction
default_pool_size = 5
max_client_conn = 1000
; After a failed connection, clients are refused for this many seconds. The default of 15 outlasts a switchover.
server_login_retry = 1
pidfile = $pidfile
logfile = $home/pgbouncer.log
INI
    rm -f "$pidfile" && touch "$home/pgbouncer.log" && chown -R "$account" "$home"
    pgbouncer -q -d -u "$account" "$home/pgbouncer.ini"
    for _ in $(seq 50); do is_answering && break; sleep 0.1; done
    is_answering || { echo 'pgbouncer.sh: it did not start' >&2; cat "$home/pgbouncer.log" >&2; exit 1; }
    echo "postgresql://quoin:quoin@127.0.0.1:$port/quoin"
    ;;
  stop) stop ;;
  *) sed -n '2,/^set -euo/{/^set -euo/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
esac
