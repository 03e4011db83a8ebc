//! Numbers as people read them.

/// With a comma before every three digits.
pub fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// In megabytes, or kilobytes if there is not one of them, with one digit after the point.
pub fn size(bytes: u128) -> String {
    let (unit, name) = if bytes < 1_000_000 { (1_000, "kB") } else { (1_000_000, "MB") };
    let tenths = bytes * 10 / unit;
    format!("{}.{} {name}", grouped(tenths / 10), tenths % 10)
}
