//! A preview where both settings are decided with memories, each with its own.

use idgroup::{Counts, Lane};

use super::{Decided, Preview};
use crate::deciding::remembering::NEW;
use crate::deciding::{Given, Making, Task};
use crate::memories::Memories;
use crate::summary::tally::Tally;

/// What would have been sent with each of both settings, from the same beginning on.
pub struct RememberingPreview {
    preview: Preview,
    current: Memories,
    new: Memories,
}

impl RememberingPreview {
    /// Both settings begin with what is remembered by now.
    pub fn new(preview: Preview, memories: Memories) -> Self {
        Self { preview, current: memories.clone(), new: memories }
    }
}

impl Task for RememberingPreview {
    fn decide(&mut self, given: Given<'_>, made: &mut Making<'_>) -> Lane {
        let Given { update, destinations, .. } = given;
        let mut new_counts = Counts::default();
        let before = self.current.decide(update, destinations, &mut made.counts);
        let after = self.new.decide(update, self.preview.new.of(update), &mut new_counts);
        if self.preview.show(update, [&before, &after], &new_counts, made) == Lane::Slow {
            return Lane::Slow;
        }
        made.see(before.sides().map(|side| side.seen()));
        made.tally.add_named(NEW, self.current.keep_changed(&before));
        self.new.keep_changed(&after);
        Lane::Fast
    }

    fn most_other_destinations(&self) -> usize {
        self.preview.new.most()
    }

    fn begin(&self, tally: &mut Tally) {
        self.preview.count_settings(tally);
    }
}
