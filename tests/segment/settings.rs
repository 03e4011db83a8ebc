//! What callers say about destinations, read and refused.

use idgroup::segment::{AudienceSettings, CallSettings, CallType, DestinationSettings};
use idgroup::{Checked, Problem};
use serde_json::{Value, json};

#[track_caller]
fn assert_refused(json: &str, text: &str) {
    assert_eq!(serde_json::from_str::<CallSettings>(json).unwrap_err().to_string(), text, "{json}");
}

#[test]
fn are_read_as_they_are_written() {
    let json = json!({
        "dst_1": { "call": "track", "engage": true },
        "dst_2": { "call": "track", "external_audience_id": "4711", "audience_settings": {} },
        "dst_3": { "call": "identify" },
        "dst_4": {
            "call": "track",
            "audience_settings": { "z": [1, -1, u64::MAX, i64::MIN, 0.5, 1e300, true, null, "x", {}], "a": {} },
        },
    });
    let settings: CallSettings = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(&settings).unwrap(), json);
    let from_text: CallSettings = serde_json::from_str(&json.to_string()).unwrap();
    assert_eq!(from_text, settings);
    let message_pack = rmp_serde::to_vec_named(&settings).unwrap();
    assert_eq!(rmp_serde::from_slice::<CallSettings>(&message_pack).unwrap(), settings);
    let mut cbor = Vec::new();
    ciborium::into_writer(&settings, &mut cbor).unwrap();
    assert_eq!(ciborium::from_reader::<CallSettings, _>(&*cbor).unwrap(), settings);
    assert_eq!(settings.iter().map(|(id, _)| id).collect::<Vec<_>>(), ["dst_1", "dst_2", "dst_3", "dst_4"]);

    let of = |id| settings.get(id).unwrap();
    assert_eq!((of("dst_1").call(), of("dst_1").is_engage()), (CallType::Track, true));
    assert_eq!((of("dst_2").call(), of("dst_2").is_engage()), (CallType::Track, false));
    assert_eq!(of("dst_2").external_audience_id(), Some("4711"));
    assert_eq!(of("dst_2").audience_settings(), Some(&AudienceSettings::default()));
    assert_eq!((of("dst_3").call(), of("dst_3").external_audience_id()), (CallType::Identify, None));
    assert_eq!(of("dst_3").audience_settings(), None);
    assert_eq!(settings.get("dst_5"), None);
}

#[test]
fn are_gone_through_by_id() {
    let of = |id| (id, DestinationSettings::track());
    let settings = CallSettings::new(["dst_2", "dst_1", "dst_3"].map(of)).unwrap();
    let mut left = settings.iter();
    for (gone, entry) in (&settings).into_iter().enumerate() {
        assert_eq!(left.len(), 3 - gone);
        assert_eq!(left.next(), Some(entry));
        assert_eq!(entry, (["dst_1", "dst_2", "dst_3"][gone], &DestinationSettings::track()));
    }
    assert_eq!((left.len(), left.next()), (0, None));
}

#[test]
fn what_is_optional_may_be_given_as_an_option() {
    let plain = DestinationSettings::track;
    let full = || plain().with_external_audience_id("4711").unwrap();
    let told = || Some(AudienceSettings::default());
    assert_eq!(plain().maybe_external_audience_id(Some("4711")).unwrap(), full());
    assert_eq!(full().maybe_external_audience_id(None::<&str>).unwrap(), plain());
    let refused = plain().maybe_external_audience_id(Some("")).unwrap_err();
    assert_eq!((refused.field(), refused.problem()), ("external_audience_id", &Problem::Empty));
    let list = plain().maybe_audience_settings(told());
    assert_eq!(list, plain().with_audience_settings(AudienceSettings::default()));
    assert_eq!(list.maybe_audience_settings(None), plain());
}

#[test]
fn what_is_null_or_false_is_absent() {
    let settings: CallSettings = serde_json::from_value(json!({ "dst_1": {
        "call": "identify", "engage": false, "external_audience_id": null, "audience_settings": null,
    } }))
    .unwrap();
    assert_eq!(settings, CallSettings::new([("dst_1", DestinationSettings::identify())]).unwrap());
    let null: CallSettings = serde_json::from_str(r#"{"dst_1":{"call":"track","engage":null}}"#).unwrap();
    assert_eq!(null, CallSettings::new([("dst_1", DestinationSettings::track())]).unwrap());
}

#[test]
fn audience_settings_keep_the_order_of_their_fields() {
    let text = r#"{"z":1,"a":{"y":[{}],"b":2.0},"m":"\u0000é"}"#;
    let settings: AudienceSettings = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&settings).unwrap(), text);
    assert_eq!(format!("{settings:?}"), "AudienceSettings { fields: 3, .. }");
}

