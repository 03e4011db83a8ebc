//! What is shown without any argument.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::{FIXTURES, Run, binary, of_output, replay};

fn tour_in(folder: &Path) -> Run {
    of_output(Command::new(binary()).current_dir(folder).stdin(Stdio::null()).output().unwrap())
}

#[test]
fn the_tour_fits_one_screen_wherever_it_is_run() {
    let root = Path::new(FIXTURES).parent().unwrap();
    for folder in ["", "fixtures", "examples/replay", "examples/replay/src/tour", "src"] {
        let run = tour_in(&root.join(folder));
        assert_eq!((run.stderr.as_str(), run.status), ("", Some(0)));
        assert!(run.stdout.lines().count() <= 50, "{}", run.stdout);
        for line in run.stdout.lines() {
            assert!(line.chars().count() <= 100 && line.trim_end() == line, "{line:?}");
        }
        assert!(!run.stdout.contains('\x1b'), "no colours where no terminal is");
    }
}

#[test]
fn the_tour_tells_what_happened_to_one_person() {
    let run = replay(&[], "this is not read");
    let text = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "use_032 entered the audience first_time_shopper (upd_0113) \
         - dst_facebook (Facebook Custom Audiences) is sent the only external ID",
        "- dst_sendgrid_acme (SendGrid) is sent nothing, no_relevant_external_id: when the update was computed,",
        "use_032 gained an external ID of type email while in the audience first_time_shopper (upd_0122)",
        "- dst_sendgrid_acme (SendGrid) is sent 1 of 3 external IDs, the latest of type email",
        "- dst_sendgrid_acme (SendGrid) is sent nothing, already_messaged: ",
        "The whole recording: 440 updates came to 385 events",
        "443 times a destination that takes every update",
        "106 times a destination that messages people",
        "# a memory: of a recording without times, it saves 34 repeats, and adds 3 that were missed",
        "360 times nothing was sent; most often: added_id_not_relevant (100), ",
    ] {
        assert!(text.contains(told), "{told}: {}", run.stdout);
    }
    assert!(!run.stdout.contains('@'), "no value of an external ID");
}

/// What it says of the recording is what a replay of it says.
#[test]
fn what_the_tour_says_to_try_next_can_be_tried() {
    let root = Path::new(FIXTURES).parent().unwrap();
    let tour = tour_in(&root.join("examples"));
    let (before, next) = tour.stdout.split_once("-p replay -- ").unwrap();
    assert!(before.contains("Try next"));
    let (command, others) = next.split_once("\nOr, ").unwrap();
    let words: Vec<&str> = command.split_whitespace().filter(|word| *word != "\\").collect();
    let files = &words[words.iter().position(|word| *word == "--destinations").unwrap()..];
    let run = |options: &[&str]| {
        let mut command = Command::new(binary());
        of_output(command.current_dir(root.join("examples")).args(options).args(files).output().unwrap())
    };
    let explained = run(&["--explain", "--profile", "use_032"]);
    assert!(explained.stdout.starts_with("upd_0113: use_032 entered "), "{}", explained.stdout);
    assert_eq!(explained.status, Some(0), "{}", explained.stderr);
    let events = run(&[]);
    assert_eq!((events.stdout.lines().count(), events.status), (385, Some(0)));

    let options = others.lines().filter(|line| !line.contains('#')).skip(1);
    let options: Vec<Vec<&str>> = options.map(|line| line.split_whitespace().collect()).collect();
    let statuses: Vec<Option<i32>> = options.iter().map(|options| run(options).status).collect();
    assert_eq!(statuses, [Some(0), Some(3), Some(0), Some(2), Some(0)], "{options:?}");
}

#[test]
fn the_tour_can_be_cut_short() {
    let mut child = Command::new(binary())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let run = of_output(child.wait_with_output().unwrap());
    assert_eq!((run.stderr.as_str(), run.status), ("", Some(0)));
}
