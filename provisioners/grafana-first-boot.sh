#!/usr/bin/env bash
# Makes each instance choose its own Grafana password at its first boot. Needs root.
#
#   UNIT   the service that gets it, grafana-server.service
#
# Grafana's stock login is admin/admin, and a password in an image is known to everybody who may launch it. The one made
# here is in /etc/grafana/admin-password, readable by root alone: `sudo cat` it over SSH, or replace it by your own.
set -euo pipefail

unit=${UNIT:?the unit, grafana-server.service}

cat >/usr/local/sbin/grafana-admin-password <<'SCRIPT'
#!/bin/sh
# Makes an admin password for this instance, once.
set -eu
umask 077
mkdir -p /etc/grafana
password=$(od -An -N 16 -tx1 /dev/urandom | tr -d ' \n')
printf '%s\n' "$password" >/etc/grafana/admin-password
printf 'GF_SECURITY_ADMIN_PASSWORD=%s\n' "$password" >/etc/grafana/first-boot.env
SCRIPT
chmod 0755 /usr/local/sbin/grafana-admin-password

cat >/etc/systemd/system/grafana-admin-password.service <<CONF
[Unit]
Description=Admin password for this instance
Before=$unit
ConditionPathExists=!/etc/grafana/first-boot.env

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/grafana-admin-password

[Install]
WantedBy=multi-user.target
CONF

# systemd reads the file as root before it drops to the service's user, so 0600 is enough.
install -d -m 0755 "/etc/systemd/system/$unit.d"
cat >"/etc/systemd/system/$unit.d/20-admin-password.conf" <<'CONF'
[Service]
EnvironmentFile=-/etc/grafana/first-boot.env
CONF

systemctl daemon-reload
systemctl enable grafana-admin-password.service
