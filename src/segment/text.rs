//! Short texts on the stack.

use time::UtcDateTime;

use crate::input::timestamp::Timestamp;

/// An ASCII text of `N` characters.
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
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let mut text = [b'0'; 32];
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
    for (to, nibble) in text.iter_mut().zip(nibbles) {
        // A table, because a comparison of random digits would be guessed wrong half of the time.
        *to = DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
    }
    ShortText(text)
}

/// ISO 8601 in UTC with milliseconds, which is what browsers write and every destination reads;
/// smaller fractions are cut off. Digit by digit, because formatting would cost a fifth of a call.
pub(super) fn milliseconds(timestamp: Timestamp) -> ShortText<24> {
    let mut text = *b"0000-00-00T00:00:00.000Z";
    // A timestamp is in the years that can be written.
    if let Ok(point) = UtcDateTime::from_unix_timestamp_nanos(timestamp.unix_nanoseconds()) {
        let (hour, minute, second, millisecond) = point.as_hms_milli();
        let year = u16::try_from(point.year()).unwrap_or_default();
        let parts = [
            (0..4, year),
            (5..7, u8::from(point.month()).into()),
            (8..10, point.day().into()),
            (11..13, hour.into()),
            (14..16, minute.into()),
            (17..19, second.into()),
            (20..23, millisecond),
        ];
        for (place, number) in parts {
            write_digits(text.get_mut(place).unwrap_or_default(), number);
        }
    }
    ShortText(text)
}

/// As many digits of the number as there is place for, from the last.
fn write_digits(place: &mut [u8], number: u16) {
    let mut rest = number;
    for digit in place.iter_mut().rev() {
        *digit = u8::try_from(rest % 10).unwrap_or_default() | b'0';
        rest /= 10;
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
