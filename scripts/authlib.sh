#!/usr/bin/env bash
# Python with Authlib, an OAuth 2 client, for tests on a Debian machine. Installs it if it is missing (as root), and prints only the path of Python.
#
#   scripts/authlib.sh
set -euo pipefail

has_authlib() { /usr/bin/python3 -c 'import authlib, requests' 2> /dev/null; }
if ! has_authlib; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3-authlib python3-requests; } > /dev/null ||
    { echo 'authlib.sh: Authlib could not be installed' >&2; exit 1; }
fi
has_authlib
echo /usr/bin/python3
