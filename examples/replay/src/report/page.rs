//! The page as a whole.

use std::collections::BTreeSet;

use idgroup::{DropReason, Verdict};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use plotters::style::RGBColor;

use super::sections;
use crate::summary::Summary;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What stands in the page is all that it needs; a browser is told to load nothing.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// How much of the input the page is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    Whole,
    Part,
}

/// As a file.
pub fn page(summary: &Summary, reach: Reach) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                link rel="icon" href="data:,";
                title { "Replay" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "What the replay came to" }
                    p.quiet { (summary.pace()) }
                    @if reach == Reach::Part {
                        p role="alert" { strong { "The replay ended before its input did: this is about the part until then." } }
                    }
                    (filters(summary))
                }
                main {
                    (sections::changes(summary))
                    (sections::totals(summary))
                    (sections::comparisons(summary))
                    (sections::verdicts(summary))
                    (sections::amplification(summary))
                    (sections::times(summary))
                    (sections::promise(summary))
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

fn filters(summary: &Summary) -> Markup {
    let tally = &summary.tally;
    let changed = tally.changes.iter().filter(|(_, of)| of.is_changed()).map(|(id, _)| id);
    let destinations: BTreeSet<&str> =
        tally.seen.by_destination.keys().map(|id| &**id).chain(changed).collect();
    html! {
        form aria-label="Filters" {
            label { "Destination"
                select id="destination" {
                    option value="" { "all" }
                    @for id in destinations { option value=(id) { (id) } }
                }
            }
            label { "Verdict or drop reason"
                select id="verdict" {
                    option value="" { "all" }
                    @for verdict in verdicts() {
                        option value=(label(verdict)) data-fill=(fill(colour(verdict))) { (label(verdict)) }
                    }
                }
            }
            button id="all" type="button" { "Show all" }
            output id="shown" class="quiet" aria-live="polite" {}
        }
    }
}

pub fn verdicts() -> impl Iterator<Item = Verdict> {
    [Verdict::SendAll, Verdict::SendSome].into_iter().chain(DropReason::ALL.map(Verdict::Drop))
}

/// The verdict, or why nothing is sent.
pub fn label(verdict: Verdict) -> &'static str {
    verdict.drop_reason().map_or(verdict.as_str(), DropReason::as_str)
}

/// One for each, which the filter knows the bars by.
pub fn colour(verdict: Verdict) -> RGBColor {
    match verdict {
        Verdict::SendAll => RGBColor(46, 139, 87),
        Verdict::SendSome => RGBColor(74, 128, 190),
        Verdict::Drop(reason) => match reason {
            DropReason::Exited => RGBColor(128, 136, 148),
            DropReason::NoRelevantExternalId => RGBColor(196, 125, 40),
            DropReason::NotAMember => RGBColor(112, 128, 144),
            DropReason::AddedIdNotRelevant => RGBColor(170, 120, 70),
            DropReason::AlreadyMessaged => RGBColor(140, 110, 190),
            DropReason::MayHaveBeenMessaged => RGBColor(190, 100, 170),
            DropReason::ExternalIdRemoved => RGBColor(150, 130, 100),
            DropReason::NoExternalIds => RGBColor(150, 140, 60),
            DropReason::NoConsent => RGBColor(205, 85, 85),
            _ => RGBColor(120, 120, 120),
        },
    }
}

fn fill(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}
