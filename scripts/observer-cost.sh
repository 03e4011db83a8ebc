#!/usr/bin/env bash
# What `()` as the observer costs over no observer at all, in instructions.
#
# Builds the library twice: as it is, and as a copy from which every call of an observer was removed.
# Decides the same updates with both, counts instructions with valgrind, and fails if the first takes
# more than 0.5 % more. Instructions and not time: their number hardly changes from run to run.
#
# Needs valgrind and python3.   scripts/observer-cost.sh
set -euo pipefail

rounds=20
most_percent=0.5
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for variant in with without; do
    mkdir -p "$work/$variant/library" "$work/$variant/src"
    cp -r "$root/src" "$root/benches" "$root/README.md" "$work/$variant/library/"
    # Without the workspace, whose other members are not copied.
    sed '/^\[workspace\]/,/^\[package\]/{/^\[package\]/!d}' "$root/Cargo.toml" >"$work/$variant/library/Cargo.toml"
    cp "$root/Cargo.lock" "$work/$variant/"
    cat >"$work/$variant/Cargo.toml" <<MANIFEST
[package]
name = "$variant-observer"
version = "0.0.0"
edition = "2024"

[dependencies]
idgroup = { path = "library" }
serde_json = "1"

[profile.release]
codegen-units = 1 # or else the count depends on how the code is cut into units

[workspace]
MANIFEST
    cat >"$work/$variant/src/main.rs" <<'PROBE'
//! Decides each update of the recording so many times.

use std::collections::BTreeMap;
use std::hint::black_box;

use idgroup::{Destinations, ProfileUpdate, decide};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let fixtures = arguments.next().unwrap();
    let rounds: u32 = arguments.next().unwrap().parse().unwrap();
    let destinations = std::fs::read(format!("{fixtures}/destinations.json")).unwrap();
    let destinations: BTreeMap<String, Destinations> = serde_json::from_slice(&destinations).unwrap();
    let lines = std::fs::read(format!("{fixtures}/updates.ndjson")).unwrap();
    let updates: Vec<ProfileUpdate> =
        lines.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let connected: Vec<_> = updates
        .iter()
        .filter_map(|update| Some((update, destinations.get(update.computation().id())?)))
        .collect();
    let mut events = 0;
    for _ in 0..rounds {
        for (update, destinations) in &connected {
            events += black_box(decide(black_box(update), black_box(destinations))).len();
        }
    }
    println!("{} updates, {events} events", connected.len());
}
PROBE
done

python3 - "$work/without/library/src" <<'REMOVE'
"""Removes each statement that calls an observer, and makes sure that there is no other call."""
import pathlib
import re
import sys

CALL = re.compile(r"^[ \t]*observer\s*\.\s*\w+\([^;]*\);\n", re.MULTILINE)
removed = 0
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.rs")):
    text, count = CALL.subn("", path.read_text())
    left = re.search(r"\bobserver\s*\.", text)
    if left:
        sys.exit(f"observer-cost: can't remove the call of an observer at byte {left.start()} of {path.name}")
    if count:
        print(f"{path.name}: removed {count} calls")
        path.write_text(text)
    removed += count
if removed == 0:
    sys.exit("observer-cost: found no call of an observer to remove")
REMOVE

export CARGO_TARGET_DIR="$work/target"
for variant in with without; do
    # Removed calls leave unused variables behind.
    (cd "$work/$variant" && RUSTFLAGS="--cap-lints=allow" cargo build --quiet --release)
done

# Prints the instructions of a run of so many rounds.
instructions() {
    valgrind --tool=callgrind --callgrind-out-file="$work/out" \
        "$work/target/release/$1-observer" "$root/fixtures/pipeline" "$2" >"$work/decided" 2>"$work/log" ||
        { cat "$work/log" >&2; exit 1; }
    sed -n 's/^summary: //p' "$work/out" | grep . || { echo "observer-cost: no count" >&2; exit 1; }
}

declare -A cost decided
for variant in with without; do
    # Less what reading the updates takes.
    cost[$variant]=$(($(instructions $variant $rounds) - $(instructions $variant 0)))
    instructions $variant 1 >/dev/null
    decided[$variant]=$(cat "$work/decided")
done
if [ "${decided[with]}" != "${decided[without]}" ]; then
    echo "observer-cost: ${decided[with]} with an observer, ${decided[without]} without" >&2
    exit 1
fi

python3 - "${cost[with]}" "${cost[without]}" "$most_percent" "$rounds times ${decided[with]}" <<'VERDICT'
import sys

with_unit, without, most = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
percent = (with_unit - without) / without * 100
print(sys.argv[4])
print(f"observer ():  {with_unit:>14,} instructions")
print(f"no observer:  {without:>14,} instructions")
print(f"difference:   {percent:>+13.3f} %, at most {most} % is allowed")
sys.exit(percent > most)
VERDICT
