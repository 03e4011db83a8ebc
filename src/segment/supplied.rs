//! What only the caller knows about one update.

use alloc::vec::Vec;
use core::fmt;

use crate::input::timestamp::Timestamp;

/// What calls say beyond the update: a trait's value, a time, and fields to pass through.
///
/// Values are anything that serialises, and borrowed: nothing is copied.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use idgroup::segment::Supplied;
///
/// let journey = [("event_emitter_id", "emi_1")];
/// let supplied = Supplied::default()
///     .with_value(Some(&450))
///     .with_timestamp("2026-01-05T10:00:00Z".parse()?)
///     .with_personas(&journey);
/// # let _ = supplied;
/// # Ok(())
/// # }
/// ```
pub struct Supplied<'a, V: ?Sized = (), P = ()> {
    pub(super) value: Option<&'a V>,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) personas: &'a [(&'a str, P)],
}

impl Default for Supplied<'_> {
    fn default() -> Self {
        Self { value: None, timestamp: None, personas: &[] }
    }
}

impl<'a, V: ?Sized, P> Supplied<'a, V, P> {
    /// With the value that the trait has now, where it is known. Audiences and journey steps have none, nor
    /// has a trait that was removed: there it is not looked at.
    pub fn with_value<W: ?Sized>(self, value: Option<&'a W>) -> Supplied<'a, W, P> {
        Supplied { value, timestamp: self.timestamp, personas: self.personas }
    }

    /// With a time for updates that don't say when they were computed.
    pub fn with_timestamp(self, timestamp: Timestamp) -> Self {
        Self { timestamp: Some(timestamp), ..self }
    }

    /// With a time, or without one, for updates that don't say when they were computed.
    pub fn maybe_timestamp(self, timestamp: Option<Timestamp>) -> Self {
        Self { timestamp, ..self }
    }

    /// With fields for `context.personas`, such as `journey_metadata` and `event_emitter_id`, by name. Those
    /// that a call has of its own stay as they are, and of two with the same name the first counts.
    pub fn with_personas<Q>(self, fields: &'a [(&'a str, Q)]) -> Supplied<'a, V, Q> {
        Supplied { value: self.value, timestamp: self.timestamp, personas: fields }
    }
}

impl<V: ?Sized, P> Clone for Supplied<'_, V, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: ?Sized, P> Copy for Supplied<'_, V, P> {}

/// Without values, which can be personal data.
impl<V: ?Sized, P> fmt::Debug for Supplied<'_, V, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supplied")
            .field("has_value", &self.value.is_some())
            .field("timestamp", &self.timestamp)
            .field("personas", &self.personas.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish()
    }
}
