# What people type here; `just` alone lists it.

_default:
    @just --list

# Everything that CI checks, in CI's own words
check:
    CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-{{ justfile_directory() }}/target}" .ci/run

# Formats the sources
fmt:
    cargo fmt

# Lints, warnings denied
lint:
    cargo clippy --all-targets --locked -- -D warnings

# Unit tests and black-box tests
test *args:
    cargo test --release --locked {{ args }}

# moto, OpenSSH, boto3 and the AWS CLI; arguments go to pytest
interop *args:
    cargo build --release --locked
    tests/interop/run.sh {{ args }}

# The recorded answers of Packer
conformance suite="../shared/conformance":
    cargo build --release --locked
    tests/conformance/check.py {{ suite }} target/release/kiln

# The benches, as tables
bench:
    cargo bench --locked

# Bakes every template of the project on this machine
bake-all:
    cargo build --release --locked
    target/release/kiln build --local templates/quickstart
    target/release/kiln build --local templates/layered
    target/release/kiln build --local templates/openvpn
    target/release/kiln build --local -var package_source=debian templates/grafana

# Licences, advisories, sources of dependencies (needs cargo-deny), unused ones (needs cargo-machete)
deny:
    cargo deny check
    cargo machete
