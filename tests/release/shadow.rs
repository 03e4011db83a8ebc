//! Both flows side by side: what the legacy flow sends, and that the dedupe flow sends the same to
//! destinations that do not dedupe.

use idgroup::compare::{Comparison, ComparisonBudget, ComparisonKey, compare, compare_events};
use idgroup::{
    Amplification, Consent, Destination, Destinations, IdGroupEvent, IdStrategy, decide, decide_legacy,
};
use proptest::prelude::*;

use crate::build::plain;
use crate::shop::{KEY, Shop, assert_as_multiplied_out, email, everything, shop, with_bug};
use crate::worlds::{World, any_world};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_flows_send_the_same_to_destinations_that_do_not_dedupe(
        World { update, destinations } in any_world(),
        key: [u8; 16],
        differing_messages in 0_usize..3,
    ) {
        let budget = ComparisonBudget::default().with_differing_messages(differing_messages).with_passes(1);
        let comparison = compare(&update, &destinations, &ComparisonKey::new(key), &budget);
        let has_plain = destinations.as_slice().iter().any(Destination::takes_all);
        let messages = Amplification::of(&decide_legacy(&update, &destinations)).outbound_messages();
        let expected = match has_plain && messages > 0 {
            true => Comparison::Identical { messages },
            false => Comparison::NothingToCompare,
        };
        prop_assert_eq!(comparison, expected);
    }

    #[test]
    fn events_of_two_worlds_differ_as_their_messages_do(
        worlds in [any_world(), any_world()],
        differing_messages in prop_oneof![1_usize..4, Just(1_000)],
    ) {
        let [of_legacy, of_dedupe] = &worlds;
        let legacy = decide_legacy(&of_legacy.update, &of_legacy.destinations);
        let dedupe = decide(&of_dedupe.update, &of_dedupe.destinations);
        let budget = everything().with_differing_messages(differing_messages).with_passes(u32::MAX);
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

/// Nor what those are sent that choose among the IDs, or ask for consent, which the legacy flow heeds not.
#[test]
fn what_choosing_destinations_are_sent_is_not_compared() {
    let choosing = || {
        let strategies = [("email", IdStrategy::Latest), ("phone", IdStrategy::All)];
        [
            plain("sendgrid").with_consent(Consent::Required),
            plain("braze").with_id_strategies(strategies).unwrap(),
            plain("zendesk").with_id_strategies(strategies).unwrap().with_consent(Consent::NotRefused),
        ]
    };
    let mut destinations = shop().destinations;
    destinations.retain(|destination| destination.id() != "sendgrid");
    destinations.extend(choosing());
    assert_eq!(with_bug(&[Shop { destinations, ..shop() }]), Comparison::Identical { messages: 6 });

    let (update, destinations) = (shop().update(), Destinations::new(choosing()).unwrap());
    let legacy = decide_legacy(&update, &destinations);
    assert!(legacy[0].id_group().external_ids().iter().eq(update.external_ids()));
    assert!(legacy[0].destinations().iter().eq(&destinations));
    let (key, budget) = (ComparisonKey::new([9; 16]), ComparisonBudget::default());
    let compared = compare(&update, &destinations, &key, &budget);
    assert_eq!(compared, Comparison::NothingToCompare);
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

/// Nothing was compared, and so nothing agrees: neither where no destination is plain, nor where a
/// profile has nothing to send.
#[test]
fn flows_without_a_plain_destination_leave_nothing_to_compare() {
    let deduping = Shop { destinations: shop().destinations.split_off(2), ..shop() };
    let (update, destinations) = (deduping.update(), deduping.destinations());
    let events = decide(&update, &destinations);
    assert_eq!(events.len(), 2, "events there are");
    let compared = |legacy: &[IdGroupEvent<'_>], dedupe: &[IdGroupEvent<'_>]| {
        compare_events(legacy, dedupe, &KEY, &ComparisonBudget::default())
    };
    assert_eq!(compared(&events, &events), Comparison::NothingToCompare);
    assert_eq!(compared(&[], &[]), Comparison::NothingToCompare);
    let budget = ComparisonBudget::default().with_messages(0);
    assert_eq!(compare(&update, &destinations, &KEY, &budget), Comparison::NothingToCompare);
    let nobody = Shop { emails: vec![], phones: vec![], ..shop() };
    assert_eq!(
        compare(&nobody.update(), &nobody.destinations(), &KEY, &ComparisonBudget::default()),
        Comparison::NothingToCompare
    );
    // A plain destination of one flow alone is a difference.
    let plain = decide_legacy(&update, &shop().destinations()).len();
    assert_eq!(plain, 1);
    let everything = shop().destinations();
    let found = compared(&decide(&update, &everything), &events);
    assert_eq!(found.as_str(), "different");
}

/// All in one update, or each flow in one of its own: what is compared is the same.
#[test]
fn the_same_ids_are_the_same_whichever_update_holds_them() {
    let (one, other) = (shop().update(), shop().update());
    let destinations = shop().destinations();
    let legacy = decide_legacy(&one, &destinations);
    for dedupe in [decide(&one, &destinations), decide(&other, &destinations)] {
        let comparison = assert_as_multiplied_out(&legacy, &dedupe, &everything());
        assert_eq!(comparison, Comparison::Identical { messages: 6 });
        let twice = [dedupe.clone(), dedupe].concat();
        let Comparison::Different(found) = assert_as_multiplied_out(&legacy, &twice, &everything()) else {
            panic!("each message is there twice")
        };
        assert_eq!(found.in_different_numbers, 6);
    }
}
