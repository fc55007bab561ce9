#!/usr/bin/env bash
# Checks that this machine was booted from an image with the hello service: the files are there, and the service that
# was enabled in the image runs now, started by this boot and not by a provisioner.
set -euo pipefail

for file in /usr/local/bin/hello /etc/systemd/system/hello.service /etc/hello/release; do
  if [[ ! -s $file ]]; then
    echo "missing from the base image: $file" >&2
    exit 1
  fi
done

# SSH can answer before the boot is over; `--wait` returns at the end of it. A degraded system, or a boot with a job that
# never ends, is not our question.
timeout 60 systemctl is-system-running --wait >/dev/null 2>&1 || true

if ! systemctl is-active --quiet hello.service; then
  echo "hello.service was enabled in the base image, but does not run:" >&2
  systemctl status --no-pager hello.service >&2 || true
  exit 1
fi

# /run is empty at boot, so a greeting there was written in this one.
cat /run/hello/greeting
