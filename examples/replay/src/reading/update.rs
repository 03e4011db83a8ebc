//! From pieces to updates.

use std::num::NonZeroU64;

use idgroup::{Checked, Problem, ProfileUpdate};

use super::chunk::{Kind, Piece};
use super::unusable::Unusable;

use crate::summary::look_alikes;

/// The update that the piece is, if it is one.
pub fn read_update(piece: &Piece, bytes: &[u8], max_bytes: NonZeroU64) -> Result<ProfileUpdate, Unusable> {
    match piece.kind {
        Kind::Whole => {}
        Kind::TooLong => return Err(Unusable::TooLong { max_bytes }),
        Kind::ArrayNotClosed => return Err(Unusable::ArrayNotClosed),
    }
    // All of it: what is in an ignored field is not looked at otherwise.
    let text = str::from_utf8(bytes).map_err(Unusable::NotUtf8)?;
    let Checked(update) = serde_json::from_str(text).map_err(Unusable::NotJson)?;
    update.map_err(|error| {
        let instead = match error.problem() {
            Problem::Missing => look_alikes::of_field(text, error.field()),
            _ => None,
        };
        Unusable::NotAnUpdate { error, instead }
    })
}
