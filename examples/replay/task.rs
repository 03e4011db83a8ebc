//! What is done with each update.

use idgroup::compare::ComparisonBudget;

use crate::connections::Connections;
use crate::failure::Failure;
use crate::options::{Mode, Options};
use crate::routing::Routing;
use crate::shadow::Shadow;

/// As asked for by a [`Mode`], with all that it takes.
pub enum Task {
    Events,
    Explanations,
    LegacyEvents,
    Shadow(Shadow),
    Rollout(Routing),
}

/// Some seconds' worth of one update, unless more are asked for.
const MAX_COMPARED_MESSAGES: u64 = 10_000_000;

/// Enough to count some ten thousand messages that differ. More passes would read a monster again
/// and again to count all of what is known to be wrong.
const PASSES: u32 = 8;

impl Task {
    /// Reads the files that the task needs.
    pub fn read(options: &Options) -> Result<Self, Failure> {
        // With a slow lane, what is not in it is compared whole.
        let max_messages = options.slow.as_ref().map_or(MAX_COMPARED_MESSAGES, |slow| slow.max_messages);
        let budget = ComparisonBudget::default().with_messages(max_messages).with_passes(PASSES);
        Ok(match &options.mode {
            Mode::Events => Self::Events,
            Mode::Explanations => Self::Explanations,
            Mode::LegacyEvents => Self::LegacyEvents,
            Mode::Shadow { legacy_destinations } => {
                let connections = legacy_destinations.as_deref().map(Connections::read).transpose()?;
                Self::Shadow(Shadow::new(connections, budget))
            }
            Mode::Rollout { config, tiers } => {
                Self::Rollout(Routing::read(config, tiers.as_deref(), budget)?)
            }
        })
    }
}
