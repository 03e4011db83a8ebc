//! The profile identifier: adds a profile's external IDs to its updates.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Result;
use idgroup::{Checked, ExternalId, Problem, ProfileUpdate, Timestamp};
use rdkafka::message::OwnedHeaders;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::kafka::Shared;
use crate::outcome::Outcome;
use crate::postgres::system_time;
use crate::retry::until_done;
use crate::sink::Sink;
use crate::store::{Merged, Profile, Store, StoredIds};

/// A look-up that brings fewer rows than this may be larger the next time.
const FEW_ROWS: usize = 8_000;

pub struct Identify {
    store: Arc<Store>,
    shared: Shared,
    /// How many profiles are looked up at once at most.
    most: AtomicUsize,
}

/// What must be known of an update to complete it. The next stage checks the rest.
#[derive(Deserialize)]
struct Unidentified<'a> {
    #[serde(borrow)]
    space_id: Cow<'a, str>,
    #[serde(borrow)]
    profile_id: Cow<'a, str>,
    #[serde(borrow)]
    computed_at: Option<Cow<'a, str>>,
    #[serde(borrow)]
    trigger: Option<TriggerHead<'a>>,
    external_ids: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct TriggerHead<'a> {
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    profiles: Option<Vec<MergedHead<'a>>>,
}

#[derive(Deserialize)]
struct MergedHead<'a> {
    #[serde(borrow)]
    profile_id: Cow<'a, str>,
    external_ids: Option<IgnoredAny>,
}

/// A profile of a merge for which the update doesn't say what it held.
struct Gap {
    update: usize,
    profile: usize,
}

type Read<'a> = Result<Unidentified<'a>, String>;

/// What is looked up at once for the first of some updates: each profile once.
#[derive(Default)]
struct LookUp {
    /// Where each update's profile is; those that can't be used have none.
    places: Vec<Option<usize>>,
    profiles: Vec<Profile>,
    gaps: Vec<Gap>,
    merged: Vec<Merged>,
}

/// What was found: for each of the profiles, and for each of the gaps.
struct Found {
    look_up: LookUp,
    external_ids: Vec<StoredIds>,
    held: Vec<Option<StoredIds>>,
}

impl Identify {
    pub fn new(store: Arc<Store>, shared: &Shared) -> Self {
        let most = AtomicUsize::new(shared.pipeline.batch.max(1));
        Self { store, shared: shared.clone(), most }
    }

    /// Completes a batch of updates, and writes them in their order. Returns how many of them.
    pub async fn work(&self, sink: &Sink, batch: &[Arc<Outcome>]) -> Result<usize> {
        let updates: Vec<_> = batch.iter().map(|outcome| read(outcome.record.payload.as_deref())).collect();
        let mut done = 0;
        while done < batch.len() && !(done > 0 && sink.has_enough()) {
            let began = Instant::now();
            let Shared { metrics, health, .. } = &self.shared;
            let look_up = || self.look_up(&updates[done..]);
            let found = until_done("looking up external IDs", metrics, health, look_up).await;
            metrics.time("look_up", began);
            let count = found.look_up.places.len();
            self.write(sink, &batch[done..done + count], &updates[done..], found).await?;
            done += count;
        }
        Ok(done)
    }

