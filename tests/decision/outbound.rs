//! Outbound messages and amplification, against all combinations multiplied out.

use idgroup::{
    Amplification, Destination, Destinations, ExternalId, IdGroupEvent, Lane, ProfileUpdate, decide,
    decide_legacy,
};
use proptest::prelude::*;
use serde_json::json;

use crate::build;
use crate::product::combinations;
use crate::worlds::{World, any_world};

fn naive_product<'a>(event: &'a IdGroupEvent<'a>) -> Vec<Vec<&'a ExternalId>> {
    let ids: Vec<&ExternalId> = event.id_group().external_ids().iter().collect();
    combinations(&ids, |id| id.id_type())
}

fn update(ids: &[(&str, usize)]) -> ProfileUpdate {
    build::entry_of(build::ids(ids, |number| format!("{number:03}")))
}

fn one_plain_destination() -> Destinations {
    Destinations::new([build::plain("dst_1")]).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn messages_are_all_combinations(World { update, destinations } in any_world()) {
        for event in decide(&update, &destinations).iter().chain(&decide_legacy(&update, &destinations)) {
            let messages = event.outbound_messages();
            let expected = naive_product(event);
            prop_assert_eq!(messages.count(), expected.len() as u64);
            prop_assert_eq!(event.id_group().external_ids().combinations(), expected.len() as u64);
            let iterated: Vec<Vec<&ExternalId>> =
                messages.iter().map(|message| message.external_ids().collect()).collect();
            prop_assert_eq!(&iterated, &expected);
            for (position, expected) in (0..).zip(&expected) {
                let message = messages.get(position).unwrap();
                prop_assert_eq!(message.position(), position);
                prop_assert!(message.external_ids().eq(expected.iter().copied()));
                prop_assert!(message.destination_ids().eq(event.destinations().iter().map(Destination::id)));
                prop_assert_eq!(message.message_id(), event.message_id());
            }
            prop_assert!(messages.get(messages.count()).is_none());
            prop_assert!(messages.get(u64::MAX).is_none());
            prop_assert_eq!(messages.message_id(), event.message_id());
        }
    }

    #[test]
    fn positions_are_those_of_the_iteration(World { update, destinations } in any_world()) {
        for event in decide_legacy(&update, &destinations) {
            let messages = event.outbound_messages();
            let positions = messages.iter().map(idgroup::OutboundMessage::position);
            prop_assert!(positions.eq(0..messages.count()));
        }
    }

    #[test]
    fn an_amplification_is_the_sum_over_the_events(World { update, destinations } in any_world()) {
        let events = decide(&update, &destinations);
        let amplification = Amplification::of(&events);
        prop_assert_eq!(amplification.groups(), events.len());
        let messages: usize = events.iter().map(|event| naive_product(event).len()).sum();
        prop_assert_eq!(amplification.outbound_messages(), messages as u64);
    }

    #[test]
    fn a_deduping_destination_is_sent_exactly_one_message(World { update, destinations } in any_world()) {
        for event in decide(&update, &destinations) {
            if event.destinations().iter().any(|destination| destination.dedupes_on().is_some()) {
                prop_assert_eq!(event.outbound_messages().count(), 1);
                let only = event.outbound_messages();
                prop_assert!(only.get(0).unwrap().external_ids().eq(event.id_group().external_ids().iter()));
            }
        }
    }

    /// Mixed numbers: position by position, against the plain way, where types differ in size.
    #[test]
    fn any_position_is_the_combination_that_counting_comes_to(
        counts in prop::collection::vec(1_usize..6, 1..6),
        position: prop::sample::Index,
    ) {
        let types: Vec<String> = (0..counts.len()).map(|number| format!("type_{number}")).collect();
        let ids: Vec<(&str, usize)> = types.iter().map(|t| &**t).zip(counts.iter().copied()).collect();
        let (update, destinations) = (update(&ids), one_plain_destination());
        let events = decide(&update, &destinations);
        let messages = events[0].outbound_messages();
        let position = position.index(counts.iter().product());
        let message = messages.get(position as u64).unwrap();
        let expected = &naive_product(&events[0])[position];
        prop_assert!(message.external_ids().eq(expected.iter().copied()));
    }
}

#[test]
fn two_user_ids_and_three_emails_make_six_messages() {
    let (update, destinations) = (update(&[("user_id", 2), ("email", 3)]), one_plain_destination());
    let events = decide(&update, &destinations);
    let messages = events[0].outbound_messages();
    let all: Vec<String> = messages
        .iter()
        .map(|message| message.external_ids().map(ExternalId::id).collect::<Vec<_>>().join(" "))
        .collect();
    // By type, within a type from latest to earliest, and the last type takes turns fastest.
    assert_eq!(all, ["002 001", "002 000", "001 001", "001 000", "000 001", "000 000"]);
}

