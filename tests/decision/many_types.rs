//! Settings are told apart however many types and IDs there are: with more than a machine word has
//! bits, groups can't be formed by a bit for each.

use std::collections::BTreeMap;

use idgroup::{Destination, Destinations, ExternalId, ProfileUpdate, decide};

use crate::build;

const TYPES: usize = 200;

fn name(number: usize) -> String {
    format!("type_{number:03}")
}

fn update(held: impl Iterator<Item = usize>) -> ProfileUpdate {
    build::entry_of(held.map(|number| build::id(&name(number), "1")))
}

/// Destinations that dedupe on a type, on it and the next, on it and the one after 64, and on all three.
fn destinations() -> Destinations {
    let of = |first: usize| {
        [vec![first], vec![first, first + 1], vec![first, first + 64], vec![first, first + 1, first + 64]]
    };
    deduping_on((0..TYPES - 64).flat_map(of))
}

fn deduping_on(settings: impl Iterator<Item = Vec<usize>>) -> Destinations {
    build::destinations(settings.map(|types| types.into_iter().map(name).collect::<Vec<_>>()))
}

#[track_caller]
fn assert_grouped_by_what_is_sent(update: &ProfileUpdate, destinations: &Destinations) {
    let held: Vec<&str> = update.external_ids().iter().map(ExternalId::id_type).collect();
    let mut expected = BTreeMap::<Vec<&str>, Vec<&str>>::new();
    for destination in destinations.as_slice() {
        let sent: Vec<&str> = destination.dedupes_on().unwrap().filter(|name| held.contains(name)).collect();
        if !sent.is_empty() {
            expected.entry(sent).or_default().push(destination.id());
        }
    }
    let events = decide(update, destinations);
    assert_eq!(events.len(), expected.len());
    for event in &events {
        let sent: Vec<&str> = event.id_group().external_ids().iter().map(ExternalId::id_type).collect();
        let sent_to: Vec<&str> = event.destinations().iter().map(Destination::id).collect();
        assert_eq!(expected.get(&sent), Some(&sent_to), "{sent:?}");
    }
}

#[test]
fn where_the_profile_has_all_types() {
    assert_grouped_by_what_is_sent(&update(0..TYPES), &destinations());
}

#[test]
fn where_the_profile_has_every_third_type() {
    assert_grouped_by_what_is_sent(&update((0..TYPES).step_by(3)), &destinations());
}

#[test]
fn where_the_profile_has_two_types() {
    assert_grouped_by_what_is_sent(&update([10, 74].into_iter()), &destinations());
}

/// IDs have a bit each as long as there are as many bits as IDs; with one ID more, the first and the
/// last share theirs, and with twice as many all share theirs with another.
#[test]
fn where_there_are_as_many_types_as_bits_and_one_more() {
    for types in [63, 64, 65, 66, 127, 128, 129] {
        let one_each = (0..types).map(|number| vec![number]);
        let with_the_last = (0..types - 1).map(|number| vec![number, types - 1]);
        let destinations = deduping_on(one_each.chain(with_the_last));
        // All types that anybody dedupes on, these and another one, and those at both ends.
        assert_grouped_by_what_is_sent(&update(0..types), &destinations);
        assert_grouped_by_what_is_sent(&update(0..=types), &destinations);
        assert_grouped_by_what_is_sent(&update([0, types - 1, types].into_iter()), &destinations);
    }
}

/// Two types of which the first has so many IDs that the latest of each lie as far apart.
#[test]
fn where_one_type_has_as_many_ids_as_bits_and_one_more() {
    let destinations = build::destinations([&["email"][..], &["phone"], &["email", "phone"]]);
    for emails in [63, 64, 65, 127, 128, 129] {
        let counts = [("email", emails), ("phone", 1)];
        let update = build::entry_of(build::ids(&counts, |number| format!("{number:03}")));
        let sent: Vec<Vec<String>> = decide(&update, &destinations)
            .iter()
            .map(|event| event.id_group().external_ids().iter().map(|id| id.id().to_owned()).collect())
            .collect();
        let (email, phone) = (format!("{:03}", emails - 1), "000".to_owned());
        assert_eq!(sent, [vec![email.clone()], vec![phone.clone()], vec![email, phone]]);
    }
}
