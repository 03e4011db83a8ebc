//! Points in time, as RFC 3339 writes them.

use core::fmt;
use core::str::FromStr;

use serde::{Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcDateTime};

use crate::input::error::{InputError, MalformedTimestamp, Problem, excerpt};
use crate::input::read::field::Field;
use crate::input::read::shape::Text;
use crate::input::read::{Read, deserialize_by_read};
use crate::input::rfc3339::{self, Written};

/// A point in time with nanosecond resolution, in the years 0000 to 9999 UTC.
///
/// Read from [RFC 3339] with an offset and up to nine fractional digits, and compared as a point in
/// time: `10:00:00+02:00` equals `08:00:00Z`. A leap second, `23:59:60`, is read as the last
/// nanosecond before midnight. Written in UTC.
///
/// ```
/// # fn main() -> Result<(), idgroup::MalformedTimestamp> {
/// use idgroup::Timestamp;
///
/// let seen: Timestamp = "2025-12-01T09:00:00.125+01:00".parse()?;
/// assert!(seen < "2025-12-01T08:00:00.126Z".parse()?);
/// assert_eq!(seen.to_string(), "2025-12-01T08:00:00.125Z");
/// assert!("2025-12-01".parse::<Timestamp>().is_err());
/// # Ok(())
/// # }
/// ```
///
/// [RFC 3339]: https://www.rfc-editor.org/rfc/rfc3339#section-5.6
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(UtcDateTime);

impl Timestamp {
    /// The first nanosecond of the year 0000 UTC.
    pub const MIN: Self = Self::in_range(-62_167_219_200_000_000_000);

    /// The last nanosecond of the year 9999 UTC.
    pub const MAX: Self = Self::in_range(253_402_300_799_999_999_999);

    /// The point `milliseconds` after 1970-01-01T00:00:00Z, or before it if negative.
    ///
    /// # Errors
    ///
    /// A point outside the years 0000 to 9999, which RFC 3339 can't write.
    pub fn from_unix_milliseconds(milliseconds: i64) -> Result<Self, MalformedTimestamp> {
        Self::from_unix_nanoseconds(i128::from(milliseconds).saturating_mul(1_000_000))
    }

    /// The point `microseconds` after 1970-01-01T00:00:00Z, or before it if negative.
    ///
    /// # Errors
    ///
    /// A point outside the years 0000 to 9999, which RFC 3339 can't write.
    pub fn from_unix_microseconds(microseconds: i64) -> Result<Self, MalformedTimestamp> {
        Self::from_unix_nanoseconds(i128::from(microseconds).saturating_mul(1_000))
    }

    /// The point `nanoseconds` after 1970-01-01T00:00:00Z, or before it if negative.
    ///
    /// # Errors
    ///
    /// A point outside the years 0000 to 9999, which RFC 3339 can't write.
    pub fn from_unix_nanoseconds(nanoseconds: i128) -> Result<Self, MalformedTimestamp> {
        UtcDateTime::from_unix_timestamp_nanos(nanoseconds)
            .ok()
            .and_then(Self::writable)
            .ok_or(MalformedTimestamp)
    }

    /// Whole milliseconds since 1970-01-01T00:00:00Z, negative before it: what is less than a millisecond
    /// is cut off towards the past.
    pub fn unix_milliseconds(self) -> i64 {
        self.0.unix_timestamp().saturating_mul(1_000).saturating_add(self.0.millisecond().into())
    }

    /// Whole microseconds since 1970-01-01T00:00:00Z, negative before it: what is less than a microsecond
    /// is cut off towards the past.
    pub fn unix_microseconds(self) -> i64 {
        self.0.unix_timestamp().saturating_mul(1_000_000).saturating_add(self.0.microsecond().into())
    }

    /// Nanoseconds since 1970-01-01T00:00:00Z, negative before it.
    pub fn unix_nanoseconds(self) -> i128 {
        self.0.unix_timestamp_nanos()
    }

    /// For constants: what is out of range is 1970, which a test would see.
    const fn in_range(nanoseconds: i128) -> Self {
        match UtcDateTime::from_unix_timestamp_nanos(nanoseconds) {
            Ok(point) => Self(point),
            Err(_) => Self(UtcDateTime::UNIX_EPOCH),
        }
    }

