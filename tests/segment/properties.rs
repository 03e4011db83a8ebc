//! What holds for any update: the calls are the decision, no more and no less.

use std::collections::{BTreeMap, BTreeSet};

use idgroup::segment::{CallSettings, DestinationSettings, Routes, Supplied};
use idgroup::{Computation, Destination, Destinations, ProfileUpdate, decide};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::{read, rendered};
use crate::worlds::any_world;

/// A world whose computation can be called, whose destinations have names, and their settings.
fn any_segment_world() -> impl Strategy<Value = (ProfileUpdate, Destinations, CallSettings)> {
    let one_setting = prop_oneof![
        Just(DestinationSettings::track()),
        Just(DestinationSettings::identify()),
        Just(DestinationSettings::engage()),
        Just(DestinationSettings::track().with_external_audience_id("4711").unwrap()),
    ];
    (any_world(), prop::collection::vec(one_setting, 7)).prop_map(|(world, settings)| {
        let mut update = serde_json::to_value(&world.update).unwrap();
        let computation = Computation::new("aud_1").unwrap().with_class("audience").with_key("vip");
        update["computation"] = serde_json::to_value(computation).unwrap();
        update["computed_at"] = "1970-01-01T00:00:02Z".into();
        let named = |destination: &Destination| {
            destination.clone().with_name(format!("Name of {}", destination.id()))
        };
        let destinations = Destinations::new(world.destinations.as_slice().iter().map(named)).unwrap();
        let ids = world.destinations.as_slice().iter().map(Destination::id);
        let settings = CallSettings::new(ids.zip(settings)).unwrap();
        (read(&update), destinations, settings)
    })
}

/// For each destination, how often it is called with each set of IDs, straight from the decision.
type Told = BTreeMap<(String, BTreeSet<(String, String, String)>), usize>;

fn decided(update: &ProfileUpdate, destinations: &Destinations, settings: &CallSettings) -> Told {
    let mut told = Told::new();
    for event in decide(update, destinations) {
        for destination in event.destinations() {
            let own = settings.get(destination.id()).unwrap();
            let ids: Vec<_> = event.id_group().external_ids().iter().collect();
            let identity = |id: &&idgroup::ExternalId| {
                (id.collection().to_string(), id.id_type().to_owned(), id.id().to_owned())
            };
            if own.is_engage() {
                let readable: BTreeSet<_> =
                    ids.iter().filter(|id| id.encoding() == "none").map(identity).collect();
                if !readable.is_empty() {
                    *told.entry((destination.id().to_owned(), readable)).or_default() += 1;
                }
                continue;
            }
            for message in event.outbound_messages().iter() {
                let combination = message.external_ids().collect::<Vec<_>>().iter().map(identity).collect();
                *told.entry((destination.id().to_owned(), combination)).or_default() += 1;
            }
        }
    }
    told
}

fn called(calls: &[Value]) -> Told {
    let mut told = Told::new();
    for call in calls {
        let ids = match &call["call"]["external_ids"] {
            Value::Null => &call["call"]["context"]["externalIds"],
            list => list,
        };
        let text = |id: &Value, name: &str| id[name].as_str().unwrap().to_owned();
        let ids: BTreeSet<_> = ids
            .as_array()
            .unwrap()
            .iter()
            .map(|id| (text(id, "collection"), text(id, "type"), text(id, "id")))
            .collect();
        for destination in call["destinations"].as_array().unwrap() {
            *told.entry((destination.as_str().unwrap().to_owned(), ids.clone())).or_default() += 1;
        }
    }
    told
}

proptest! {
    #[test]
    fn each_destination_is_called_as_decided((update, destinations, settings) in any_segment_world()) {
        let (calls, refusals) = rendered(&update, &destinations, &settings, Supplied::default());
        prop_assert_eq!(called(&calls), decided(&update, &destinations, &settings));
        prop_assert!(refusals.iter().all(|refusal| refusal["reason"] == "only_encoded_ids"));
    }

    #[test]
    fn every_call_can_be_told_from_every_other((update, destinations, settings) in any_segment_world()) {
        let (calls, _) = rendered(&update, &destinations, &settings, Supplied::default());
        let ids: BTreeSet<&str> = calls.iter().map(|call| call["call"]["messageId"].as_str().unwrap()).collect();
        prop_assert_eq!(ids.len(), calls.len());
    }

    #[test]
    fn a_call_names_the_destinations_that_it_goes_to((update, destinations, settings) in any_segment_world()) {
        let (calls, _) = rendered(&update, &destinations, &settings, Supplied::default());
        for call in calls {
            let integrations = call["call"]["integrations"].as_object().unwrap();
            prop_assert_eq!(&integrations["All"], false);
            let to = call["destinations"].as_array().unwrap();
            prop_assert_eq!(integrations.len(), to.len() + 1);
            for id in to {
                let name = format!("Name of {}", id.as_str().unwrap());
                prop_assert_eq!(&integrations[&name], true);
            }
        }
    }

    #[test]
    fn there_are_as_many_calls_as_are_counted((update, destinations, settings) in any_segment_world()) {
        let routes = Routes::new(&destinations, &settings);
        for event in decide(&update, &destinations) {
            let calls = routes.calls(&event, Supplied::default());
            let made = calls.iter().flatten().count();
            prop_assert_eq!(calls.count(), made as u64);
            prop_assert_eq!(calls.refusals().count(), calls.iter().filter(Result::is_err).count());
        }
    }
}
