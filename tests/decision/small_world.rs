//! Every update and every set of destinations of a small universe, without sampling: what a
//! generator could miss is here if it takes no more than a few IDs and times.
//!
//! A small universe is an ordinary test. The large ones take minutes and run with
//! `cargo test --release --test decision -- --ignored --nocapture`.

use std::collections::BTreeMap;
use std::fmt;

use idgroup::{Destinations, ExternalId, Verdict as Decided, decide, explain};

use crate::oracle::{
    self, ACCOUNTS, Destination, Id, Key, Profile, Tick, Trigger, USERS, Update, Verdict, build,
};

const EMAIL_A: Key = Key { collection: USERS, kind: "email", id: "a" };
const EMAIL_B: Key = Key { collection: USERS, kind: "email", id: "b" };
const PHONE_A: Key = Key { collection: USERS, kind: "phone", id: "a" };
const ACCOUNT_EMAIL: Key = Key { collection: ACCOUNTS, kind: "email", id: "b" };
const UNLISTED_EMAIL: Key = Key { collection: USERS, kind: "email", id: "c" };

const EARLY: Tick = 1;
const LATE: Tick = 2;

/// A destination per setting, named so that the order by id is not the order of the settings.
fn all_destinations() -> [Destination; 5] {
    [
        Destination::named("d"),
        Destination { dedupes_on: Some(vec!["email"]), ..Destination::named("b") },
        Destination { dedupes_on: Some(vec!["phone"]), ..Destination::named("a") },
        Destination { dedupes_on: Some(vec!["email", "phone"]), ..Destination::named("c") },
        Destination { dedupes_on: Some(vec!["user_id", "phone", "email"]), ..Destination::named("e") },
    ]
}

/// Everything that varies; the universe is all combinations.
struct Universe {
    /// For each identity, all ways in which it can be listed, `None` being not at all.
    listings: Vec<Vec<Option<Id>>>,
    triggers: Vec<Trigger>,
    computed_at: Vec<Option<Tick>>,
    destinations: Vec<Vec<Destination>>,
}

/// How often each verdict was reached, for each reason.
#[derive(Default)]
struct Census {
    updates: u64,
    decisions: u64,
    shared_groups: u64,
    events_as_json: u64,
    verdicts: BTreeMap<(&'static str, &'static str), u64>,
}

#[test]
fn every_update_of_a_small_universe_is_decided_as_by_the_oracle() {
    let census = Universe {
        listings: vec![
            listings(EMAIL_A, &[None, Some(EARLY), Some(LATE)], &[None, Some(EARLY), Some(LATE)]),
            listings(EMAIL_B, &[None, Some(EARLY)], &[None, Some(LATE)]),
            listings(PHONE_A, &[Some(EARLY)], &[None]),
        ],
        triggers: triggers(&[EMAIL_A, EMAIL_B, PHONE_A], &[EMAIL_A, PHONE_A]),
        computed_at: vec![None, Some(EARLY), Some(LATE)],
        destinations: vec![all_destinations().to_vec()],
    }
    .check();
    census.assert_reaches_everything(1_000);
}

/// One ID listed twice, in all ways, beside one that may have come before or after it.
#[test]
fn every_repeat_of_an_id_is_decided_as_by_the_oracle() {
    let times = [None, Some(EARLY), Some(LATE)];
    let mut repeats = listings(EMAIL_A, &times, &times);
    for id in repeats.iter_mut().flatten() {
        id.encoding = "sha256";
    }
    let census = Universe {
        listings: vec![listings(EMAIL_A, &times, &times), repeats, listings(EMAIL_B, &[Some(EARLY)], &times)],
        triggers: triggers(&[EMAIL_A, EMAIL_B], &[EMAIL_A]),
        computed_at: times.to_vec(),
        destinations: vec![all_destinations()[..3].to_vec()],
    }
    .check();
    census.assert_reaches_everything(100);
}

/// All times of four IDs, which tie in every way: in type, in id, in collection, in time.
#[test]
#[ignore = "minutes"]
fn every_update_of_a_large_universe_is_decided_as_by_the_oracle() {
    let keys = [EMAIL_A, EMAIL_B, PHONE_A, ACCOUNT_EMAIL];
    let times = [None, Some(EARLY), Some(LATE)];
    let census = Universe {
        listings: keys.into_iter().map(|key| listings(key, &times, &times)).collect(),
        triggers: triggers(&keys, &keys),
        computed_at: times.to_vec(),
        destinations: vec![all_destinations().to_vec()],
    }
    .check();
    census.assert_reaches_everything(50_000);
}

