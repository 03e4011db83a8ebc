//! The parts of the page, each with pictures and the numbers beside them.

use idgroup::Verdict;
use idgroup::compare::ComparisonOutcome;
use maud::{Markup, PreEscaped, html};
use plotters::style::RGBColor;

use super::charts::{self, Bar, NEUTRAL};
use super::page::{colour, label, verdicts as all_verdicts};
use super::seen::range;
use crate::summary::change_tables::{difference, setting_sentence};
use crate::summary::changes::{Change, DestinationChanges, Outcome};
use crate::summary::gaps;
use crate::summary::numbers::grouped;
use crate::summary::{Flows, Summary};

/// Destinations that have a picture; of others there are numbers, so that the page stays one that a
/// browser likes.
const PICTURES: usize = 60;

pub fn totals(summary: &Summary) -> Markup {
    let rows = summary.rows();
    html! {
        section aria-labelledby="h-totals" {
            h2 id="h-totals" { "Totals" }
            div.card.narrow {
                table id="totals" {
                    thead { tr { th scope="col" { "what" } th.number scope="col" { "how many" } } }
                    tbody { @for (name, count) in &rows {
                        tr { th scope="row" class=[name.starts_with(' ').then_some("under")] { (name.trim()) }
                            td.number { (number(*count)) } }
                    } }
                }
            }
        }
    }
}

pub fn verdicts(summary: &Summary) -> Markup {
    let by_destination = &summary.tally.seen.by_destination;
    if by_destination.is_empty() {
        return html! {};
    }
    html! {
        section.verdicts aria-labelledby="h-verdicts" {
            h2 id="h-verdicts" { "Verdicts by destination" }
            @if summary.flows() == Flows::Previewed { p.quiet { "With the destinations as they are now." } }
            div.cards { @for (index, (id, counts)) in by_destination.iter().enumerate() {
                article.card data-destination=(id) {
                    h3 { (id) }
                    @let found: Vec<(Verdict, u64)> = all_verdicts()
                        .filter_map(|verdict| Some((verdict, *counts.get(&verdict)?))).collect();
                    @if index < PICTURES {
                        @let bars: Vec<Bar> = found.iter().map(|(verdict, count)| bar(label(*verdict), *count, colour(*verdict))).collect();
                        (PreEscaped(charts::bars(&format!("verdicts-{index}"), &format!("Verdicts about {id}"), &bars)))
                    }
                    (numbers("verdict", "updates", found.iter().map(|(verdict, count)| (label(*verdict), *count, Some(label(*verdict))))))
                }
            } }
        }
    }
}

pub fn amplification(summary: &Summary) -> Markup {
    let seen = &summary.tally.seen;
    let ranges: Vec<(String, u64)> = seen.magnitudes.iter().map(|(of, count)| (range(*of), *count)).collect();
    if ranges.is_empty() {
        return html! {};
    }
    let bars: Vec<Bar> = ranges.iter().map(|(range, count)| bar(range, *count, NEUTRAL)).collect();
    html! {
        section aria-labelledby="h-amplification" {
            h2 id="h-amplification" { "How many messages an update turns into" }
            div.cards {
                div.card {
                    (PreEscaped(charts::bars("amplification", "Updates by their number of messages", &bars)))
                    (numbers("messages", "updates", ranges.iter().map(|(range, count)| (&**range, *count, None))))
                }
                div.card { h3 { "Those with the most" } (monsters(summary)) }
            }
        }
    }
}

fn monsters(summary: &Summary) -> Markup {
    let monsters = &summary.tally.seen.monsters;
    if monsters.is_empty() {
        return html! { p { "No update turns into 100 messages or more." } };
    }
    html! {
        div.scroll tabindex="0" role="group" aria-label="Updates with the most messages" {
            table id="monsters" {
                thead { tr { th scope="col" { "update" } th.number scope="col" { "messages" }
                    th.number scope="col" { "events" } th.number scope="col" { "external IDs" } } }
                tbody { @for monster in monsters {
                    tr { th scope="row" { (monster.update_id) } td.number { (number(monster.messages)) }
                        td.number { (number(monster.events as u64)) } td.number { (number(monster.external_ids as u64)) } }
                } }
            }
        }
    }
}

pub fn times(summary: &Summary) -> Markup {
    let times = &summary.tally.seen.times;
    let periods: Vec<_> = times.iter().map(|(start, counts)| (start.to_string(), counts)).collect();
    let (Some((first, _)), Some((last, _))) = (periods.first(), periods.last()) else { return html! {} };
    let columns = |id: &str, title: &str, of: &dyn Fn(usize) -> u64| {
        let values: Vec<u64> = (0..periods.len()).map(of).collect();
        PreEscaped(charts::columns(id, title, &values, [first, last]))
    };
    html! {
        section aria-labelledby="h-times" {
            h2 id="h-times" { "Over time" }
            p.quiet { "By the time that updates were computed at, each column " (times.width()) "; periods without updates are left out."
                @if times.unknown > 0 { " " (number(times.unknown)) " updates do not say when." } }
            div.cards {
                div.card { h3 { "Updates" } (columns("updates-over-time", "Updates over time", &|at| periods[at].1.updates)) }
                div.card { h3 { "Messages" } (columns("messages-over-time", "Messages over time", &|at| periods[at].1.messages)) }
            }
            details { summary { "The numbers" }
                table { thead { tr { th scope="col" { "from" } th.number scope="col" { "updates" } th.number scope="col" { "messages" } } }
                    tbody { @for (start, counts) in &periods {
                        tr { th scope="row" { (start) } td.number { (number(counts.updates)) } td.number { (number(counts.messages)) } }
                    } } }
            }
        }
    }
}

