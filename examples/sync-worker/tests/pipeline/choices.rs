//! Strategies and consent in the tables: which IDs go out, and to whom nothing does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::database::{Database, shared};
use crate::kafka::{Broker, Input, Output, Outputs};
use crate::load::{ByComputation, Identities, ROLLOUT_FOR_ALL, events, rollout_for_all};
use crate::process::Worker;

const PATIENCE: Duration = Duration::from_secs(60);

/// The IDs that each destination is sent of an update.
type Sent = BTreeMap<String, BTreeSet<String>>;

fn update(id: &str, profile: &str, computation: &str) -> String {
    let update = json!({"id": id, "space_id": "spa_load", "profile_id": profile, "membership": "in",
        "computation": {"id": computation}, "computed_at": "2026-01-05T10:00:00Z",
        "trigger": {"reason": "value_changed"}});
    update.to_string()
}

fn sent(outputs: &[Output], update: &str) -> Sent {
    let mut sent = Sent::new();
    for event in outputs.iter().filter_map(|output| serde_json::from_slice::<Value>(&output.payload).ok()) {
        if event["update_id"] != update {
            continue;
        }
        let ids = event["id_group"]["external_ids"].as_array().unwrap();
        let ids: BTreeSet<String> = ids.iter().map(|id| id["id"].as_str().unwrap().to_owned()).collect();
        for destination in event["destinations"].as_array().unwrap() {
            sent.insert(destination.as_str().unwrap().to_owned(), ids.clone());
        }
    }
    sent
}

fn expected<const N: usize>(sent: [(&str, &[&str]); N]) -> Sent {
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    sent.into_iter().map(|(destination, of)| (destination.to_owned(), ids(of))).collect()
}

fn choosing_destinations() -> ByComputation {
    let destinations = json!({"aud_choice": [
        {"id": "ads", "id_strategies": {"email": "all", "phone": "latest"}},
        {"id": "crm", "consent": "not_refused"},
        {"id": "first", "dedupes_on": ["email"], "id_strategies": {"email": "first"}},
        {"id": "mail", "dedupes_on": ["email"], "consent": "required"},
        {"id": "sms", "dedupes_on": ["phone"], "consent": "required"},
    ]});
    serde_json::from_value(destinations).unwrap()
}

fn identities() -> Identities {
    let ids = json!([
        {"type": "email", "id": "old@example.com", "created_at": "2026-01-01T00:00:00Z", "subscribed": true},
        {"type": "email", "id": "new@example.com", "created_at": "2026-01-02T00:00:00Z", "subscribed": false},
        {"type": "phone", "id": "+1", "created_at": "2026-01-01T00:00:00Z"},
        {"type": "phone", "id": "+2", "created_at": "2026-01-02T00:00:00Z"},
    ]);
    [(("spa_load".to_owned(), "use_1".to_owned()), serde_json::from_value(ids).unwrap())].into()
}

fn prepared(name: &str) -> Database {
    let database = shared(name);
    database.store_destinations(&choosing_destinations());
    database.store_identities(identities().iter());
    database.execute(ROLLOUT_FOR_ALL);
    database
}

