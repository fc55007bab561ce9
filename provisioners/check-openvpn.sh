#!/usr/bin/env bash
# Checks a baked OpenVPN server: the units are enabled, the first-boot script works, and no key is in the image. Needs root.
set -euo pipefail

systemctl is-enabled openvpn-first-boot.service openvpn-nat.service openvpn-server@server.service
openvpn --version | head -n 1
/usr/local/sbin/openvpn-first-boot --check

# Checks what nftables thinks of the rules and changes nothing. A machine without a network of its own may not ask.
if ! problem=$(nft --check --file /etc/openvpn/nat.nft 2>&1); then
  echo "$problem" >&2
  [[ $problem == *'not permitted'* ]]
fi

secrets=$(find /etc/openvpn \( -name '*.key' -o -name pki \) -print)
if [[ -n $secrets ]]; then
  echo "keys are about to be baked into the image:" >&2
  echo "$secrets" >&2
  exit 1
fi
