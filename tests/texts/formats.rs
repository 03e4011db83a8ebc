//! Formats other than JSON: those that describe themselves are read, and the others refused.

use std::collections::BTreeMap;
use std::fmt::Debug;

use idgroup::{
    Checked, Collection, Computation, Consent, DeliveryKey, Destination, Destinations, DropReason,
    ExternalId, ExternalIdKey, Flag, Gap, Gate, IdStrategy, Membership, MergedProfile, ProfileUpdate,
    Rollout, Share, Timestamp, Trigger, TriggerReason,
};
use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::{Deserialize, Serialize, de::DeserializeOwned, forward_to_deserialize_any};
use serde_json::{Value, json};

use crate::build::entry;

/// The types that are both written and read: each value must come back from every format.
trait Passes: Debug + PartialEq + Serialize + DeserializeOwned {}

impl<T: Debug + PartialEq + Serialize + DeserializeOwned> Passes for T {}

fn from_message_pack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    rmp_serde::from_slice(bytes).map_err(|error| error.to_string())
}

#[track_caller]
fn assert_passes<T: Passes>(value: &T) {
    let json = serde_json::to_string(value).unwrap();
    assert_eq!(serde_json::from_str::<T>(&json).unwrap(), *value, "JSON");

    let message_pack = rmp_serde::to_vec_named(value).unwrap();
    assert_eq!(from_message_pack::<T>(&message_pack).unwrap(), *value, "MessagePack of {json}");
    // A reader that is handed a stream finds the next value where this one ends.
    let mut twice =
        rmp_serde::Deserializer::new(std::io::Cursor::new([&*message_pack, &*message_pack].concat()));
    assert_eq!(T::deserialize(&mut twice).unwrap(), *value, "the first of two");
    assert_eq!(T::deserialize(&mut twice).unwrap(), *value, "the second of two");

    let mut cbor = Vec::new();
    ciborium::into_writer(value, &mut cbor).unwrap();
    assert_eq!(ciborium::from_reader::<T, _>(&*cbor).unwrap(), *value, "CBOR of {json}");
    let as_value: ciborium::Value = ciborium::from_reader(&*cbor).unwrap();
    assert_eq!(as_value.deserialized::<T>().unwrap(), *value, "a CBOR value of {json}");
}

fn key(id: &str) -> ExternalIdKey {
    ExternalIdKey::new("email", id).unwrap()
}

fn at(second: i128) -> Timestamp {
    Timestamp::from_unix_nanoseconds(second * 1_000_000_000 + 5).unwrap()
}

/// With each choice of the fields that may be absent.
fn external_ids() -> Vec<ExternalId> {
    let plain = ExternalId::from(key("a"));
    vec![
        plain.clone(),
        plain.clone().with_created_at(at(1)),
        plain.clone().with_attached_at(at(2)),
        plain.clone().with_created_at(at(1)).with_attached_at(at(2)),
        plain.clone().with_collection(Collection::Accounts).with_encoding("sha256").with_created_at(at(3)),
        plain.clone().with_subscribed(true),
        plain.clone().with_subscribed(false).with_created_at(at(4)),
        plain.with_subscribed(true).with_created_at(at(4)).with_attached_at(at(5)),
    ]
}

fn merged_profiles() -> [MergedProfile; 3] {
    [
        MergedProfile::new("use_1", Membership::Out).unwrap().holding([]),
        MergedProfile::new("use_2", Membership::In).unwrap(),
        MergedProfile::new("use_3", Membership::In).unwrap().holding([key("a"), key("b")]),
    ]
}

fn triggers() -> [Trigger; 4] {
    [
        Trigger::ValueChanged,
        Trigger::new_external_id([key("a"), key("b")]).unwrap(),
        Trigger::profile_merge(merged_profiles()).unwrap(),
        Trigger::external_id_removed([key("a")]).unwrap(),
    ]
}

fn computations() -> [Computation; 4] {
    let plain = || Computation::new("aud_1").unwrap();
    [
        plain(),
        plain().with_class("audience"),
        plain().with_key("vip"),
        plain().with_class("audience").with_key("vip"),
    ]
}

const TYPES: [&str; 8] = ["email", "phone", "fax", "user_id", "push", "ios.push_token", "group_id", "Émail"];

