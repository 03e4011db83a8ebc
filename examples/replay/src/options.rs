//! What the command line asks for.

use std::ffi::OsStr;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use lexopt::prelude::{Long, Short, Value};

use crate::failure::Failure;
use crate::inputs::{STANDARD_INPUT, is_standard_input};

pub const HELP: &str = include_str!("help.txt");

const MAX_LINE_BYTES: NonZeroU64 = NonZeroU64::new(64 * 1024 * 1024).unwrap();

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/pipeline");

pub enum Request {
    Help,
    Replay(Options),
}

pub struct Options {
    pub destinations: PathBuf,
    /// At least one.
    pub inputs: Vec<PathBuf>,
    pub mode: Mode,
    pub slow: Option<Slow>,
    pub rejects: Option<PathBuf>,
    pub max_line_bytes: NonZeroU64,
}

/// What is printed about each update.
pub enum Mode {
    /// The events.
    Events,
    /// The verdict about each destination.
    Explanations,
    /// The events of the legacy flow.
    LegacyEvents,
    /// What differs between both flows.
    Shadow { legacy_destinations: Option<PathBuf> },
    /// The events of the flow that the update is routed to.
    Rollout { config: PathBuf, tiers: Option<PathBuf> },
}

/// Where updates go that stand for more messages than this.
pub struct Slow {
    pub max_messages: u64,
    pub path: PathBuf,
}

/// The options as they were given, before it is known whether they go together.
#[derive(Default)]
struct Given {
    destinations: Option<PathBuf>,
    inputs: Vec<PathBuf>,
    explain: bool,
    legacy: bool,
    shadow: bool,
    legacy_destinations: Option<PathBuf>,
    rollout: Option<PathBuf>,
    tiers: Option<PathBuf>,
    max_messages: Option<u64>,
    slow: Option<PathBuf>,
    rejects: Option<PathBuf>,
    max_line_bytes: Option<NonZeroU64>,
}

impl Request {
    pub fn from_arguments(mut arguments: lexopt::Parser) -> Result<Self, Failure> {
        let mut given = Given::default();
        let mut is_default = true;
        while let Some(argument) = arguments.next()? {
            is_default = false;
            match argument {
                Short('h') | Long("help") => return Ok(Self::Help),
                Long("explain") => given.explain = true,
                Long("legacy") => given.legacy = true,
                Long("shadow") => given.shadow = true,
                Long("destinations") => set_path("--destinations", &mut given.destinations, &mut arguments)?,
                Long("legacy-destinations") => {
                    set_path("--legacy-destinations", &mut given.legacy_destinations, &mut arguments)?;
                }
                Long("rollout") => set_path("--rollout", &mut given.rollout, &mut arguments)?,
                Long("tiers") => set_path("--tiers", &mut given.tiers, &mut arguments)?,
                Long("slow") => set_path("--slow", &mut given.slow, &mut arguments)?,
                Long("rejects") => set_path("--rejects", &mut given.rejects, &mut arguments)?,
                Long("max-messages") => {
                    let number = number("--max-messages", &arguments.value()?, "0")?;
                    set_once("--max-messages", &mut given.max_messages, number)?;
                }
                Long("max-line-bytes") => {
                    let number = number("--max-line-bytes", &arguments.value()?, "1")?;
                    set_once("--max-line-bytes", &mut given.max_line_bytes, number)?;
                }
                Value(path) => given.inputs.push(PathBuf::from(path)),
                other => return Err(other.unexpected().into()),
            }
        }
        if is_default {
            given.destinations = Some(Path::new(FIXTURES).join("destinations.json"));
            given.inputs.push(Path::new(FIXTURES).join("updates.ndjson"));
        }
        given.options().map(Self::Replay)
    }
}

impl Given {
    fn options(mut self) -> Result<Options, Failure> {
        let Some(destinations) = self.destinations.take() else {
            return Err(Failure::new("--destinations is missing, see --help"));
        };
        if self.inputs.is_empty() {
            self.inputs.push(STANDARD_INPUT.into());
        }
        if self.inputs.iter().filter(|path| is_standard_input(path)).count() > 1 {
            return Err(Failure::new("`-` is given twice, and standard input can be read once"));
        }
        Ok(Options {
            destinations,
            mode: self.mode()?,
            slow: self.slow()?,
            inputs: self.inputs,
            rejects: self.rejects,
            max_line_bytes: self.max_line_bytes.unwrap_or(MAX_LINE_BYTES),
        })
    }

    fn mode(&mut self) -> Result<Mode, Failure> {
        let modes = [
            ("--explain", self.explain),
            ("--legacy", self.legacy),
            ("--shadow", self.shadow),
            ("--rollout", self.rollout.is_some()),
        ];
        let mut given = modes.iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name);
        if let (Some(one), Some(other)) = (given.next(), given.next()) {
            return Err(Failure::new(format!("{one} and {other} exclude each other, see --help")));
        }
        needs("--legacy-destinations", self.legacy_destinations.is_some(), "--shadow", self.shadow)?;
        needs("--tiers", self.tiers.is_some(), "--rollout", self.rollout.is_some())?;
        Ok(match self.rollout.take() {
            Some(config) => Mode::Rollout { config, tiers: self.tiers.take() },
            None if self.shadow => Mode::Shadow { legacy_destinations: self.legacy_destinations.take() },
            None if self.legacy => Mode::LegacyEvents,
            None if self.explain => Mode::Explanations,
            None => Mode::Events,
        })
    }

    fn slow(&mut self) -> Result<Option<Slow>, Failure> {
        needs("--max-messages", self.max_messages.is_some(), "--slow", self.slow.is_some())?;
        needs("--slow", self.slow.is_some(), "--max-messages", self.max_messages.is_some())?;
        Ok(self.max_messages.zip(self.slow.take()).map(|(max_messages, path)| Slow { max_messages, path }))
    }
}

fn needs(option: &str, is_given: bool, other: &str, other_is_given: bool) -> Result<(), Failure> {
    match is_given && !other_is_given {
        true => Err(Failure::new(format!("{option} needs {other}, see --help"))),
        false => Ok(()),
    }
}

fn set_path(name: &str, option: &mut Option<PathBuf>, arguments: &mut lexopt::Parser) -> Result<(), Failure> {
    set_once(name, option, arguments.value()?.into())
}

fn set_once<T>(name: &str, option: &mut Option<T>, value: T) -> Result<(), Failure> {
    match option.replace(value) {
        None => Ok(()),
        Some(_) => Err(Failure::new(format!("{name} is given twice, see --help"))),
    }
}

fn number<N: FromStr>(name: &str, value: &OsStr, least: &str) -> Result<N, Failure> {
    let value = value.to_string_lossy();
    value.parse().map_err(|_| {
        Failure::new(format!("{name} is `{value}`, expected a whole number of at least {least}"))
    })
}

impl Options {
    /// The files that must not be written to.
    pub fn files_read(&self) -> Vec<&Path> {
        let inputs = self.inputs.iter().filter(|path| !is_standard_input(path));
        let of_mode = match &self.mode {
            Mode::Events | Mode::Explanations | Mode::LegacyEvents => [None, None],
            Mode::Shadow { legacy_destinations } => [legacy_destinations.as_ref(), None],
            Mode::Rollout { config, tiers } => [Some(config), tiers.as_ref()],
        };
        let others = of_mode.into_iter().flatten().chain([&self.destinations]);
        inputs.chain(others).map(PathBuf::as_path).collect()
    }
}
