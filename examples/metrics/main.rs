//! How long each step of a routed update takes, and what a comparison adds: percentiles per step.
//!
//! `cargo run --release --example metrics`
//!
//! The library reads no clock. Whoever wants times brings one, in an [`Observer`]: the `Stopwatch`
//! below is what a service would copy, with its own metrics library in place of the histograms.

mod recording;
mod stopwatch;
mod table;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use idgroup::compare::ComparisonKey;
use idgroup::{Comparing, Flag, Release, Rollout, Share};

use recording::Recording;
use stopwatch::Stopwatch;

/// After this the recording is not decided once more.
const ENOUGH: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let recording = match Recording::read() {
        Ok(recording) => recording,
        Err(error) => {
            eprintln!("metrics: can't read the recording: {error}");
            return ExitCode::FAILURE;
        }
    };
    match release() {
        Ok(release) => {
            let stopwatch = measure(&release, &recording);
            println!("{} updates, each routed, decided and compared", stopwatch.updates());
            print!("{}", table::of(&stopwatch));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("metrics: can't use the rollout: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Admits every space, sends from the legacy flow, and compares: all steps are taken.
fn release() -> Result<Release, idgroup::InputError> {
    let rollout = Rollout::new(Flag::new("metrics", Share::ALL)?).with_comparing(Comparing::On);
    // A service makes its key of 16 random bytes: customers control the values that are compared. Here
    // they are all made up.
    Ok(Release::new(rollout, ComparisonKey::new(*b"not for services")))
}

fn measure(release: &Release, recording: &Recording) -> Stopwatch {
    let mut stopwatch = Stopwatch::new();
    let began = Instant::now();
    while began.elapsed() < ENOUGH {
        for (update, destinations) in recording.updates() {
            let routed = release.decide_with(update, None, destinations, &mut stopwatch);
            stopwatch.update_ended();
            // Here a service sends the events.
            drop(routed);
        }
    }
    stopwatch
}
