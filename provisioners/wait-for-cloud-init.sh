#!/bin/sh
# Waits until cloud-init has finished, so that it and a provisioner don't work on the same machine at once
# (the usual sign of that is a package manager's lock that somebody else holds).
#
#   CLOUD_INIT_TIMEOUT   seconds to wait; 300 when unset
#
# POSIX sh: this runs first, on images that may have nothing better.
set -eu

timeout_seconds=${CLOUD_INIT_TIMEOUT:-300}

if ! command -v cloud-init >/dev/null 2>&1; then
  echo "no cloud-init on this image: nothing to wait for"
  exit 0
fi

# 0: done. 2: done with recoverable errors, which newer versions report for as little as a deprecated key.
code=0
timeout "$timeout_seconds" cloud-init status --wait || code=$?
case $code in
  0) ;;
  2) echo "warning: cloud-init finished with recoverable errors" >&2 ;;
  124)
    echo "cloud-init has not finished after $timeout_seconds s" >&2
    exit 1
    ;;
  *)
    echo "cloud-init failed (exit code $code)" >&2
    exit "$code"
    ;;
esac
