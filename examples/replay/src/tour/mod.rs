//! What is shown to who asks for nothing: three updates of the recording that comes with the library,
//! told in words, what all of it came to, and what to try next. It fits on one screen.

mod fixtures;

use std::io::{self, Write};
use std::num::NonZeroU64;
use std::sync::Arc;

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use idgroup::{Decision, DropReason, ProfileUpdate, Verdict};

use crate::deciding::connections::Connections;
use crate::deciding::events::Events;
use crate::deciding::remembering::{ADDED, Printed, Remembering, SAVED};
use crate::deciding::{Desk, Reporting, Task};
use crate::memories::Memories;
use crate::reading::chunk::Chunk;
use crate::reading::pieces::Splitter;
use crate::summary::numbers::grouped;
use crate::summary::tally::Tally;
use crate::writing::palette::Palette;
use crate::writing::words::{Change, Name};

/// One person enters an audience, and then gains an email address, and another one.
const TOLD: [&str; 3] = ["upd_0113", "upd_0122", "upd_0139"];

const COLUMNS: u16 = 98;

pub fn write(output: &mut impl Write) -> io::Result<()> {
    let palette = Palette::of_standard_output();
    let connections = Arc::new(Connections::of_text(fixtures::DESTINATIONS));
    writeln!(
        output,
        "Who is sent what, and why: three updates of one person, in the recording of a made-up pipeline.\n"
    )?;
    for update in TOLD.into_iter().filter_map(fixtures::update) {
        write_update(output, &update, &connections, &palette)?;
    }
    let whole = replay(connections.clone(), fixtures::UPDATES, Box::new(Events));
    write_whole(output, &whole, &palette)?;
    let remembering = Remembering::new(Memories::none(), Printed::Events);
    let remembered = replay(connections, fixtures::TIMELESS_UPDATES, Box::new(remembering));
    write_next(output, &remembered, &palette)
}

fn write_update(
    output: &mut impl Write,
    update: &ProfileUpdate,
    connections: &Connections,
    palette: &Palette,
) -> io::Result<()> {
    let Palette { heading, sent, dropped } = palette;
    writeln!(output, "{heading}{}{heading:#} ({})", Change(update), Name(update.id()))?;
    let decision = Decision::of(update, connections.of(update));
    for verdict in decision.explanation().iter() {
        let style = if verdict.verdict().drop_reason().is_some() { dropped } else { sent };
        let mut row = table();
        row.add_row(["-".to_owned(), verdict.to_string()]);
        writeln!(output, "{style}{}{style:#}", row.trim_fmt())?;
    }
    writeln!(output)
}

/// A whole recording, as the replay takes it.
fn replay(connections: Arc<Connections>, updates: &str, mut task: Box<dyn Task>) -> Tally {
    let mut chunk = Chunk::new(usize::MAX);
    let mut splitter = Splitter::new(NonZeroU64::MAX);
    splitter.split(updates.as_bytes(), &mut chunk);
    splitter.finish(&mut chunk);
    let desk =
        Desk { connections, fast_lane: None, reporting: Reporting::Off, max_line_bytes: NonZeroU64::MAX };
    desk.work(Some(&mut task), &mut chunk);
    std::mem::take(&mut chunk.made.tally)
}

fn write_whole(output: &mut impl Write, tally: &Tally, palette: &Palette) -> io::Result<()> {
    let Palette { heading, .. } = palette;
    let counts = &tally.counts;
    writeln!(
        output,
        "{heading}The whole recording:{heading:#} {} updates came to {} events, one for each set of external IDs.",
        grouped(tally.updates.into()),
        grouped(tally.sent.events.into()),
    )?;
    let mut table = table();
    let number = |count: u64| grouped(count.into());
    table.add_row([
        number(counts.verdict(Verdict::SendAll)),
        "times a destination that takes every update was sent all external IDs".into(),
    ]);
    table.add_row([
        number(counts.verdict(Verdict::SendSome)),
        "times a destination that messages people was sent the latest ID of each of its types".into(),
    ]);
    let mut reasons: Vec<_> = DropReason::ALL.map(|reason| (counts.dropped(reason), reason)).into();
    reasons.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let most: Vec<_> = reasons.iter().take(2).map(|(count, reason)| format!("{reason} ({count})")).collect();
    table.add_row([
        number(reasons.iter().map(|(count, _)| count).sum()),
        format!("times nothing was sent; most often: {}", most.join(", ")),
    ]);
    writeln!(output, "{}\n", table.trim_fmt())
}

fn write_next(output: &mut impl Write, remembered: &Tally, palette: &Palette) -> io::Result<()> {
    let Palette { heading, .. } = palette;
    let file = |name: &str| fixtures::path_from_here(name);
    let count = |label| remembered.named().find(|(named, _)| *named == label).map_or(0, |(_, count)| count);
    let with_memory = format!(
        "a memory: of a recording without times, it saves {} repeats, and adds {} that were missed",
        count(SAVED),
        count(ADDED),
    );
    writeln!(output, "{heading}Try next{heading:#}, to see all that this person was sent, and why:")?;
    writeln!(output, "  cargo run --release -p replay -- --explain --profile use_032 \\")?;
    writeln!(output, "      --destinations {} \\", file("pipeline/destinations.json"))?;
    writeln!(output, "      {}", file("pipeline/clean.ndjson"))?;
    writeln!(output, "Or, in the place of `--explain --profile use_032`:")?;
    for (what, options) in [
        ("nothing: the events as they go out, a line of JSON each", None),
        (&with_memory, Some(format!("--remember {}", file("pipeline/no_times.ndjson")))),
        (
            "what a change of destinations changes",
            Some(format!("--shadow --legacy-destinations {}", file("pipeline/legacy_destinations.json"))),
        ),
        (
            "one of two customers moved over from an old worker",
            Some(format!("--rollout {} --tiers {}", file("rollout.json"), file("tiers.json"))),
        ),
        ("lines that can't be used, in a file more", Some(file("pipeline/bad_lines.ndjson"))),
        ("all options and formats", Some("--help".into())),
    ] {
        writeln!(output, "  # {what}")?;
        if let Some(options) = options {
            writeln!(output, "  {options}")?;
        }
    }
    Ok(())
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(COLUMNS);
    table
}
