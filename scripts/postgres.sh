#!/usr/bin/env bash
# PostgreSQL with pgvector for tests and benchmarks on a Debian machine.
#
#   scripts/postgres.sh start [17|15]    installs what is missing, starts the server, and prints only the URL
#   scripts/postgres.sh stop  [17|15]    stops that server
#   scripts/postgres.sh url   [17|15]    prints the URL
#   scripts/postgres.sh bindir [17|15]   prints the folder of its programs: psql, pgbench, pg_dump
#
# Listens on 127.0.0.1 only. Every user of the machine can connect, so keep no data in it.
#
# Version 17, the default, comes from the signed packages of Debian's next release. They are unpacked into their own folder and run with their
# own libraries, so the system does not change and root is not needed. Version 15, the oldest supported, is Debian's own package; pgvector is
# built from source. That installs packages, as root.
#
#   QUOIN_PG_HOME       folder of programs and data (/var/lib/quoin-postgres as root, else ~/.cache/quoin-postgres)
#   QUOIN_PG_PORT       port of a second server with its own data
#   QUOIN_PG_DURABLE=1  turns fsync on, for benchmarks and fault tests. Off by default, which makes tests faster.
set -euo pipefail
umask 022

say() { echo "postgres.sh: $*" >&2; }
die() { say "$*"; exit 1; }

command=${1:-} version=${2:-17} suite=trixie
case $command in start | stop | url | bindir) ;; *) sed -n '2,/^set -euo/{/^set -euo/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;; esac
case $version in 17) port=54417 ;; 15) port=54415 ;; *) die "version $version: 17 or 15" ;; esac
port=${QUOIN_PG_PORT:-$port}
url=postgresql://quoin:quoin@127.0.0.1:$port/quoin
[ "$command" != url ] || { echo "$url"; exit; }

if [ "$(id -u)" = 0 ]; then home=${QUOIN_PG_HOME:-/var/lib/quoin-postgres}; else home=${QUOIN_PG_HOME:-$HOME/.cache/quoin-postgres}; fi
root=$home/$suite data=$home/data-$version${QUOIN_PG_PORT:+-$QUOIN_PG_PORT}
arch=$(dpkg --print-architecture 2>/dev/null) || die "this needs Debian"
case $arch in
  amd64) triplet=x86_64-linux-gnu loader=ld-linux-x86-64.so.2 ;;
  arm64) triplet=aarch64-linux-gnu loader=ld-linux-aarch64.so.1 ;;
  *) die "no recipe for $arch" ;;
esac
if [ "$version" = 17 ]; then bin=$root/usr/lib/postgresql/17/bin; else bin=/usr/lib/postgresql/15/bin; fi
[ "$command" != bindir ] || { echo "$bin"; exit; }

# Runs apt with the next release's packages and sources, without changing the system's state.
private_apt() (
  state=$home/apt
  if [ ! -e "$state/ready" ]; then
    mkdir -p "$state"/lists/partial "$state"/cache/archives/partial "$state"/etc/{apt.conf.d,preferences.d,trusted.gpg.d,sources.list.d}
    : > "$state/status"
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security | grep '/debian/*$' | head -n 1)
    [ -n "$mirror" ] || die "apt has no Debian mirror: run apt-get update first"
    for keyring in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do [ -r "$keyring" ] && break; done
    for kind in deb deb-src; do echo "$kind [signed-by=$keyring] $mirror $suite main"; done > "$state/etc/sources.list"
    {
      for pair in State:"$state" State::status:"$state/status" State::lists:"$state/lists" Cache:"$state/cache" Etc:"$state/etc"; do
        echo "Dir::${pair%:*} \"${pair##*:}\";"
      done
      echo "APT::Sandbox::User \"root\"; APT::Install-Recommends \"false\"; Acquire::Languages \"none\"; Acquire::Retries \"3\";"
      apt-config dump | grep -E '^Acquire::https?::(Proxy|CaInfo)' || true
    } > "$state/apt.conf"
    APT_CONFIG=$state/apt.conf apt-get update -qq >&2
    touch "$state/ready"
  fi
  APT_CONFIG=$state/apt.conf DEBIAN_FRONTEND=noninteractive apt-get "$@" >&2
)