    /// Looks up what the first of these updates need: fewer of them after a look-up that failed or
    /// brought too much.
    async fn look_up(&self, updates: &[Read<'_>]) -> Result<Found> {
        loop {
            let most = self.most.load(Ordering::Relaxed);
            let look_up = LookUp::new(updates, most);
            // Until it has succeeded: one that fails, or is given up, is made again with half as much.
            let wanted = look_up.profiles.len() + look_up.gaps.len();
            self.most.store((wanted.min(most) / 2).max(1), Ordering::Relaxed);
            let Some(external_ids) = self.store.external_ids(&look_up.profiles).await? else { continue };
            let held = self.store.held_before_merge(&look_up.merged).await?;
            let rows: usize = external_ids.iter().flatten().map(Vec::len).sum();
            let more = if rows < FEW_ROWS { most * 2 } else { most };
            self.most.store(more.min(self.shared.pipeline.batch.max(1)), Ordering::Relaxed);
            return Ok(Found { look_up, external_ids, held });
        }
    }

    async fn write(
        &self,
        sink: &Sink,
        batch: &[Arc<Outcome>],
        updates: &[Read<'_>],
        found: Found,
    ) -> Result<()> {
        let Shared { metrics, pipeline, .. } = &self.shared;
        let Found { look_up, external_ids, held } = found;
        let mut held = look_up.gaps.iter().zip(held).peekable();
        for (n, (outcome, update)) in batch.iter().zip(updates).enumerate() {
            let mut own = Vec::new();
            while let Some((gap, held)) = held.next_if(|(gap, _)| gap.update == n) {
                own.push((gap.profile, held));
            }
            let identified = match (update, look_up.places[n]) {
                (Ok(update), Some(place)) => identified(outcome.record.bytes(), &external_ids[place], own)
                    .map(|identified| (update, identified)),
                (Err(error), _) => Err(error.clone()),
                (Ok(_), None) => Err("its profile was not looked up".to_owned()),
            };
            match identified {
                Ok((update, identified)) => {
                    metrics.updates.with_label_values(&["identify", "identified"]).inc();
                    let key = outcome.record.key.as_deref().unwrap_or(update.profile_id.as_bytes());
                    let topic = &pipeline.identified_output;
                    let headers = OwnedHeaders::new();
                    sink.send(outcome, topic, Some(key), Some(identified), headers).await?;
                }
                Err(error) => sink.dead_letter(outcome, &error).await?,
            }
            sink.all_sent(outcome);
        }
        Ok(())
    }
}

impl LookUp {
    fn new(updates: &[Read<'_>], most: usize) -> Self {
        let mut look_up = Self::default();
        let mut places: HashMap<(&str, &str), usize> = HashMap::new();
        for (n, update) in updates.iter().enumerate() {
            if look_up.profiles.len() + look_up.gaps.len() >= most {
                break;
            }
            let Ok(update) = update else {
                look_up.places.push(None);
                continue;
            };
            let place = *places.entry((&update.space_id, &update.profile_id)).or_insert_with(|| {
                look_up.profiles.push((update.space_id.to_string(), update.profile_id.to_string()));
                look_up.profiles.len() - 1
            });
            look_up.places.push(Some(place));
            for (profile, held) in update.gaps() {
                look_up.gaps.push(Gap { update: n, profile });
                look_up.merged.push(held);
            }
        }
        look_up
    }
}

impl Unidentified<'_> {
    fn gaps(&self) -> impl Iterator<Item = (usize, Merged)> + '_ {
        let is_merge = |trigger: &&TriggerHead<'_>| trigger.reason.as_deref() == Some("profile_merge");
        let profiles = self.trigger.as_ref().filter(is_merge).and_then(|trigger| trigger.profiles.as_ref());
        let unknown =
            profiles.into_iter().flatten().enumerate().filter(|(_, profile)| profile.external_ids.is_none());
        unknown.map(|(n, profile)| {
            let merged = Merged {
                space_id: self.space_id.to_string(),
                profile_id: profile.profile_id.to_string(),
                into_profile_id: self.profile_id.to_string(),
                // A malformed time is found by the next stage, and nothing comes of the update.
                until: self
                    .computed_at
                    .as_deref()
                    .and_then(|time| time.parse::<Timestamp>().ok())
                    .map(system_time),
            };
            (n, merged)
        })
    }
}

fn read(payload: Option<&[u8]>) -> Result<Unidentified<'_>, String> {
    let payload = payload.ok_or("the payload is null")?;
    if let Some(b'{') = payload.trim_ascii_start().first()
        && let Ok(update) = serde_json::from_slice::<Unidentified<'_>>(payload)
    {
        return match update.external_ids {
            None => Ok(update),
            Some(_) => Err("`external_ids` is given, but is looked up here".to_owned()),
        };
    }
    // The library's errors say which field it is, and never quote an external ID.
    match serde_json::from_slice::<Checked<ProfileUpdate>>(payload) {
        Err(error) => Err(error.to_string()),
        Ok(Checked(Err(error)))
            if (error.field(), error.problem()) != ("external_ids", &Problem::Missing) =>
        {
            Err(error.to_string())
        }
        Ok(_) => Err("not an update with `space_id`, `profile_id` and `trigger`".to_owned()),
    }
}

/// The update, its bytes as they were, with its external IDs at the end.
fn identified(
    payload: &[u8],
    external_ids: &StoredIds,
    held: Vec<(usize, Option<StoredIds>)>,
) -> Result<Vec<u8>, String> {
    let external_ids = external_ids.as_ref().map_err(Clone::clone)?;
    let with_merge = match held.iter().any(|(_, ids)| ids.is_some()) {
        true => Cow::Owned(with_held(payload, held)?),
        false => Cow::Borrowed(payload),
    };
    let object = with_merge.trim_ascii_end();
    let fields = object.strip_suffix(b"}").ok_or("not an object")?;
    let mut identified = Vec::with_capacity(fields.len() + 128 * (external_ids.len() + 1));
    identified.extend_from_slice(fields);
    identified.extend_from_slice(b",\"external_ids\":");
    serde_json::to_writer(&mut identified, external_ids).map_err(|error| error.to_string())?;
    identified.push(b'}');
    Ok(identified)
}

