//! What is wrong with an input that is refused, and where.

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use core::fmt;

/// Why an update, a destination or a configuration was refused: the field, and its [`Problem`].
///
/// The text names the field as a path from the input's root, and the offending value unless that
/// could be the value of an external ID, which is personal data.
///
/// ```
/// let error = idgroup::ExternalId::new("email", "").unwrap_err();
/// assert_eq!(error.field(), "id");
/// assert_eq!(*error.problem(), idgroup::Problem::Empty);
/// assert_eq!(error.to_string(), "`id` is empty");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InputError(Box<Inner>);

/// Boxed, so that a `Result` of an input type is no larger than the type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Inner {
    field: String,
    destination: Option<Box<str>>,
    problem: Problem,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Problem {
    /// A field that must be there is not, or is `null`.
    Missing,
    /// A string, or a list, that must not be empty is.
    Empty,
    /// A `dedupes_on` with no type in it, which could mean everything or nothing.
    NoTypes,
    /// A strategy for a type that the destination does not dedupe on.
    NotDedupedOn,
    /// A value of another type than the field has, both in JSON's terms.
    Mistyped {
        /// What the field takes, such as `a string`.
        expected: &'static str,
        /// What was found, such as `a number`.
        found: &'static str,
    },
    /// Not a [`Timestamp`](crate::Timestamp).
    MalformedTimestamp {
        /// The text, cut after 64 characters.
        value: Box<str>,
    },
    /// Not the text form of a hash or a message id.
    MalformedDigest {
        /// The text, cut after 64 characters.
        value: Box<str>,
        /// What stands before the digits.
        prefix: &'static str,
        /// How many digits there have to be.
        digits: usize,
    },
    /// A hash or a message id that is not that of what it stands beside.
    Inconsistent {
        /// What was given.
        value: Box<str>,
        /// What it has to be.
        expected: Box<str>,
    },
    /// A value that is none of those the field can have.
    Unknown {
        /// The text, cut after 64 characters.
        value: Box<str>,
        /// The values that the field can have.
        expected: &'static [&'static str],
    },
    /// A field that the object does not have, where unknown fields are refused.
    UnknownField {
        /// The fields that the object has.
        expected: &'static [&'static str],
    },
    /// A merge that does not state how the update's own profile stood before it, without which a
    /// decision can't know whether that profile has been messaged.
    WithoutOwnProfile {
        /// The id of the update's own profile, cut after 64 characters.
        profile_id: Box<str>,
    },
    /// The same value twice, where each must be given once.
    Duplicate {
        /// The value, cut after 64 characters.
        value: Box<str>,
    },
    /// A number outside the range of the field.
    OutOfRange {
        /// The number.
        value: i128,
        /// The smallest and the largest number that the field takes.
        expected: (i128, i128),
    },
}

/// A text or a number that is no [`Timestamp`](crate::Timestamp).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an RFC 3339 time with an offset, at most nine fractional digits and a UTC year from 0000 to 9999"
)]
pub struct MalformedTimestamp;

impl InputError {
    /// The field's path from the input's root, such as `external_ids[3].created_at`; empty for the
    /// root itself.
    pub fn field(&self) -> &str {
        &self.0.field
    }

    /// The id of the destination that the field belongs to, where it is known.
    pub fn destination(&self) -> Option<&str> {
        self.0.destination.as_deref()
    }

    /// What is wrong with the field.
    pub fn problem(&self) -> &Problem {
        &self.0.problem
    }

    pub(crate) fn new(field: impl Into<String>, problem: Problem) -> Self {
        Self(Box::new(Inner { field: field.into(), destination: None, problem }))
    }

