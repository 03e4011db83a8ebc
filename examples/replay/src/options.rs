//! What the command line asks for.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use idgroup::Completeness;

use crate::deciding::explanations::Filter;
use crate::reading::inputs::{STANDARD_INPUT, is_standard_input};

pub struct Options {
    pub destinations: PathBuf,
    /// At least one.
    pub inputs: Vec<PathBuf>,
    pub mode: Mode,
    pub remembered: Option<Remembered>,
    pub slow: Option<Slow>,
    pub rejects: Option<PathBuf>,
    pub report: Option<PathBuf>,
    pub max_line_bytes: NonZeroU64,
    /// How many workers decide; at least one.
    pub jobs: usize,
}

/// What is printed about each update.
pub enum Mode {
    /// The events.
    Events,
    /// The verdict about each destination, as JSON.
    Explanations(Arc<Filter>),
    /// The same in words.
    ExplanationsForPeople(Arc<Filter>),
    /// The events of the legacy flow.
    LegacyEvents,
    /// What differs between both flows.
    Shadow { legacy_destinations: Option<PathBuf> },
    /// The events as calls.
    SegmentCalls { settings: PathBuf },
    /// The events of the flow that the update is routed to.
    Rollout { config: PathBuf, tiers: Option<PathBuf> },
    /// What other destinations would change.
    Preview { new_destinations: PathBuf, addresses: Addresses },
}

/// Whether values of external IDs are printed where they need not be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Addresses {
    Hidden,
    Shown,
}

/// What is known of what was sent before.
pub struct Remembered {
    /// Where it is kept between runs; without, there was none.
    pub memories: Option<PathBuf>,
    pub completeness: Completeness,
}

/// Where updates go that stand for more messages than this.
pub struct Slow {
    pub max_messages: u64,
    pub path: PathBuf,
}

/// Replays recorded updates: prints the events that each one is sent as, in the order of the input
#[derive(Parser)]
#[command(
    name = "replay",
    version,
    max_term_width = 100,
    override_usage = "replay --destinations <FILE> [OPTIONS] [UPDATES]...\n       replay",
    after_help = "Without any argument it gives a tour. See --help for formats and exit status.",
    after_long_help = include_str!("formats.txt"),
)]
struct Arguments {
    /// Updates in JSON, one a line or in an array, compressed or not; without a file, or where one is
    /// `-`, standard input
    #[arg(value_name = "UPDATES")]
    inputs: Vec<PathBuf>,

    /// The destinations of each computation
    #[arg(long, value_name = "FILE")]
    destinations: PathBuf,

    /// How many threads decide; the output is the same, whatever their number
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: u16,

    /// Write a page about the replay, with pictures, to this file
    ///
    /// The file is overwritten. The page needs no network, and names no value of an external ID unless
    /// --show-addresses is given.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    #[command(flatten)]
    printed: Printed,

    #[command(flatten)]
    explained: Explained,

    #[command(flatten)]
    remembering: Remembering,

    #[command(flatten)]
    set_aside: SetAside,
}

#[derive(clap::Args)]
#[command(next_help_heading = "What is printed instead of the events")]
struct Printed {
    /// Why each destination is sent something or nothing, in words
    ///
    /// With the types and times of the external IDs, and never with their values.
    #[arg(long, group = "mode")]
    explain: bool,

    /// The same for machines, in JSON
    ///
    /// A line for each update and destination.
    #[arg(long, group = "mode")]
    explain_json: bool,

    /// The events of the legacy flow
    ///
    /// Each update with all external IDs to all destinations.
    #[arg(long, group = "mode")]
    legacy: bool,

    /// What differs between the outbound messages of both flows
    ///
    /// To destinations that do not dedupe.
    #[arg(long, group = "mode")]
    shadow: bool,

    /// With --shadow, the destinations of the legacy flow, if others
    ///
    /// To see what a change of --destinations changes.
    #[arg(long, value_name = "FILE")]
    legacy_destinations: Option<PathBuf>,

    /// The calls that Segment's destinations understand, with these settings of each destination
    ///
    /// A call is a line of JSON. What can't be sent so that a destination understands it is set aside
    /// with the reason, and the status is 2.
    #[arg(long, value_name = "SETTINGS", group = "mode")]
    segment: Option<PathBuf>,

    /// The events of the flow that this rollout, a JSON file, routes each update to
    ///
    /// The summary says how many updates went which way and why and, if the rollout has the comparison
    /// on, what differs.
    #[arg(long, value_name = "FILE", group = "mode")]
    rollout: Option<PathBuf>,

