//! Runs the cases of `fixtures/segment`, whose calls were computed by `fixtures/segment/reference.py`.

use std::fs;
use std::path::Path;

use idgroup::segment::Supplied;
use serde_json::{Map, Value};

use crate::support::{read, rendered};

struct Case {
    name: String,
    json: Value,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/segment");
    let mut cases = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let of_file: Vec<Value> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let name = |case: &Value| format!("{}: {}", path.display(), case["name"].as_str().unwrap());
            cases.extend(of_file.into_iter().map(|json| Case { name: name(&json), json }));
        }
    }
    assert!(cases.len() >= 71, "{} cases", cases.len());
    cases
}

impl Case {
    fn rendered(&self, update: &Value, destinations: &Value) -> (Vec<Value>, Vec<Value>) {
        let no_fields = Map::new();
        let supplied = &self.json["supplied"];
        let personas = supplied["personas"].as_object().unwrap_or(&no_fields);
        let personas: Vec<(&str, &Value)> =
            personas.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let timestamp = supplied["timestamp"].as_str().map(|timestamp| timestamp.parse().unwrap());
        let given = Supplied::default().with_personas(&personas).with_value(supplied.get("value"));
        let given = given.maybe_timestamp(timestamp);
        rendered(&read(update), &read(destinations), &read(&self.json["settings"]), given)
    }

    #[track_caller]
    fn assert_rendered(&self, update: &Value, destinations: &Value, order: &str) {
        let (calls, refusals) = self.rendered(update, destinations);
        for (position, (call, expected)) in calls.iter().zip(array(&self.json["calls"])).enumerate() {
            assert_eq!(call, expected, "{}, {order}, call {position}", self.name);
        }
        assert_eq!(calls.len(), array(&self.json["calls"]).len(), "{}, {order}", self.name);
        assert_eq!(&refusals, array(&self.json["refusals"]), "{}, {order}", self.name);
    }
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

#[test]
fn every_case_is_rendered_as_expected() {
    for case in cases() {
        case.assert_rendered(&case.json["update"], &case.json["destinations"], "as given");
    }
}

#[test]
fn the_order_of_the_input_lists_says_nothing() {
    for case in cases() {
        let (mut update, mut destinations) = (case.json["update"].clone(), case.json["destinations"].clone());
        update["external_ids"].as_array_mut().unwrap().reverse();
        destinations.as_array_mut().unwrap().reverse();
        case.assert_rendered(&update, &destinations, "in reverse");
    }
}

#[test]
fn every_call_says_its_membership_twice_alike() {
    let mut entered = 0;
    for case in cases() {
        for call in array(&case.json["calls"]) {
            let call = &call["call"];
            let key = call["context"]["personas"]["computation_key"].as_str().unwrap();
            assert_eq!(call["traits"].is_object(), call["type"] == "identify");
            assert_eq!(call["properties"].is_object(), call["type"] == "track");
            match call["event"].as_str() {
                Some("Audience Entered") => assert_eq!(call["properties"][key], true),
                Some("Audience Exited") => assert_eq!(call["properties"][key], false),
                Some("Trait Computed") => assert_eq!(call["properties"]["trait_key"], key),
                Some(other) => panic!("{other}"),
                None => assert_eq!(call["type"], "identify"),
            }
            entered += u32::from(call["event"] == "Audience Entered");
        }
    }
    assert!(entered > 50);
}
