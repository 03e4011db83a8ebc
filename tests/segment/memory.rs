//! What calls take from the heap.

use std::hint::black_box;
use std::io::{self, Write};

use idgroup::segment::{CallSettings, DestinationSettings, Routes, Supplied};
use idgroup::{
    Computation, Destination, Destinations, ExternalId, Membership, ProfileUpdate, Trigger, decide,
};

use crate::counting_allocator::{Heap, measure};

/// One profile with 60 user IDs, 50 emails and 50 phones: 150,000 combinations.
fn amplified() -> ProfileUpdate {
    let ids = [("user_id", 60), ("Email", 50), ("phone", 50)].into_iter().flat_map(|(id_type, count)| {
        (0..count).map(move |number| ExternalId::new(id_type, format!("+1415555{number:04}")).unwrap())
    });
    ProfileUpdate::builder()
        .id("upd_1")
        .space_id("spa_1")
        .profile_id("use_1")
        .computation(Computation::new("aud_1").unwrap().with_class("audience").with_key("vip"))
        .membership(Membership::In)
        .computed_at("2026-01-05T10:00:00Z".parse().unwrap())
        .trigger(Trigger::ValueChanged)
        .external_ids(ids)
        .build()
        .unwrap()
}

/// Counts bytes, as a socket would take them.
#[derive(Default)]
struct Counted(u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_hundred_and_fifty_thousand_calls_take_nothing_more_than_one() {
    let update = amplified();
    let named = |id: &str| Destination::new(id).unwrap().with_name(format!("Name of {id}"));
    let destinations = Destinations::new([named("dst_1"), named("dst_2")]).unwrap();
    let settings =
        CallSettings::new(["dst_1", "dst_2"].map(|id| (id, DestinationSettings::identify()))).unwrap();
    let routes = Routes::new(&destinations, &settings);
    let events = decide(&update, &destinations);
    let personas = [("event_emitter_id", "emi_1")];
    let (calls, held) = measure(|| routes.calls(&events[0], Supplied::default().with_personas(&personas)));
    assert!(held.peak < 2_048, "{held:?}");
    assert_eq!(calls.count(), 150_000);
    let (written, heap) = measure(|| {
        let mut written = Counted::default();
        for call in calls.iter() {
            serde_json::to_writer(&mut written, &call.unwrap()).unwrap();
        }
        written.0
    });
    println!("150,000 calls, {written} bytes: {heap:?}");
    assert!(written > 150_000 * 400, "{written}");
    assert_eq!(heap, Heap::default());
}

#[test]
fn counting_the_size_takes_nothing_from_the_heap() {
    let update = amplified();
    let destinations = Destinations::new([Destination::new("dst_1").unwrap().with_name("A")]).unwrap();
    let settings = CallSettings::new([("dst_1", DestinationSettings::track())]).unwrap();
    let routes = Routes::new(&destinations, &settings);
    let events = decide(&update, &destinations);
    let calls = routes.calls(&events[0], Supplied::default());
    let call = calls.iter().next().unwrap().unwrap();
    let (size, heap) = measure(|| black_box(call.json_size()));
    assert!(size > 400, "{size}");
    assert_eq!(heap, Heap::default());
}
