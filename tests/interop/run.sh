#!/usr/bin/env bash
# Runs the interop tests: Kiln against moto and a real OpenSSH server, boto3 and the AWS CLI against local EC2.
#
#   KILN_BIN       the binary; target/release/kiln of this work tree when unset
#   INTEROP_VENV   where the Python packages go; target/interop-venv when unset
#
# Arguments go to pytest. Needs python3 with venv, an OpenSSH server's program (not running), and for (b) root.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=${INTEROP_VENV:-$root/target/interop-venv}
KILN_BIN=$(realpath "${KILN_BIN:-$root/target/release/kiln}")
export KILN_BIN

if [[ ! -x $KILN_BIN ]]; then
  echo "no binary at $KILN_BIN: cargo build --release, or set KILN_BIN" >&2
  exit 1
fi

# The stamp is written last, so that an installation that broke off is done again.
if ! cmp -s "$here/requirements.txt" "$venv/.requirements"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --retries 5 -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$venv/.requirements"
fi

# Nothing is left beside the tests: no bytecode, no cache, no temporary directories.
export PYTHONDONTWRITEBYTECODE=1
scratch=$(mktemp -d)
trap 'rm -rf --one-file-system "$scratch"' EXIT
"$venv/bin/python" -m pytest -p no:cacheprovider --basetemp "$scratch/pytest" "$here" "$@"
