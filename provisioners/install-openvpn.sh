#!/usr/bin/env bash
# Puts an OpenVPN server's configuration and first-boot units in place and enables them. Needs root, and the packages
# openvpn, easy-rsa, nftables and openssl. Starts nothing: a start would make keys, and keys don't belong in an image.
#
#   OPENVPN_FROM      directory with what templates/openvpn uploads
#   OPENVPN_NETWORK   the clients' network in CIDR form, 10.8.0.0/24
set -euo pipefail

from=${OPENVPN_FROM:?the directory with the uploaded files}
network=${OPENVPN_NETWORK:?the clients network, for example 10.8.0.0/24}

install -m 0755 "$from/openvpn-first-boot" "$from/openvpn-client" /usr/local/sbin/
install -m 0644 "$from/openvpn-first-boot.service" "$from/openvpn-nat.service" /etc/systemd/system/
# 0711: the server drops to `nobody`, which must reach the revocation list below and list nothing.
install -d -m 0711 /etc/openvpn/server
install -m 0600 "$from/server.conf" /etc/openvpn/server/server.conf

# The server routes between its clients and its own network.
install -m 0644 /dev/stdin /etc/sysctl.d/60-openvpn.conf <<'CONF'
net.ipv4.ip_forward = 1
CONF

# `add` and `delete` before the table makes a second load start from nothing instead of doubling the rule.
install -m 0644 /dev/stdin /etc/openvpn/nat.nft <<CONF
add table ip openvpn_nat
delete table ip openvpn_nat
table ip openvpn_nat {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr $network oifname != "tun*" masquerade
  }
}
CONF

# Where there is no tunnel device (a container, a rehearsal) the server is skipped instead of failing again and again.
install -d -m 0755 /etc/systemd/system/openvpn-server@server.service.d
install -m 0644 /dev/stdin /etc/systemd/system/openvpn-server@server.service.d/20-instance.conf <<'CONF'
[Unit]
Requires=openvpn-first-boot.service
After=openvpn-first-boot.service
ConditionPathExists=/dev/net/tun
CONF

rm -rf "$from"
systemctl daemon-reload
systemctl enable openvpn-first-boot.service openvpn-nat.service openvpn-server@server.service