pub fn promise(summary: &Summary) -> Markup {
    let sentences = gaps::sentences(&summary.tally.counts, &summary.tally.look_alikes);
    if sentences.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="h-promise" {
            h2 id="h-promise" { "How far the promise of one message per stay reaches with this data" }
            div.card { ul id="promise" { @for sentence in &sentences { li { (sentence) } } } }
        }
    }
}

/// What both flows say of each other, where they were compared.
pub fn comparisons(summary: &Summary) -> Markup {
    let counts = &summary.tally.counts;
    let outcomes = ComparisonOutcome::ALL.map(|outcome| (outcome, counts.comparison(outcome)));
    if outcomes.iter().all(|(_, count)| *count == 0) {
        return html! {};
    }
    let found: Vec<_> = outcomes.into_iter().filter(|(_, count)| *count > 0).collect();
    let bars: Vec<Bar> =
        found.iter().map(|(outcome, count)| bar(outcome.as_str(), *count, NEUTRAL)).collect();
    let differences = &summary.tally.difference;
    let messages = [
        ("only_in_legacy", differences.only_in_legacy),
        ("only_in_dedupe", differences.only_in_dedupe),
        ("in_different_numbers", differences.in_different_numbers),
    ];
    let message_bars = messages.map(|(name, count)| bar(name, count, NEUTRAL));
    html! {
        section aria-labelledby="h-comparisons" {
            h2 id="h-comparisons" { "The old flow and the new one" }
            div.cards {
                div.card { h3 { "Updates" }
                    (PreEscaped(charts::bars("comparisons", "Updates by what comparing found", &bars)))
                    (numbers("comparison", "updates", found.iter().map(|(outcome, count)| (outcome.as_str(), *count, None)))) }
                div.card { h3 { "Messages that differ" }
                    (PreEscaped(charts::bars("differences", "Messages that differ", &message_bars)))
                    (numbers("difference", "messages", messages.iter().map(|(name, count)| (*name, *count, None))))
                    @if differences.updates_in_part > 0 { p { (number(differences.updates_in_part)) " updates have more, which was not counted." } } }
            }
        }
    }
}

pub fn changes(summary: &Summary) -> Markup {
    let changes = &summary.tally.changes;
    if summary.flows() != Flows::Previewed {
        return html! {};
    }
    let changed: Vec<_> = changes.iter().filter(|(_, of)| of.is_changed()).collect();
    html! {
        section id="changes" aria-labelledby="h-changes" {
            h2 id="h-changes" { "What would change" }
            p { (number(changes.updates())) " of " (number(summary.tally.updates)) " updates would go otherwise." }
            div.cards { @for (index, (id, of)) in changed.iter().enumerate() {
                article.card data-destination=(id) { h3 { (id) } (change_of(index, id, of)) }
            } }
            @if changes.updates() > 0 { (whys(&changed)) }
        }
    }
}

fn change_of(index: usize, id: &str, of: &DestinationChanges) -> Markup {
    let bars =
        Change::ALL.map(|change| bar(change.as_str(), of.people(change) as u64, change_colour(change)));
    let [now, then] = of.messages;
    html! {
        p.quiet { (setting_sentence(of)) }
        p { "Messages: " (number(now)) " now, " (number(then)) " then (" (difference(now, then)) ")" }
        @if index < PICTURES { (PreEscaped(charts::bars(&format!("changes-{index}"), &format!("People for whom {id} changes"), &bars))) }
        table {
            thead { tr { th scope="col" { "a message is" } th.number scope="col" { "people" } th.number scope="col" { "updates" } } }
            tbody { @for change in Change::ALL {
                tr { th scope="row" { (change.as_str()) } td.number { (number(of.people(change) as u64)) } td.number { (number(of.count(change))) } }
            } }
        }
    }
}

fn whys(changed: &[(&str, &DestinationChanges)]) -> Markup {
    html! {
        h3 { "Why" }
        div.card.scroll tabindex="0" role="group" aria-label="Why anything changes" {
            table id="why" {
                thead { tr { th scope="col" { "destination" } th scope="col" { "change" } th.number scope="col" { "updates" }
                    th scope="col" { "now" } th scope="col" { "then" } th scope="col" { "such as" } } }
                tbody { @for (id, of) in changed { @for (why, occurrences) in of.why() {
                    tr data-destination=(id) data-verdict=(format!("{} {}", named(why.before), named(why.after))) {
                        th scope="row" { (id) } td { (why.change.as_str()) } td.number { (number(occurrences.count)) }
                        td { (why.before) } td { (why.after) }
                        td { @for sample in &occurrences.samples { div { (sample.update_id) ": " (sample.ids[0]) " → " (sample.ids[1]) } } }
                    }
                } } }
            }
        }
    }
}

fn named(outcome: Outcome) -> &'static str {
    outcome.0.map_or("", label)
}

fn change_colour(change: Change) -> RGBColor {
    match change {
        Change::Gained => RGBColor(46, 139, 87),
        Change::Lost => RGBColor(205, 85, 85),
        Change::Moved => NEUTRAL,
    }
}

fn bar(label: &str, value: u64, colour: RGBColor) -> Bar {
    Bar { label: label.into(), value, colour }
}

/// A table beside a picture; rows with a verdict can be filtered by it.
fn numbers<'a>(what: &str, of: &str, rows: impl Iterator<Item = (&'a str, u64, Option<&'a str>)>) -> Markup {
    html! {
        details { summary { "The numbers" }
            table {
                thead { tr { th scope="col" { (what) } th.number scope="col" { (of) } } }
                tbody { @for (name, count, verdict) in rows {
                    tr data-verdict=[verdict] { th scope="row" { (name) } td.number { (number(count)) } }
                } }
            }
        }
    }
}

fn number(count: u64) -> String {
    grouped(count.into())
}
