//! Lines that can't be used, set aside so that nothing is lost.

use serde::Serialize;

use crate::reading::chunk::Piece;
use crate::reading::unusable::Unusable;

#[derive(Serialize)]
struct Reject<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    element: Option<u64>,
    error: String,
    input: &'a str,
}

/// Adds the piece, on a line. `file` is where it was found, if that must be said.
pub fn write(rejects: &mut Vec<u8>, file: Option<&str>, piece: &Piece, unusable: &Unusable, bytes: &[u8]) {
    let reject = Reject {
        file,
        line: piece.line,
        element: piece.element,
        error: unusable.to_string(),
        input: &String::from_utf8_lossy(without_cut_character(bytes, unusable)),
    };
    serde_json::to_writer(&mut *rejects, &reject).expect("memory takes all that is written to it");
    rejects.push(b'\n');
}

/// What was cut after a number of bytes may end within a character, which is no fault of the line.
fn without_cut_character<'i>(input: &'i [u8], unusable: &Unusable) -> &'i [u8] {
    match (unusable, str::from_utf8(input)) {
        (Unusable::TooLong { .. }, Err(error)) if error.error_len().is_none() => {
            &input[..error.valid_up_to()]
        }
        _ => input,
    }
}
