//! How the destinations of a computation are called: what the database says of each.

use std::sync::Arc;

use anyhow::Result;
use idgroup::segment::{CallSettings, DestinationSettings};

use crate::postgres::{Postgres, slot, storable};

/// Destinations that are delivered to together; or what is wrong with what is stored.
#[derive(Clone)]
pub struct Called(pub Arc<Result<Vec<Group>, String>>);

/// Nothing is known of any destination.
impl Default for Called {
    fn default() -> Self {
        Self(Arc::new(Ok(vec![Group::default()])))
    }
}

/// Destinations whose calls take the same way.
#[derive(Default)]
pub struct Group {
    /// The destination that has a delivery of its own, and nobody with it.
    pub delivery: Option<String>,
    pub settings: CallSettings,
}

const SQL: &str = "
    select wanted.n, connected.id, connected.call::text, deliveries.destination_id is not null
    from unnest($1::text[]) with ordinality as wanted (id, n)
    join destinations connected on connected.computation_id = wanted.id
    left join deliveries on deliveries.destination_id = connected.id
    where connected.call is not null";

/// Of each computation: first the group of those that have no delivery of their own, if only of none.
pub async fn look_up(postgres: &Postgres, computations: &[&str]) -> Result<Vec<Called>> {
    let wanted: Vec<&str> = computations.iter().map(|id| storable(id)).collect();
    let mut found: Vec<Vec<Stored>> = wanted.iter().map(|_| Vec::new()).collect();
    for row in postgres.query(SQL, &[&wanted]).await? {
        let stored = Stored { id: row.try_get(1)?, call: row.try_get(2)?, has_own: row.try_get(3)? };
        slot(&mut found, &row)?.push(stored);
    }
    Ok(found.into_iter().map(|stored| Called(Arc::new(groups(stored)))).collect())
}

struct Stored {
    id: String,
    call: String,
    has_own: bool,
}

fn groups(stored: Vec<Stored>) -> Result<Vec<Group>, String> {
    let mut common = Vec::new();
    let mut groups = vec![Group::default()];
    for Stored { id, call, has_own } in stored {
        let named =
            |error: &dyn std::fmt::Display| format!("the stored `call` of destination `{id}`: {error}");
        let settings: DestinationSettings = serde_json::from_str(&call).map_err(|error| named(&error))?;
        if has_own {
            let settings = CallSettings::new([(&*id, settings)]).map_err(|error| named(&error))?;
            groups.push(Group { delivery: Some(id), settings });
        } else {
            common.push((id, settings));
        }
    }
    groups[0].settings = CallSettings::new(common).map_err(|error| error.to_string())?;
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(id: &str, call: &str, has_own: bool) -> Stored {
        Stored { id: id.to_owned(), call: call.to_owned(), has_own }
    }

    #[test]
    fn who_has_a_delivery_of_its_own_is_a_group_of_its_own() {
        let call = r#"{"call":"identify"}"#;
        let groups =
            groups(vec![stored("a", call, false), stored("b", call, true), stored("c", call, false)])
                .unwrap();
        let ids = |group: &Group| group.settings.iter().map(|(id, _)| id.to_owned()).collect::<Vec<_>>();
        assert_eq!(groups.iter().map(ids).collect::<Vec<_>>(), [vec!["a", "c"], vec!["b"]]);
        assert_eq!(groups[1].delivery.as_deref(), Some("b"));
        assert_eq!(groups[0].delivery, None);
    }

    #[test]
    fn settings_that_can_not_be_read_are_named() {
        let error = groups(vec![stored("a", r#"{"cal":"identify"}"#, false)]).err().unwrap();
        assert!(
            error.starts_with("the stored `call` of destination `a`: `cal` is not a known field"),
            "{error}"
        );
    }
}
