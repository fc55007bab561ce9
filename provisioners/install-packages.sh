#!/usr/bin/env bash
# Installs Debian or Ubuntu packages without questions. Needs root.
#
#   PACKAGES   names, separated by blanks; `name=version` pins one
#
# Services that the packages bring may start, as on any machine: a template that doesn't want that stops them.
set -euo pipefail

read -r -a packages <<<"${PACKAGES:?names of packages}"

export DEBIAN_FRONTEND=noninteractive
# Wait for a lock that unattended-upgrades may hold on a fresh instance, and try a mirror that hiccups again.
apt=(apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)

"${apt[@]}" update
"${apt[@]}" install --no-install-recommends "${packages[@]}"
