//! From bytes to destinations, to their grouping.

use std::collections::BTreeMap;

use idgroup::{
    Consent, Destination, Destinations, ExternalId, IdStrategy, Membership, ProfileUpdate, decide,
};

use super::build;

/// `bytes` are the JSON of a list of destinations.
pub fn check(bytes: &[u8]) {
    let Some(destinations) = super::round_trip::<Destinations>(bytes) else { return };
    let list = destinations.as_slice();
    assert!(list.is_sorted_by(|a, b| a.id() < b.id()));
    let mut settings: Vec<_> = list.iter().map(setting).collect();
    settings.sort();
    settings.dedup();
    assert_eq!(destinations.distinct_settings(), settings.len());

    for membership in Membership::ALL {
        let update = update_of_interest(&destinations, membership);
        super::update::check_decision(&update, &destinations);
        assert_decided_as_one_by_one(&update, &destinations);
    }
}

/// By type, what is sent of it, all of them being `latest` where a destination dedupes and says nothing.
type Setting<'a> = (bool, Option<BTreeMap<&'a str, IdStrategy>>, Option<Consent>);

fn setting(destination: &Destination) -> Setting<'_> {
    let named = destination.id_strategies().map(BTreeMap::from_iter);
    let strategies = match destination.dedupes_on() {
        Some(types) => {
            let mut strategies: BTreeMap<_, _> = types.map(|name| (name, IdStrategy::Latest)).collect();
            strategies.extend(named.into_iter().flatten());
            Some(strategies)
        }
        None => named,
    };
    (destination.dedupes_on().is_some(), strategies, destination.consent())
}

/// A profile with IDs of some of the types that the destinations name, and of others, of which some
/// are subscribed and some not.
fn update_of_interest(destinations: &Destinations, membership: Membership) -> ProfileUpdate {
    let types = destinations.as_slice().iter().filter_map(|destination| setting(destination).1).flatten();
    let every_other = types.step_by(2).take(20).map(|(id_type, _)| id_type).flat_map(|id_type| {
        let id = |id: &str, subscribed| build::id(id_type, id).maybe_subscribed(subscribed);
        [id("1", Some(true)), id("2", None), id("3", Some(false))]
    });
    let usual = [("email", "a@example.com"), ("email", "b@example.com"), ("phone", "+15550100")]
        .map(|(id_type, id)| build::id(id_type, id));
    let ids: Vec<ExternalId> = usual.into_iter().chain(every_other).collect();
    build::entry().membership(membership).external_ids(ids).build().unwrap()
}

/// Groups are what comes of deciding about each destination alone and putting together what has the
/// same message id.
fn assert_decided_as_one_by_one(update: &ProfileUpdate, destinations: &Destinations) {
    let mut one_by_one = BTreeMap::<_, Vec<_>>::new();
    for destination in destinations.as_slice() {
        let alone = Destinations::new([destination.clone()]).unwrap();
        for event in decide(update, &alone) {
            one_by_one.entry(event.message_id()).or_default().push(destination.id());
        }
    }
    let together: BTreeMap<_, Vec<_>> = decide(update, destinations)
        .iter()
        .map(|event| (event.message_id(), event.destinations().iter().map(Destination::id).collect()))
        .collect();
    assert_eq!(together, one_by_one);
}
