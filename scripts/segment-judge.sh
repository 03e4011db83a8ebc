#!/usr/bin/env bash
# Judges the Segment calls of fixtures/segment by the code of the destinations that receive them,
# offline, and plants the usual mistakes to see each caught.
#
#   scripts/segment-judge.sh           judge, and compare the tables in docs/SEGMENT.md
#   scripts/segment-judge.sh --write   judge, and write the tables
#
# Installs that code from npm below target/ once. Ends with an error if anything is off.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=${1:---check}
target=${CARGO_TARGET_DIR:-target}
modules=$target/segment-judge
mkdir -p "$modules"

if ! cmp -s examples/segment-judge/package-lock.json "$modules/installed-lock.json"; then
    rm -rf "$modules"
    mkdir -p "$modules"
    cp examples/segment-judge/package.json examples/segment-judge/package-lock.json "$modules"
    # Their scripts are not needed, and their peers are those of other packagers.
    (cd "$modules" && npm ci --legacy-peer-deps --ignore-scripts --no-audit --no-fund --loglevel error)
    cp "$modules/package-lock.json" "$modules/installed-lock.json"
fi

cargo run --quiet --locked --example segment_calls -- fixtures/segment/judged.json >"$target/segment-calls.ndjson"
SEGMENT_JUDGE_MODULES=$(realpath "$modules") node examples/segment-judge/judge.js "$target/segment-calls.ndjson" "$mode"
