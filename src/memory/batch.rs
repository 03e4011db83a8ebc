//! Batches: where one has to end, so that no crash loses a message.

use alloc::collections::BTreeSet;

use crate::input::name_digest::NameDigest;
use crate::memory::decide::MemoryDecision;

/// The updates of a batch whose memories are kept before its events are out, and whose messages could
/// therefore still be lost in a crash.
///
/// A redelivery sends a lost message again as long as it is remembered. So an update that forgets a message
/// of the same batch, as an exit does, has to wait until the batch is out. Who keeps memories and events in
/// one transaction, or sends the events of each update before the next one is decided, needs none of this.
///
/// ```
/// # use idgroup::memory;
/// # use idgroup::{Batch, Completeness, Destinations, Memory, ProfileUpdate};
/// # fn flush() {}
/// # fn take(updates: &[ProfileUpdate], destinations: &Destinations) {
/// let mut batch = Batch::default();
/// for update in updates {
///     let recalled = memory::keys(update, 0).recall(|_key| Memory::default());
///     let decision = memory::decide(recalled, destinations, Completeness::Complete);
///     if batch.must_end_before(&decision) {
///         flush(); // keep the memories, then send the events
///         batch = Batch::default();
///     }
///     batch.add(&decision);
/// }
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Batch {
    sending: BTreeSet<NameDigest>,
}

impl Batch {
    /// Whether the batch has to be kept and sent before this decision's memories may be kept. The decision
    /// itself stands.
    pub fn must_end_before(&self, decision: &MemoryDecision<'_>) -> bool {
        decision.forgotten().iter().any(|update| self.sending.contains(update))
    }

    /// Takes the decision into the batch.
    pub fn add(&mut self, decision: &MemoryDecision<'_>) {
        if decision.messages_somebody() {
            self.sending.insert(NameDigest::of_update(decision.update().id()));
        }
    }
}
