//! From bytes to an update, to a decision.

use std::collections::{BTreeMap, BTreeSet};

use idgroup::compare::{Comparison, ComparisonBudget, ComparisonKey, compare};
use idgroup::{
    Amplification, Consent, Counts, Destination, DestinationVerdict, Destinations, DropReason, ExternalId,
    ExternalIdKey, IdGroupEvent, IdStrategy, Membership, MergedProfile, ProfileUpdate, Trigger, Verdict,
    decide, decide_with, explain,
};

/// `bytes` are the JSON of an update.
pub fn check(bytes: &[u8]) {
    let Some(update) = super::round_trip::<ProfileUpdate>(bytes) else { return };
    let destinations = destinations_of_interest(std::slice::from_ref(&update));
    check_decision(&update, &destinations);

    let again: ProfileUpdate = serde_json::from_str(&serde_json::to_string(&update).unwrap()).unwrap();
    assert_eq!(decide(&again, &destinations), decide(&update, &destinations), "a redelivery");
}

/// A plain destination, one for each type that the updates know of, and some for several; and the same
/// with strategies and consent.
pub fn destinations_of_interest(updates: &[ProfileUpdate]) -> Destinations {
    let of_trigger = |update: &ProfileUpdate| match update.trigger() {
        Trigger::NewExternalId(added) => added.as_slice().to_vec(),
        Trigger::ExternalIdRemoved(removed) => removed.as_slice().to_vec(),
        Trigger::ProfileMerge(profiles) => {
            profiles.as_slice().iter().filter_map(MergedProfile::external_ids).flatten().cloned().collect()
        }
        _ => Vec::new(),
    };
    let keys = |update: &ProfileUpdate| {
        let listed = update.external_ids().iter().map(ExternalId::key).cloned();
        listed.chain(of_trigger(update)).collect::<Vec<_>>()
    };
    let keys: Vec<ExternalIdKey> = updates.iter().flat_map(keys).collect();
    let types = keys.iter().map(ExternalIdKey::id_type).chain(["email"]);
    let types: BTreeSet<&str> = types.take(6).collect();
    let types: Vec<&str> = types.into_iter().collect();

    let mut settings: Vec<&[&str]> = types.chunks(1).chain(types.chunks(2)).collect();
    settings.push(&types);
    let deduping = settings.iter().enumerate().map(|(position, types)| {
        Destination::new(format!("dst_{position}")).unwrap().deduping_on(types.iter().copied()).unwrap()
    });
    let plain = Destination::new("dst_plain").unwrap().with_name("Google Ads");
    let choosing = settings.iter().enumerate().flat_map(|(position, types)| {
        let named = |name: &str| Destination::new(format!("dst_{name}_{position}")).unwrap();
        let deduping = named("deduping").deduping_on(types.iter().copied()).unwrap();
        let strategies = IdStrategy::ALL.into_iter().cycle().skip(position);
        let consent = [None, Some(Consent::Required), Some(Consent::NotRefused)][position % 3];
        [
            deduping.with_id_strategies(types.iter().map(|name| (*name, IdStrategy::First))).unwrap(),
            named("choosing").with_id_strategies(types.iter().copied().zip(strategies)).unwrap(),
        ]
        .map(|destination| destination.with_consent(consent))
    });
    let consenting =
        Consent::ALL.map(|consent| Destination::new(format!("dst_{consent}")).unwrap().with_consent(consent));
    Destinations::new(deduping.chain([plain]).chain(choosing).chain(consenting)).unwrap()
}

/// What holds for every decision, whatever its update and destinations.
pub fn check_decision(update: &ProfileUpdate, destinations: &Destinations) {
    let events = decide(update, destinations);
    check_events(update, &events);
    check_against_verdicts(update, destinations, &events);

    let mut counts = Counts::default();
    assert_eq!(decide_with(update, destinations, &mut counts), events, "a decision that is watched");
    assert_eq!((counts.updates(), counts.groups()), (1, events.len() as u64));

    let amplification = Amplification::of(&events);
    let messages = events.iter().map(|event| event.outbound_messages().count());
    assert_eq!(amplification.outbound_messages(), messages.fold(0, u64::saturating_add));

    let budget = ComparisonBudget::default().with_messages(10_000);
    match compare(update, destinations, &ComparisonKey::new([7; 16]), &budget) {
        Comparison::Identical { .. } | Comparison::NothingToCompare | Comparison::Refused { .. } => {}
        other => panic!("the flows differ: {other:?}"),
    }
}