/// The update with what the profiles of its merge held before it.
fn with_held(payload: &[u8], held: Vec<(usize, Option<StoredIds>)>) -> Result<Vec<u8>, String> {
    let mut update: serde_json::Value = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    for (profile, ids) in held {
        let Some(ids) = ids else { continue };
        let ids: Vec<_> = ids?
            .iter()
            .map(ExternalId::key)
            .map(serde_json::to_value)
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        update["trigger"]["profiles"][profile]["external_ids"] = ids.into();
    }
    serde_json::to_vec(&update).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> Vec<ExternalId> {
        serde_json::from_str(r#"[{"type":"email","id":"a@example.com","created_at":"2026-01-05T10:00:00Z"}]"#)
            .unwrap()
    }

    #[test]
    fn the_bytes_stay_as_they_were() {
        let payload = br#"{ "space_id":"s", "later": 1.50, "profile_id":"p\u0000" }
"#;
        assert_eq!(read(Some(payload)).unwrap().profile_id, "p\0");
        let identified = identified(payload, &Ok(ids()), Vec::new()).unwrap();
        assert_eq!(
            String::from_utf8(identified).unwrap(),
            r#"{ "space_id":"s", "later": 1.50, "profile_id":"p\u0000" ,"external_ids":[{"type":"email","id":"a@example.com","collection":"users","encoding":"none","created_at":"2026-01-05T10:00:00Z"}]}"#
        );
    }

    #[test]
    fn only_gaps_of_a_merge_are_filled() {
        let payload =
            br#"{"space_id":"s","profile_id":"p","computed_at":"2026-01-05T10:00:00Z","trigger":{"reason":
            "profile_merge","profiles":[{"profile_id":"p","membership":"in","external_ids":[]},
            {"profile_id":"q","membership":"out"},{"profile_id":"r","membership":"out"}]}}"#;
        let gaps: Vec<_> =
            read(Some(payload)).unwrap().gaps().map(|(n, merged)| (n, merged.profile_id)).collect();
        assert_eq!(gaps, [(1, "q".to_owned()), (2, "r".to_owned())]);
        let identified = identified(payload, &Ok(Vec::new()), vec![(1, Some(Ok(ids()))), (2, None)]).unwrap();
        let update: serde_json::Value = serde_json::from_slice(&identified).unwrap();
        let profiles = update["trigger"]["profiles"].as_array().unwrap();
        assert_eq!(profiles[1]["external_ids"][0]["id"], "a@example.com");
        assert!(profiles[2].get("external_ids").is_none());
    }

    #[test]
    fn each_profile_is_looked_up_once_and_no_more_than_may_be() {
        let payloads = ["a", "b", "a", "?", "a", "c", "a"].map(|profile| match profile {
            "?" => "{".to_owned(),
            profile => format!(r#"{{"space_id":"s","profile_id":"{profile}"}}"#),
        });
        let updates: Vec<_> = payloads.iter().map(|payload| read(Some(payload.as_bytes()))).collect();
        let all = LookUp::new(&updates, 100);
        assert_eq!(all.places, [Some(0), Some(1), Some(0), None, Some(0), Some(2), Some(0)]);
        let profiles: Vec<&str> = all.profiles.iter().map(|(_, profile)| &profile[..]).collect();
        assert_eq!(profiles, ["a", "b", "c"]);
        assert_eq!(LookUp::new(&updates, 2).places, [Some(0), Some(1)]);
        assert_eq!(LookUp::new(&updates[2..], 1).places, [Some(0)]);
    }

    #[test]
    fn an_error_names_the_field_and_no_value() {
        let error = |payload: &str| read(Some(payload.as_bytes())).err().unwrap();
        assert_eq!(error(r#"{"id":"u","space_id":"s"}"#), "`profile_id` is missing");
        assert_eq!(
            error(r#"{"space_id":"s","profile_id":"p","external_ids":[]}"#),
            "`external_ids` is given, but is looked up here"
        );
        assert!(error(r#"["s","p"]"#).contains("an array"));
        assert!(error("{").contains("EOF"));
        assert!(
            !error(r#"{"id":"u","space_id":"s","profile_id":["a@example.com"]}"#).contains("a@example.com")
        );
    }
}
