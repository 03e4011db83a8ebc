//! A report as people see it: in a real browser.

mod browser;
#[path = "../replay/program.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod program;

use std::collections::BTreeMap;

use browser::Browser;
use program::{FIXTURES, Folder, Run, replay, rows};

fn pipeline(name: &str) -> String {
    format!("{FIXTURES}/pipeline/{name}")
}

/// Runs the replay over the recording, with a report.
fn report(folder: &Folder, flags: &[&str]) -> (Run, String) {
    let path = folder.path("report.html");
    let destinations = pipeline("destinations.json");
    let clean = pipeline("clean.ndjson");
    let arguments = ["--report", &*path, "--destinations", &*destinations, &*clean];
    (replay(&[&arguments, flags].concat(), ""), path)
}

/// The rows of the table with this id, cells with one space between.
const ROWS: &str = "return [...document.querySelectorAll(arguments[0] + ' tbody tr')]
    .map(row => [...row.cells].map(cell => cell.textContent.trim()).join(' '))";

#[tokio::test]
async fn every_mode_has_a_page_that_is_whole_by_itself_and_says_what_the_summary_says() {
    let folder = Folder::new("every_mode_has_a_page");
    let Some(mut browser) = Browser::start(&folder).await else { return };
    let [new, legacy] = ["new_destinations.json", "legacy_destinations.json"].map(pipeline);
    let [rollout, tiers] = ["rollout.json", "tiers.json"].map(|name| format!("{FIXTURES}/{name}"));
    for flags in [
        &[][..],
        &["--explain"],
        &["--legacy"],
        &["--shadow", "--legacy-destinations", &legacy],
        &["--rollout", &rollout, "--tiers", &tiers],
        &["--preview", &new],
    ] {
        let (run, path) = report(&folder, flags);
        browser.open(&path).await;
        let totals: Vec<String> = browser.ask(ROWS, "#totals").await;
        assert_eq!(
            totals,
            rows(&run).into_iter().take_while(|row| !row.starts_with("What would")).collect::<Vec<_>>()
        );
        assert_eq!(browser.complaints().await, [""; 0], "{flags:?}");
        assert_eq!(browser.requests().await, [format!("file://{path}")], "{flags:?}");
        let undescribed: u64 = browser
            .ask("return [...document.querySelectorAll('svg')].filter(svg => !svg.querySelector('title')?.textContent || !svg.querySelector('desc')?.textContent).length", "")
            .await;
        assert_eq!(undescribed, 0, "{flags:?}");
        let ids: Vec<String> =
            browser.ask("return [...document.querySelectorAll('[id]')].map(of => of.id)", "").await;
        let mut distinct = ids.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), ids.len(), "{flags:?}");
    }
    browser.end().await;
}

#[tokio::test]
async fn verdicts_of_all_destinations_are_those_of_the_summary() {
    let folder = Folder::new("verdicts_of_all_destinations");
    let Some(mut browser) = Browser::start(&folder).await else { return };
    let (run, path) = report(&folder, &[]);
    browser.open(&path).await;
    let found: Vec<String> = browser.ask(ROWS, ".verdicts").await;
    let mut sums = BTreeMap::<String, u64>::new();
    for row in found {
        let (name, count) = row.split_once(' ').unwrap();
        *sums.entry(name.into()).or_default() += count.replace(',', "").parse::<u64>().unwrap();
    }
    let mut expected = BTreeMap::new();
    for row in rows(&run).iter().filter(|row| !row.contains("drop")) {
        let row = row.trim_start_matches("verdict ");
        if let Some((name, count)) =
            row.split_once(' ').filter(|(name, _)| name.contains('_') || *name == "exited")
        {
            expected.insert(name.to_owned(), count.replace(',', "").parse::<u64>().unwrap());
        }
    }
    assert_eq!(sums, expected);
    browser.end().await;
}

