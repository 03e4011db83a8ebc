#!/usr/bin/env bash
# Tests the worker against a PostgreSQL of its own and a mock of Kafka, both on loopback.
#   ./test.sh           all tests
#   ./test.sh figures   updates per second, latencies and memory, on a quiet machine
set -euo pipefail
cd "$(dirname "$0")"

if ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && ! command -v initdb >/dev/null; then
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get update
    # The package would set up a server of the machine's; the tests start their own.
    $sudo mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' | $sudo tee /etc/postgresql-common/createcluster.conf >/dev/null
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql
fi

# The release profile, so that the worker is built once for tests and for use.
case "${1-}" in
    figures) cargo test --release -p sync-worker --test pipeline -- --ignored --nocapture --test-threads 1 ;;
    *) cargo test --release -p sync-worker -- --test-threads 3 ;;
esac
