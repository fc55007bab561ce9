#!/usr/bin/env bash
# Gives a systemd service a restart policy by a drop-in, so that the package's own unit stays as it is and package
# updates keep reaching it. Needs root.
#
#   UNIT          for example grafana-server.service
#   RESTART_SEC   pause before a restart, in seconds; 5 when unset
#   RESTART_MAX   restarts within ten minutes before systemd gives up; 10 when unset. A service that can never start
#                 (a broken configuration) must end as `failed`, where monitoring sees it.
set -euo pipefail

unit=${UNIT:?the unit, for example grafana-server.service}
dir=/etc/systemd/system/$unit.d

install -d -m 0755 "$dir"
cat >"$dir/10-restart.conf" <<CONF
[Unit]
StartLimitIntervalSec=10min
StartLimitBurst=${RESTART_MAX:-10}

[Service]
Restart=on-failure
RestartSec=${RESTART_SEC:-5}
CONF

systemctl daemon-reload
