//! The errors about destinations, about parts of updates, and of constructors, in full.

use idgroup::{
    Checked, Computation, Destination, Destinations, ExternalId, ExternalIdKey, IdStrategy,
    MalformedTimestamp, Membership, MergedProfile, ProfileUpdate, Timestamp, Trigger,
};
use serde::de::value::{self, BytesDeserializer, UnitDeserializer};
use serde::de::{Deserialize, Deserializer, IntoDeserializer, Visitor};
use serde_json::{Value, json};

use crate::build::entry;
use crate::sample::{Messages, SECRET, refused, refused_destinations, update};

#[test]
fn refused_destinations_name_field_and_destination() {
    let mut messages = Messages::default();
    let long = "x".repeat(80);
    let mut add = |json: Value| {
        let message = refused_destinations(&json);
        messages.add(json, message);
    };
    add(json!({}));
    add(json!(null));
    add(json!("dst_1"));
    add(json!([7]));
    add(json!([null]));
    add(json!([["dst_1"]]));
    add(json!([{}]));
    add(json!([{"id": null}]));
    add(json!([{"id": 1}]));
    add(json!([{"id": ""}]));
    add(json!([{"name": "SendGrid"}]));
    add(json!([{"id": "dst_1", "name": 1}]));
    add(json!([{"id": "dst_1", "name": {}}]));
    add(json!([{"id": "dst_1", "dedupes_on": []}]));
    add(json!([{"id": "dst_1", "dedupes_on": "email"}]));
    add(json!([{"id": "dst_1", "dedupes_on": {"email": true}}]));
    add(json!([{"id": "dst_1", "dedupes_on": false}]));
    add(json!([{"id": "dst_1", "dedupes_on": ["email", ""]}]));
    add(json!([{"id": "dst_1", "dedupes_on": ["email", null]}]));
    add(json!([{"id": "dst_1", "dedupes_on": [7, "email"]}]));
    add(json!([{"id": "dst_1", "dedupes_on": ["email", ["phone"]]}]));
    add(json!([{"id": "dst_1"}, {"id": "dst_2", "dedupe_on": ["email"]}]));
    add(json!([{"dedupesOn": ["email"], "id": "dst_1", "name": 1}]));
    add(json!([{"dedupesOn": ["email"]}]));
    add(json!([{"id": "dst_1", "": 1}]));
    add(json!([{"id": "dst_1", "two\nlines": 1}]));
    add(json!([{"id": "dst_1", (long.clone()): 1}]));
    add(json!([{"id": (long.clone()), "dedupes_on": []}]));
    add(json!([{"id": "dst\t1", "dedupes_on": []}]));
    add(json!([{"id": "dst_1"}, {"id": "dst_2"}, {"id": "dst_1"}]));
    add(json!([{"id": "b"}, {"id": "b"}, {"id": "a"}, {"id": "a"}]));
    add(json!([{"id": (long.clone())}, {"id": long}]));
    add(json!([{"id": "two\nlines"}, {"id": "two\nlines"}]));
    insta::assert_snapshot!(messages.0);
}