    /// The time that a field holds, or an error that names the field.
    pub(crate) fn named(field: &str, text: &str) -> Result<Self, InputError> {
        text.parse().map_err(|MalformedTimestamp| {
            InputError::new(field, Problem::MalformedTimestamp { value: excerpt(text) })
        })
    }

    /// A time in whatever form RFC 3339 allows.
    fn unusual(text: &str) -> Option<Self> {
        if !has_strict_shape(text.as_bytes()) {
            return None;
        }
        let point = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        point.checked_to_utc().and_then(Self::writable)
    }

    /// The next nanosecond; the last one is its own.
    pub(crate) fn next(self) -> Self {
        Self::from_unix_nanoseconds(self.unix_nanoseconds().saturating_add(1)).unwrap_or(self)
    }

    /// Whole seconds since 1970, and the nanoseconds of the second.
    pub(crate) fn seconds_and_nanoseconds(self) -> (i64, u32) {
        (self.0.unix_timestamp(), self.0.nanosecond())
    }

    pub(crate) fn from_seconds_and_nanoseconds(seconds: i64, nanoseconds: u32) -> Option<Self> {
        const PER_SECOND: u32 = 1_000_000_000;
        let whole = i128::from(seconds).saturating_mul(PER_SECOND.into());
        (nanoseconds < PER_SECOND)
            .then(|| Self::from_unix_nanoseconds(whole.saturating_add(nanoseconds.into())))?
            .ok()
    }

    /// What was read must be writable again: an offset can move a time out of the years that
    /// RFC 3339 has.
    fn writable(point: UtcDateTime) -> Option<Self> {
        (0..=9999).contains(&point.year()).then_some(Self(point))
    }
}

impl FromStr for Timestamp {
    type Err = MalformedTimestamp;

    fn from_str(text: &str) -> Result<Self, MalformedTimestamp> {
        rfc3339::usual(text).map(Self).or_else(|| Self::unusual(text)).ok_or(MalformedTimestamp)
    }
}

/// The parser behind this module takes any byte between date and time, and cuts fractions after
/// the ninth digit, which could make two times equal that are not. Both are refused here.
fn has_strict_shape(text: &[u8]) -> bool {
    let fractional_digits = match text.get(19) {
        Some(b'.') => text.iter().skip(20).take_while(|byte| byte.is_ascii_digit()).count(),
        _ => 0,
    };
    matches!(text.get(10), Some(b'T' | b't')) && fractional_digits <= 9
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Written::new(self.0).as_str())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Written::new(self.0).as_str())
    }
}

impl<'de> Read<'de> for Timestamp {
    type Raw = Field<Text<'de>>;

    fn check(raw: Self::Raw) -> Result<Self, InputError> {
        let Text(text) = raw.value()?;
        Self::named("", &text)
    }
}

deserialize_by_read!(Timestamp);

