#!/usr/bin/env bash
# Takes what belongs to this one machine out of what becomes an image. Needs root, and must be the last provisioner:
# nobody can log in anew when it is done.
#
# Goes: package lists and caches, the machine id, SSH host keys, authorised keys, shell histories, logs, and
# cloud-init's memory of having run. Each instance of the image makes its own at first boot.
set -euo pipefail
shopt -s nullglob

if command -v apt-get >/dev/null; then
  apt-get -q clean
  rm -rf /var/lib/apt/lists/*
fi

# Empty, not absent: systemd then writes a new id at boot, and does not start its first-boot questions.
: >/etc/machine-id
rm -f /var/lib/dbus/machine-id

rm -f /etc/ssh/ssh_host_*
rm -f /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys
rm -f /root/.bash_history /home/*/.bash_history

if command -v cloud-init >/dev/null; then
  # `clean` also forgets the instance id, which is what makes the next boot a first boot. A stand-in need not know it.
  cloud-init clean --logs >/dev/null || echo "cloud-init clean: not available here" >&2
fi
if command -v journalctl >/dev/null; then
  journalctl --rotate --vacuum-time=1s >/dev/null 2>&1 || true # no journal yet is no error
fi
find /var/log -type f -name '*.gz' -delete
find /var/log -type f -not -path '/var/log/journal/*' -exec truncate -s 0 {} +

sync