/// From texts, because a type can be given twice.
#[test]
fn refused_choices_name_type_and_destination() {
    let mut messages = Messages::default();
    let long = "x".repeat(80);
    for fields in [
        r#""id_strategies":{}"#,
        r#""id_strategies":[]"#,
        r#""id_strategies":["email"]"#,
        r#""id_strategies":"latest""#,
        r#""id_strategies":7"#,
        r#""id_strategies":false"#,
        r#""id_strategies":{"email":"newest"}"#,
        r#""id_strategies":{"email":"all","phone":"All"}"#,
        r#""id_strategies":{"email":""}"#,
        r#""id_strategies":{"email":null}"#,
        r#""id_strategies":{"email":true}"#,
        r#""id_strategies":{"email":["latest"]}"#,
        r#""id_strategies":{"email":{"strategy":"latest"}}"#,
        r#""id_strategies":{"":"latest"}"#,
        r#""id_strategies":{"email":"latest","":"latest"}"#,
        r#""id_strategies":{"":"newest"}"#,
        r#""id_strategies":{"email":"latest","phone":"all","email":"latest"}"#,
        r#""id_strategies":{"email":"latest","email":"first"}"#,
        r#""id_strategies":{"email":"latest"},"id_strategies":{"email":"latest"}"#,
        r#""id_strategies":{"two\nlines":"newest"}"#,
        &format!(r#""id_strategies":{{"{long}":"newest"}}"#),
        &format!(r#""id_strategies":{{"email":"{long}"}}"#),
        r#""dedupes_on":["email"],"id_strategies":{}"#,
        r#""dedupes_on":["email"],"id_strategies":{"email":"all"}"#,
        r#""id_strategies":{"phone":"latest"},"dedupes_on":["email"]"#,
        r#""dedupes_on":["email","phone"],"id_strategies":{"email":"first","Phone":"latest"}"#,
        r#""dedupes_on":["email"],"id_strategies":{"phone":"all"}"#,
        r#""consent":"optional""#,
        r#""consent":"Required""#,
        r#""consent":"""#,
        r#""consent":true"#,
        r#""consent":7"#,
        r#""consent":["required"]"#,
        r#""consent":{"email":"required"}"#,
        r#""consent":"required","consent":"required""#,
        &format!(r#""consent":"{long}""#),
        r#""id_strategy":{"email":"latest"}"#,
        r#""subscribed":true"#,
    ] {
        messages.add(fields, refused::<Destinations>(&format!(r#"[{{"id":"dst_1",{fields}}}]"#)));
    }
    insta::assert_snapshot!(messages.0);
}

#[test]
fn choices_that_are_null_are_absent() {
    let with =
        |fields: &str| serde_json::from_str::<Destination>(&format!(r#"{{"id":"dst_1"{fields}}}"#)).unwrap();
    assert_eq!(with(r#","id_strategies":null,"consent":null"#), with(""));
    assert!(with("").takes_all());
}

#[test]
fn parts_are_refused_on_their_own() {
    let mut messages = Messages::default();
    messages.add("trigger", refused::<Trigger>(r#"{"reason":"profile_split"}"#));
    messages.add("trigger", refused::<Trigger>(r#""value_changed""#));
    messages.add("merged profile", refused::<MergedProfile>(r#"{"membership":"in"}"#));
    messages.add("external ID", refused::<ExternalId>(&format!("{{\"id\":\"{SECRET}\"}}")));
    messages.add("external ID", refused::<ExternalId>(&format!("\"{SECRET}\"")));
    messages.add("key", refused::<ExternalIdKey>(&format!("[\"{SECRET}\"]")));
    messages.add("computation", refused::<Computation>("{}"));
    messages.add("destination", refused::<Destination>("[]"));
    messages.add("cut short", refused::<ProfileUpdate>(&update().to_string()[..100]));
    insta::assert_snapshot!(messages.0);
}

/// Formats other than JSON have more kinds of values.
#[test]
fn values_of_other_formats_are_refused() {
    /// As formats give it that know options.
    struct Optional(Option<u64>);

    impl<'de> Deserializer<'de> for Optional {
        type Error = value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
            match self.0 {
                Some(number) => {
                    visitor.visit_some(IntoDeserializer::<value::Error>::into_deserializer(number))
                }
                None => visitor.visit_none(),
            }
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
        }
    }

    fn refused<'de>(value: impl Deserializer<'de, Error = value::Error>) -> String {
        ExternalId::deserialize(value).unwrap_err().to_string()
    }

    fn plain<'de, T: IntoDeserializer<'de, value::Error>>(value: T) -> String {
        refused(value.into_deserializer())
    }

    let mut messages = Messages::default();
    messages.add("i64", plain(-1_i64));
    messages.add("i128", plain(-1_i128));
    messages.add("u64", plain(1_u64));
    messages.add("u128", plain(1_u128));
    messages.add("f32", plain(1_f32));
    messages.add("bool", plain(true));
    messages.add("char", plain('c'));
    messages.add("string", plain(SECRET.to_owned()));
    messages.add("bytes", refused(BytesDeserializer::new(SECRET.as_bytes())));
    messages.add("unit", refused(UnitDeserializer::new()));
    messages.add("none", refused(Optional(None)));
    messages.add("some", refused(Optional(Some(1))));
    insta::assert_snapshot!(messages.0);
}

#[test]
fn constructors_refuse_the_same() {
    fn error<T: std::fmt::Debug>(result: Result<T, impl std::error::Error>) -> String {
        result.unwrap_err().to_string()
    }
    let mut messages = Messages::default();
    messages.add("ExternalId::new", error(ExternalId::new("", SECRET)));
    messages.add("ExternalId::new", error(ExternalId::new("email", "")));
    messages.add("ExternalIdKey::new", error(ExternalIdKey::new("", SECRET)));
    messages.add("ExternalIdKey::new", error(ExternalIdKey::new("email", "")));
    messages.add("Computation::new", error(Computation::new("")));
    messages.add("MergedProfile::new", error(MergedProfile::new("", Membership::In)));
    messages.add("Trigger::new_external_id", error(Trigger::new_external_id([])));
    messages.add("Trigger::profile_merge", error(Trigger::profile_merge([])));
    let merged = |id| MergedProfile::new(id, Membership::In).unwrap();
    messages.add("Trigger::profile_merge", error(Trigger::profile_merge(["a", "b", "a"].map(merged))));
    messages.add("Trigger::external_id_removed", error(Trigger::external_id_removed([])));
    messages.add("Destination::new", error(Destination::new("")));
    let destination = || Destination::new("dst_1").unwrap();
    messages.add("deduping_on", error(destination().deduping_on([""; 0])));
    messages.add("deduping_on", error(destination().deduping_on(["email", ""])));
    let choosing = |strategies: &[(&'static str, IdStrategy)]| {
        destination().deduping_on(["email"]).unwrap().with_id_strategies(strategies.iter().copied())
    };
    let (latest, first, all) = (IdStrategy::Latest, IdStrategy::First, IdStrategy::All);
    messages.add("with_id_strategies", error(choosing(&[])));
    messages.add("with_id_strategies", error(choosing(&[("email", latest), ("", latest)])));
    messages.add("with_id_strategies", error(choosing(&[("email", latest), ("email", first)])));
    messages.add("with_id_strategies", error(choosing(&[("email", all)])));
    messages.add("with_id_strategies", error(choosing(&[("email", first), ("phone", first)])));
    let phone = |strategy| destination().with_id_strategies([("phone", strategy)]).unwrap();
    messages.add("deduping_on", error(phone(latest).deduping_on(["email"])));
    messages.add("deduping_on", error(phone(all).maybe_deduping_on(Some(["phone"]))));
    messages.add("Destinations::new", error(Destinations::new([destination(), destination()])));
    messages.add("Timestamp", error("2026-01-05".parse::<Timestamp>()));
    messages.add("Timestamp", error(Timestamp::from_unix_nanoseconds(i128::MIN)));
    assert_eq!("".parse::<Timestamp>(), Err(MalformedTimestamp));

    entry().build().unwrap();
    messages.add("builder", error(entry().id("").build()));
    messages.add("builder", error(entry().space_id("").build()));
    messages.add("builder", error(entry().profile_id("").build()));
    let merge = Trigger::profile_merge([merged("use_2")]).unwrap();
    messages.add("builder", error(entry().trigger(merge).build()));
    let builder = ProfileUpdate::builder();
    messages.add("builder", error(builder.clone().build()));
    let builder = builder.id("upd_1");
    messages.add("builder", error(builder.clone().build()));
    let builder = builder.space_id("spa_1");
    messages.add("builder", error(builder.clone().build()));
    let builder = builder.profile_id("use_1");
    messages.add("builder", error(builder.clone().build()));
    let builder = builder.computation(Computation::new("aud_1").unwrap());
    messages.add("builder", error(builder.clone().build()));
    let builder = builder.membership(Membership::Out);
    messages.add("builder", error(builder.build()));
    insta::assert_snapshot!(messages.0);
}

#[test]
fn an_error_can_be_asked_for_its_parts() {
    let error = Destination::new("dst_1").unwrap().deduping_on(["email", ""]).unwrap_err();
    assert_eq!(error.field(), "dedupes_on[1]");
    assert_eq!(*error.problem(), idgroup::Problem::Empty);
    assert_eq!(error.destination(), Some("dst_1"));
    let Checked(update) = serde_json::from_str::<Checked<ProfileUpdate>>("{}").unwrap();
    assert_eq!(update.as_ref().unwrap_err().destination(), None);
    assert_eq!(update.unwrap_err().field(), "id");
    let Checked(destination) =
        serde_json::from_str::<Checked<Destination>>(r#"{"id":"dst_1","dedupes_on":["email",""]}"#).unwrap();
    assert_eq!(destination.unwrap_err(), error);
    let destination = || Destination::new("dst_1").unwrap();
    let error = Destinations::new([destination(), destination()]).unwrap_err();
    assert_eq!(error.field(), "[1].id");
    assert_eq!(*error.problem(), idgroup::Problem::Duplicate { value: "dst_1".into() });
}