install_17() {
  [ ! -e "$root/complete" ] || return 0
  say "unpacking PostgreSQL 17 with pgvector into $root"
  rm -rf "$root" && mkdir -p "$root"
  private_apt install -qq -y --download-only postgresql-17 postgresql-17-pgvector
  for package in "$home"/apt/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --no-same-owner --exclude='*/bitcode' --exclude='./usr/share/doc' \
      --exclude='./usr/share/man' --exclude='./usr/share/locale' --exclude='./etc' --exclude='./var'
  done
  rm -rf "$home/apt/cache/archives"/*.deb
  # Wraps each program in a script that starts it with its own libraries.
  mv "$bin" "$bin.real" && mkdir "$bin"
  for program in "$bin.real"/*; do
    name=${program##*/}
    printf '#!/bin/sh\nexec "%s/usr/lib/%s/%s" --inhibit-cache --library-path "%s/usr/lib/%s" --argv0 "%s/%s" "%s" "$@"\n' \
      "$root" "$triplet" "$loader" "$root" "$triplet" "$bin" "$name" "$program" > "$bin/$name"
  done
  chmod 755 "$bin"/*
  "$bin/postgres" --version >&2 && touch "$root/complete"
}

install_15() {
  [ ! -e /usr/share/postgresql/15/extension/vector.control ] || return 0
  [ "$(id -u)" = 0 ] || die "installing PostgreSQL 15 needs root"
  say "installing PostgreSQL 15 and building pgvector for it"
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y postgresql-15 postgresql-server-dev-15 make gcc dpkg-dev > "$home/apt.log" 2>&1 ||
    { tail -n 20 "$home/apt.log" >&2; die "apt could not install it"; }
  build=$(mktemp -d) && trap 'rm -rf "$build"' EXIT
  (cd "$build" && private_apt source -qq pgvector)
  # Portable code, because another machine may run the cached build.
  make -s -C "$build"/pgvector-*/ PG_CONFIG=/usr/lib/postgresql/15/bin/pg_config OPTFLAGS= with_llvm=no install >&2
}

# PostgreSQL refuses to run as root.
account=$(id -un)
as_account() { (cd / && env -i PATH="$PATH" LC_ALL=C TZ=UTC "$@"); }
if [ "$account" = root ]; then
  account=postgres
  as_account() { (cd / && setpriv --reuid "$account" --regid "$account" --clear-groups env -i PATH="$PATH" LC_ALL=C TZ=UTC "$@"); }
fi

is_running() { [ -e "$bin/pg_ctl" ] && as_account "$bin/pg_ctl" -D "$data" status > /dev/null 2>&1; }

start() {
  mkdir -p "$home"
  exec 9> "$home/lock" && flock -w 600 9
  "install_$version"
  id "$account" > /dev/null 2>&1 || useradd --system --user-group "$account"
  if [ ! -e "$data/PG_VERSION" ]; then
    rm -rf "$data" && install -d -m 700 -o "$account" "$data"
    as_account "$bin/initdb" -D "$data" -U admin --auth=trust -E UTF8 --locale=C.UTF-8 --no-sync > "$home/initdb.log" 2>&1 9>&- ||
      { cat "$home/initdb.log" >&2; die "initdb failed"; }
  fi
  if ! is_running; then
    # Only the administrator connects without a password.
    printf 'host all %s 127.0.0.1/32 %s\n' admin trust all scram-sha-256 | as_account tee "$data/pg_hba.conf" > /dev/null
    durable=off && [ "${QUOIN_PG_DURABLE:-0}" != 1 ] || durable=on
    # Parallel index builds are off: they are unsafe in pgvector before 0.8.2 (CVE-2026-3172).
    as_account "$bin/pg_ctl" -D "$data" -l "$data/server.log" -w -t 60 -o "-h 127.0.0.1 -p $port -k '' -c max_connections=200 -c shared_buffers=1GB -c jit=off \
      -c fsync=$durable -c synchronous_commit=$durable -c full_page_writes=$durable -c max_parallel_maintenance_workers=0" start > /dev/null 9>&- ||
      { tail -n 20 "$data/server.log" >&2; die "the server did not start"; }
  fi
  provision
  echo "$url"
}

# As with a hosting service: the role can create roles and databases but is no superuser, and the administrator creates the extension.
provision() {
  as_account "$bin/psql" -XqAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U admin -d template1 > /dev/null << 'SQL'
set client_min_messages = warning;
create extension if not exists vector;
select 'create role quoin login createdb createrole password ''quoin''' where to_regrole('quoin') is null \gexec
select 'create database quoin owner quoin' where not exists (select from pg_database where datname = 'quoin') \gexec
SQL
}

stop() {
  ! is_running || as_account "$bin/pg_ctl" -D "$data" -m fast -w stop > /dev/null
}

"$command"
