//! The routed call with memories: sends and compares as without, and remembers what the dedupe flow decided.

use idgroup::compare::ComparisonKey;
use idgroup::{
    Comparing, Completeness, Counts, Destinations, Flag, Flow, Gate, Memory, ProfileUpdate, Release, Rollout,
    RouteReason, RoutedWithMemory, Share, decide_legacy, memory,
};
use serde_json::json;

fn update(id: &str, membership: &str, second: u8) -> ProfileUpdate {
    serde_json::from_value(json!({
        "id": id, "space_id": "spa_1", "profile_id": "use_1", "computation": {"id": "aud_1"},
        "membership": membership, "computed_at": format!("2026-01-05T10:00:{second:02}Z"),
        "trigger": {"reason": "value_changed"},
        "external_ids": [{"type": "email", "id": "a@example.com"}, {"type": "phone", "id": "1"}],
    }))
    .unwrap()
}

fn destinations() -> Destinations {
    serde_json::from_value(json!([{"id": "dst_1", "dedupes_on": ["email"]}, {"id": "dst_2"}])).unwrap()
}

const REASONS: [RouteReason; 5] = [
    RouteReason::NotAdmitted,
    RouteReason::SpaceBlocked,
    RouteReason::GateClosed,
    RouteReason::SpaceOpen,
    RouteReason::TierOpen,
];

fn release(reason: RouteReason, comparing: Comparing) -> Release {
    let gate = match reason {
        RouteReason::NotAdmitted | RouteReason::SpaceOpen => Gate::closed().opened_for_space("spa_1"),
        RouteReason::TierOpen => Gate::closed().opened_for_tier("beta"),
        RouteReason::SpaceBlocked => {
            Gate::closed().opened_for_space("spa_1").unwrap().blocked_for_space("spa_1")
        }
        _ => Ok(Gate::closed()),
    };
    let share = if reason == RouteReason::NotAdmitted { Share::NONE } else { Share::ALL };
    let rollout = Rollout::new(Flag::new("dedupe", share).unwrap());
    Release::new(rollout.with_gate(gate.unwrap()).with_comparing(comparing), ComparisonKey::new([1; 16]))
}

fn decided<'a>(
    release: &Release,
    update: &'a ProfileUpdate,
    own: &Memory,
    destinations: &'a Destinations,
) -> RoutedWithMemory<'a> {
    let recalled = memory::keys(update, 0).recall(|_| own.clone());
    release.decide_recalled(recalled, Some("beta"), destinations, Completeness::Complete)
}

#[test]
fn every_route_sends_and_compares_as_without_a_memory_and_remembers_what_the_dedupe_flow_decides() {
    let (entry, destinations) = (update("upd_1", "in", 1), destinations());
    let recalled = memory::keys(&entry, 0).recall(|_| Memory::default());
    let alone = memory::decide(recalled, &destinations, Completeness::Complete);
    assert_ne!(alone.events(), decide_legacy(&entry, &destinations));
    for reason in REASONS {
        for comparing in [Comparing::Off, Comparing::On] {
            let release = release(reason, comparing);
            let without = release.decide(&entry, Some("beta"), &destinations);
            assert_eq!(without.route.reason(), reason);
            let with = decided(&release, &entry, &Memory::default(), &destinations);
            // Nobody was sent anything yet, so that both decide alike.
            assert_eq!(with.routed.route, without.route);
            assert_eq!(with.routed.events, without.events, "{reason:?}");
            assert_eq!(with.routed.comparison.is_some(), without.comparison.is_some());
            assert!(with.routed.comparison.is_none_or(|comparison| comparison.is_identical()));
            let kept = with.decision.as_ref().map(|decision| decision.changed().collect::<Vec<_>>());
            let expected = (reason != RouteReason::NotAdmitted).then(|| alone.changed().collect::<Vec<_>>());
            assert_eq!(kept, expected, "{reason:?}");
        }
    }
}

#[test]
fn nobody_is_messaged_anew_when_the_gate_opens() {
    let destinations = destinations();
    let (entry, recomputed) = (update("upd_1", "in", 1), update("upd_2", "in", 2));
    let closed = release(RouteReason::GateClosed, Comparing::Off);
    let before = decided(&closed, &entry, &Memory::default(), &destinations);
    assert_eq!(before.routed.events, decide_legacy(&entry, &destinations));
    let own = before.decision.unwrap().own().clone();
    let after = decided(&release(RouteReason::SpaceOpen, Comparing::Off), &recomputed, &own, &destinations);
    let sent: Vec<&str> = after
        .routed
        .events
        .iter()
        .flat_map(idgroup::IdGroupEvent::destinations)
        .map(idgroup::Destination::id)
        .collect();
    assert_eq!(sent, ["dst_2"]);
    // Without what was remembered it would be.
    let anew = decided(
        &release(RouteReason::SpaceOpen, Comparing::Off),
        &recomputed,
        &Memory::default(),
        &destinations,
    );
    assert_eq!(anew.routed.events.len(), 2);
}

#[test]
fn the_memory_decides_what_is_sent_and_who_watches_hears_both_flows() {
    let destinations = destinations();
    let (entry, recomputed) = (update("upd_1", "in", 1), update("upd_2", "in", 2));
    let release = release(RouteReason::SpaceOpen, Comparing::On);
    let own = decided(&release, &entry, &Memory::default(), &destinations).decision.unwrap().own().clone();
    let mut counts = Counts::default();
    let recalled = memory::keys(&recomputed, 0).recall(|_| own.clone());
    let watched = release.decide_recalled_with(
        recalled,
        Some("beta"),
        &destinations,
        Completeness::Complete,
        &mut counts,
    );
    assert_eq!(watched.routed.route.sends(), Flow::Dedupe);
    assert_eq!(watched.routed.events, watched.decision.as_ref().unwrap().events());
    assert!(watched.routed.comparison.unwrap().is_identical(), "plain destinations get what they got");
    let heard: Vec<String> = counts.iter().map(|(counted, count)| format!("{counted:?} {count}")).collect();
    for wanted in ["AlreadyMessaged", "SpaceOpen", "Identical"] {
        assert!(heard.iter().any(|line| line.contains(wanted)), "{wanted} is not among {heard:?}");
    }
}

#[test]
fn it_is_told_whether_anything_was_sent_without_a_memory() {
    let destinations = destinations();
    let mut added = serde_json::to_value(update("upd_1", "in", 1)).unwrap();
    let ids = json!([{"type": "email", "id": "a@example.com"}]);
    added["trigger"] = json!({"reason": "new_external_id", "added": ids});
    let earlier = json!({"type": "email", "id": "b@example.com", "created_at": "2026-01-04T10:00:00Z"});
    added["external_ids"].as_array_mut().unwrap().push(earlier);
    added["external_ids"][0]["created_at"] = json!("2026-01-05T09:00:00Z");
    let added: ProfileUpdate = serde_json::from_value(added).unwrap();
    for (completeness, events) in [(Completeness::Complete, 2), (Completeness::Partial, 1)] {
        let recalled = memory::keys(&added, 0).recall(|_| Memory::default());
        let release = release(RouteReason::SpaceOpen, Comparing::Off);
        let outcome = release.decide_recalled(recalled, None, &destinations, completeness);
        assert_eq!(outcome.routed.events.len(), events, "{completeness:?}");
    }
}
