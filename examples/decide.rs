//! The shortest service: updates come in on standard input, one a line, and events go out.
//!
//! ```sh
//! cargo run --example decide -- '[{"id":"mail","dedupes_on":["email"]}]' <fixtures/pipeline/updates.ndjson
//! ```

use std::error::Error;
use std::io::{self, BufRead, Write};

use idgroup::{Checked, Destinations, ProfileUpdate, decide};

fn main() -> Result<(), Box<dyn Error>> {
    let destinations = std::env::args().nth(1).ok_or("name the destinations, as JSON")?;
    let destinations: Destinations = serde_json::from_str(&destinations)?;
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().split(b'\n') {
        let line = line?;
        match serde_json::from_slice(&line) {
            Ok(Checked::<ProfileUpdate>(Ok(update))) => {
                for event in decide(&update, &destinations) {
                    serde_json::to_writer(&mut out, &event)?;
                    writeln!(out)?;
                }
            }
            // A dead letter: kept with its reason, and the rest goes on.
            Ok(Checked(Err(refusal))) => eprintln!("{refusal}: {}", String::from_utf8_lossy(&line)),
            Err(malformed) => eprintln!("{malformed}: {}", String::from_utf8_lossy(&line)),
        }
    }
    Ok(())
}
