//! What is wrong with a line that can't be used.

use std::fmt;
use std::num::NonZeroU64;
use std::str::Utf8Error;

use idgroup::InputError;
use serde_json::error::Category;

#[derive(Debug)]
pub enum Unusable {
    TooLong {
        max_bytes: NonZeroU64,
    },
    NotUtf8(Utf8Error),
    NotJson(serde_json::Error),
    NotAnUpdate {
        error: InputError,
        /// A field whose name is nearly that of the field that is missing.
        instead: Option<String>,
    },
    ArrayNotClosed,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { max_bytes } => write!(
                f,
                "longer than the {max_bytes} bytes that --max-line-bytes allows, `input` is its start"
            ),
            Self::NotUtf8(error) => write!(
                f,
                "not UTF-8 at column {}, `input` has U+FFFD for what could not be decoded",
                error.valid_up_to() + 1
            ),
            Self::NotJson(error) => write!(f, "{}", OfLine(error)),
            Self::NotAnUpdate { error, instead } => {
                write!(f, "{error}")?;
                match instead {
                    Some(name) => write!(f, ", and `{}` is there", name.escape_debug()),
                    None => Ok(()),
                }
            }
            Self::ArrayNotClosed => f.write_str("the input ends before its array does"),
        }
    }
}

/// An error in the JSON of one piece, where the number of the line is said elsewhere.
struct OfLine<'e>(&'e serde_json::Error);

impl fmt::Display for OfLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_message(f, self.0)?;
        match self.0.line() {
            0 => Ok(()),
            _ => write!(f, " at column {}", self.0.column()),
        }
    }
}

/// An error in a JSON text of many lines.
pub struct OfText<'e>(pub &'e serde_json::Error);

impl fmt::Display for OfText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_message(f, self.0)?;
        match (self.0.line(), self.0.classify()) {
            (0, _) => Ok(()),
            // Noticed only after what is wrong was read to its end.
            (line, Category::Data) => write!(f, ", near line {line}"),
            (line, _) => write!(f, " at line {line} column {}", self.0.column()),
        }
    }
}

/// The error without the position that its text ends with.
fn write_message(f: &mut fmt::Formatter<'_>, error: &serde_json::Error) -> fmt::Result {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let message = text.strip_suffix(&position).unwrap_or(&text);
    match error.classify() {
        Category::Syntax | Category::Eof => write!(f, "can't be read as JSON: {message}"),
        Category::Data | Category::Io => f.write_str(message),
    }
}
