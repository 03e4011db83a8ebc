//! The calls of the cases in `fixtures/segment`, a line of JSON for each case, as whatever judges them
//! reads them: `cargo run --example segment_calls`
//!
//! Each line has the case's `name`, the `events` that were decided, their `calls` (the `destinations`
//! that each goes to, and the `call`) and their `refusals`. Other files of cases are named as arguments.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::{env, fs};

use idgroup::segment::{CallSettings, Routes, Supplied};
use idgroup::{Destinations, ProfileUpdate, decide};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Case {
    name: String,
    update: ProfileUpdate,
    destinations: Destinations,
    settings: CallSettings,
    #[serde(default)]
    supplied: SuppliedByCase,
}

#[derive(Default, Deserialize)]
struct SuppliedByCase {
    value: Option<Value>,
    timestamp: Option<String>,
    #[serde(default)]
    personas: serde_json::Map<String, Value>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    if paths.is_empty() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/segment");
        let files = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
        paths = files.collect::<Result<_, _>>()?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
    }
    let mut output = io::stdout().lock();
    for path in paths {
        let cases: Vec<Case> = serde_json::from_slice(&fs::read(&path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        for case in cases {
            writeln!(output, "{}", rendered(&case)?)?;
        }
    }
    Ok(())
}

fn rendered(case: &Case) -> Result<Value, Box<dyn Error>> {
    let personas: Vec<(&str, &Value)> =
        case.supplied.personas.iter().map(|(name, value)| (name.as_str(), value)).collect();
    let supplied = Supplied::default().with_personas(&personas);
    let timestamp = case.supplied.timestamp.as_deref().map(str::parse).transpose()?;
    let supplied = supplied.with_value(case.supplied.value.as_ref()).maybe_timestamp(timestamp);
    let routes = Routes::new(&case.destinations, &case.settings);

    let (mut calls, mut refusals) = (Vec::new(), Vec::new());
    for event in decide(&case.update, &case.destinations) {
        for call in routes.calls(&event, supplied).iter() {
            match call {
                Ok(call) => {
                    let to: Vec<&str> =
                        call.destinations().iter().map(|destination| destination.id()).collect();
                    calls.push(json!({ "destinations": to, "call": call }));
                }
                Err(refusal) => refusals.push(json!(refusal)),
            }
        }
    }
    let events = decide(&case.update, &case.destinations);
    Ok(json!({ "name": case.name, "events": events, "calls": calls, "refusals": refusals }))
}
