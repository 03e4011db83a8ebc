//! Lines that can't be used, set aside so that nothing is lost.

use serde::Serialize;

use crate::deciding::Origin;
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
    let input = without_cut_character(bytes, unusable);
    write_line(rejects, Origin { file, piece }, unusable.to_string(), input);
}

/// Adds an update of which something was refused, with the reasons.
pub fn write_refused(rejects: &mut Vec<u8>, origin: Origin<'_>, reasons: String, line: &[u8]) {
    write_line(rejects, origin, reasons, line);
}

fn write_line(rejects: &mut Vec<u8>, origin: Origin<'_>, error: String, input: &[u8]) {
    let Origin { file, piece } = origin;
    let input = &String::from_utf8_lossy(input);
    let reject = Reject { file, line: piece.line, element: piece.element, error, input };
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
