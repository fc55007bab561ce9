#!/usr/bin/env bash
# Checks that a service starts at boot and answers over HTTP, then stops it and forgets what the trial wrote. Needs root.
#
#   UNIT      the service
#   URL       where it answers
#   FORGET    what the trial run wrote and the image must not have, separated by blanks; may be empty. A directory is
#             emptied and stays: its owner comes from the package, and the service could not make it anew.
set -euo pipefail

unit=${UNIT:?the unit}
url=${URL:?where it answers}
read -r -a forget <<<"${FORGET:-}"

systemctl enable "$unit"
systemctl restart "$unit"
# Half a minute: a first start makes a database. --retry-all-errors covers the refusals before the port is open.
if ! curl -fsS --output /dev/null --noproxy '*' --retry 30 --retry-delay 1 --retry-all-errors "$url" 2>/dev/null; then
  echo "$unit does not answer at $url" >&2
  systemctl status --no-pager "$unit" >&2 || true
  journalctl --no-pager --lines 30 --unit "$unit" >&2 || true
  exit 1
fi
echo "$unit answers at $url"

systemctl stop "$unit"
for path in "${forget[@]}"; do
  if [[ -d $path ]]; then
    find "$path" -mindepth 1 -delete
  else
    rm -f -- "$path"
  fi
done
systemctl is-enabled "$unit"
