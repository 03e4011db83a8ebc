//! What a comparison may cost.

use serde::Serialize;

use crate::input::error::{InputError, Problem};
use crate::input::read::field::Field;
use crate::input::read::object::{RefusingUnknown, object};
use crate::input::read::shape::Number;
use crate::input::read::{Read, deserialize_by_read};

/// The bounds of a comparison's memory and time.
///
/// With the [`default`](Self::default), a comparison of outbound messages takes less than 512 KiB from
/// the heap, [48 bytes](Self::BYTES_PER_EXTERNAL_ID) for each external ID of each flow's events, and
/// [half a KiB](Self::BYTES_PER_EVENT) for each event, however many messages these multiply to. An
/// identical pair of flows is read once.
///
/// Read from a configuration, every bound that is left out is that of the default, and an unknown
/// field is refused:
///
/// ```
/// use idgroup::compare::ComparisonBudget;
///
/// let from_code = ComparisonBudget::default().with_messages(100_000).with_samples(4);
/// let from_json: ComparisonBudget = serde_json::from_str(r#"{"messages":100000,"samples":4}"#)?;
/// assert_eq!(from_code, from_json);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[must_use]
pub struct ComparisonBudget {
    differing_messages: usize,
    samples: usize,
    sample_bytes: usize,
    passes: u32,
    messages: u64,
}

impl Default for ComparisonBudget {
    /// 4,096 differing messages at a time, 16 samples of 1 KiB, 8 passes, and 2,000,000 messages in each
    /// flow.
    ///
    /// Memory is bounded without the last two, but time is not: with them, a comparison reads no more
    /// than 32 million messages, and that only if nearly all differ. Of outbound messages that takes
    /// some seconds, however many and however long their external IDs are. It can't be interrupted:
    /// allow fewer messages where that is too long.
    fn default() -> Self {
        Self { differing_messages: 4_096, samples: 16, sample_bytes: 1_024, passes: 8, messages: 2_000_000 }
    }
}

impl ComparisonBudget {
    /// The most that a comparison of outbound messages takes from the heap for an external ID of an
    /// event, beside what the budget bounds.
    pub const BYTES_PER_EXTERNAL_ID: usize = 48;

    /// The most that a comparison of outbound messages takes from the heap for an event, beside its
    /// external IDs and what the budget bounds.
    pub const BYTES_PER_EVENT: usize = 512;

    /// More messages than this can't be counted: a flow that has them is refused whatever the budget.
    const MOST_MESSAGES: u64 = u64::MAX - 1;

    /// The same budget with so many messages that may be held in memory, as hashes, because one flow
    /// has sent them and the other has not yet: at most 70 bytes each. At least 1.
    pub fn with_differing_messages(self, most: usize) -> Self {
        Self { differing_messages: most.max(1), ..self }
    }

    /// The same budget with so many differing messages that are kept as samples.
    pub fn with_samples(self, most: usize) -> Self {
        Self { samples: most, ..self }
    }

    /// The same budget with so many bytes of content that each sample may have. A larger message is cut.
    pub fn with_sample_bytes(self, most: usize) -> Self {
        Self { sample_bytes: most, ..self }
    }

    /// The same budget with so many times that both flows may be read. The first pass gives the
    /// verdict; the others find what differs, two for each slice of it. At least 1.
    pub fn with_passes(self, most: u32) -> Self {
        Self { passes: most.max(1), ..self }
    }

    /// The same budget with so many messages in either flow, above which a comparison is refused. At
    /// most [`u64::MAX`] − 1, because a count of [`u64::MAX`] means that many or more.
    pub fn with_messages(self, most: u64) -> Self {
        Self { messages: most.min(Self::MOST_MESSAGES), ..self }
    }

    /// How many differing messages may be held in memory at a time.
    pub fn differing_messages(&self) -> usize {
        self.differing_messages
    }

    /// How many differing messages are kept as samples.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// How many bytes of content each sample may have.
    pub fn sample_bytes(&self) -> usize {
        self.sample_bytes
    }

    /// How many times both flows may be read.
    pub fn passes(&self) -> u32 {
        self.passes
    }

    /// How many messages either flow may have.
    pub fn messages(&self) -> u64 {
        self.messages
    }
}

object! {
    RawBudget<'de>: RefusingUnknown {
        "differing_messages" => differing_messages: Number,
        "samples" => samples: Number,
        "sample_bytes" => sample_bytes: Number,
        "passes" => passes: Number,
        "messages" => messages: Number,
    }
}

impl<'de> Read<'de> for ComparisonBudget {
    type Raw = Field<RawBudget<'de>>;

    fn check(raw: Self::Raw) -> Result<Self, InputError> {
        let raw = raw.value()?;
        raw.unknown_fields.refuse()?;
        let default = Self::default();
        let messages = bound(raw.messages, "messages", (0, u64::MAX), default.messages)?;
        let (at_least_one, any) = ((1, usize::MAX as u64), (0, usize::MAX as u64));
        Ok(Self {
            differing_messages: bound(
                raw.differing_messages,
                "differing_messages",
                at_least_one,
                default.differing_messages,
            )?,
            samples: bound(raw.samples, "samples", any, default.samples)?,
            sample_bytes: bound(raw.sample_bytes, "sample_bytes", any, default.sample_bytes)?,
            passes: bound(raw.passes, "passes", (1, u32::MAX.into()), default.passes)?,
            messages: default.with_messages(messages).messages,
        })
    }
}

/// A bound from `least` to `most`, which `T` holds.
fn bound<T: TryFrom<i128>>(
    field: Field<Number>,
    name: &'static str,
    (least, most): (u64, u64),
    default: T,
) -> Result<T, InputError> {
    let Some(Number(value)) = field.optional(name)? else { return Ok(default) };
    let expected = (least.into(), most.into());
    T::try_from(value)
        .ok()
        .filter(|_| (expected.0..=expected.1).contains(&value))
        .ok_or_else(|| InputError::new(name, Problem::OutOfRange { value, expected }))
}

deserialize_by_read!(ComparisonBudget);
