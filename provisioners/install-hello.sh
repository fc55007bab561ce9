#!/usr/bin/env bash
# Installs the hello service that the quickstart template uploads, enables it and starts it. Needs root.
#
#   HELLO_FROM   directory with `hello`, `hello.service` and `release`
#
# Idempotent: `install` replaces, `enable --now` is content with what is there already.
set -euo pipefail

from=${HELLO_FROM:?the directory with the uploaded files}

install -D -m 0755 "$from/hello" /usr/local/bin/hello
install -D -m 0644 "$from/hello.service" /etc/systemd/system/hello.service
install -D -m 0644 "$from/release" /etc/hello/release
rm -rf "$from"

systemctl daemon-reload
systemctl enable hello.service
# Restart, not start: a second run with a new release file must show.
systemctl restart hello.service
