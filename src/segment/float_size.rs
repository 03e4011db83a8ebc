//! How many bytes a floating-point number has as JSON.

use core::fmt::{self, Write};
use core::ops::RangeInclusive;

/// The exponents of the numbers that are written without one.
pub(super) const PLAIN_F32: RangeInclusive<isize> = -6..=12;
pub(super) const PLAIN_F64: RangeInclusive<isize> = -5..=15;

/// The size of a finite number, of which `shortest` is the shortest text that reads back as the
/// same, with an exponent: `-1.25e-7`.
pub(super) fn float_size(shortest: fmt::Arguments<'_>, plain: &RangeInclusive<isize>) -> usize {
    let mut number = Scientific::default();
    // Counting takes whatever it is given.
    let _ = number.write_fmt(shortest);
    number.size(plain)
}

/// Digits and exponent, read from a text such as `-1.25e-7` as it is written.
#[derive(Default)]
struct Scientific {
    is_negative: bool,
    digits: usize,
    exponent: isize,
    exponent_is_negative: bool,
    in_exponent: bool,
}

impl Write for Scientific {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            match byte {
                b'-' if self.in_exponent => self.exponent_is_negative = true,
                b'-' => self.is_negative = true,
                b'e' => self.in_exponent = true,
                b'0'..=b'9' if self.in_exponent => {
                    let digit = isize::from(byte.saturating_sub(b'0'));
                    self.exponent = self.exponent.saturating_mul(10).saturating_add(digit);
                }
                b'0'..=b'9' => self.digits = self.digits.saturating_add(1),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Scientific {
    fn size(&self, plain: &RangeInclusive<isize>) -> usize {
        let exponent = if self.exponent_is_negative { self.exponent.saturating_neg() } else { self.exponent };
        let magnitude = exponent.unsigned_abs();
        let unsigned = match (plain.contains(&exponent), self.exponent_is_negative) {
            // 12300.0, or 123.45
            (true, false) => self.digits.max(magnitude.saturating_add(2)).saturating_add(1),
            // 0.000123
            (true, true) => self.digits.saturating_add(magnitude).saturating_add(1),
            // 1.23e-7, or 1e+20
            (false, _) => {
                let point = usize::from(self.digits > 1);
                let exponent_digits = magnitude.checked_ilog10().unwrap_or(0).saturating_add(1);
                let exponent_size = usize::try_from(exponent_digits).unwrap_or(usize::MAX).saturating_add(2);
                self.digits.saturating_add(point).saturating_add(exponent_size)
            }
        };
        unsigned.saturating_add(self.is_negative.into())
    }
}