/// All sets of destinations, which decide how groups are shared, and merges of two profiles.
#[test]
#[ignore = "minutes"]
fn every_set_of_destinations_is_decided_as_by_the_oracle() {
    let keys = [EMAIL_A, EMAIL_B, PHONE_A];
    let times = [None, Some(EARLY), Some(LATE)];
    let mut triggers = triggers(&[EMAIL_A, PHONE_A, UNLISTED_EMAIL], &[]);
    let held = [EMAIL_A, PHONE_A];
    for own in profiles("use_1", &held) {
        for other in profiles("use_0", &held) {
            triggers.push(Trigger::ProfileMerge(vec![own.clone(), other]));
        }
    }
    let census = Universe {
        listings: vec![
            listings(keys[0], &times, &[None]),
            listings(keys[1], &times, &[None, Some(LATE)]),
            listings(keys[2], &[None, Some(EARLY)], &[None]),
        ],
        triggers,
        computed_at: vec![None, Some(EARLY)],
        destinations: subsets(&all_destinations()),
    }
    .check();
    census.assert_reaches_everything(5_000);
}

/// Everything that is known of subscription, for all strategies with all consents.
#[test]
fn every_choice_of_ids_in_a_small_universe_is_made_as_by_the_oracle() {
    let census = Universe {
        listings: vec![
            subscriptions(&listings(EMAIL_A, &[Some(LATE)], &[None])),
            subscriptions(&listings(EMAIL_B, &[None], &[Some(EARLY)])),
            subscriptions(&listings(PHONE_A, &[Some(EARLY)], &[None])),
        ],
        triggers: vec![
            Trigger::ValueChanged,
            Trigger::NewExternalId(vec![EMAIL_A]),
            Trigger::ExternalIdRemoved(vec![EMAIL_A]),
            Trigger::ProfileMerge(vec![own_profile(Some(vec![PHONE_A]))]),
            Trigger::ProfileMerge(vec![own_profile(None)]),
        ],
        computed_at: vec![Some(EARLY), Some(LATE)],
        destinations: vec![all_choices()],
    }
    .check();
    census.assert_reaches_everything_and_no_consent(100);
}

/// Of two emails all times as well, all repeats of one of them, and of triggers all there are.
#[test]
#[ignore = "minutes"]
fn every_choice_of_ids_in_a_large_universe_is_made_as_by_the_oracle() {
    let times = [None, Some(EARLY), Some(LATE)];
    let emails = || subscriptions(&listings(EMAIL_A, &times, &[None, Some(LATE)]));
    let census = Universe {
        listings: vec![
            emails(),
            subscriptions(&listings(EMAIL_B, &times, &[None])),
            subscriptions(&listings(PHONE_A, &[Some(EARLY)], &[None])),
        ],
        triggers: triggers(&[EMAIL_A, EMAIL_B, PHONE_A], &[EMAIL_A, PHONE_A]),
        computed_at: vec![None, Some(EARLY)],
        destinations: vec![all_choices()],
    }
    .check();
    census.assert_reaches_everything_and_no_consent(10_000);

    let census = Universe {
        listings: vec![emails(), subscriptions(&listings(EMAIL_A, &times, &[None])), emails_of_accounts()],
        triggers: triggers(&[EMAIL_A, ACCOUNT_EMAIL], &[EMAIL_A]),
        computed_at: vec![None, Some(EARLY)],
        destinations: vec![all_choices()],
    }
    .check();
    census.assert_reaches_everything_and_no_consent(10_000);
}

// ---------------------------------------------------------------------------------------------
// The universe
// ---------------------------------------------------------------------------------------------

fn own_profile(external_ids: Option<Vec<Key>>) -> Profile {
    Profile { profile_id: "use_1", is_in: true, external_ids }
}

fn emails_of_accounts() -> Vec<Option<Id>> {
    subscriptions(&listings(ACCOUNT_EMAIL, &[Some(EARLY)], &[None]))
}

/// Each listing in as many ways as there are things to know of subscription.
fn subscriptions(listings: &[Option<Id>]) -> Vec<Option<Id>> {
    let mut all = vec![None];
    for id in listings.iter().flatten() {
        all.extend([None, Some(true), Some(false)].map(|subscribed| Some(Id { subscribed, ..*id })));
    }
    all
}