    pub(crate) fn unknown(field: &str, value: &str, expected: &'static [&'static str]) -> Self {
        Self::new(field, Problem::Unknown { value: excerpt(value), expected })
    }

    pub(crate) fn unknown_field(name: &str, expected: &'static [&'static str]) -> Self {
        Self::new(excerpt(name), Problem::UnknownField { expected })
    }

    /// The same error, seen from the object that has the failing value in its field `field`.
    pub(crate) fn within(mut self, field: &str) -> Self {
        let inner = &self.0.field;
        self.0.field = match inner.bytes().next() {
            None => field.to_owned(),
            Some(b'[') => format!("{field}{inner}"),
            Some(_) => format!("{field}.{inner}"),
        };
        self
    }

    /// The same error, seen from the list that has the failing value at `index`.
    pub(crate) fn at(self, index: usize) -> Self {
        self.within(&format!("[{index}]"))
    }

    pub(crate) fn of_destination(mut self, id: &str) -> Self {
        self.0.destination = Some(excerpt(id));
        self
    }
}

/// Refuses the first of these values of an element's `field` that an element before it has.
pub(crate) fn refuse_repeats<'a>(
    field: &str,
    values: impl Iterator<Item = &'a str>,
) -> Result<(), InputError> {
    let mut seen = BTreeSet::new();
    for (index, value) in values.enumerate() {
        if !seen.insert(value) {
            return Err(InputError::new(field, Problem::Duplicate { value: excerpt(value) }).at(index));
        }
    }
    Ok(())
}

/// Enough of an offending value to find it, and never so much that an error hurts.
pub(crate) fn excerpt(value: &str) -> Box<str> {
    const CHARACTERS: usize = 64;
    match value.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()).into(),
        None => value.into(),
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { field, destination, problem } = &*self.0;
        let field: Cow<'_, str> = match field.as_str() {
            "" => "the input".into(),
            field => format!("`{}`", excerpt(field).escape_debug()).into(),
        };
        f.write_str(&field)?;
        if let Some(id) = destination {
            write!(f, " of destination `{}`", id.escape_debug())?;
        }
        write!(f, " {problem}")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "is missing"),
            Self::Empty => write!(f, "is empty"),
            Self::NoTypes => {
                write!(
                    f,
                    "names no external ID type, leave it out to send every update with all external IDs"
                )
            }
            Self::NotDedupedOn => f.write_str("is not among `dedupes_on`"),
            Self::Mistyped { expected, found } => write!(f, "must be {expected}, not {found}"),
            Self::MalformedTimestamp { value } => {
                write!(f, "is `{}`, {}", value.escape_debug(), MalformedTimestamp)
            }
            Self::MalformedDigest { value, prefix, digits } => {
                write!(f, "is `{}`, expected ", value.escape_debug())?;
                if !prefix.is_empty() {
                    write!(f, "`{prefix}` and ")?;
                }
                write!(f, "{digits} lower-case hexadecimal digits")
            }
            Self::Inconsistent { value, expected } => {
                write!(f, "is `{value}`, but what it stands beside makes `{expected}`")
            }
            Self::Unknown { value, expected } => {
                write!(f, "is `{}`, expected ", value.escape_debug())?;
                write_alternatives(f, expected)
            }
            Self::UnknownField { expected } => {
                write!(f, "is not a known field, expected ")?;
                write_alternatives(f, expected)
            }
            Self::WithoutOwnProfile { profile_id } => write!(
                f,
                "lack the update's own profile `{}`, state it as it was before the merge, or as `out` and \
                 holding no IDs if it did not exist",
                profile_id.escape_debug()
            ),
            Self::Duplicate { value } => write!(f, "is `{}`, which was given before", value.escape_debug()),
            Self::OutOfRange { value, expected: (low, high) } => {
                write!(f, "is {value}, expected {low} to {high}")
            }
        }
    }
}

fn write_alternatives(f: &mut fmt::Formatter<'_>, alternatives: &[&str]) -> fmt::Result {
    let last = alternatives.len().saturating_sub(1);
    for (index, alternative) in alternatives.iter().enumerate() {
        let separator = match index {
            0 => "",
            _ if index == last => " or ",
            _ => ", ",
        };
        write!(f, "{separator}`{alternative}`")?;
    }
    Ok(())
}

impl core::error::Error for InputError {}
