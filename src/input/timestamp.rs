//! Points in time, as RFC 3339 writes them.

use core::fmt;
use core::str::FromStr;

use serde::{Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime, UtcDateTime};

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

    /// Nanoseconds since 1970-01-01T00:00:00Z, negative before it.
    pub fn unix_nanoseconds(self) -> i128 {
        self.0.unix_timestamp_nanos()
    }

    /// The first point in time that RFC 3339 can write.
    pub(crate) const EARLIEST: Self =
        Self(UtcDateTime::UNIX_EPOCH.saturating_sub(Duration::seconds(62_167_219_200)));

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
        if !has_strict_shape(text.as_bytes()) {
            return Err(MalformedTimestamp);
        }
        OffsetDateTime::parse(text, &Rfc3339)
            .ok()
            .and_then(OffsetDateTime::checked_to_utc)
            .and_then(Self::writable)
            .ok_or(MalformedTimestamp)
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
    /// In parts, because the writer behind this module needs the standard library.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.0.date().to_calendar_date();
        let (hour, minute, second, nanosecond) = self.0.time().as_hms_nano();
        write!(f, "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}", u8::from(month))?;
        if nanosecond != 0 {
            // As few digits as say it all.
            let (mut digits, mut width) = (nanosecond, 9_usize);
            while digits % 10 == 0 {
                digits /= 10;
                width = width.saturating_sub(1);
            }
            write!(f, ".{digits:0width$}")?;
        }
        f.write_str("Z")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text or a number that is no [`Timestamp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an RFC 3339 time with an offset, at most nine fractional digits and a UTC year from 0000 to 9999"
)]
pub struct MalformedTimestamp;

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
        let before_year_zero = "0000-01-01T00:00:00Z".parse::<Timestamp>().unwrap().unix_nanoseconds() - 1;
        assert_eq!(Timestamp::from_unix_nanoseconds(before_year_zero), Err(MalformedTimestamp));
    }

    #[test]
    fn time_has_a_first_and_a_last_nanosecond() {
        assert_eq!(Timestamp::EARLIEST.to_string(), "0000-01-01T00:00:00Z");
        assert_eq!(Timestamp::EARLIEST.next().to_string(), "0000-01-01T00:00:00.000000001Z");
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