fn updates() -> Vec<ProfileUpdate> {
    let mut updates = Vec::new();
    for trigger in triggers() {
        for computation in computations() {
            let builder = entry().computation(computation).trigger(trigger.clone());
            updates.push(builder.clone().build().unwrap());
            let ids = external_ids().into_iter().zip(TYPES);
            let ids = ids.map(|(id, id_type)| {
                let alike = ExternalId::new(id_type, "1").unwrap().with_encoding(id.encoding());
                let alike = id.created_at().into_iter().fold(alike, ExternalId::with_created_at);
                alike.with_collection(id.collection()).maybe_subscribed(id.subscribed())
            });
            updates.push(builder.computed_at(at(9)).external_ids(ids).build().unwrap());
        }
    }
    updates
}

fn destinations() -> Vec<Destination> {
    let plain = || Destination::new("dst_1").unwrap();
    vec![
        plain(),
        plain().with_name("Google Ads"),
        plain().deduping_on(["phone", "email"]).unwrap(),
        Destination::new("dst_2").unwrap().with_name("SendGrid").deduping_on(["email"]).unwrap(),
    ]
}

/// With every strategy, and with every consent and none.
fn choosing_destinations() -> Vec<Destination> {
    let plain = |id: &str| Destination::new(id).unwrap();
    let strategies =
        IdStrategy::ALL.map(|strategy| plain("dst_3").with_id_strategies([("email", strategy)]).unwrap());
    let all = plain("dst_4").with_id_strategies(TYPES.into_iter().zip(IdStrategy::ALL.repeat(3))).unwrap();
    let first = [("phone", IdStrategy::First)];
    let deduping = plain("dst_5").deduping_on(["phone", "email"]).unwrap().with_id_strategies(first).unwrap();
    let consents = Consent::ALL.map(|consent| plain("dst_6").with_consent(consent));
    let both = [all.clone(), deduping.clone()].map(|both| both.with_consent(Consent::Required));
    strategies.into_iter().chain([all, deduping]).chain(consents).chain(both).collect()
}

#[test]
fn updates_pass_through_every_format() {
    updates().iter().for_each(assert_passes);
    computations().iter().for_each(assert_passes);
    triggers().iter().for_each(assert_passes);
    merged_profiles().iter().for_each(assert_passes);
    external_ids().iter().for_each(assert_passes);
    assert_passes(&external_ids());
    assert_passes(&key("a"));
}

#[test]
fn destinations_pass_through_every_format() {
    destinations().iter().for_each(assert_passes);
    choosing_destinations().iter().for_each(assert_passes);
    assert_passes(&Destinations::new(choosing_destinations().into_iter().skip(2).take(2)).unwrap());
    assert_passes(&Destinations::new(destinations().split_off(2)).unwrap());
    assert_passes(&Destinations::default());
}

#[test]
fn rollouts_pass_through_every_format() {
    let gate = Gate::closed().opened_for_tier("beta").unwrap().blocked_for_space("spa_1").unwrap();
    let flag = || Flag::new("dedupe", Share::from_basis_points(2_500).unwrap()).unwrap();
    assert_passes(&flag());
    assert_passes(&gate);
    assert_passes(&Rollout::new(flag()).with_gate(gate));
    assert_passes(&Rollout::default());
}

#[test]
fn times_and_labels_pass_through_every_format() {
    [Timestamp::MIN, Timestamp::MAX, at(0), at(-9)].iter().for_each(assert_passes);
    assert_passes(&Some(at(1)));
    Membership::ALL.iter().for_each(assert_passes);
    Gap::ALL.iter().for_each(assert_passes);
    Collection::ALL.iter().for_each(assert_passes);
    TriggerReason::ALL.iter().for_each(assert_passes);
    DropReason::ALL.iter().for_each(assert_passes);
    IdStrategy::ALL.iter().for_each(assert_passes);
    Consent::ALL.iter().for_each(assert_passes);
}

