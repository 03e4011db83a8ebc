//! Whether topics take all calls of an update: asked before any of it counts as sent, and without making the calls,
//! of which there may be more than memory holds.

use idgroup::segment::{MAX_CALL_SIZE, Routes};
use idgroup::{Destination, IdGroupEvent};

use crate::call_settings::{Called, Group};
use crate::calls::{Computed, destination_ids, headers};
use crate::deciding::{Known, takes_long};
use crate::message_size::{Envelope, Limits};

/// The text of a call's id.
const MESSAGE_ID: usize = 32;
/// That of a time, and room.
const TIME: usize = 64;

/// Refuses an update of which a call is more than a topic takes; a call of 32 KB or more is none, where a topic would
/// take that. `bytes` are the update's.
pub fn check(
    known: &Known<'_>,
    called: &Called,
    bytes: &[u8],
    events: &[IdGroupEvent<'_>],
    limits: Limits,
) -> Result<(), String> {
    if events.is_empty() {
        return Ok(());
    }
    let groups = called.0.as_ref().as_ref().map_err(Clone::clone)?;
    if whatever_can_be_sent_fits(known, groups, events, limits) {
        return Ok(());
    }
    let largest_fit = || largest_fit(known, groups, bytes, events, limits);
    match takes_long(known.update, known.bytes) {
        true => tokio::task::block_in_place(largest_fit),
        false => largest_fit(),
    }
}

/// Whether the largest call that can be sent would fit, to all destinations at once. So it nearly always is, and
/// nothing else has to be looked at.
fn whatever_can_be_sent_fits(
    known: &Known<'_>,
    groups: &[Group],
    events: &[IdGroupEvent<'_>],
    limits: Limits,
) -> bool {
    let delivery = groups.iter().filter_map(|group| group.delivery.as_ref()).map(String::len).max();
    events.iter().all(|event| {
        let ids: usize = event.destinations().iter().map(|to| 6 * to.id().len() + 3).sum();
        envelope(known, ids + 2, delivery, Some(TIME)).fits(MAX_CALL_SIZE - 1, limits)
    })
}

fn largest_fit(
    known: &Known<'_>,
    groups: &[Group],
    bytes: &[u8],
    events: &[IdGroupEvent<'_>],
    limits: Limits,
) -> Result<(), String> {
    let time = known.update.computed_at().map(|time| time.to_string().len());
    let computed = Computed::of(bytes);
    let personas = computed.personas();
    for group in groups {
        let routes = Routes::new(known.destinations, &group.settings);
        let delivery = group.delivery.as_ref().map(String::len);
        for event in events {
            let calls = routes.calls(event, computed.supplied(&personas));
            let is_too_large = |(to, size): &(&[&Destination], usize)| {
                !envelope(known, destination_ids(to).len(), delivery, time).fits(*size, limits)
            };
            let too_large = calls.largest_sizes().find(is_too_large);
            if let Some((_, size)) = too_large {
                return Err(format!(
                    "an output is refused: a call of {size} bytes is more than a topic takes"
                ));
            }
        }
    }
    Ok(())
}

fn envelope(known: &Known<'_>, ids: usize, delivery: Option<usize>, time: Option<usize>) -> Envelope {
    let computation = known.update.computation().id().len();
    let headers = headers(MESSAGE_ID, ids, computation, delivery, time);
    Envelope::new(known.update.profile_id().len(), headers.map(|(name, length)| (name.len(), length)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use idgroup::segment::CallSettings;
    use idgroup::{Destinations, ProfileUpdate, decide};
    use serde_json::json;

    use super::*;

    /// Three destinations, one with a delivery of its own, and an update with two combinations of IDs.
    fn with_world(profile_id: &str, then: impl Fn(&Known<'_>, &Called, &[u8])) {
        let update = json!({
            "id": "upd_1", "space_id": "spa_1", "profile_id": profile_id, "membership": "in",
            "computation": {"id": "aud_1", "class": "trait", "key": "k", "value": "\u{1}", "journey": 1},
            "computed_at": "2026-01-05T10:00:00.5Z", "trigger": {"reason": "value_changed"},
            "external_ids": [
                {"type": "email", "id": "a"}, {"type": "email", "id": "longer"}, {"type": "user_id", "id": "1"},
            ],
        });
        let bytes = update.to_string().into_bytes();
        let update: ProfileUpdate = serde_json::from_slice(&bytes).unwrap();
        let destinations =
            json!([{"id": "a\"", "name": "A"}, {"id": "b", "name": "B"}, {"id": "own", "name": "O"}]);
        let destinations: Destinations = serde_json::from_value(destinations).unwrap();
        let settings = |settings| serde_json::from_value::<CallSettings>(settings).unwrap();
        let common = settings(json!({"a\"": {"call": "track"}, "b": {"call": "track"}}));
        let own = settings(json!({"own": {"call": "track"}}));
        let groups = vec![
            Group { delivery: None, settings: common },
            Group { delivery: Some("own".to_owned()), settings: own },
        ];
        let known = Known {
            update: &update,
            tier: None,
            destinations: &destinations,
            called: None,
            bytes: bytes.len(),
        };
        then(&known, &Called(Arc::new(Ok(groups))), &bytes);
    }

    /// The largest message of all, counted from the calls themselves.
    fn largest(
        known: &Known<'_>,
        called: &Called,
        bytes: &[u8],
        is_taken: impl Fn(Envelope, usize) -> bool,
    ) -> bool {
        let computed = Computed::of(bytes);
        let personas = computed.personas();
        let events = decide(known.update, known.destinations);
        called.0.as_ref().as_ref().unwrap().iter().all(|group| {
            let routes = Routes::new(known.destinations, &group.settings);
            events.iter().all(|event| {
                let calls = routes.calls(event, computed.supplied(&personas));
                let mut calls = calls.iter().flatten();
                calls.all(|call| {
                    let message_id = call.message_id().to_string();
                    let ids = destination_ids(call.destinations());
                    let time = known.update.computed_at().unwrap().to_string();
                    let delivery = group.delivery.as_deref();
                    let computation = known.update.computation().id();
                    let headers = headers(&*message_id, &*ids, computation, delivery, Some(&*time));
                    let headers = headers.map(|(name, value)| (name.len(), value.len()));
                    let envelope = Envelope::new(known.update.profile_id().len(), headers);
                    is_taken(envelope, serde_json::to_vec(&call).unwrap().len())
                })
            })
        })
    }

    #[test]
    fn an_update_is_refused_if_and_only_if_one_of_its_calls_does_not_fit() {
        for profile_id in ["p".to_owned(), "\u{1}".repeat(40_000)] {
            with_world(&profile_id, |known, called, bytes| {
                let mut answers = [0; 2];
                let events = decide(known.update, known.destinations);
                let around = profile_id.len() + 500;
                for limit in (around..around + 1_000).chain([40_000, 75_000, 1_000_000]) {
                    for limits in [
                        Limits { message: limit, batch: usize::MAX },
                        Limits { message: usize::MAX, batch: limit },
                    ] {
                        let fits =
                            largest(known, called, bytes, |envelope, size| envelope.fits(size, limits));
                        let checked = check(known, called, bytes, &events, limits);
                        assert_eq!(checked.is_ok(), fits, "{limits:?}: {checked:?}");
                        answers[usize::from(fits)] += 1;
                    }
                }
                assert!(answers.iter().all(|count| *count > 2), "{answers:?}");
            });
        }
    }

    #[test]
    fn settings_that_can_not_be_read_are_said_before_anything_counts_as_sent() {
        with_world("p", |known, _, bytes| {
            let called = Called(Arc::new(Err("unreadable".to_owned())));
            let limits = Limits { message: 1_000_000, batch: 1_000_000 };
            let events = decide(known.update, known.destinations);
            assert_eq!(check(known, &called, bytes, &events, limits), Err("unreadable".to_owned()));
            assert_eq!(check(known, &called, bytes, &[], limits), Ok(()));
        });
    }
}
