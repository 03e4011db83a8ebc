//! From bytes to destinations, to their grouping.

use std::collections::BTreeMap;

use idgroup::{Destination, Destinations, ProfileUpdate, decide};

use super::build;

/// `bytes` are the JSON of a list of destinations.
pub fn check(bytes: &[u8]) {
    let Some(destinations) = super::round_trip::<Destinations>(bytes) else { return };
    let list = destinations.as_slice();
    assert!(list.is_sorted_by(|a, b| a.id() < b.id()));
    let mut settings: Vec<_> =
        list.iter().map(|destination| destination.dedupes_on().map(Vec::from_iter)).collect();
    settings.sort();
    settings.dedup();
    assert_eq!(destinations.distinct_settings(), settings.len());

    let update = update_of_interest(&destinations);
    super::update::check_decision(&update, &destinations);
    assert_decided_as_one_by_one(&update, &destinations);
}

/// A profile with IDs of some of the types that the destinations dedupe on, and of others.
fn update_of_interest(destinations: &Destinations) -> ProfileUpdate {
    let types = destinations.as_slice().iter().filter_map(|destination| destination.dedupes_on()).flatten();
    let every_other = types.step_by(2).take(20).map(|id_type| build::id(id_type, "1"));
    let usual = [("email", "a@example.com"), ("email", "b@example.com"), ("phone", "+15550100")]
        .map(|(id_type, id)| build::id(id_type, id));
    build::entry_of(usual.into_iter().chain(every_other))
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
