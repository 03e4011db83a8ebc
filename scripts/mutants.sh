#!/usr/bin/env bash
# Plants bugs in the library and looks whether a test finds each: every mutant, or with arguments
# those that `cargo mutants` is told to plant.
#
#   scripts/mutants.sh                       all, which takes hours
#   scripts/mutants.sh -f src/decide.rs      those of a file
#   scripts/mutants.sh --shard 3/40          every fortieth
#
# Ends with an error if a mutant survives. Those that nothing can tell from the original are in
# .cargo/mutants.toml, each with its reason.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v cargo-mutants >/dev/null || cargo install cargo-mutants --version 27.1.0 --locked

# One failing case is enough, and nobody reads it: shrinking it would take longer than finding it.
export PROPTEST_CASES=64 PROPTEST_MAX_SHRINK_ITERS=0 INSTA_UPDATE=no
status=0
cargo mutants --no-shuffle --jobs 1 --minimum-test-timeout 60 "$@" || status=$?
# 3 says that some mutants ran until they were stopped: those were found, too.
[ "$status" -eq 3 ] || exit "$status"