impl Field<Text<'_>> {
    /// A time, in an error seen from the object that has it in this field.
    #[inline]
    pub(crate) fn timestamp(&self, name: &str) -> Result<Option<Timestamp>, InputError> {
        match self.as_optional(name)? {
            Some(Text(text)) => Timestamp::named(name, text).map(Some),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[track_caller]
    fn assert_written(text: &str, written: &str) {
        assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), written, "{text}");
    }

    #[track_caller]
    fn assert_malformed(text: &str) {
        assert_eq!(text.parse::<Timestamp>(), Err(MalformedTimestamp), "{text}");
    }

    #[test]
    fn reads_rfc_3339_and_writes_utc() {
        assert_written("2026-01-05T10:00:00Z", "2026-01-05T10:00:00Z");
        assert_written("2026-01-05t10:00:00z", "2026-01-05T10:00:00Z");
        assert_written("2026-01-05T10:00:00+02:00", "2026-01-05T08:00:00Z");
        assert_written("2026-01-05T10:00:00-00:00", "2026-01-05T10:00:00Z");
        assert_written("2026-01-05T10:00:00.120Z", "2026-01-05T10:00:00.12Z");
        assert_written("2026-01-05T10:00:00.123456789Z", "2026-01-05T10:00:00.123456789Z");
        assert_written("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z");
        assert_written("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z");
        assert_written("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn refuses_everything_else() {
        assert_malformed("");
        assert_malformed("2026-01-05");
        assert_malformed("2026-01-05T10:00:00");
        assert_malformed("2026-01-05 10:00:00Z");
        assert_malformed("2026-01-05_10:00:00Z");
        assert_malformed("2026-01-05T10:00Z");
        assert_malformed("2026-01-05T24:00:00Z");
        assert_malformed("2026-02-30T10:00:00Z");
        assert_malformed("2026-01-05T10:00:60Z");
        assert_malformed("2026-01-05T10:00:00.Z");
        assert_malformed("2026-01-05T10:00:00.1234567890Z");
        assert_malformed("2026-01-05T10:00:00+24:00");
        assert_malformed("2026-01-05T10:00:00+0200");
        assert_malformed(" 2026-01-05T10:00:00Z");
        assert_malformed("2026-01-05T10:00:00Z ");
        assert_malformed("+12026-01-05T10:00:00Z");
        assert_malformed("２０26-01-05T10:00:00Z");
        assert_malformed("0000-01-01T00:00:00+00:01");
        assert_malformed("9999-12-31T23:59:59-00:01");
    }

    /// What is read by hand is read as what is not, in every place where a text can differ.
    #[test]
    fn the_usual_form_is_read_as_every_form_is() {
        let both = |text: &str| {
            let (by_hand, slowly) = (rfc3339::usual(text).map(Timestamp), Timestamp::unusual(text));
            assert_eq!(by_hand.or(slowly), slowly, "{text}");
            by_hand.is_some()
        };
        let mut by_hand = 0;
        for fraction in ["", ".", ".1", ".120", ".123456789", ".000000001", ".1234567890"] {
            let usual = alloc::format!("2024-02-29T23:59:59{fraction}Z");
            for position in 0..usual.len() {
                for replaced in " 0123456789:-+.TtZz/\u{7f}".chars() {
                    let mut text = usual.clone();
                    text.replace_range(position..=position, replaced.encode_utf8(&mut [0; 4]));
                    by_hand += usize::from(both(&text));
                }
                both(&usual[..position]);
                both(&alloc::format!("{}ß{}", &usual[..position], &usual[position + 1..]));
            }
        }
        for year in (0..=9999).filter(|year| year % 97 < 5 || year % 100 == 0) {
            for (month, day) in (0..=13).flat_map(|month| [0, 1, 28, 29, 30, 31, 32].map(|day| (month, day)))
            {
                by_hand += usize::from(both(&alloc::format!("{year:04}-{month:02}-{day:02}T00:00:60Z")));
                by_hand += usize::from(both(&alloc::format!("{year:04}-{month:02}-{day:02}T24:00:00Z")));
                by_hand += usize::from(both(&alloc::format!("{year:04}-{month:02}-{day:02}T08:59:07.5Z")));
            }
        }
        assert!(by_hand > 30_000, "{by_hand}");
    }

    #[test]
    fn is_written_in_as_few_digits_as_say_it_all() {
        for nanosecond in [0, 1, 10, 123_456_789, 120_000_000, 999_999_999, 100_000_000, 500, 1_000_000] {
            for second in [-62_167_219_200, -1, 0, 59, 1_767_607_200, 253_402_300_799] {
                let point = Timestamp::from_unix_nanoseconds(second * 1_000_000_000 + nanosecond).unwrap();
                let text = point.to_string();
                assert_eq!(Timestamp::unusual(&text), Some(point), "{text}");
                let digits = text.get(20..text.len() - 1).unwrap_or_default();
                assert!(!digits.ends_with('0') && (nanosecond != 0) == text.contains('.'), "{text}");
            }
        }
    }

    #[test]
    fn compares_points_in_time_to_the_nanosecond() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(at("2026-01-05T10:00:00+02:00"), at("2026-01-05T08:00:00Z"));
        assert!(at("2026-01-05T10:00:00.000000001Z") > at("2026-01-05T10:00:00Z"));
        assert!(at("2026-01-05T10:00:00+02:00") < at("2026-01-05T09:00:00+00:30"));
    }

    #[test]
    fn counts_nanoseconds_from_1970() {
        let point = Timestamp::from_unix_nanoseconds(1_500_000_001).unwrap();
        assert_eq!(point.to_string(), "1970-01-01T00:00:01.500000001Z");
        assert_eq!(point.unix_nanoseconds(), 1_500_000_001);
        assert_eq!(Timestamp::from_unix_nanoseconds(i128::MAX), Err(MalformedTimestamp));
        assert_eq!(Timestamp::from_unix_nanoseconds(i128::MIN), Err(MalformedTimestamp));
    }

    #[test]
    fn the_first_and_the_last_have_no_other_beside_them() {
        assert_eq!(Timestamp::MIN.to_string(), "0000-01-01T00:00:00Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999999Z");
        for edge in [Timestamp::MIN, Timestamp::MAX] {
            assert_eq!(Timestamp::from_unix_nanoseconds(edge.unix_nanoseconds()), Ok(edge));
        }
        let (min, max) = (Timestamp::MIN.unix_nanoseconds(), Timestamp::MAX.unix_nanoseconds());
        assert_eq!(Timestamp::from_unix_nanoseconds(min - 1), Err(MalformedTimestamp));
        assert_eq!(Timestamp::from_unix_nanoseconds(max + 1), Err(MalformedTimestamp));
    }

    #[test]
    fn counts_milliseconds_and_microseconds() {
        let milliseconds = |count| Timestamp::from_unix_milliseconds(count).unwrap();
        let microseconds = |count| Timestamp::from_unix_microseconds(count).unwrap();
        assert_eq!(milliseconds(1_500).to_string(), "1970-01-01T00:00:01.5Z");
        assert_eq!(milliseconds(-1).to_string(), "1969-12-31T23:59:59.999Z");
        assert_eq!(microseconds(1_500_001).to_string(), "1970-01-01T00:00:01.500001Z");
        assert_eq!(microseconds(-1).to_string(), "1969-12-31T23:59:59.999999Z");
        for count in [0, 1, -1, 999, -1_000, 1_767_607_200_123, Timestamp::MIN.unix_milliseconds()] {
            assert_eq!(milliseconds(count).unix_milliseconds(), count);
            assert_eq!(microseconds(count).unix_microseconds(), count);
        }
        // What is cut off is cut off towards the past, before 1970 too.
        let before = Timestamp::from_unix_nanoseconds(-1_500_001).unwrap();
        assert_eq!((before.unix_milliseconds(), before.unix_microseconds()), (-2, -1_501));
        let after = Timestamp::from_unix_nanoseconds(1_500_999).unwrap();
        assert_eq!((after.unix_milliseconds(), after.unix_microseconds()), (1, 1_500));
        for (edge, beyond) in [(Timestamp::MIN, -1), (Timestamp::MAX, 1)] {
            assert_eq!(
                Timestamp::from_unix_milliseconds(edge.unix_milliseconds() + beyond),
                Err(MalformedTimestamp)
            );
            assert_eq!(
                Timestamp::from_unix_microseconds(edge.unix_microseconds() + beyond),
                Err(MalformedTimestamp)
            );
        }
        for count in [i64::MIN, i64::MAX] {
            assert_eq!(Timestamp::from_unix_milliseconds(count), Err(MalformedTimestamp));
            assert_eq!(Timestamp::from_unix_microseconds(count), Err(MalformedTimestamp));
        }
    }

    #[test]
    fn time_has_a_first_and_a_last_nanosecond() {
        assert_eq!(Timestamp::MIN.to_string(), "0000-01-01T00:00:00Z");
        assert_eq!(Timestamp::MIN.next().to_string(), "0000-01-01T00:00:00.000000001Z");
        let last = "9999-12-31T23:59:59.999999999Z".parse::<Timestamp>().unwrap();
        assert_eq!(last.next(), last);
    }

    #[test]
    fn a_point_is_seconds_and_nanoseconds() {
        for (text, parts) in [
            ("1970-01-01T00:00:01.500000001Z", (1, 500_000_001)),
            ("1969-12-31T23:59:59.999999999Z", (-1, 999_999_999)),
            ("0000-01-01T00:00:00Z", (-62_167_219_200, 0)),
            ("9999-12-31T23:59:59.999999999Z", (253_402_300_799, 999_999_999)),
        ] {
            let point = text.parse::<Timestamp>().unwrap();
            assert_eq!(point.seconds_and_nanoseconds(), parts, "{text}");
            assert_eq!(Timestamp::from_seconds_and_nanoseconds(parts.0, parts.1), Some(point), "{text}");
        }
        for (seconds, nanoseconds) in
            [(0, 1_000_000_000), (253_402_300_800, 0), (-62_167_219_201, 0), (i64::MAX, 0), (i64::MIN, 0)]
        {
            assert_eq!(Timestamp::from_seconds_and_nanoseconds(seconds, nanoseconds), None, "{seconds}");
        }
    }
}