#[test]
fn strategies_and_consent_in_the_tables_choose_the_ids() {
    let database = prepared("choices");
    database.execute(
        r#"insert into merged_profiles values ('spa_load', 'use_gone', 'use_1', '2026-01-04Z',
               '[{"type":"email","id":"gone@example.com","subscribed":false}]')"#,
    );
    let broker = Broker::start(1);
    let input = broker.input();
    let updates = [update("upd_1", "use_1", "aud_choice"), update("upd_gone", "use_gone", "aud_choice")];
    updates.iter().for_each(|update| input.send("compute-output", "key", Some(update.as_bytes())));
    input.flush();
    let worker = Worker::start(&broker, &database, &[]);
    let mut outputs = broker.outputs();
    outputs.read_until("the last update", PATIENCE, |all| sent(all, "upd_gone").contains_key("first"));
    assert_eq!(
        sent(&outputs.all, "upd_1"),
        expected([
            ("ads", &["new@example.com", "old@example.com", "+2"]),
            ("crm", &["old@example.com", "+1", "+2"]),
            ("first", &["old@example.com"]),
            ("mail", &["old@example.com"]),
        ])
    );
    // Its profile was merged away, and what it held is known with its consent.
    let gone = &["gone@example.com"][..];
    assert_eq!(sent(&outputs.all, "upd_gone"), expected([("ads", gone), ("first", gone)]));
    // The phones of the one are not known to be subscribed, and the other's address has unsubscribed.
    assert_eq!(worker.metric("idgroup_drops_total{reason=\"no_consent\"}"), 3.0);
    assert_eq!(worker.metric("idgroup_drops_total{reason=\"no_relevant_external_id\"}"), 1.0);
    let decided = events(updates[0].as_bytes(), &identities(), &choosing_destinations(), &rollout_for_all());
    let mut found: Vec<Output> = outputs.all.into_iter().filter(is_of("upd_1")).collect();
    let mut decided = decided.unwrap();
    (found.iter_mut().chain(&mut decided)).for_each(|output| output.key = None);
    found.sort();
    decided.sort();
    assert_eq!(found, decided);
}

fn is_of(update: &str) -> impl Fn(&Output) -> bool {
    let wanted = format!("\"update_id\":\"{update}\"");
    move |output| String::from_utf8_lossy(&output.payload).contains(&wanted)
}

/// Sends update after update until one goes where it should.
#[track_caller]
fn until_sent(what: &str, input: &Input, outputs: &mut Outputs, holds: impl Fn(&Sent) -> bool) {
    let began = Instant::now();
    for n in 0.. {
        let id = format!("upd_{}_{n}", what.replace(' ', "_"));
        input.send("compute-output", "key", Some(update(&id, "use_1", "aud_choice").as_bytes()));
        outputs.read_until(what, PATIENCE, |all| sent(all, &id).contains_key("first"));
        if holds(&sent(&outputs.all, &id)) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
    }
}