/// 2^70 messages: neither counted nor looked up by going through them.
#[test]
fn more_messages_than_can_be_counted_are_counted_as_the_most_there_can_be() {
    let types: Vec<String> = (0..70).map(|number| format!("type_{number:02}")).collect();
    let ids: Vec<(&str, usize)> = types.iter().map(|id_type| (&**id_type, 2)).collect();
    let (update, destinations) = (update(&ids), one_plain_destination());
    let events = decide(&update, &destinations);
    let messages = events[0].outbound_messages();
    assert_eq!(messages.count(), u64::MAX);
    assert_eq!(Amplification::of(&events).outbound_messages(), u64::MAX);

    // With two IDs of each type a position is the turns of the last 64 types as binary digits,
    // and the types before have no turn but the first.
    for position in [0, 1, 2, 3, 1 << 63, (1 << 63) + 5, u64::MAX / 3, u64::MAX - 2, u64::MAX - 1] {
        let message = messages.get(position).unwrap();
        assert_eq!(message.position(), position);
        let ids: Vec<&ExternalId> = message.external_ids().collect();
        assert_eq!(ids.len(), 70);
        for (number, id) in ids.into_iter().enumerate() {
            assert_eq!(id.id_type(), types[number]);
            let turn = if number < 6 { 0 } else { position >> (69 - number) & 1 };
            assert_eq!(id.id(), ["001", "000"][usize::try_from(turn).unwrap()], "{position}: {number}");
        }
    }
    assert!(messages.get(u64::MAX).is_none());
    assert_eq!(messages.iter().size_hint().0, usize::MAX);
}

/// 2^64 - 1 itself is counted, and not only stood in for: 3 × 5 × 17 × 257 × 641 × 65,537 × 6,700,417
/// takes more IDs than a profile has, so that 2^63 and 3 × 2^62 must do.
#[test]
fn the_largest_counts_are_exact() {
    let types: Vec<String> = (0..64).map(|number| format!("type_{number:02}")).collect();
    let count = |first: usize, twos: usize| {
        let mut ids: Vec<(&str, usize)> = types[..=twos].iter().map(|id_type| (&**id_type, 2)).collect();
        ids[0].1 = first;
        let (update, destinations) = (update(&ids), one_plain_destination());
        let events = decide(&update, &destinations);
        let messages = events[0].outbound_messages();
        if messages.count() < u64::MAX {
            assert!(messages.get(messages.count()).is_none());
            let last: Vec<&str> =
                messages.get(messages.count() - 1).unwrap().external_ids().map(ExternalId::id).collect();
            assert!(last.iter().all(|id| *id == "000"), "{last:?}");
        }
        messages.count()
    };
    assert_eq!(count(1, 63), 1 << 63);
    assert_eq!(count(3, 62), 3 << 62);
    assert_eq!(count(2, 63), u64::MAX);
    assert_eq!(count(5, 62), u64::MAX);
}

/// Several events that fit each, and together don't.
#[test]
fn a_sum_of_amplifications_saturates() {
    let types: Vec<String> = (0..63).map(|number| format!("type_{number:02}")).collect();
    let ids: Vec<(&str, usize)> = types.iter().map(|id_type| (&**id_type, 2)).collect();
    let (update, destinations) = (update(&ids), one_plain_destination());
    let events: Vec<_> = (0..3).flat_map(|_| decide(&update, &destinations)).collect();
    assert_eq!(Amplification::of(&events[..1]).outbound_messages(), 1 << 63);
    assert_eq!(Amplification::of(&events[..2]).outbound_messages(), u64::MAX);
    let amplification = Amplification::of(&events);
    assert_eq!((amplification.groups(), amplification.outbound_messages()), (3, u64::MAX));
}

#[test]
fn lanes_part_at_the_limit() {
    let (update, destinations) = (update(&[("user_id", 2), ("email", 3)]), one_plain_destination());
    let amplification = Amplification::of(&decide(&update, &destinations));
    assert_eq!([5, 6, 7].map(|most| amplification.lane(most)), [Lane::Slow, Lane::Fast, Lane::Fast]);
    assert_eq!(Amplification::of(&[]).lane(0), Lane::Fast);
    assert_eq!((Lane::Fast.as_str(), Lane::Slow.as_str()), ("fast", "slow"));
}

/// IDs of one type in two collections are of one type.
#[test]
fn collections_do_not_multiply() {
    let user = build::id("email", "a");
    let account = user.clone().with_collection(idgroup::Collection::Accounts);
    let update = build::entry_of([user, account]);
    let destinations = one_plain_destination();
    assert_eq!(decide(&update, &destinations)[0].outbound_messages().count(), 2);
}

#[test]
fn a_message_has_a_json_form_and_shows_no_id() {
    let (update, destinations) = (update(&[("email", 2)]), one_plain_destination());
    let events = decide(&update, &destinations);
    let messages = events[0].outbound_messages();
    let second = messages.get(1).unwrap();
    assert_eq!(
        serde_json::to_value(second).unwrap(),
        json!({
            "external_ids": [{"type": "email", "id": "000", "collection": "users", "encoding": "none"}],
            "destinations": ["dst_1"],
        }),
    );
    assert_eq!(format!("{messages:?}"), "OutboundMessages { count: 2, .. }");
    let shown = format!("{second:?}");
    assert!(shown.contains("email") && !shown.contains("000"), "{shown}");
}

#[test]
fn what_is_not_sent_has_no_combinations() {
    let update: ProfileUpdate = serde_json::from_str(
        r#"{"id":"upd_1","space_id":"spa_1","profile_id":"use_1","computation":{"id":"aud_1"},
            "membership":"out","trigger":{"reason":"value_changed"},"external_ids":[]}"#,
    )
    .unwrap();
    let destinations: Destinations = serde_json::from_str(r#"[{"id":"dst_1"}]"#).unwrap();
    let verdict = idgroup::explain(&update, &destinations).of("dst_1").unwrap();
    assert_eq!(verdict.external_ids().combinations(), 0);
}