#[tokio::test]
async fn filters_leave_what_was_asked_for() {
    let folder = Folder::new("filters_leave_what_was_asked_for");
    let Some(mut browser) = Browser::start(&folder).await else { return };
    let (_, path) = report(&folder, &["--preview", &pipeline("new_destinations.json")]);
    browser.open(&path).await;
    let shown = "return [...new Set([...document.querySelectorAll(arguments[0])].filter(of => of.offsetParent).map(of => of.dataset.destination))].sort()";
    let all: Vec<String> = browser.ask(shown, "article").await;
    assert!(all.len() > 10, "{all:?}");
    browser.choose("destination", "dst_braze").await;
    assert_eq!(browser.ask::<Vec<String>>(shown, "article, #why tr[data-destination]").await, ["dst_braze"]);
    browser.choose("destination", "").await;
    browser.choose("verdict", "no_consent").await;
    assert_eq!(browser.ask::<Vec<String>>(shown, "#why tr[data-destination]").await, ["dst_mailchimp"]);
    browser.choose("verdict", "may_have_been_messaged").await;
    let left: Vec<String> = browser.ask(shown, ".verdicts article").await;
    assert!(!left.is_empty() && left.len() < 6, "{left:?}");
    let fills = "const of = arguments[0]; return [...new Set([...document.querySelectorAll(of)].filter(bar => bar.style.opacity === '1').map(bar => bar.getAttribute('fill')))].length";
    assert_eq!(browser.ask::<u64>(fills, ".verdicts article:not([hidden]) rect").await, 1);
    browser.click("#all").await;
    assert_eq!(browser.ask::<Vec<String>>(shown, "article").await, all);
    assert_eq!(browser.complaints().await, [""; 0]);
    browser.end().await;
}

#[tokio::test]
async fn filters_need_no_mouse() {
    let folder = Folder::new("filters_need_no_mouse");
    let Some(mut browser) = Browser::start(&folder).await else { return };
    let (_, path) = report(&folder, &[]);
    browser.open(&path).await;
    browser.press("body", "\u{e004}").await;
    let focused: String = browser.ask("return document.activeElement.id", "").await;
    assert_eq!(focused, "destination", "after one press of the tab key");
    browser.press("#destination", "dst_twilio_acme").await;
    let said: String = browser.ask("return document.getElementById('shown').textContent", "").await;
    assert_eq!(said, "1 destination shown");
    let open: bool = browser
        .ask("return [...document.querySelectorAll('.scroll')].every(of => of.tabIndex === 0)", "")
        .await;
    assert!(open, "what scrolls can be scrolled by keys");
    browser.end().await;
}

#[tokio::test]
async fn paper_has_the_numbers_and_no_controls() {
    let folder = Folder::new("paper_has_the_numbers");
    let Some(mut browser) = Browser::start(&folder).await else { return };
    let (_, path) = report(&folder, &[]);
    browser.open(&path).await;
    let shown = "return [...document.querySelectorAll(arguments[0])].filter(of => of.checkVisibility({contentVisibilityAuto: true})).length";
    assert_eq!(browser.ask::<u64>(shown, "details table").await, 0);
    browser.print_on_paper().await;
    assert_eq!(browser.ask::<u64>(shown, "form").await, 0);
    assert!(browser.ask::<u64>(shown, "details table").await > 10);
    browser.end().await;
}

/// Neither on a phone: nothing is wider than the page, and letters can be read.
#[tokio::test]
async fn a_phone_shows_all_of_it() {
    let folder = Folder::new("a_phone_shows_all_of_it");
    let Some(mut browser) = Browser::start(&folder).await else { return };
    let (_, path) = report(&folder, &["--preview", &pipeline("new_destinations.json")]);
    browser.resize(360, 740).await;
    browser.open(&path).await;
    let overflow: i64 = browser.ask("return document.documentElement.scrollWidth - innerWidth", "").await;
    assert!(overflow <= 0, "{overflow} pixels beside the page");
    let smallest: f64 = browser
        .ask("return Math.min(...[...document.querySelectorAll('svg text')].map(of => of.getBoundingClientRect().height).filter(height => height > 0))", "")
        .await;
    assert!(smallest >= 11.0, "letters of {smallest} pixels");
    browser.end().await;
}