#[test]
fn a_change_of_a_strategy_or_of_consent_reaches_a_worker_that_runs() {
    let database = prepared("choices_change");
    let broker = Broker::start(1);
    let (input, mut outputs) = (broker.input(), broker.outputs());
    // So that the same profile is messaged each time that it is found to be in.
    let _worker = Worker::start(&broker, &database, &["--memories", "off"]);
    until_sent("as it was", &input, &mut outputs, |sent| {
        sent["ads"].contains("old@example.com") && sent["ads"].contains("+2") && !sent.contains_key("sms")
    });
    let version_is = |version: u32| {
        database.execute(&format!(
            "do $$ begin assert (select version from catalog_version) = {version}; end $$"
        ));
    };
    version_is(1);
    let change =
        |of: &str, to: &str| database.execute(&format!("update destinations set {to} where id = '{of}'"));
    change("sms", "consent = 'not_refused'");
    until_sent("consent", &input, &mut outputs, |sent| {
        sent.get("sms") == expected([("sms", &["+2"])]).get("sms")
    });
    version_is(2);
    change("ads", r#"id_strategies = '{"phone": "first"}'"#);
    until_sent("a strategy", &input, &mut outputs, |sent| sent["ads"] == ["+1".to_owned()].into());
    version_is(3);
    // Known at each look-up.
    database.execute("update external_ids set subscribed = false where id = 'old@example.com'");
    until_sent("it unsubscribes", &input, &mut outputs, |sent| !sent.contains_key("mail"));
}

#[test]
fn the_tables_refuse_a_setting_that_says_nothing_known() {
    let database = shared("choices_refused");
    database.execute("insert into computations (id) values ('aud_1')");
    let refusal = |dedupes_on: &str, strategies: &str, consent: &str| {
        database.refusal(&format!(
            "insert into destinations (computation_id, id, dedupes_on, id_strategies, consent)
             values ('aud_1', 'dst', {dedupes_on}, {strategies}, {consent})"
        ))
    };
    for (dedupes_on, strategies, consent, constraint) in [
        ("null", "'{}'", "null", "id_strategies_are_an_object"),
        ("null", "'[\"email\"]'", "null", "id_strategies_are_an_object"),
        ("null", "'null'", "null", "id_strategies_are_an_object"),
        ("null", "'{\"\": \"all\"}'", "null", "id_strategies_are_an_object"),
        ("null", "'{\"email\": \"newest\"}'", "null", "id_strategies_are_known"),
        ("null", "'{\"phone\": \"all\", \"email\": null}'", "null", "id_strategies_are_known"),
        ("null", "'{\"email\": [\"all\"]}'", "null", "id_strategies_are_known"),
        ("'{email}'", "'{\"phone\": \"first\"}'", "null", "id_strategies_are_of_deduped_types"),
        ("'{email}'", "'{\"email\": \"all\"}'", "null", "id_strategies_of_deduped_types_choose_one"),
        ("null", "null", "'asked'", "consent_is_known"),
        ("null", "null", "''", "consent_is_known"),
    ] {
        let refusal = refusal(dedupes_on, strategies, consent);
        assert!(refusal.contains(&format!("\"{constraint}\"")), "{strategies} {consent}: {refusal}");
    }
    let taken = "insert into destinations (computation_id, id, dedupes_on, id_strategies, consent) values
        ('aud_1', 'a', '{email,phone}', '{\"email\": \"first\"}', 'required'),
        ('aud_1', 'b', null, '{\"email\": \"all\", \"phone\": \"latest\"}', 'not_refused'), ('aud_1', 'c', null, null, null)";
    database.execute(taken);
}

#[test]
fn a_stored_setting_that_says_nothing_known_is_named_and_holds_nobody_else_up() {
    let database = prepared("choices_wrong");
    // As if another version of the tables had let them in.
    database.execute(
        r#"alter table destinations drop constraint id_strategies_are_known, drop constraint consent_is_known;
           insert into computations (id) values ('aud_strategy'), ('aud_consent');
           insert into destinations (computation_id, id, id_strategies, consent) values
               ('aud_strategy', 'dst_fine', null, null), ('aud_strategy', 'dst_wrong', '{"email": "newest"}', null),
               ('aud_consent', 'dst_asked', null, 'asked')"#,
    );
    let broker = Broker::start(1);
    let input = broker.input();
    for computation in ["aud_strategy", "aud_consent", "aud_choice"] {
        let update = update(&format!("upd_{computation}"), "use_1", computation);
        input.send("compute-output", "key", Some(update.as_bytes()));
    }
    input.flush();
    let worker = Worker::start(&broker, &database, &[]);
    let mut outputs = broker.outputs();
    outputs.read_until("all", PATIENCE, |all| {
        all.iter().filter(|output| output.topic == "dead-letter").count() == 2
            && sent(all, "upd_aud_choice").len() == 4
    });
    let errors: BTreeSet<&str> =
        outputs.all.iter().filter_map(|output| output.headers.get("error").map(String::as_str)).collect();
    assert_eq!(
        errors,
        [
            "a stored destination: `id_strategies.email` of destination `dst_wrong` is `newest`, expected `latest`, `first` or `all`",
            "a stored destination: `consent` of destination `dst_asked` is `asked`, expected `required` or `not_refused`",
        ]
        .into()
    );
    assert_eq!(sent(&outputs.all, "upd_aud_strategy"), Sent::new());
    assert_eq!(worker.metric("idgroup_updates_total{result=\"dead_letter\",stage=\"sync\"}"), 2.0);
    assert_eq!(worker.metric("idgroup_stage_restarts_total"), 0.0);
}
