//! The names of enums, on the wire and in metrics: one table for each.

/// From one table of variants and their names: `ALL`, `as_str`, `Display`, `FromStr`, `Serialize` and
/// `Deserialize`, so that no two of them can disagree.
macro_rules! labels {
    ($type:ident { $($variant:ident => $name:literal),* $(,)? }) => {
        impl $type {
            /// Every value, in the order of the documentation.
            pub const ALL: [Self; <[&str]>::len(&[$($name),*])] = [$(Self::$variant),*];

            const NAMES: &'static [&'static str] = &[$($name),*];

            /// The name on the wire and in metrics.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The value with this name, in an error seen from the object that has it in `field`.
            pub(crate) fn from_name(field: &str, name: &str) -> Result<Self, $crate::input::error::InputError> {
                match name {
                    $($name => Ok(Self::$variant),)*
                    _ => Err($crate::input::error::InputError::unknown(field, name, Self::NAMES)),
                }
            }
        }

        impl ::core::fmt::Display for $type {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.pad(self.as_str())
            }
        }

        /// From the name that [`as_str`](Self::as_str) gives.
        impl ::core::str::FromStr for $type {
            type Err = $crate::input::error::InputError;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                Self::from_name("", name)
            }
        }

        impl ::serde::Serialize for $type {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $type {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::input::read::from_text(deserializer)
            }
        }
    };
}
pub(crate) use labels;
