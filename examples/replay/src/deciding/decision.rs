//! Where the library is asked.

use idgroup::{Counts, Destinations, Explanation, IdGroupEvent, ProfileUpdate, decide_with, explain};

/// What the library says about an update and its destinations.
pub struct Decision<'a> {
    pub events: Vec<IdGroupEvent<'a>>,
    update: &'a ProfileUpdate,
    destinations: &'a Destinations,
}

impl<'a> Decision<'a> {
    /// `counts` hears it once.
    pub fn about(update: &'a ProfileUpdate, destinations: &'a Destinations, counts: &mut Counts) -> Self {
        Self { events: decide_with(update, destinations, counts), update, destinations }
    }

    pub fn explanation(&self) -> Explanation<'a> {
        explain(self.update, self.destinations)
    }
}