/// What is read back must be the same to the decision too, with its repeats merged and its order.
#[test]
fn a_refusal_names_its_field_in_every_format() {
    let update = json!({"id": "upd_1", "space_id": "spa_1", "profile_id": "use_1", "computation": {"id": "aud_1"},
        "membership": "in", "trigger": {"reason": "value_changed"},
        "external_ids": [{"type": "email", "id": "a", "created_at": 5}]});
    let refusal = "`external_ids[0].created_at` must be a string, not a number";
    let Checked(read) =
        rmp_serde::from_slice::<Checked<ProfileUpdate>>(&rmp_serde::to_vec(&update).unwrap()).unwrap();
    assert_eq!(read.unwrap_err().to_string(), refusal);
    let mut cbor = Vec::new();
    ciborium::into_writer(&update, &mut cbor).unwrap();
    let Checked(read) = ciborium::from_reader::<Checked<ProfileUpdate>, _>(&*cbor).unwrap();
    assert_eq!(read.unwrap_err().to_string(), refusal);
}

/// Without the names of its fields a value does not describe itself.
#[test]
fn fields_without_names_are_refused() {
    let by_position = rmp_serde::to_vec(&updates()[0]).unwrap();
    let Checked(read) = rmp_serde::from_slice::<Checked<ProfileUpdate>>(&by_position).unwrap();
    assert_eq!(read.unwrap_err().to_string(), "the input must be an object, not an array");

    let named_by_number = rmp_serde::to_vec_named(&BTreeMap::from([(0, "upd_1")])).unwrap();
    let refused = from_message_pack::<ProfileUpdate>(&named_by_number).unwrap_err();
    assert_eq!(refused, "the name of a field must be a string");
}

#[track_caller]
fn read_named<'de, K: IntoDeserializer<'de, Error>>(name: K) -> Result<Computation, String> {
    let object = MapDeserializer::new([(name, "aud_1")].into_iter());
    Computation::deserialize(object).map_err(|error: Error| error.to_string())
}

/// As formats have it that tell an optional value from one that must be there.
struct Optional(Option<&'static str>);

impl IntoDeserializer<'_, Error> for Optional {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Optional {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Some(text) => visitor.visit_some(text.into_deserializer()),
            None => visitor.visit_none(),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Nor are they quoted: an ID could stand there.
#[test]
fn names_of_fields_that_are_no_texts_are_refused() {
    let refused = Err("the name of a field must be a string".into());
    assert_eq!(read_named(true), refused);
    assert_eq!(read_named(-77_i64), refused);
    assert_eq!(read_named(77_u64), refused);
    assert_eq!(read_named(-77_i128), refused);
    assert_eq!(read_named(77_u128), refused);
    assert_eq!(read_named(7.5), refused);
    assert_eq!(read_named(&b"id"[..]), refused);
    assert_eq!(read_named(()), refused);
    assert_eq!(read_named(Optional(None)), refused);
    assert_eq!(read_named(vec!["id"]), refused);
    assert_eq!(read_named(BTreeMap::from([("id", "aud_1")])), refused);
    for computation in [read_named("id"), read_named(String::from("id")), read_named(Optional(Some("id")))] {
        assert_eq!(computation, Ok(Computation::new("aud_1").unwrap()));
    }
}

/// By the format's error, as the documentation quotes it, because it does not ask the types. What counts is
/// that nothing is ever read that was not written.
#[test]
fn formats_that_do_not_describe_themselves_are_refused() {
    fn assert_refused<T: Passes>(value: &T) {
        let bytes = postcard::to_allocvec(value).unwrap();
        let refused = postcard::from_bytes::<T>(&bytes).unwrap_err().to_string();
        assert_eq!(refused, "This is a feature that PostCard will never implement");
    }
    updates().iter().for_each(assert_refused);
    triggers().iter().for_each(assert_refused);
    external_ids().iter().for_each(assert_refused);
    destinations().iter().for_each(assert_refused);
    choosing_destinations().iter().for_each(assert_refused);
    assert_refused(&Destinations::default());
    assert_refused(&Rollout::default());
    assert_refused(&Membership::In);
    assert_refused(&at(1));
    assert_refused(&DeliveryKey::from_bytes([7; 16]));
}

// ---------------------------------------------------------------------------------------------
// Numbers as texts
// ---------------------------------------------------------------------------------------------

/// Hands every number over as `serde_json` does with its feature `arbitrary_precision`: as an object of
/// one field. The feature itself would be on for all tests.
#[derive(Clone, Copy)]
struct Precise<'a>(&'a Value);

