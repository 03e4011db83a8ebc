//! The limit on the size of a call, and the counting of it.

use std::collections::BTreeMap;

use idgroup::segment::{CallSettings, MAX_CALL_SIZE, RefusalReason, Routes, Supplied};
use idgroup::{Destinations, ProfileUpdate, decide};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use crate::support::{entry, read};

/// The size that is counted for a trait's value, within a call.
fn counted<V: Serialize + ?Sized>(value: &V) -> usize {
    let mut update = entry(&json!([{ "type": "user_id", "id": "1" }]));
    update["computation"]["class"] = "trait".into();
    let update: ProfileUpdate = read(&update);
    let destinations: Destinations = read(&json!([{ "id": "dst_1", "name": "A" }]));
    let settings: CallSettings = read(&json!({ "dst_1": { "call": "track" } }));
    let routes = Routes::new(&destinations, &settings);
    let events = decide(&update, &destinations);
    let calls = routes.calls(&events[0], Supplied::default().with_value(Some(value)));
    let call = calls.iter().next().unwrap().unwrap();
    let text = serde_json::to_string(&call).unwrap();
    let around = text.len() - serde_json::to_string(value).unwrap().len();
    call.json_size() - around
}

#[track_caller]
fn assert_counted<V: Serialize>(value: &V) {
    // In a list, because `null` by itself is no value.
    let value = [value];
    let text = serde_json::to_string(&value).unwrap();
    assert_eq!(counted(&value), text.len(), "{text}");
}

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
struct Newtype(u8);

#[derive(Serialize)]
struct Tuple(u8, Option<char>, Option<()>);

#[derive(Serialize)]
enum Shape {
    Unit,
    Newtype(Unit),
    Tuple(i8, f32),
    Struct { name: String, list: Vec<Newtype> },
    Nothing {},
}