/// A destination for each way to choose: of two types each strategy or none, with each consent or
/// none, plain and deduping on one type and on both.
fn all_choices() -> Vec<Destination> {
    let plain = [None, Some("latest"), Some("first"), Some("all")];
    let deduping = &plain[..3];
    let mut settings = Vec::new();
    for (dedupes_on, of_email, of_phone) in [
        (None, &plain[..], &plain[..]),
        (Some(vec!["email"]), deduping, &plain[..1]),
        (Some(vec!["phone"]), &plain[..1], deduping),
        (Some(vec!["phone", "email"]), deduping, deduping),
    ] {
        for email in of_email {
            for phone in of_phone {
                let named = [("email", email), ("phone", phone)];
                let named = named.into_iter().filter_map(|(kind, strategy)| Some((kind, (*strategy)?)));
                let id_strategies = Some(named.collect::<Vec<_>>()).filter(|named| !named.is_empty());
                for consent in [None, Some("required"), Some("not_refused")] {
                    settings.push((dedupes_on.clone(), id_strategies.clone(), consent));
                }
            }
        }
    }
    settings
        .into_iter()
        .enumerate()
        .map(|(number, (dedupes_on, id_strategies, consent))| Destination {
            dedupes_on,
            id_strategies,
            consent,
            // Not in the order of the settings.
            ..Destination::named(format!("{:02}", number * 37 % 100).leak())
        })
        .collect()
}

fn listings(key: Key, created: &[Option<Tick>], attached: &[Option<Tick>]) -> Vec<Option<Id>> {
    let mut listings = vec![None];
    for &created_at in created {
        for &attached_at in attached {
            listings.push(Some(Id { key, encoding: "none", created_at, attached_at, subscribed: None }));
        }
    }
    listings
}

/// Every reason, with all non-empty sets of the IDs where it carries IDs, and with the update's own
/// profile, having held any of `held`, alone as if nothing had been merged into it, and with another
/// that held the first of these, nothing, or nobody knows what.
fn triggers(keys: &[Key], held: &[Key]) -> Vec<Trigger> {
    let mut triggers = vec![Trigger::ValueChanged];
    for keys in subsets(keys).into_iter().filter(|keys| !keys.is_empty()) {
        triggers.push(Trigger::NewExternalId(keys.clone()));
        triggers.push(Trigger::ExternalIdRemoved(keys));
    }
    for own in profiles("use_1", held) {
        triggers.push(Trigger::ProfileMerge(vec![own.clone()]));
        for other in profiles("use_2", &held[..held.len().min(1)]) {
            triggers.push(Trigger::ProfileMerge(vec![other, own.clone()]));
        }
    }
    triggers
}

fn profiles(profile_id: &'static str, held: &[Key]) -> Vec<Profile> {
    let mut profiles = Vec::new();
    for is_in in [true, false] {
        let known = subsets(held).into_iter().map(Some);
        for external_ids in known.chain([None]) {
            profiles.push(Profile { profile_id, is_in, external_ids });
        }
    }
    profiles
}

fn subsets<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    match items.split_first() {
        None => vec![Vec::new()],
        Some((first, rest)) => {
            let mut subsets = subsets(rest);
            for mut with_first in subsets.clone() {
                with_first.insert(0, first.clone());
                subsets.push(with_first);
            }
            subsets
        }
    }
}

/// One of each list, in all ways.
fn products(listings: &[Vec<Option<Id>>]) -> Vec<Vec<Id>> {
    match listings.split_first() {
        None => vec![Vec::new()],
        Some((first, rest)) => {
            let mut all = Vec::new();
            for tail in products(rest) {
                for one in first {
                    all.push(one.iter().copied().chain(tail.iter().copied()).collect());
                }
            }
            all
        }
    }
}

// ---------------------------------------------------------------------------------------------
// The comparison
// ---------------------------------------------------------------------------------------------

impl Universe {
    fn check(&self) -> Census {
        let mut census = Census::default();
        let prepared: Vec<_> =
            self.destinations.iter().map(|some| (some, build::destinations(some))).collect();
        for external_ids in products(&self.listings) {
            for trigger in &self.triggers {
                for &computed_at in &self.computed_at {
                    for is_in in [true, false] {
                        let update = Update {
                            id: "upd_1",
                            space_id: "spa_1",
                            profile_id: "use_1",
                            class: "audience",
                            computation_id: "aud_1",
                            computation_key: "shoppers",
                            is_in,
                            computed_at,
                            trigger: trigger.clone(),
                            external_ids: external_ids.clone(),
                        };
                        check(&update, &prepared, &mut census);
                    }
                }
            }
        }
        println!("{census}");
        census
    }
}

