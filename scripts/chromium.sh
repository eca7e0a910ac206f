#!/usr/bin/env bash
# Chromium for tests on a Debian machine. Installs it if it is missing (as root), and prints only its path.
#
#   scripts/chromium.sh
set -euo pipefail

if ! command -v chromium > /dev/null; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium; } > /dev/null ||
    { echo 'chromium.sh: chromium could not be installed' >&2; exit 1; }
fi
command -v chromium
