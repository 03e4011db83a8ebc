//! The page around the pictures.

use std::fmt::Write;

use crate::curve::{Curve, FITTED_FROM, Measure, size, time};

pub const HEAD: &str = "# How the time grows

One measure at a time, beside the naive way: for each destination filter, sort and hash the IDs, and
look the hash up in a map; and for comparisons, hold every message of both flows in maps. Both axes
are logarithmic, so that a straight line is a power of the size, and its slope the exponent: 1 where
twice the input takes twice the time, 0 where it takes no more.

This page is made from measurements, by

```sh
cargo bench --bench growth && cargo run --package growth-plots
```

The times are those of the fastest of ten samples, on a small virtual machine with other work on it:
the slopes say more than the numbers. Exponents are fitted from a size of 100 up, because below that
fixed costs dominate.
";

pub fn section(measure: &Measure, ours: &Curve, naive: &Curve) -> String {
    let Measure { name, title, unit, world } = measure;
    let mut text = format!("\n## {title}\n\n{}\n\n", wrapped(world));
    writeln!(text, "![Time by number of {unit}, idgroup beside the naive way](growth/{name}.svg)\n").unwrap();
    let exponents = [ours, naive].map(Curve::exponent);
    writeln!(
        text,
        "Fitted from {} up: idgroup n^{:.2}, naive n^{:.2}.\n",
        size(FITTED_FROM),
        exponents[0],
        exponents[1]
    )
    .unwrap();
    writeln!(text, "| {unit} | idgroup | naive | naive / idgroup |\n|---:|---:|---:|---:|").unwrap();
    for ((n, of_ours), (_, of_naive)) in ours.points().iter().zip(naive.points()) {
        let ratio = of_naive / of_ours;
        writeln!(text, "| {} | {} | {} | {ratio:.1} |", size(*n), time(*of_ours), time(*of_naive)).unwrap();
    }
    text
}

/// In lines of at most 100 characters.
fn wrapped(text: &str) -> String {
    let mut wrapped = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        if width + word.len() >= 100 {
            wrapped.push('\n');
            width = 0;
        } else if width > 0 {
            wrapped.push(' ');
            width += 1;
        }
        wrapped.push_str(word);
        width += word.len();
    }
    wrapped
}
