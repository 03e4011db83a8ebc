//! What the sync worker knows of computations and spaces, until it changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

use crate::call_settings::Called;
use crate::store::{Connected, Store};

/// Beyond this many entries the cache is emptied, so that its memory stays bounded.
const MOST_ENTRIES: usize = 100_000;

pub struct Catalog {
    store: Arc<Store>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Grows with each change: what was looked up before one may not be kept after it.
    changes: u64,
    destinations: HashMap<String, Connected>,
    tiers: HashMap<String, Option<Arc<str>>>,
    called: HashMap<String, Called>,
}

impl Catalog {
    pub fn new(store: Arc<Store>) -> Self {
        Self { store, known: Mutex::default() }
    }

    /// The destinations of each computation. Looks up, at once, those that are not known.
    pub async fn destinations(&self, computations: &[&str]) -> Result<HashMap<String, Connected>> {
        self.found(
            computations,
            |known| &mut known.destinations,
            async |missing: &[&str]| self.store.destinations(missing).await,
        )
        .await
    }

    /// The tier of each space's customer, if in any. Looks up, at once, those that are not known.
    pub async fn tiers(&self, spaces: &[&str]) -> Result<HashMap<String, Option<Arc<str>>>> {
        self.found(spaces, |known| &mut known.tiers, async |missing: &[&str]| self.store.tiers(missing).await)
            .await
    }

    /// How the destinations of each computation are called. Looks up, at once, those that are not known.
    pub async fn call_settings(&self, computations: &[&str]) -> Result<HashMap<String, Called>> {
        self.found(
            computations,
            |known| &mut known.called,
            async |missing: &[&str]| self.store.call_settings(missing).await,
        )
        .await
    }

    /// Forgets what a notification names: `computation <id>`, or everything.
    pub fn changed(&self, what: &str) {
        let mut known = self.lock();
        known.changes += 1;
        match what.split_once(' ') {
            Some(("computation", id)) => {
                known.destinations.remove(id);
                known.called.remove(id);
            }
            _ => {
                known.destinations.clear();
                known.tiers.clear();
                known.called.clear();
            }
        }
    }

    /// Forgets that there are no such computations.
    pub fn ask_again(&self, computations: &[&str]) {
        let mut known = self.lock();
        for computation in computations {
            if known.destinations.get(*computation).is_some_and(|connected| matches!(**connected, Ok(None))) {
                known.destinations.remove(*computation);
            }
        }
    }

    /// What is known of each name. Looks up, at once, what is not.
    async fn found<T: Clone>(
        &self,
        names: &[&str],
        of: impl Fn(&mut Known) -> &mut HashMap<String, T>,
        look_up: impl AsyncFnOnce(&[&str]) -> Result<Vec<T>>,
    ) -> Result<HashMap<String, T>> {
        let (mut found, missing, changes) = self.known(names, &of);
        if !missing.is_empty() {
            let looked_up: Vec<_> = missing.iter().zip(look_up(&missing).await?).collect();
            self.keep(changes, of, &looked_up);
            found.extend(looked_up.into_iter().map(|(name, value)| ((*name).to_owned(), value)));
        }
        Ok(found)
    }

    fn known<'n, T: Clone>(
        &self,
        names: &[&'n str],
        of: impl Fn(&mut Known) -> &mut HashMap<String, T>,
    ) -> (HashMap<String, T>, Vec<&'n str>, u64) {
        let mut known = self.lock();
        let mut found = HashMap::new();
        let mut missing = Vec::new();
        for &name in names {
            if found.contains_key(name) {
                continue;
            }
            match of(&mut known).get(name) {
                Some(value) => drop(found.insert(name.to_owned(), value.clone())),
                None => missing.push(name),
            }
        }
        missing.sort_unstable();
        missing.dedup();
        (found, missing, known.changes)
    }

    fn keep<T: Clone>(
        &self,
        changes: u64,
        of: impl Fn(&mut Known) -> &mut HashMap<String, T>,
        looked_up: &[(&&str, T)],
    ) {
        let mut known = self.lock();
        if known.changes != changes {
            return;
        }
        let entries = of(&mut known);
        if entries.len() + looked_up.len() > MOST_ENTRIES {
            entries.clear();
        }
        entries.extend(looked_up.iter().map(|(name, value)| ((**name).to_owned(), value.clone())));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Memory;

    #[tokio::test]
    async fn what_changes_is_looked_up_again() {
        let destinations = serde_json::from_str(r#"[{"id":"dst_1"}]"#).unwrap();
        let memory =
            Memory { destinations: [("aud_1".to_owned(), destinations)].into(), ..Memory::default() };
        let catalog = Catalog::new(Arc::new(Store::Memory(memory)));
        let found = catalog.destinations(&["aud_1", "aud_2", "aud_1"]).await.unwrap();
        assert_eq!(found["aud_1"].as_ref().as_ref().unwrap().as_ref().unwrap().destinations.len(), 1);
        assert!(found["aud_2"].as_ref().as_ref().unwrap().is_none());
        assert_eq!(catalog.lock().destinations.len(), 2);
        catalog.changed("computation aud_1");
        assert_eq!(catalog.lock().destinations.keys().collect::<Vec<_>>(), ["aud_2"]);
        catalog.changed("");
        assert!(catalog.lock().destinations.is_empty());
    }

    #[tokio::test]
    async fn what_was_looked_up_before_a_change_is_not_kept() {
        let catalog = Catalog::new(Arc::new(Store::Memory(Memory::default())));
        let (_, _, changes) = catalog.known(&["aud_1"], |known| &mut known.destinations);
        catalog.changed("computation aud_1");
        catalog.keep(changes, |known| &mut known.destinations, &[(&"aud_1", Arc::new(Ok(None)))]);
        assert!(catalog.lock().destinations.is_empty());
    }
}
