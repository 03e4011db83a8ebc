//! What happened, in words. What outsiders have named stays on its line, and no ID's value is shown.

use std::fmt;

use idgroup::{
    Computation, ExternalId, ExternalIdKey, Membership, MergedProfile, ProfileUpdate, Timestamp, Trigger,
};

/// A name that an outsider has given.
pub struct Name<'a>(pub &'a str);

/// How much of a name is kept where it outlives its update.
const EXCERPT: usize = 80;

/// The start of a name that an outsider has given, which may be as long as outsiders like.
pub fn excerpt(name: &str) -> String {
    let mut characters = name.chars();
    let start: String = characters.by_ref().take(EXCERPT).collect();
    let rest = if characters.next().is_some() { "..." } else { "" };
    format!("{}{rest}", Name(&start))
}

/// Who did what: `use_1 entered the audience vip`.
pub struct Change<'a>(pub &'a ProfileUpdate);

/// The type of an external ID, when it came to the profile, and whether it may be messaged.
pub struct Arrival<'a> {
    pub id: &'a ExternalId,
    pub computed_at: Option<Timestamp>,
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_debug())
    }
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let update = self.0;
        let computation = Named(update.computation());
        write!(f, "{} ", Name(update.profile_id()))?;
        match (update.trigger(), update.membership()) {
            (Trigger::ValueChanged, Membership::In) => return write!(f, "entered {computation}"),
            (Trigger::ValueChanged, Membership::Out) => return write!(f, "left {computation}"),
            (Trigger::NewExternalId(added), _) => write!(f, "gained {}", Types(added.as_slice()))?,
            (Trigger::ExternalIdRemoved(removed), _) => write!(f, "lost {}", Types(removed.as_slice()))?,
            (Trigger::ProfileMerge(profiles), _) => write_merge(f, profiles.as_slice())?,
            (other, _) => write!(f, "changed ({})", other.reason())?,
        }
        match update.membership() {
            Membership::In => write!(f, " while in {computation}"),
            Membership::Out => write!(f, " while not in {computation}"),
        }
    }
}

fn write_merge(f: &mut fmt::Formatter<'_>, profiles: &[MergedProfile]) -> fmt::Result {
    f.write_str("was merged from ")?;
    for (index, profile) in profiles.iter().enumerate() {
        let separator = separator(index, profiles.len());
        write!(f, "{separator}{} ({})", Name(profile.profile_id()), profile.membership())?;
    }
    Ok(())
}

/// The class and the key of a computation, as far as they are known; else its id.
struct Named<'a>(&'a Computation);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.class(), self.0.key()) {
            (Some(class), Some(key)) => write!(f, "the {} {}", Name(&class.replace('_', " ")), Name(key)),
            _ => write!(f, "{}", Name(self.0.id())),
        }
    }
}

/// How many external IDs of which types.
struct Types<'a>(&'a [ExternalIdKey]);

impl fmt::Display for Types<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut types: Vec<&str> = self.0.iter().map(ExternalIdKey::id_type).collect();
        types.dedup();
        match self.0.len() {
            1 => f.write_str("an external ID of type ")?,
            count => write!(f, "{count} external IDs of type ")?,
        }
        for (index, id_type) in types.iter().enumerate() {
            write!(f, "{}{}", separator(index, types.len()), Name(id_type))?;
        }
        Ok(())
    }
}

fn separator(index: usize, count: usize) -> &'static str {
    match index {
        0 => "",
        _ if index + 1 == count => " and ",
        _ => ", ",
    }
}

impl fmt::Display for Arrival<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Name(self.id.id_type()))?;
        match self.id.created_at() {
            Some(time) => write!(f, ", created at {time}")?,
            None => f.write_str(", created at an unknown time")?,
        }
        let attached_at = self.id.attached_at();
        if let Some(time) = attached_at.filter(|_| attached_at != self.id.created_at()) {
            write!(f, ", attached at {time}")?;
        }
        if attached_at.zip(self.computed_at).is_some_and(|(attached, computed)| attached > computed) {
            f.write_str(", after the update was computed")?;
        }
        match self.id.subscribed() {
            Some(true) => f.write_str(", subscribed"),
            Some(false) => f.write_str(", not subscribed"),
            None => Ok(()),
        }
    }
}
