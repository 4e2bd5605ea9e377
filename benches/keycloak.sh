#!/bin/sh
# Figures against a live Keycloak on this machine, as rows for docs/performance.md. Takes about five minutes.
set -eu
cd "$(dirname "$0")/.."
WARDEN_KEYCLOAK_PORT=${WARDEN_KEYCLOAK_PORT:-18182}
export WARDEN_KEYCLOAK_PORT
scripts/keycloak start --full-jit >/dev/null
trap 'scripts/keycloak stop' EXIT
cargo test --release -p host-one --test keycloak -- --ignored --nocapture figures