struct Bytes(&'static [u8]);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

#[test]
fn every_shape_of_serde_is_counted_as_it_is_written() {
    assert_counted(&());
    assert_counted(&Unit);
    assert_counted(&Newtype(255));
    assert_counted(&Tuple(1, Some('"'), Some(())));
    assert_counted(&Tuple(10, None, None));
    assert_counted(&[Shape::Unit, Shape::Newtype(Unit), Shape::Tuple(-128, 0.25), Shape::Nothing {}]);
    assert_counted(&Shape::Struct { name: "\u{1F600}".into(), list: vec![Newtype(1), Newtype(100)] });
    assert_counted(&Bytes(&[0, 9, 10, 255]));
    assert_counted(&(
        true,
        false,
        1_u16,
        -1_i16,
        u32::MAX,
        i32::MIN,
        u64::MAX,
        i64::MIN,
        u128::MAX,
        i128::MIN,
    ));
    assert_counted(&(0, 9, 10, 99, 100, -0, -9, -10));
    assert_counted(&[(); 0]);
    assert_counted(&[[[1]], [[2]]]);
    assert_counted(&[BTreeMap::from([(1, "one"), (-10, "ten")])]);
    assert_counted(&BTreeMap::from([(true, 1)]));
    assert_counted(&BTreeMap::from([('x', BTreeMap::<String, u8>::new())]));
    assert_counted(&(format_args!("{}-\n", 1), "\u{8}\u{c}\n\r\t\u{b}\u{1f}\u{7f}/\\\""));
}

#[test]
fn floats_are_counted_as_they_are_written() {
    for exponent in -324..=308 {
        for digits in ["1", "1.5", "9.999999999999999", "-1.2345678"] {
            assert_counted(&format!("{digits}e{exponent}").parse::<f64>().unwrap());
        }
    }
    for number in
        [0.0, -0.0, f64::MAX, f64::MIN_POSITIVE, f64::EPSILON, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]
    {
        assert_counted(&number);
    }
    for number in [0.1_f32, 16_777_216.0, 1e10, 1e-7, f32::MAX, f32::MIN_POSITIVE, f32::NAN] {
        assert_counted(&number);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_counted_as_it_is_written(value in any_json()) {
        let text = value.to_string();
        prop_assume!(text.len() < MAX_CALL_SIZE / 2);
        prop_assert_eq!(counted(&[value]), text.len() + 2);
    }

    #[test]
    fn any_float_is_counted_as_it_is_written(number in any::<f64>(), small in any::<f32>()) {
        prop_assert_eq!(counted(&number), serde_json::to_string(&number).unwrap().len());
        prop_assert_eq!(counted(&small), serde_json::to_string(&small).unwrap().len());
    }
}

/// Each part of a call that can be of any length, so long that the call is just small enough: with one
/// character more it would have the limit or be beyond.
#[test]
fn the_limit_is_met_to_the_byte_by_whatever_is_long() {
    let parts: [(&str, Set); 11] = [
        ("the key", &|world, text| world.update["computation"]["key"] = text.into()),
        ("the computation's id", &|world, text| world.update["computation"]["id"] = text.into()),
        ("the space", &|world, text| world.update["space_id"] = text.into()),
        ("an email", &|world, text| world.update["external_ids"][0]["id"] = text.into()),
        ("a user_id", &|world, text| world.update["external_ids"][1]["id"] = text.into()),
        ("a user_id that the call's combination lacks", &|world, text| {
            world.destinations[0]["dedupes_on"] = json!(["email"]);
            world.update["external_ids"][1]["id"] = text.into();
        }),
        ("an encoding", &|world, text| world.update["external_ids"][1]["encoding"] = text.into()),
        ("a name", &|world, text| world.destinations[0]["name"] = text.into()),
        ("a list's id", &|world, text| world.settings["dst_1"]["external_audience_id"] = text.into()),
        ("audience settings", &|world, text| world.settings["dst_1"]["audience_settings"]["x"] = text.into()),
        ("personas", &|world, text| world.persona = text),
    ];
    for (call, character) in [("track", "x"), ("identify", "\u{1}"), ("track", "\u{20AC}"), ("engage", "\"")]
    {
        for (part, set) in &parts {
            let size = |length: usize| {
                let mut world = World::of(call);
                set(&mut world, character.repeat(length));
                world.size()
            };
            let (two, three) = (size(2).unwrap(), size(3).unwrap());
            let fits = 2 + (MAX_CALL_SIZE - 1 - two) / (three - two);
            let largest = size(fits).unwrap_or_else(|| panic!("{call}, {part}: {fits} fit"));
            assert_eq!(largest, two + (fits - 2) * (three - two), "{call}, {part}");
            assert_eq!(size(fits + 1), None, "{call}, {part}");
        }
    }
}

/// Makes a part of a world the text.
type Set = &'static dyn Fn(&mut World, String);

struct World {
    update: Value,
    destinations: Value,
    settings: Value,
    persona: String,
}

impl World {
    fn of(call: &str) -> Self {
        let settings = match call {
            "engage" => json!({ "call": "track", "engage": true, "audience_settings": {} }),
            _ => json!({ "call": call, "audience_settings": {} }),
        };
        Self {
            update: entry(&json!([{ "type": "email", "id": "a" }, { "type": "user_id", "id": "1" }])),
            destinations: json!([{ "id": "dst_1", "name": "A" }]),
            settings: json!({ "dst_1": settings }),
            persona: String::new(),
        }
    }

    /// The size of the one call as it is written; `None` if it is refused.
    fn size(&self) -> Option<usize> {
        let update: ProfileUpdate = read(&self.update);
        let destinations: Destinations = read(&self.destinations);
        let settings: CallSettings = read(&self.settings);
        let routes = Routes::new(&destinations, &settings);
        let events = decide(&update, &destinations);
        let personas = [("journey_metadata", &self.persona)];
        let calls = routes.calls(&events[0], Supplied::default().with_personas(&personas));
        match calls.iter().next().unwrap() {
            Ok(call) => {
                let size = serde_json::to_string(&call).unwrap().len();
                assert_eq!(call.json_size(), size);
                Some(size)
            }
            Err(refusal) => {
                assert_eq!(refusal.reason(), RefusalReason::TooLarge);
                None
            }
        }
    }
}
