//! Both flows side by side: what the legacy flow sends, and that the dedupe flow sends the same to
//! destinations that do not dedupe.

use idgroup::compare::{Comparison, ComparisonBudget, ComparisonKey, compare};
use idgroup::{Amplification, Destination, Destinations, decide, decide_legacy};
use proptest::prelude::*;

use crate::build::plain;
use crate::shop::{Shop, assert_as_multiplied_out, email, everything, shop, with_bug};
use crate::worlds::{World, any_world};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_flows_send_the_same_to_destinations_that_do_not_dedupe(
        World { update, destinations } in any_world(),
        key: [u8; 16],
        differing_messages in 0_usize..3,
    ) {
        let budget = ComparisonBudget::default().differing_messages(differing_messages).passes(1);
        let comparison = compare(&update, &destinations, &ComparisonKey::new(key), &budget);
        let has_plain = destinations.as_slice().iter().any(|destination| destination.dedupes_on().is_none());
        let messages = match has_plain {
            true => Amplification::of(&decide_legacy(&update, &destinations)).outbound_messages(),
            false => 0,
        };
        prop_assert_eq!(comparison, Comparison::Identical { messages });
    }

    #[test]
    fn events_of_two_worlds_differ_as_their_messages_do(
        worlds in [any_world(), any_world()],
        differing_messages in prop_oneof![1_usize..4, Just(1_000)],
    ) {
        let [of_legacy, of_dedupe] = &worlds;
        let legacy = decide_legacy(&of_legacy.update, &of_legacy.destinations);
        let dedupe = decide(&of_dedupe.update, &of_dedupe.destinations);
        let budget = everything().differing_messages(differing_messages).passes(u32::MAX);
        let _ = assert_as_multiplied_out(&legacy, &dedupe, &budget);
    }

    #[test]
    fn the_legacy_flow_sends_everything_to_everybody(World { update, destinations } in any_world()) {
        let events = decide_legacy(&update, &destinations);
        if update.external_ids().is_empty() || destinations.is_empty() {
            prop_assert_eq!(events, []);
        } else {
            prop_assert_eq!(events.len(), 1);
            prop_assert!(events[0].id_group().external_ids().iter().eq(update.external_ids()));
            prop_assert!(events[0].destinations().iter().eq(destinations.as_slice()));
            // To destinations that do not dedupe the dedupe flow sends just this event.
            let plain = destinations.as_slice().iter().map(|destination| Destination::new(destination.id()).unwrap());
            let plain = Destinations::new(plain).unwrap();
            let plain = decide(&update, &plain);
            prop_assert_eq!(serde_json::to_value(&events).unwrap(), serde_json::to_value(&plain).unwrap());
        }
    }
}

/// What destinations that dedupe are sent is not compared: there the flows differ on purpose.
#[test]
fn what_deduping_destinations_are_sent_is_not_compared() {
    let mut destinations = shop().destinations;
    destinations[2] = plain("sendgrid").deduping_on(["phone", "email"]).unwrap();
    destinations.pop();
    destinations.push(plain("another").deduping_on(["user_id"]).unwrap());
    assert_eq!(with_bug(&[Shop { destinations, ..shop() }]), Comparison::Identical { messages: 6 });
}

/// Neither the update's id nor the order of a type's IDs is a part of a message.
#[test]
fn only_content_is_compared() {
    let emails =
        vec![email("c").with_created_at("2020-01-01T00:00:00Z".parse().unwrap()), email("b"), email("a")];
    assert_eq!(with_bug(&[Shop { id: "upd_2", emails, ..shop() }]), Comparison::Identical { messages: 6 });
}

/// A plain destination shares its event with one that dedupes, and is compared all the same.
#[test]
fn an_event_that_is_shared_is_compared_for_the_destinations_that_do_not_dedupe() {
    let only_email = |id| Shop { emails: vec![email(id)], phones: vec![], ..shop() };
    let (update, destinations) = (only_email("a").update(), shop().destinations());
    let events = decide(&update, &destinations);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].destinations().len(), 3, "Twilio has no phone to send to");
    let legacy = decide_legacy(&update, &destinations);
    assert_eq!(
        assert_as_multiplied_out(&legacy, &events, &everything()),
        Comparison::Identical { messages: 1 }
    );
}
