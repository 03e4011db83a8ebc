//! Fields that nearly have the name of a field that is missing, such as `computedAt`.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// The field of an update's JSON that was probably meant, where `missing` is not there: the same
/// letters, whatever their case and what stands between them. `None` if there is no such field, or
/// the missing field is not one of the update itself.
pub fn of_field(update: &str, missing: &str) -> Option<String> {
    let fields: Fields = serde_json::from_str(update).ok()?;
    nearly(fields, missing)
}

/// The same for the first of the update's external IDs that has such a field.
pub fn of_external_id(update: &str, missing: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Update {
        external_ids: Vec<Fields>,
    }
    let Update { external_ids } = serde_json::from_str(update).ok()?;
    external_ids.into_iter().find_map(|fields| nearly(fields, missing))
}

type Fields = HashMap<String, IgnoredAny>;

fn nearly(fields: Fields, missing: &str) -> Option<String> {
    // The first by name, so that the answer is always the same.
    fields.into_keys().filter(|name| name != missing && letters(name).eq(letters(missing))).min()
}

fn letters(name: &str) -> impl Iterator<Item = char> + '_ {
    name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase)
}