    /// With --rollout, a JSON object from space id to customer's tier
    ///
    /// A space that is not listed is in none.
    #[arg(long, value_name = "FILE")]
    tiers: Option<PathBuf>,

    /// What would change with these destinations in the place of --destinations
    ///
    /// Who gains a message, loses one, or gets it at another address, and why. Memory grows with the
    /// number of people for whom something changes, because they are counted, and with nothing else;
    /// with --remember, with what is remembered, too, once for each of both settings.
    #[arg(long, value_name = "FILE", group = "mode")]
    preview: Option<PathBuf>,

    /// With --preview, values of external IDs, too
    #[arg(long)]
    show_addresses: bool,
}

/// Each may be given several times, and then any of them is meant.
#[derive(clap::Args)]
#[command(next_help_heading = "What is explained, with --explain or --explain-json")]
struct Explained {
    /// Only the update with this id
    #[arg(long = "update", value_name = "ID")]
    updates: Vec<String>,

    /// Only updates of the profile with this id, or that merge it into another
    #[arg(long = "profile", value_name = "ID")]
    profiles: Vec<String>,

    /// Only the verdicts about the destination with this id
    #[arg(long = "destination", value_name = "ID")]
    explained_destinations: Vec<String>,
}

#[derive(clap::Args)]
#[command(next_help_heading = "What is remembered")]
struct Remembering {
    /// Decide with a memory of what was decided before
    ///
    /// Then no destination that dedupes is messaged twice in a stay, whatever updates leave out. One
    /// thread decides, in the order of the input; --jobs are for reading. Memory grows with the number
    /// of profiles in each computation: by some 130 bytes for each, and 40 more for each destination
    /// that has messaged it, after the first. --explain says what the memory said. --preview decides
    /// with a memory for each of both settings.
    #[arg(long, conflicts_with_all = ["legacy", "shadow", "rollout", "segment"])]
    remember: bool,

    /// With --remember, keep what is remembered in this file, for the next run
    ///
    /// It is read first, if it is there, and written anew at the end, whole or not at all. Each line is
    /// the key and the memory of a profile in a computation, in JSON, without any external ID. With
    /// --preview it must be there, both settings begin with it, and it is not written, because nothing
    /// was sent.
    #[arg(long, value_name = "FILE")]
    memories: Option<PathBuf>,

    /// With --memories, nothing was ever sent that they don't know of
    ///
    /// Without this, what the library can infer about profiles that they don't know is assumed, so that
    /// nobody is messaged twice who was messaged before there were memories.
    #[arg(long)]
    complete: bool,
}

#[derive(clap::Args)]
#[command(next_help_heading = "What is set aside")]
struct SetAside {
    /// Write the lines that can't be used to this file
    ///
    /// It is overwritten. Without it, they are written to standard error.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,

    /// Set aside lines longer than this many bytes
    ///
    /// No more of them is held in memory, and only the start is kept.
    #[arg(long, value_name = "N", default_value = "67108864", value_parser = at_least_one)]
    max_line_bytes: NonZeroU64,

    /// Set aside updates that stand for more than N outbound messages
    ///
    /// In any flow that is replayed. They are neither printed, counted, compared nor remembered.
    #[arg(long, value_name = "N")]
    max_messages: Option<u64>,

    /// Write those updates to this file, which is overwritten
    ///
    /// Each as the line that it was, so that it can be replayed.
    #[arg(long, value_name = "FILE")]
    slow: Option<PathBuf>,
}

fn at_least_one(text: &str) -> Result<NonZeroU64, &'static str> {
    text.parse().map_err(|_| "expected a whole number of at least 1")
}

impl Options {
    /// `None` without any argument. An error may also be a request for help, or for the version.
    pub fn from_arguments() -> Result<Option<Self>, clap::Error> {
        match std::env::args_os().len() {
            ..=1 => Ok(None),
            _ => Self::new(Arguments::try_parse()?).map(Some),
        }
    }

    #[cfg(test)]
    pub fn of<const N: usize>(arguments: [&str; N]) -> Self {
        Self::new(Arguments::try_parse_from(arguments).unwrap()).unwrap()
    }

