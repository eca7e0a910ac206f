#!/usr/bin/env bash
# oathtool, a second implementation of RFC 6238, for tests on a Debian machine. Installs it if it is missing (as root), and prints only its path.
#
#   scripts/oathtool.sh
set -euo pipefail

if ! command -v oathtool > /dev/null; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends oathtool; } > /dev/null ||
    { echo 'oathtool.sh: oathtool could not be installed' >&2; exit 1; }
fi
command -v oathtool
