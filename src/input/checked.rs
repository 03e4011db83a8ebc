//! An input, or the reason why it was refused, as data.

use crate::input::error::InputError;

/// What was read of a `T`: the value, or why it was refused.
///
/// The error of a format such as JSON is a text. Read a `Checked<T>` instead of a `T` to have the
/// refusal as an [`InputError`], and the format's own error only for what is not well-formed at all.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use idgroup::{Checked, Destinations, Problem};
///
/// let Checked(destinations) =
///     serde_json::from_str::<Checked<Destinations>>(r#"[{"id":"dst_1","dedupes_on":[]}]"#)?;
/// let error = destinations.unwrap_err();
/// assert_eq!(error.destination(), Some("dst_1"));
/// assert_eq!(error.field(), "[0].dedupes_on");
/// assert_eq!(*error.problem(), Problem::NoTypes);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Checked<T>(pub Result<T, InputError>);
