//! What a change of destinations changes, as tables for people.

use std::fmt;
use std::ops::Range;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::changes::{Change, Changes, DestinationChanges, Occurrences, SettingChange};
use super::numbers::grouped;
use crate::writing::words::Name;

/// How wide the tables may run.
const COLUMNS: u16 = 140;

/// Tables of what changes at each destination, and why; nothing where nothing does.
pub struct ChangeTables<'a>(pub &'a Changes);

impl fmt::Display for ChangeTables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changed: Vec<_> = self.0.iter().filter(|(_, changes)| changes.is_changed()).collect();
        if changed.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "What would change, in people / updates (a person is counted once at each destination):"
        )?;
        let header =
            ["destination", "gain", "lose", "move", "messages now", "then", "difference", "in the files"];
        let mut table = table(&header);
        for (id, changes) in &changed {
            table.add_row(totals(id, changes));
        }
        write_table(f, table, 1..7)?;
        let mut whys = changed.iter().flat_map(|(id, of)| of.why().map(move |why| (id, why))).peekable();
        if whys.peek().is_none() {
            return Ok(());
        }
        writeln!(f, "Why, each with its first updates:")?;
        let header = ["destination", "change", "updates", "now", "then", "such as"];
        let mut table = self::table(&header);
        for (id, (why, occurrences)) in whys {
            table.add_row([
                Name(id).to_string(),
                why.change.as_str().into(),
                grouped(occurrences.count.into()),
                why.before.to_string(),
                why.after.to_string(),
                samples(occurrences),
            ]);
        }
        write_table(f, table, 2..3)
    }
}

fn totals(id: &str, changes: &DestinationChanges) -> Vec<String> {
    let mut row = vec![Name(id).to_string()];
    row.extend(Change::ALL.map(|change| match changes.count(change) {
        0 => "-".into(),
        updates => {
            format!("{} / {}", grouped(changes.people(change) as u128), grouped(updates.into()))
        }
    }));
    let [before, after] = changes.messages;
    row.extend([grouped(before.into()), grouped(after.into()), difference(before, after)]);
    row.push(setting_sentence(changes));
    row
}

/// With its sign.
pub fn difference(before: u64, after: u64) -> String {
    let sign = match before.cmp(&after) {
        std::cmp::Ordering::Less => "+",
        std::cmp::Ordering::Equal => "",
        std::cmp::Ordering::Greater => "-",
    };
    format!("{sign}{}", grouped(before.abs_diff(after).into()))
}

/// What the files say of the destination.
pub fn setting_sentence(changes: &DestinationChanges) -> String {
    let said = SettingChange::ALL.into_iter().filter_map(|change| match changes.setting(change) {
        0 => None,
        1 => Some(format!("{} in 1 computation", change.as_str())),
        count => Some(format!("{} in {} computations", change.as_str(), grouped(count.into()))),
    });
    said.collect::<Vec<_>>().join(", ")
}

/// The first one with its IDs.
fn samples(occurrences: &Occurrences) -> String {
    let mut named = Vec::new();
    for (index, sample) in occurrences.samples.iter().enumerate() {
        let [before, after] = &sample.ids;
        named.push(match index {
            0 => format!("{} ({before} -> {after})", sample.update_id),
            _ => sample.update_id.to_string(),
        });
    }
    named.join(", ")
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(COLUMNS);
    table.set_header(header);
    table
}

/// With the columns of numbers aligned to the right.
fn write_table(f: &mut fmt::Formatter<'_>, mut table: Table, numbers: Range<usize>) -> fmt::Result {
    for column in numbers {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    writeln!(f, "{}", table.trim_fmt())
}