    fn new(mut arguments: Arguments) -> Result<Self, clap::Error> {
        if arguments.inputs.is_empty() {
            arguments.inputs.push(STANDARD_INPUT.into());
        }
        if arguments.inputs.iter().filter(|path| is_standard_input(path)).count() > 1 {
            let message = "`-` is given twice, and standard input can be read once";
            return Err(Arguments::command().error(ErrorKind::ArgumentConflict, message));
        }
        arguments.check_needs()?;
        let SetAside { rejects, max_line_bytes, max_messages, slow } = arguments.set_aside;
        Ok(Self {
            destinations: arguments.destinations,
            inputs: arguments.inputs,
            mode: arguments.printed.mode(arguments.explained),
            remembered: arguments.remembering.remembered(),
            slow: max_messages.zip(slow).map(|(max_messages, path)| Slow { max_messages, path }),
            rejects,
            report: arguments.report,
            max_line_bytes,
            jobs: arguments.jobs.into(),
        })
    }

    /// The files that must not be written to.
    pub fn files_read(&self) -> Vec<&Path> {
        let inputs = self.inputs.iter().filter(|path| !is_standard_input(path));
        let of_mode = match &self.mode {
            Mode::Events | Mode::Explanations(_) | Mode::ExplanationsForPeople(_) | Mode::LegacyEvents => {
                [None, None]
            }
            Mode::Shadow { legacy_destinations } => [legacy_destinations.as_ref(), None],
            Mode::SegmentCalls { settings } => [Some(settings), None],
            Mode::Rollout { config, tiers } => [Some(config), tiers.as_ref()],
            Mode::Preview { new_destinations, .. } => [Some(new_destinations), None],
        };
        let memories = self.remembered.iter().filter_map(|remembered| remembered.memories.as_ref());
        let others = of_mode.into_iter().flatten().chain([&self.destinations]).chain(memories);
        inputs.chain(others).map(PathBuf::as_path).collect()
    }
}

impl Arguments {
    /// By hand, because a need counts for nothing where what is needed conflicts with something else.
    fn check_needs(&self) -> Result<(), clap::Error> {
        let Printed { explain, explain_json, shadow, legacy_destinations, rollout, tiers, .. } =
            &self.printed;
        let Printed { preview, show_addresses, .. } = &self.printed;
        let Explained { updates, profiles, explained_destinations } = &self.explained;
        let explains = *explain || *explain_json;
        let Remembering { remember, memories, complete } = &self.remembering;
        let SetAside { max_messages, slow, .. } = &self.set_aside;
        let needs = [
            ("--update", !updates.is_empty(), "--explain", explains),
            ("--profile", !profiles.is_empty(), "--explain", explains),
            ("--destination", !explained_destinations.is_empty(), "--explain", explains),
            ("--legacy-destinations", legacy_destinations.is_some(), "--shadow", *shadow),
            ("--tiers", tiers.is_some(), "--rollout", rollout.is_some()),
            ("--show-addresses", *show_addresses, "--preview", preview.is_some()),
            ("--memories", memories.is_some(), "--remember", *remember),
            ("--complete", *complete, "--memories", memories.is_some()),
            ("--max-messages", max_messages.is_some(), "--slow", slow.is_some()),
            ("--slow", slow.is_some(), "--max-messages", max_messages.is_some()),
        ];
        match needs.into_iter().find(|(_, is_given, _, other_is_given)| *is_given && !other_is_given) {
            Some((option, _, other, _)) => {
                Err(Self::command()
                    .error(ErrorKind::MissingRequiredArgument, format!("{option} needs {other}")))
            }
            None => Ok(()),
        }
    }
}

impl Remembering {
    fn remembered(self) -> Option<Remembered> {
        let completeness = if self.complete { Completeness::Complete } else { Completeness::Partial };
        self.remember.then_some(Remembered { memories: self.memories, completeness })
    }
}

impl Printed {
    fn mode(self, explained: Explained) -> Mode {
        let Explained { updates, profiles, explained_destinations: destinations } = explained;
        let filter = Arc::new(Filter { updates, profiles, destinations });
        if let Some(settings) = self.segment {
            return Mode::SegmentCalls { settings };
        }
        let addresses = if self.show_addresses { Addresses::Shown } else { Addresses::Hidden };
        match (self.rollout, self.preview) {
            (Some(config), _) => Mode::Rollout { config, tiers: self.tiers },
            (None, Some(new_destinations)) => Mode::Preview { new_destinations, addresses },
            (None, None) if self.shadow => Mode::Shadow { legacy_destinations: self.legacy_destinations },
            (None, None) if self.legacy => Mode::LegacyEvents,
            (None, None) if self.explain => Mode::ExplanationsForPeople(filter),
            (None, None) if self.explain_json => Mode::Explanations(filter),
            (None, None) => Mode::Events,
        }
    }
}
