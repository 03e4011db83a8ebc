//! Short texts on the stack.

use core::fmt::{self, Write};

use crate::input::timestamp::Timestamp;

/// An ASCII text of exactly `N` characters, or of fewer where it ends in zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShortText<const N: usize>([u8; N]);

impl<const N: usize> ShortText<N> {
    pub(super) fn as_str(&self) -> &str {
        // ASCII only: that is what both makers write.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Hexadecimal, in lower case.
pub(super) fn hexadecimal(bytes: &[u8; 16]) -> ShortText<32> {
    let mut text = [b'0'; 32];
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
    for (to, nibble) in text.iter_mut().zip(nibbles) {
        *to = if nibble < 10 { b'0' | nibble } else { b'a'.saturating_add(nibble.saturating_sub(10)) };
    }
    ShortText(text)
}

/// ISO 8601 in UTC with milliseconds, which is what browsers write and every destination reads;
/// smaller fractions are cut off.
pub(super) fn milliseconds(timestamp: Timestamp) -> ShortText<24> {
    let mut text = ShortText(*b"0000-00-00T00:00:00.000Z");
    let mut writer = Fraction { text: &mut text.0, position: 0 };
    // Cuts, and never fails.
    let _ = write!(writer, "{timestamp}");
    text
}

/// Writes over the digits of a text, up to those that it has.
struct Fraction<'t> {
    text: &'t mut [u8; 24],
    position: usize,
}

impl Write for Fraction<'_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        for byte in piece.bytes() {
            // The last place is the `Z`, which a time without a fraction has in the place of the point.
            if let (Some(slot), true) = (self.text.get_mut(self.position), byte != b'Z' && self.position < 23)
            {
                *slot = byte;
            }
            self.position = self.position.saturating_add(1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_after_the_second() {
        for (time, written) in [
            ("2026-01-05T10:00:00Z", "2026-01-05T10:00:00.000Z"),
            ("2026-01-05T10:00:00.1Z", "2026-01-05T10:00:00.100Z"),
            ("2026-01-05T10:00:00.012Z", "2026-01-05T10:00:00.012Z"),
            ("2026-01-05T10:00:00.0129Z", "2026-01-05T10:00:00.012Z"),
            ("0000-01-01T00:00:00.123456789Z", "0000-01-01T00:00:00.123Z"),
            ("9999-12-31T23:59:59.999999999+00:00", "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(milliseconds(time.parse().unwrap()).as_str(), written);
        }
    }

    #[test]
    fn bytes_have_two_digits_each() {
        let bytes = [0, 1, 9, 10, 15, 16, 159, 160, 171, 255, 0, 0, 0, 0, 0, 0xF0];
        assert_eq!(hexadecimal(&bytes).as_str(), "0001090a0f109fa0abff0000000000f0");
    }
}
