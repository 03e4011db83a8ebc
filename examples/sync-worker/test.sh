#!/usr/bin/env bash
# Tests the worker against servers of its own on loopback: PostgreSQL, librdkafka's mock of Kafka, three
# brokers of Apache Kafka's (those of KAFKA_HOME, else from Maven Central) and Prometheus.
#   ./test.sh           all tests
#   ./test.sh mock      those that need no Kafka and no Prometheus
#   ./test.sh real      those that do
#   ./test.sh soak      faults for longer: SOAK_SECONDS, 600 if not set
#   ./test.sh people    people at random, through all faults, for longer: PEOPLE_SECONDS, 1800 if not set
#   ./test.sh sizing    what an update takes in each stage, topic and table, with 1, 2 and 3 workers
#   ./test.sh figures   updates per second, latencies and memory, on a quiet machine
# Where Kafka can't be had, this says so and fails, unless WITHOUT_KAFKA=1 says that this is known.
set -euo pipefail
cd "$(dirname "$0")"
what=${1-all}

packages=()
command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || packages+=(postgresql)
[ -e /usr/include/openssl/ssl.h ] || packages+=(libssl-dev)
command -v openssl >/dev/null || packages+=(openssl)
if [ "$what" != mock ] && [ -z "${WITHOUT_KAFKA-}" ]; then
    command -v java >/dev/null || packages+=(openjdk-17-jre-headless)
    [ -n "${KAFKA_HOME-}" ] || command -v mvn >/dev/null || packages+=(maven)
    command -v promtool >/dev/null && command -v prometheus >/dev/null || packages+=(prometheus)
fi
if [ "${#packages[@]}" -gt 0 ]; then
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get update
    # The packages would set up servers of the machine's; the tests start their own.
    $sudo mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' | $sudo tee /etc/postgresql-common/createcluster.conf >/dev/null
    $sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y --no-install-recommends "${packages[@]}"
fi

left_out() {
    echo "LEFT OUT: the tests on real brokers: $1" >&2
    [ -n "${WITHOUT_KAFKA-}" ] || exit 1
}

has_kafka=
if [ "$what" != mock ]; then
    brokers=${CARGO_TARGET_DIR:-../../target}/kafka-4
    if [ -n "${WITHOUT_KAFKA-}" ]; then
        left_out "WITHOUT_KAFKA is set"
    elif [ -n "${KAFKA_HOME-}" ]; then
        export KAFKA_JARS=$KAFKA_HOME/libs
        has_kafka=yes
    elif mvn -q -B -f tests/kafka/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
        -DoutputDirectory="$(mkdir -p "$brokers" && cd "$brokers" && pwd)"; then
        KAFKA_JARS=$(cd "$brokers" && pwd)
        export KAFKA_JARS
        has_kafka=yes
    else
        left_out "Maven has not brought the brokers"
    fi
fi

# The release profile, so that the worker is built once for tests and for use.
run() { cargo test --release -p sync-worker --features ssl "$@"; }
if [ "$what" = all ] || [ "$what" = mock ]; then
    run -- --test-threads 3 --skip real::
fi
if [ -n "$has_kafka" ]; then
    case "$what" in
        all | real) run --test pipeline -- --test-threads 2 real:: ;;
        soak) run --test pipeline -- --ignored --nocapture --test-threads 1 real::soak ;;
        people)
            export PEOPLE_SECONDS=${PEOPLE_SECONDS-1800}
            run --test pipeline -- --nocapture --test-threads 1 people::real::
            ;;
        sizing) run --test pipeline -- --ignored --nocapture --test-threads 1 real::sizing ;;
        figures) run --test pipeline -- --ignored --nocapture --test-threads 1 figures ;;
    esac
fi
if [ "$what" != mock ] && [ -z "$has_kafka" ]; then
    left_out "see above"
fi
