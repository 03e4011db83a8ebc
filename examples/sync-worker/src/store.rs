//! Where identities and destinations come from.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Result;
use idgroup::{Destinations, ExternalId};

use crate::call_settings::{self, Called};
use crate::postgres::Postgres;

/// PostgreSQL, or memory where nothing is installed.
pub enum Store {
    Postgres(Postgres),
    Memory(Memory),
}

/// A profile, and its space.
pub type Profile = (String, String);

/// A profile that took part in a merge.
pub struct Merged {
    pub space_id: String,
    pub profile_id: String,
    pub into_profile_id: String,
    /// The merge is the last one up to this time, or the last of all.
    pub until: Option<SystemTime>,
}

/// External IDs; or what is wrong with what is stored.
pub type StoredIds = Result<Vec<ExternalId>, String>;

/// What a computation is connected to.
#[derive(Clone, Debug)]
pub struct Audience {
    pub destinations: Destinations,
    pub legacy: Legacy,
}

/// The destinations that the legacy flow decides by in comparisons.
#[derive(Clone, Debug)]
pub enum Legacy {
    /// Those of the dedupe flow.
    Same,
    /// Those of the system that is being replaced.
    Apart(Destinations),
    /// Such as the library refuses: there is nothing to compare with.
    Unusable,
}

/// What a computation is connected to, `None` if there is no such computation; or what is wrong with what
/// is stored.
pub type Connected = Arc<Result<Option<Audience>, String>>;

#[derive(Default)]
pub struct Memory {
    pub identities: HashMap<Profile, Vec<ExternalId>>,
    pub destinations: HashMap<String, Destinations>,
}

impl Store {
    /// The external IDs of each profile, or `None` if those are too many for one look-up.
    pub async fn external_ids(&self, profiles: &[Profile]) -> Result<Option<Vec<StoredIds>>> {
        match self {
            Self::Postgres(postgres) => postgres.external_ids(profiles).await,
            Self::Memory(memory) => {
                let of = |profile| Ok(memory.identities.get(profile).cloned().unwrap_or_default());
                Ok(Some(profiles.iter().map(of).collect()))
            }
        }
    }

    /// What each profile held before its merge, where that is known.
    pub async fn held_before_merge(&self, merged: &[Merged]) -> Result<Vec<Option<StoredIds>>> {
        match self {
            Self::Postgres(postgres) => postgres.held_before_merge(merged).await,
            Self::Memory(_) => Ok(merged.iter().map(|_| None).collect()),
        }
    }

    /// The destinations of each computation.
    pub async fn destinations(&self, computations: &[&str]) -> Result<Vec<Connected>> {
        match self {
            Self::Postgres(postgres) => postgres.destinations(computations).await,
            Self::Memory(memory) => {
                let of = |computation: &&str| memory.destinations.get(*computation).cloned();
                let audience = |destinations| Audience { destinations, legacy: Legacy::Same };
                let connected = |computation| Arc::new(Ok(of(computation).map(audience)));
                Ok(computations.iter().map(connected).collect())
            }
        }
    }

    /// How the destinations of each computation are called.
    pub async fn call_settings(&self, computations: &[&str]) -> Result<Vec<Called>> {
        match self {
            Self::Postgres(postgres) => call_settings::look_up(postgres, computations).await,
            Self::Memory(_) => Ok(computations.iter().map(|_| Called::default()).collect()),
        }
    }

    /// The tier of each space's customer, where it has one.
    pub async fn tiers(&self, spaces: &[&str]) -> Result<Vec<Option<Arc<str>>>> {
        match self {
            Self::Postgres(postgres) => postgres.tiers(spaces).await,
            Self::Memory(_) => Ok(spaces.iter().map(|_| None).collect()),
        }
    }
}
