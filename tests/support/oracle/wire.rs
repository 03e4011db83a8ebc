//! The oracle's worlds as JSON, as they go over the wire.

use serde_json::{Value, json};

use super::{Destination, Id, Key, Profile, Tick, Trigger, Update};

/// Ticks are a nanosecond, a second or an hour apart, and written with several offsets and with
/// more or fewer digits, so that comparing them as texts, or rounding them, shows.
pub fn rfc3339(tick: Tick) -> &'static str {
    match tick {
        0 => "2025-12-31T23:59:59.999999999Z",
        1 => "2026-01-01T00:00:00Z",
        2 => "2026-01-01T05:30:00.000000001+05:30",
        3 => "2025-12-31T16:00:00.5-08:00",
        4 => "2026-01-01T00:00:01Z",
        5 => "2026-01-01T02:00:00.250+01:00",
        _ => panic!("there are six ticks"),
    }
}

/// The same moments as they go out: in UTC, with as few digits as say it all.
pub fn in_utc(tick: Tick) -> &'static str {
    match tick {
        2 => "2026-01-01T00:00:00.000000001Z",
        3 => "2026-01-01T00:00:00.5Z",
        5 => "2026-01-01T01:00:00.25Z",
        _ => rfc3339(tick),
    }
}

impl Key {
    pub fn to_json(self) -> Value {
        json!({"type": self.kind, "id": self.id, "collection": self.collection})
    }
}

impl Id {
    pub fn to_json(self) -> Value {
        let mut json = self.key.to_json();
        json["encoding"] = json!(self.encoding);
        if let Some(tick) = self.created_at {
            json["created_at"] = json!(rfc3339(tick));
        }
        if let Some(tick) = self.attached_at {
            json["attached_at"] = json!(rfc3339(tick));
        }
        if let Some(subscribed) = self.subscribed {
            json["subscribed"] = json!(subscribed);
        }
        json
    }
}

pub fn membership(is_in: bool) -> &'static str {
    if is_in { "in" } else { "out" }
}

fn keys_json(keys: &[Key]) -> Value {
    keys.iter().map(|key| key.to_json()).collect()
}

impl Profile {
    pub fn to_json(&self) -> Value {
        let mut json = json!({
            "profile_id": self.profile_id,
            "membership": membership(self.is_in),
        });
        if let Some(keys) = &self.external_ids {
            json["external_ids"] = keys_json(keys);
        }
        json
    }
}

impl Update {
    pub fn to_json(&self) -> Value {
        let mut trigger = json!({"reason": self.trigger.reason()});
        match &self.trigger {
            Trigger::ValueChanged => {}
            Trigger::NewExternalId(added) => trigger["added"] = keys_json(added),
            Trigger::ProfileMerge(profiles) => {
                trigger["profiles"] = profiles.iter().map(Profile::to_json).collect();
            }
            Trigger::ExternalIdRemoved(removed) => trigger["removed"] = keys_json(removed),
        }
        let mut json = json!({
            "id": self.id,
            "space_id": self.space_id,
            "profile_id": self.profile_id,
            "computation": {
                "class": self.class,
                "id": self.computation_id,
                "key": self.computation_key,
            },
            "membership": membership(self.is_in),
            "trigger": trigger,
            "external_ids": self.external_ids.iter().map(|id| id.to_json()).collect::<Value>(),
        });
        if let Some(tick) = self.computed_at {
            json["computed_at"] = json!(rfc3339(tick));
        }
        json
    }
}

impl Destination {
    pub fn to_json(&self) -> Value {
        let mut json = json!({"id": self.id});
        if let Some(name) = self.name {
            json["name"] = json!(name);
        }
        if let Some(types) = &self.dedupes_on {
            json["dedupes_on"] = json!(types);
        }
        if let Some(strategies) = &self.id_strategies {
            for (kind, strategy) in strategies {
                json["id_strategies"][*kind] = json!(strategy);
            }
        }
        if let Some(consent) = self.consent {
            json["consent"] = json!(consent);
        }
        json
    }
}

pub fn destinations_json(destinations: &[Destination]) -> Value {
    destinations.iter().map(Destination::to_json).collect()
}
