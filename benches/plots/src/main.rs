//! Draws what `cargo bench --bench growth` has measured: `docs/GROWTH.md` and the pictures in it.
//!
//! ```sh
//! cargo bench --bench growth && cargo run --package growth-plots
//! ```
//!
//! The same measurements make the same files, byte for byte.

mod curve;
mod page;
mod picture;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use curve::{Curve, Measure};

/// What grows, in the order of the page.
const MEASURES: [Measure; 4] = [
    Measure {
        name: "external_ids",
        title: "External IDs of the profile",
        unit: "external IDs",
        world: "A decision about an entry, for 10 destinations with 4 settings, 5 of them plain. Both ways must \
                hash every ID once for the plain ones; the naive way copies and sorts them for each destination.",
    },
    Measure {
        name: "destinations",
        title: "Destinations that share settings",
        unit: "destinations",
        world: "A decision about an entry of a profile with 5 external IDs, for destinations with 4 settings, all of them from 6 destinations up. \
                Destinations with one setting are decided together, so that one more costs nothing.",
    },
    Measure {
        name: "distinct_settings",
        title: "Distinct settings",
        unit: "distinct settings",
        world: "A decision about an entry of a profile with one ID of each of 142 types, for destinations that \
                each dedupe on another pair of types: the worst case, with an event for every destination, \
                each with two hashes.",
    },
    Measure {
        name: "messages",
        title: "Outbound messages that are compared",
        unit: "outbound messages per flow",
        world: "A shadow comparison of two flows that are identical: streaming, in constant memory, beside two \
                maps that hold every message.",
    },
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let criterion = match env::args_os().nth(1) {
        Some(folder) => PathBuf::from(folder),
        None => root.join("target/criterion"),
    };
    let pictures = root.join("docs/growth");
    fs::create_dir_all(&pictures)?;
    let mut page = page::HEAD.to_owned();
    for measure in &MEASURES {
        let folder = criterion.join(format!("growth_{}", measure.name));
        let [ours, naive] = [Curve::read(&folder, "idgroup")?, Curve::read(&folder, "naive")?];
        let picture = pictures.join(format!("{}.svg", measure.name));
        picture::draw(&picture, measure, &[("idgroup", &ours), ("naive", &naive)])?;
        page.push_str(&page::section(measure, &ours, &naive));
        println!("{}: exponent {:.2}, naive {:.2}", measure.title, ours.exponent(), naive.exponent());
    }
    fs::write(root.join("docs/GROWTH.md"), page)?;
    Ok(())
}