impl<'de> IntoDeserializer<'de, Error> for Precise<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Precise<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(boolean) => visitor.visit_bool(*boolean),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => visitor.visit_seq(SeqDeserializer::new(items.iter().map(Precise))),
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.as_str(), Precise(value)));
                visitor.visit_map(MapDeserializer::new(fields))
            }
            Value::Number(number) => {
                let entry = ("$serde_json::private::Number", number.to_string());
                visitor.visit_map(MapDeserializer::new([entry].into_iter()))
            }
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[track_caller]
fn assert_same_with_precise_numbers<T: Passes>(json: &Value)
where
    for<'de> Checked<T>: Deserialize<'de>,
{
    let usual: Checked<T> = serde_json::from_value(json.clone()).unwrap();
    let precise = Checked::<T>::deserialize(Precise(json)).unwrap();
    assert_eq!(precise, usual, "{json}");
}

#[test]
fn numbers_that_come_as_texts_are_numbers() {
    for share in
        [json!(0), json!(2_500), json!(10_000), json!(10_001), json!(-1), json!(i64::MIN), json!(u64::MAX)]
    {
        assert_same_with_precise_numbers::<Flag>(&json!({"name": "dedupe", "share_basis_points": share}));
        assert_same_with_precise_numbers::<Rollout>(
            &json!({"flag": {"name": "dedupe", "share_basis_points": share}}),
        );
    }
    let Checked(flag) =
        Checked::<Flag>::deserialize(Precise(&json!({"name": "dedupe", "share_basis_points": 2_500})))
            .unwrap();
    assert_eq!(flag.unwrap().share().basis_points(), 2_500);
    for share in
        [json!(2_500.0), json!(0.25), json!(1e300), json!("2500"), json!(null), json!({}), json!([2_500])]
    {
        assert_same_with_precise_numbers::<Flag>(&json!({"name": "dedupe", "share_basis_points": share}));
    }
}

/// Not where other fields went before it: then it is one that is not known.
#[test]
fn only_the_first_field_makes_an_object_a_number() {
    let field = r#""$serde_json::private::Number":"5""#;
    let computation = serde_json::from_str::<Computation>(&format!(r#"{{"id":"aud_1",{field}}}"#)).unwrap();
    assert_eq!(computation, Computation::new("aud_1").unwrap());
    for fields in [format!(r#""id":"dst_1",{field}"#), format!(r#""later":1,{field},"id":"dst_1""#)] {
        let late = serde_json::from_str::<Destination>(&format!("{{{fields}}}")).unwrap_err();
        assert!(late.to_string().contains(" is not a known field, expected "), "{late}");
    }
    let first = serde_json::from_str::<Computation>(&format!(r#"{{{field},"id":"aud_1"}}"#)).unwrap_err();
    assert_eq!(first.to_string(), "the input must be an object, not a number");
}

/// In the place of each value of a text, a list, an object or a switch, and in what is ignored.
#[test]
fn numbers_that_come_as_texts_are_told_from_objects() {
    for number in [json!(7), json!(-7), json!(0.5)] {
        let mut update = serde_json::to_value(&updates()[7]).unwrap();
        assert_same_with_precise_numbers::<ProfileUpdate>(&number);
        for pointer in [
            "/id",
            "/membership",
            "/computed_at",
            "/computation",
            "/computation/key",
            "/trigger",
            "/trigger/reason",
            "/external_ids",
            "/external_ids/0",
            "/external_ids/0/id",
            "/external_ids/2/created_at",
            "/external_ids/2/subscribed",
        ] {
            let mut spoilt = update.clone();
            *spoilt.pointer_mut(pointer).unwrap() = number.clone();
            assert_same_with_precise_numbers::<ProfileUpdate>(&spoilt);
        }
        update["later"] = json!({"of": [number, {"another": number}]});
        assert_same_with_precise_numbers::<ProfileUpdate>(&update);
        for list in [
            json!([number]),
            json!([{"id": "dst_1", "name": number}]),
            json!([{"id": "dst_1", "dedupes_on": number}]),
            json!([{"id": "dst_1", "id_strategies": number}]),
            json!([{"id": "dst_1", "id_strategies": {"email": number}}]),
            json!([{"id": "dst_1", "consent": number}]),
        ] {
            assert_same_with_precise_numbers::<Destinations>(&list);
        }
        assert_same_with_precise_numbers::<Destinations>(&json!([{"id": "dst_1", "later": number}]));
        assert_same_with_precise_numbers::<Rollout>(
            &json!({"flag": {"name": "a", "share_basis_points": 0}, "compare": number}),
        );
    }
}