#[test]
fn mistakes_are_named() {
    assert_refused("[]", "the input must be an object, not an array");
    assert_refused("null", "the input must be an object, not null");
    assert_refused(r#"{"dst_1":"track"}"#, "`dst_1` must be an object, not a string");
    assert_refused(r#"{"dst_1":null}"#, "`dst_1` must be an object, not null");
    assert_refused(r#"{"dst_1":{}}"#, "`dst_1.call` is missing");
    assert_refused(
        r#"{"dst_1":{"call":"Track"}}"#,
        "`dst_1.call` is `Track`, expected `track` or `identify`",
    );
    assert_refused(r#"{"dst_1":{"call":7}}"#, "`dst_1.call` must be a string, not a number");
    assert_refused(
        r#"{"dst_1":{"call":"track"},"dst_2":{"call":"track","engaged":true}}"#,
        "`dst_2.engaged` is not a known field, \
         expected `call`, `engage`, `external_audience_id` or `audience_settings`",
    );
    assert_refused(
        r#"{"dst_1":{"call":"track","engage":"yes"}}"#,
        "`dst_1.engage` must be a boolean, not a string",
    );
    assert_refused(
        r#"{"dst_1":{"call":"identify","engage":true}}"#,
        "`dst_1.call` is `identify`, expected `track`",
    );
    assert_refused(
        r#"{"dst_1":{"call":"track","external_audience_id":4711}}"#,
        "`dst_1.external_audience_id` must be a string, not a number",
    );
    assert_refused(
        r#"{"dst_1":{"call":"track","external_audience_id":""}}"#,
        "`dst_1.external_audience_id` is empty",
    );
    for (value, found) in
        [("[]", "an array"), (r#""{}""#, "a string"), ("true", "a boolean"), ("1.5", "a number")]
    {
        assert_refused(
            &format!(r#"{{"dst_1":{{"call":"track","audience_settings":{value}}}}}"#),
            &format!("`dst_1.audience_settings` must be an object, not {found}"),
        );
    }
    assert_refused(r#"{"":{"call":"track"}}"#, "the input is empty");
    assert_refused(
        r#"{"dst_1":{"call":"track"},"dst_1":{"call":"track"}}"#,
        "the input is `dst_1`, which was given before",
    );
}

#[test]
fn mistakes_are_data() {
    let Checked(settings) =
        serde_json::from_str::<Checked<CallSettings>>(r#"{"dst_1":{"call":"track"},"dst_2":{}}"#).unwrap();
    let error = settings.unwrap_err();
    assert_eq!((error.field(), error.problem()), ("dst_2.call", &Problem::Missing));
}

#[test]
fn code_is_refused_the_same() {
    let twice = [("dst_1", DestinationSettings::track()), ("dst_1", DestinationSettings::identify())];
    let error = CallSettings::new(twice).unwrap_err();
    assert_eq!(*error.problem(), Problem::Duplicate { value: "dst_1".into() });
    let error = CallSettings::new([("", DestinationSettings::track())]).unwrap_err();
    assert_eq!(*error.problem(), Problem::Empty);
    let error = DestinationSettings::track().with_external_audience_id("").unwrap_err();
    assert_eq!((error.field(), error.problem()), ("external_audience_id", &Problem::Empty));
}

/// As `serde_json` hands numbers over with its feature `arbitrary_precision`.
#[test]
fn numbers_that_arrive_as_their_text_stay_numbers() {
    let as_text = |number: &str| json!({ "$serde_json::private::Number": number });
    let settings = json!({ "dst_1": {
        "call": "track",
        "audience_settings": {
            "bids": [as_text("5"), as_text("-5"), as_text("0.5"), as_text("18446744073709551615")],
            "huge": as_text("1e40"),
        },
    } });
    let read: CallSettings = serde_json::from_value(settings).unwrap();
    let written = serde_json::to_value(read.get("dst_1").unwrap().audience_settings()).unwrap();
    assert_eq!(written, json!({ "bids": [5, -5, 0.5, u64::MAX], "huge": 1e40 }));

    let number = json!({ "dst_1": { "call": "track", "audience_settings": as_text("5") } });
    let error = serde_json::from_value::<CallSettings>(number).unwrap_err();
    assert_eq!(error.to_string(), "`dst_1.audience_settings` must be an object, not a number");
    let error = serde_json::from_value::<CallSettings>(as_text("5")).unwrap_err();
    assert_eq!(error.to_string(), "the input must be an object, not a number");
    let late = r#"{"a":1,"$serde_json::private::Number":"5"}"#;
    let kept: AudienceSettings = serde_json::from_str(late).unwrap();
    assert_eq!(serde_json::to_string(&kept).unwrap(), late);
    for no_number in [as_text("1e999"), as_text("five"), json!({ "$serde_json::private::Number": true })] {
        let settings = json!({ "dst_1": { "call": "track", "audience_settings": { "bid": no_number } } });
        let error = serde_json::from_value::<CallSettings>(settings).unwrap_err();
        assert_eq!(error.to_string(), "a number of the audience settings is not finite");
    }
}

#[test]
fn a_number_that_json_lacks_is_refused() {
    struct NotFinite;
    impl<'de> serde::Deserializer<'de> for NotFinite {
        type Error = serde::de::value::Error;
        fn deserialize_any<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            let fields = [("bid", f64::NAN)].into_iter();
            visitor.visit_map(serde::de::value::MapDeserializer::new(fields))
        }
        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
        }
    }
    let error = <AudienceSettings as serde::Deserialize>::deserialize(NotFinite).unwrap_err();
    assert_eq!(error.to_string(), "a number of the audience settings is not finite");
    let null: Value = serde_json::to_value(f64::NAN).unwrap();
    assert_eq!(null, Value::Null);
}