fn check_events(update: &ProfileUpdate, events: &[IdGroupEvent<'_>]) {
    let mut destinations = BTreeSet::new();
    let mut groups = BTreeSet::new();
    let first_destinations = events.iter().map(|event| event.destinations().get(0).unwrap().id());
    assert!(first_destinations.is_sorted(), "events are by their first destination");
    for event in events {
        let ids = event.id_group().external_ids();
        assert!(!ids.is_empty());
        assert!(ids.iter().all(|id| update.external_ids().contains(id)));
        assert!(ids.iter().is_sorted_by(|a, b| {
            let latest = |id: &ExternalId| (id.created_at(), id.key().clone());
            a.id_type() < b.id_type() || a.id_type() == b.id_type() && latest(a) > latest(b)
        }));
        let keys: BTreeSet<_> = ids.iter().map(ExternalId::key).collect();
        assert_eq!(keys.len(), ids.len(), "an ID twice in one event");
        assert!(groups.insert(keys), "two events with the same IDs");

        assert!(event.destinations().iter().is_sorted_by(|a, b| a.id() < b.id()));
        assert!(event.destinations().iter().all(|destination| destinations.insert(destination.id())));

        let messages = event.outbound_messages();
        let last = messages.get(messages.count() - 1).unwrap();
        let types: BTreeSet<_> = ids.iter().map(ExternalId::id_type).collect();
        assert!(last.external_ids().map(ExternalId::id_type).eq(types), "one ID of each type");
        assert_eq!(messages.get(messages.count()).map(idgroup::OutboundMessage::position), None);

        let written = serde_json::to_string(event).unwrap();
        assert_eq!(serde_json::to_string(&event.clone().into_owned()).unwrap(), written);
    }
}

/// What is sent is of the types that the destination names and consents, but for exits.
fn check_choice(update: &ProfileUpdate, verdict: &DestinationVerdict<'_>) {
    let destination = verdict.destination();
    let is_exit = destination.dedupes_on().is_none() && update.membership() == Membership::Out;
    if let Some(consent) = destination.consent().filter(|_| !is_exit) {
        assert!(verdict.external_ids().iter().all(|id| consent.permits(id.subscribed())), "{verdict}");
    } else {
        assert_ne!(verdict.verdict(), Verdict::Drop(DropReason::NoConsent), "{verdict}");
    }
    let Some(strategies) = destination.id_strategies().filter(|_| destination.dedupes_on().is_none()) else {
        return;
    };
    let strategies: BTreeMap<&str, IdStrategy> = strategies.collect();
    let mut sent: BTreeMap<&str, usize> = BTreeMap::new();
    for id in verdict.external_ids() {
        *sent.entry(id.id_type()).or_default() += 1;
    }
    for (id_type, count) in sent {
        let may_be_many = is_exit || strategies[id_type] == IdStrategy::All;
        assert!(count == 1 || may_be_many, "{count} IDs of one type: {verdict}");
    }
}

/// Every destination is in the event that its verdict says, or in none.
fn check_against_verdicts(update: &ProfileUpdate, destinations: &Destinations, events: &[IdGroupEvent<'_>]) {
    let mut sent_to = BTreeMap::new();
    for event in events {
        for destination in event.destinations() {
            sent_to.insert(destination.id(), event.id_group().external_ids());
        }
    }
    let explanation = explain(update, destinations);
    assert_eq!(explanation.iter().count(), destinations.len());
    for verdict in &explanation {
        let sent = sent_to.get(verdict.destination().id()).copied();
        match verdict.verdict() {
            Verdict::Drop(_) => assert_eq!(sent, None, "{verdict}"),
            _ => assert_eq!(sent, Some(verdict.external_ids()), "{verdict}"),
        }
        if let (Verdict::SendSome, Some(types)) = (verdict.verdict(), verdict.destination().dedupes_on()) {
            let sent: Vec<_> = verdict.external_ids().iter().map(ExternalId::id_type).collect();
            assert!(sent.is_sorted_by(|a, b| a < b), "two IDs of one type: {verdict}");
            assert!(sent.iter().all(|id_type| types.clone().any(|known| known == *id_type)));
        }
        check_choice(update, &verdict);
    }
    assert!(!explanation.to_string().is_empty());
}