fn check(update: &Update, prepared: &[(&Vec<Destination>, Destinations)], census: &mut Census) {
    let built = build::update(update);
    census.updates += 1;
    for (destinations, built_destinations) in prepared {
        census.decisions += 1;
        let verdicts = oracle::verdicts(update, destinations);

        let explanation = explain(&built, built_destinations);
        for (destination, expected) in &verdicts {
            let explained = explanation.of(destination).unwrap();
            let agrees = match (explained.verdict(), expected) {
                (Decided::SendAll | Decided::SendSome, Verdict::Send(ids)) => {
                    are_same(explained.external_ids().iter(), ids)
                }
                (Decided::Drop(reason), Verdict::Drop(expected)) => reason.as_str() == *expected,
                _ => false,
            };
            assert!(agrees, "{destination}: {explained:?} is not {expected:?} for {update:#?}");
            *census.verdicts.entry((update.trigger.reason(), expected.name())).or_default() += 1;
        }

        let events = decide(&built, built_destinations);
        let groups = oracle::groups(&verdicts);
        assert_eq!(events.len(), groups.len(), "{update:#?} {destinations:#?}");
        for (event, group) in events.iter().zip(&groups) {
            let sent_to = event.destinations().iter().map(idgroup::Destination::id);
            let agrees = sent_to.eq(group.destinations.iter().copied())
                && are_same(event.id_group().external_ids().iter(), &group.external_ids);
            assert!(agrees, "{event:?} is not {group:?} for {update:#?}");
            let hash = oracle::group_hash(&group.external_ids);
            assert_eq!(event.id_group().hash().as_bytes(), &hash, "{group:?}");
            census.shared_groups += u64::from(group.destinations.len() > 1);
        }

        // What goes over the wire says the same in more words; comparing it is slow.
        if census.decisions.is_multiple_of(101) {
            let expected = oracle::events(update, destinations);
            assert_eq!(serde_json::to_value(&events).unwrap(), expected, "{update:#?}");
            census.events_as_json += u64::try_from(events.len()).unwrap();
        }
    }
}

fn are_same<'a>(ids: impl Iterator<Item = &'a ExternalId>, expected: &[Id]) -> bool {
    ids.map(|id| (id.collection().as_str(), id.id_type(), id.id(), id.encoding()))
        .eq(expected.iter().map(|id| (id.key.collection, id.key.kind, id.key.id, id.encoding)))
}

/// Each verdict that there is for each reason, whatever the consent.
const EVERYTHING: [(&str, &str); 18] = [
    ("value_changed", "send"),
    ("value_changed", "exited"),
    ("value_changed", "no_relevant_external_id"),
    ("value_changed", "no_external_ids"),
    ("new_external_id", "send"),
    ("new_external_id", "not_a_member"),
    ("new_external_id", "added_id_not_relevant"),
    ("new_external_id", "already_messaged"),
    ("new_external_id", "no_external_ids"),
    ("profile_merge", "send"),
    ("profile_merge", "not_a_member"),
    ("profile_merge", "already_messaged"),
    ("profile_merge", "may_have_been_messaged"),
    ("profile_merge", "no_relevant_external_id"),
    ("profile_merge", "no_external_ids"),
    ("external_id_removed", "external_id_removed"),
    ("external_id_removed", "send"),
    ("external_id_removed", "no_external_ids"),
];

impl Census {
    fn assert_reaches_everything(&self, least: u64) {
        self.assert_reaches(&EVERYTHING, least);
    }

    fn assert_reaches_everything_and_no_consent(&self, least: u64) {
        let reasons = ["value_changed", "new_external_id", "profile_merge", "external_id_removed"];
        let no_consent = reasons.map(|reason| (reason, "no_consent"));
        self.assert_reaches(&[&EVERYTHING[..], &no_consent].concat(), least);
    }

    fn assert_reaches(&self, all: &[(&'static str, &'static str)], least: u64) {
        for reached in all {
            let times = self.verdicts.get(reached).copied().unwrap_or_default();
            // A profile without any ID is one listing of all, and `value_changed` one trigger.
            let least =
                if reached.1 == "no_external_ids" || reached.0 == "value_changed" { 1 } else { least };
            assert!(times >= least, "{reached:?}: {times} times");
        }
        assert_eq!(self.verdicts.len(), all.len(), "a verdict that nobody thought of: {self}");
        assert!(self.shared_groups >= least && self.events_as_json > 0);
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} updates, {} decisions, of which", self.updates, self.decisions)?;
        writeln!(f, "{} groups shared, {} events as JSON", self.shared_groups, self.events_as_json)?;
        for ((reason, verdict), times) in &self.verdicts {
            writeln!(f, "{times:10} {reason}: {verdict}")?;
        }
        Ok(())
    }
}
