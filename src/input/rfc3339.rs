//! The digits of RFC 3339, where a library takes longer than the rest of an update or an event.

use core::ops::Range;

use time::{Date, Month, Time, UtcDateTime};

/// A time in the form that nearly all have, `2026-01-05T10:00:00Z` with up to nine fractional digits.
/// `None` says nothing but that this is another text.
pub(super) fn usual(text: &str) -> Option<UtcDateTime> {
    let (whole, rest) = text.as_bytes().split_first_chunk::<19>()?;
    let [century, _, year, _, _, month, _, _] = numbers(*whole.first_chunk()?, *b"0000-00-")?;
    let [hour, _, _, minute, _, _, second, _] = numbers(*whole.last_chunk()?, *b"00:00:00")?;
    let [day, ..] = numbers(*whole.get(8..16)?.first_chunk()?, *b"00T00:00")?;
    let year = i32::from(century).wrapping_mul(100).wrapping_add(year.into());
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    let time = Time::from_hms_nano(hour, minute, second, nanoseconds(rest)?).ok()?;
    Some(UtcDateTime::new(date, time))
}

/// At each place, the number of two digits that begins there; of a text that has digits where the form
/// has zeros, and elsewhere what the form has. Eight bytes at once: a look at each by itself would cost more
/// than the rest.
#[inline]
fn numbers(text: [u8; 8], form: [u8; 8]) -> Option<[u8; 8]> {
    // With the form taken away, digits are their values, and all else is nothing.
    let values = u64::from_le_bytes(text) ^ u64::from_le_bytes(form);
    let others = u64::from_le_bytes(form.map(|byte| if byte == b'0' { 0 } else { u8::MAX }));
    let of_more_than_four_bits =
        (values | values.wrapping_add(u64::from_le_bytes([6; 8]))) & u64::from_le_bytes([0xf0; 8]);
    let is_of_the_form = (values & others) | of_more_than_four_bits == 0;
    is_of_the_form.then(|| values.wrapping_mul(10).wrapping_add(values >> 8).to_le_bytes())
}

/// What follows the seconds: a fraction, if any, and `Z`.
#[inline]
fn nanoseconds(rest: &[u8]) -> Option<u32> {
    const PLACES: [u32; 9] = [100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    let fraction = match rest {
        [b'Z'] => return Some(0),
        [b'.', fraction @ .., b'Z'] if (1..=9).contains(&fraction.len()) => fraction,
        _ => return None,
    };
    let (mut nanoseconds, mut greatest) = (0_u32, 0);
    for (byte, place) in fraction.iter().zip(PLACES) {
        let digit = byte.wrapping_sub(b'0');
        greatest = digit.max(greatest);
        nanoseconds = nanoseconds.wrapping_add(place.wrapping_mul(digit.into()));
    }
    (greatest <= 9).then_some(nanoseconds)
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
