#!/usr/bin/env bash
# Adds Grafana's own apt repository, which Debian does not have. Needs root and a way to https://apt.grafana.com.
set -euo pipefail

url=https://apt.grafana.com
keyring=/etc/apt/keyrings/grafana.asc

install -d -m 0755 /etc/apt/keyrings
# To a temporary file first: a download that breaks off must not leave half a key behind.
key=$(mktemp)
trap 'rm -f "$key"' EXIT
if ! curl -fsSL --retry 3 --connect-timeout 20 --output "$key" "$url/gpg.key"; then
  echo "can't reach $url; to rehearse without it use -var package_source=debian" >&2
  exit 1
fi
install -m 0644 "$key" "$keyring"

# The key counts for this repository alone, not for all of apt.
echo "deb [signed-by=$keyring] $url stable main" >/etc/apt/sources.list.d/grafana.list
