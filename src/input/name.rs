//! Names and values of input: texts that are short as a rule.

use alloc::borrow::Cow;
use core::fmt;
use core::ops::Deref;

use serde::{Serialize, Serializer};
use smol_str::SmolStr;

/// A text of input. Up to 23 bytes lie where the text is held, without an allocation: most types, ids
/// and keys are that short.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(SmolStr);

impl Deref for Name {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Name {
    #[inline]
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<Cow<'_, str>> for Name {
    #[inline]
    fn from(text: Cow<'_, str>) -> Self {
        Self(SmolStr::new(text))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}
