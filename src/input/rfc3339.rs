//! The digits of RFC 3339, where a library takes longer than the rest of an update or an event.

use core::ops::Range;

use time::{Date, Month, Time, UtcDateTime};

/// A time in the form that nearly all have, `2026-01-05T10:00:00Z` with up to nine fractional digits.
/// `None` says nothing but that this is another text.
pub(super) fn usual(text: &str) -> Option<UtcDateTime> {
    let (whole, rest) = text.as_bytes().split_first_chunk::<19>()?;
    let [a, b, c, d, b'-', e, f, b'-', g, h, b'T', i, j, b':', k, l, b':', m, n] = *whole else {
        return None;
    };
    let century = two_digits(a, b)?;
    let year = i32::from(century).saturating_mul(100).saturating_add(two_digits(c, d)?.into());
    let month = Month::try_from(two_digits(e, f)?).ok()?;
    let date = Date::from_calendar_date(year, month, two_digits(g, h)?).ok()?;
    let (hour, minute, second) = (two_digits(i, j)?, two_digits(k, l)?, two_digits(m, n)?);
    let time = Time::from_hms_nano(hour, minute, second, nanoseconds(rest)?).ok()?;
    Some(UtcDateTime::new(date, time))
}

fn digit(byte: u8) -> Option<u8> {
    byte.checked_sub(b'0').filter(|digit| *digit <= 9)
}

fn two_digits(tens: u8, ones: u8) -> Option<u8> {
    digit(tens)?.checked_mul(10)?.checked_add(digit(ones)?)
}

/// What follows the seconds: a fraction, if any, and `Z`.
fn nanoseconds(rest: &[u8]) -> Option<u32> {
    let digits = match rest {
        [b'Z'] => return Some(0),
        [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) => digits,
        _ => return None,
    };
    let number = digits.iter().try_fold(0_u32, |number, byte| {
        Some(number.saturating_mul(10).saturating_add(digit(*byte)?.into()))
    })?;
    let missing = 9_u32.saturating_sub(u32::try_from(digits.len()).ok()?);
    Some(number.saturating_mul(10_u32.saturating_pow(missing)))
}

/// A time as it is written: by hand, because the writer behind this module needs the standard library,
/// and a formatter that is asked for digits two at a time costs more than all the rest of an event.
pub(super) struct Written {
    text: [u8; 30],
    length: usize,
}

impl Written {
    pub(super) fn new(point: UtcDateTime) -> Self {
        let (year, month, day) = point.date().to_calendar_date();
        let (hour, minute, second, nanosecond) = point.time().as_hms_nano();
        let mut written = Self { text: *b"0000-00-00T00:00:00.000000000Z", length: 30 };
        written.put(0..4, year.unsigned_abs());
        for (at, part) in [(5, u8::from(month)), (8, day), (11, hour), (14, minute), (17, second)] {
            written.put(at..at.saturating_add(2), part.into());
        }
        // As few digits as say it all.
        let (mut fraction, mut end) = (nanosecond, 29_usize);
        while end > 20 && fraction % 10 == 0 {
            fraction /= 10;
            end = end.saturating_sub(1);
        }
        if nanosecond == 0 {
            end = 19;
        }
        written.put(20..end.max(20), fraction);
        if let Some(last) = written.text.get_mut(end) {
            *last = b'Z';
        }
        written.length = end.saturating_add(1);
        written
    }

    /// The number, in as many digits as there are places.
    fn put(&mut self, places: Range<usize>, mut number: u32) {
        for place in self.text.get_mut(places).unwrap_or_default().iter_mut().rev() {
            *place = b'0'.saturating_add((number % 10).try_into().unwrap_or_default());
            number /= 10;
        }
    }

    pub(super) fn as_str(&self) -> &str {
        let text = self.text.get(..self.length).and_then(|text| str::from_utf8(text).ok());
        debug_assert!(text.is_some(), "a time is written in ASCII");
        text.unwrap_or_default()
    }
}
