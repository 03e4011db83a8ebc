//! The profile identifier: adds a profile's external IDs to its updates.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use idgroup::{Checked, ExternalId, Problem, ProfileUpdate, Timestamp};
use rdkafka::message::OwnedHeaders;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::kafka::Shared;
use crate::postgres::system_time;
use crate::retry::until_done;
use crate::sink::{Outcome, Sink};
use crate::store::{Merged, Profile, Store, StoredIds};

pub struct Identify {
    pub store: Arc<Store>,
    pub shared: Shared,
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

impl Identify {
    /// Completes a batch of updates, and writes them in their order.
    pub async fn work(&self, sink: &Sink, batch: &[Arc<Outcome>]) -> Result<()> {
        let updates: Vec<_> = batch.iter().map(|outcome| read(&outcome.record.payload)).collect();
        let mut places = Vec::new();
        let mut profiles: Vec<Profile> = Vec::new();
        let mut gaps = Vec::new();
        let mut merged = Vec::new();
        for (n, update) in updates.iter().enumerate() {
            places.push(profiles.len());
            let Ok(update) = update else { continue };
            profiles.push((update.space_id.to_string(), update.profile_id.to_string()));
            for (profile, held) in update.gaps() {
                gaps.push(Gap { update: n, profile });
                merged.push(held);
            }
        }
        let began = Instant::now();
        let Shared { metrics, health, pipeline } = &self.shared;
        let look_up = || async {
            Ok((self.store.external_ids(&profiles).await?, self.store.held_before_merge(&merged).await?))
        };
        let (external_ids, held) = until_done("looking up external IDs", metrics, health, look_up).await;
        metrics.time("look_up", began);
        let mut held = gaps.iter().zip(held).peekable();
        for (n, (outcome, update)) in batch.iter().zip(&updates).enumerate() {
            let payload = &outcome.record.payload;
            let mut own = Vec::new();
            while let Some((gap, held)) = held.next_if(|(gap, _)| gap.update == n) {
                own.push((gap.profile, held));
            }
            let identified = match update {
                Ok(_) => identified(payload, &external_ids[places[n]], own),
                Err(error) => Err(error.clone()),
            };
            match identified {
                Ok(identified) => {
                    metrics.updates.with_label_values(&["identify", "identified"]).inc();
                    let key = outcome.record.key.as_deref();
                    let key = key.or_else(|| update.as_ref().ok().map(|update| update.profile_id.as_bytes()));
                    let topic = &pipeline.identified_output;
                    sink.send(outcome, topic, key, &identified, OwnedHeaders::new()).await?;
                }
                Err(error) => sink.dead_letter(outcome, &error).await?,
            }
            sink.all_sent(outcome);
        }
        Ok(())
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

fn read(payload: &[u8]) -> Result<Unidentified<'_>, String> {
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
        assert_eq!(read(payload).unwrap().profile_id, "p\0");
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
        let gaps: Vec<_> = read(payload).unwrap().gaps().map(|(n, merged)| (n, merged.profile_id)).collect();
        assert_eq!(gaps, [(1, "q".to_owned()), (2, "r".to_owned())]);
        let identified = identified(payload, &Ok(Vec::new()), vec![(1, Some(Ok(ids()))), (2, None)]).unwrap();
        let update: serde_json::Value = serde_json::from_slice(&identified).unwrap();
        let profiles = update["trigger"]["profiles"].as_array().unwrap();
        assert_eq!(profiles[1]["external_ids"][0]["id"], "a@example.com");
        assert!(profiles[2].get("external_ids").is_none());
    }

    #[test]
    fn an_error_names_the_field_and_no_value() {
        let error = |payload: &str| read(payload.as_bytes()).err().unwrap();
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
