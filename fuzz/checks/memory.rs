//! From bytes to a memory; and from bytes to updates that are decided one after the other, with what is
//! remembered in between.

use std::collections::{BTreeMap, BTreeSet};

use idgroup::{
    Completeness, Counts, Destinations, ExternalIdKey, Memory, MemoryDecision, MemoryKey, ProfileUpdate,
    Settled, Verdict, memory,
};

/// Histories are no longer than this: each update is decided four times.
const MOST_UPDATES: usize = 16;

/// `bytes` are those of a memory, or the JSON of a list of updates.
pub fn check(bytes: &[u8]) {
    match Memory::from_bytes(bytes) {
        Ok(memory) => {
            assert_eq!(memory.to_bytes(), bytes, "bytes of a memory that are not its own");
            check_memory(&memory);
        }
        Err(error) => assert!(error.to_string().len() < 250, "{error}"),
    }
    let Ok(updates) = serde_json::from_slice::<Vec<ProfileUpdate>>(bytes) else { return };
    if (1..=MOST_UPDATES).contains(&updates.len()) {
        let destinations = super::update::destinations_of_interest(&updates);
        for completeness in [Completeness::Complete, Completeness::Partial] {
            History::new(&destinations, completeness).play(&updates);
        }
    }
}

fn check_memory(memory: &Memory) {
    let bytes = memory.to_bytes();
    assert_eq!(Memory::from_bytes(&bytes).as_ref(), Ok(memory));
    let json = serde_json::to_string(memory).unwrap();
    assert_eq!(serde_json::from_str::<Memory>(&json).unwrap(), *memory, "{json}");
    let further_ids =
        |settled: &Settled| settled.message().map_or(0, |message| message.external_ids().len() - 1);
    let most: usize = memory.settled().iter().map(|settled| 40 + 8 * further_ids(settled)).sum();
    assert!(bytes.len() <= 24 + most, "{} bytes", bytes.len());
}

struct History<'d> {
    destinations: &'d Destinations,
    completeness: Completeness,
    memories: BTreeMap<MemoryKey, Memory>,
    /// What each destination was sent for each update, by their ids, the first time or anew.
    sent: BTreeMap<(String, String), BTreeSet<BTreeSet<ExternalIdKey>>>,
}

impl<'d> History<'d> {
    fn new(destinations: &'d Destinations, completeness: Completeness) -> Self {
        Self { destinations, completeness, memories: BTreeMap::new(), sent: BTreeMap::new() }
    }

    fn play(&mut self, updates: &[ProfileUpdate]) {
        for update in updates {
            let first = self.decide(update);
            check_decision(&first);
            self.check_repeats(&first);
            self.keep(&first);
            if update.computed_at().is_some() {
                check_again(&first, &self.decide(update));
            }
        }
    }

    fn decide<'a>(&self, update: &'a ProfileUpdate) -> MemoryDecision<'a>
    where
        'd: 'a,
    {
        let recalled =
            memory::keys(update, 0).recall(|key| self.memories.get(key).cloned().unwrap_or_default());
        let mut counts = Counts::default();
        let decision =
            memory::decide_with(recalled.clone(), self.destinations, self.completeness, &mut counts);
        assert_eq!((counts.updates(), counts.groups()), (1, decision.events().len() as u64));
        let unwatched = memory::decide(recalled, self.destinations, self.completeness);
        assert_eq!(unwatched.events(), decision.events(), "a decision that is watched");
        decision
    }

    fn keep(&mut self, decision: &MemoryDecision<'_>) {
        for (key, memory) in decision.changed() {
            check_memory(memory);
            assert_ne!(self.memories.insert(*key, memory.clone()).as_ref(), Some(memory), "it has changed");
        }
        for (key, memory) in decision.memories() {
            let kept = self.memories.get(key).cloned().unwrap_or_default();
            assert_eq!(kept, *memory, "what has changed is said to have");
        }
    }

    /// A repeat is sent with the IDs of the first time.
    fn check_repeats(&mut self, decision: &MemoryDecision<'_>) {
        for verdict in &decision.explanation() {
            let destination = verdict.destination();
            if destination.dedupes_on().is_none() || verdict.verdict() != Verdict::SendSome {
                continue;
            }
            let ids: BTreeSet<_> = verdict.external_ids().iter().map(|id| id.key().clone()).collect();
            let of = (destination.id().to_owned(), verdict.update_id().to_owned());
            let known = self.sent.entry(of).or_default();
            match verdict.is_repeat() {
                true => assert!(known.contains(&ids), "a repeat of what was not sent: {verdict}"),
                false => drop(known.insert(ids)),
            }
        }
    }
}

/// Every destination is in the event that its verdict says, or in none, and none is sent an ID that refuses.
fn check_decision(decision: &MemoryDecision<'_>) {
    let mut sent_to = BTreeMap::new();
    for event in decision.events() {
        for destination in event.destinations() {
            let ids = event.id_group().external_ids();
            assert_eq!(sent_to.insert(destination.id(), ids), None, "in two events");
        }
    }
    let explanation = decision.explanation();
    for verdict in &explanation {
        let sent = sent_to.remove(verdict.destination().id());
        match verdict.verdict() {
            Verdict::Drop(_) => assert_eq!(sent, None, "{verdict}"),
            _ => assert_eq!(sent, Some(verdict.external_ids()), "{verdict}"),
        }
        if let (Some(consent), Some(_)) =
            (verdict.destination().consent(), verdict.destination().dedupes_on())
        {
            assert!(verdict.external_ids().iter().all(|id| consent.permits(id.subscribed())), "{verdict}");
        }
    }
    assert!(sent_to.is_empty() && !explanation.to_string().is_empty());
    let deduping = explanation.iter().filter(|verdict| verdict.destination().dedupes_on().is_some());
    let messages_somebody = deduping.into_iter().any(|verdict| verdict.verdict() == Verdict::SendSome);
    assert_eq!(decision.messages_somebody(), messages_somebody);
}

/// Delivered again as it was, an update sends the same again, and changes nothing.
fn check_again(first: &MemoryDecision<'_>, again: &MemoryDecision<'_>) {
    assert_eq!(again.changed().count(), 0, "{first:?} and then {again:?}");
    assert_eq!(again.events(), first.events());
    let verdicts = again.explanation();
    for verdict in &verdicts {
        let sends = verdict.destination().dedupes_on().is_some() && verdict.verdict() == Verdict::SendSome;
        assert_eq!(verdict.is_repeat(), sends, "{verdict}");
    }
}
