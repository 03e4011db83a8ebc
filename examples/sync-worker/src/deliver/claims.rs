//! Claims: for vendors that don't drop repeats, whether a call has been posted is kept in the database.

use std::collections::HashMap;

use clap::ValueEnum;

use crate::deliver::tables::Tables;
use crate::kafka::Shared;
use crate::retry::until_done;

/// What is kept of the calls that are posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Claiming {
    /// Nothing: whoever takes the calls drops repeats
    Off,
    /// A claim before the post: whatever was not surely refused is not posted again
    AtMostOnce,
    /// A note after the answer: what came in between is posted again
    AtLeastOnce,
}

pub struct Claims {
    claiming: Claiming,
    tables: Tables,
    shared: Shared,
}

impl Claims {
    pub fn new(claiming: Claiming, tables: Tables, shared: &Shared) -> Self {
        Self { claiming, tables, shared: shared.clone() }
    }

    /// Those of these calls that are not to be posted now, and whether they were taken. Of the others
    /// nobody else takes one at most once.
    pub async fn before(&self, delivery: &str, ids: &[&str]) -> HashMap<String, bool> {
        let Shared { metrics, health, .. } = &self.shared;
        match self.claiming {
            Claiming::Off => HashMap::new(),
            Claiming::AtMostOnce => {
                let claim = || self.tables.claim(delivery, ids);
                until_done("claiming calls", metrics, health, claim).await
            }
            Claiming::AtLeastOnce => {
                let claimed = || self.tables.claimed(delivery, ids);
                let mut found = until_done("claiming calls", metrics, health, claimed).await;
                found.retain(|_, is_done| *is_done);
                found
            }
        }
    }

    /// Notes calls that were taken.
    pub async fn taken(&self, delivery: &str, ids: &[&str]) {
        if self.claiming != Claiming::Off && !ids.is_empty() {
            let Shared { metrics, health, .. } = &self.shared;
            let done = || self.tables.done(delivery, ids);
            until_done("claiming calls", metrics, health, done).await;
        }
    }

    /// Takes claims back of calls that were surely not taken.
    pub async fn not_taken(&self, delivery: &str, ids: &[&str]) {
        if self.claiming == Claiming::AtMostOnce && !ids.is_empty() {
            let Shared { metrics, health, .. } = &self.shared;
            let release = || self.tables.release(delivery, ids);
            until_done("claiming calls", metrics, health, release).await;
        }
    }

    /// Whether what may have been taken is not posted again.
    pub fn never_repeats(&self) -> bool {
        self.claiming == Claiming::AtMostOnce
    }
}
