//! Brokers whose disks are full.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::crashes::{assert_nothing_lost, prepare, push};
use crate::database::shared;
use crate::process::{Worker, wait_until};
use crate::real::cluster::{Cluster, alone};

const PATIENCE: Duration = Duration::from_secs(120);
const MIB: u64 = 1024 * 1024;
/// What a broker can write before its disk is filled.
const ROOM: u64 = 48 * MIB;

/// A broker's disk, which can be full.
enum Disk<'c> {
    /// A small file system of its own. Given back with the value.
    Small { cluster: &'c Cluster, broker: usize },
    /// Where this machine lets nobody mount one: no file of the broker's grows any further, which it learns
    /// of as it would of a full disk, by an error of the write.
    Limited { cluster: &'c Cluster, broker: usize },
}

impl<'c> Disk<'c> {
    fn of(cluster: &'c Cluster, broker: usize) -> Self {
        let data = cluster.data(broker);
        cluster.kill(broker);
        let aside = data.with_extension("aside");
        fs::rename(&data, &aside).unwrap();
        fs::create_dir(&data).unwrap();
        let used = Command::new("du").args(["-sk"]).arg(&aside).output().unwrap();
        let used: u64 =
            String::from_utf8(used.stdout).unwrap().split_whitespace().next().unwrap().parse().unwrap();
        let size = format!("size={}", used * 1024 + ROOM);
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&data).output();
        let disk = match mounted {
            Ok(mounted) if mounted.status.success() => {
                copy(&aside, &data);
                fs::remove_dir_all(&aside).unwrap();
                Self::Small { cluster, broker }
            }
            refused => {
                // Past what the test harness would keep to itself.
                let said = format!(
                    "LEFT OUT: a disk that is full, with a limit of files in its place: {refused:?}\n"
                );
                std::io::stderr().write_all(said.as_bytes()).unwrap();
                fs::remove_dir(&data).unwrap();
                fs::rename(&aside, &data).unwrap();
                Self::Limited { cluster, broker }
            }
        };
        cluster.go_on(broker);
        cluster.wait_until_whole();
        disk
    }

    /// Fills it, and waits for the broker to give up.
    fn fill(&self) {
        let (cluster, broker) = self.whose();
        match self {
            Self::Small { .. } => {
                let mut ballast = fs::File::create(self.ballast()).unwrap();
                let full = loop {
                    if let Err(error) = ballast.write_all(&[1; 4_096]) {
                        break error;
                    }
                };
                assert_eq!(full.kind(), ErrorKind::StorageFull);
            }
            Self::Limited { .. } => {
                let pid = cluster.pid(broker).to_string();
                let limited = Command::new("prlimit").args(["--pid", &pid, "--fsize=1"]).status();
                assert!(limited.is_ok_and(|status| status.success()));
            }
        }
        wait_until("a broker gives up", PATIENCE, || cluster.has_ended(broker));
        // Under the limit, a broker can't write that down either.
        if let Self::Small { .. } = self {
            let log = cluster.log(broker);
            let end = &log[log.len().saturating_sub(4_096)..];
            assert!(log.contains("No space left on device"), "{end}");
        }
    }

    /// There is room again, and the broker is started.
    fn make_room(&self) {
        let (cluster, broker) = self.whose();
        // What has ended is cleared away.
        cluster.kill(broker);
        if let Self::Small { .. } = self {
            fs::remove_file(self.ballast()).unwrap();
        }
        cluster.go_on(broker);
    }

    fn whose(&self) -> (&'c Cluster, usize) {
        match self {
            Self::Small { cluster, broker } | Self::Limited { cluster, broker } => (cluster, *broker),
        }
    }

    fn ballast(&self) -> PathBuf {
        let (cluster, broker) = self.whose();
        cluster.data(broker).join("ballast")
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let Self::Small { cluster, broker } = self else { return };
        let data = cluster.data(*broker);
        cluster.kill(*broker);
        let _ = fs::remove_file(data.join("ballast"));
        let aside = data.with_extension("aside");
        fs::create_dir(&aside).unwrap();
        copy(&data, &aside);
        assert!(Command::new("umount").arg(&data).status().unwrap().success());
        fs::remove_dir(&data).unwrap();
        fs::rename(&aside, &data).unwrap();
    }
}

/// Kafka's indexes are large and mostly empty.
fn copy(from: &Path, to: &Path) {
    let copied =
        Command::new("cp").args(["-a", "--sparse=always"]).arg(from.join(".")).arg(to).status().unwrap();
    assert!(copied.success());
}

/// First one broker's disk is full, and the others go on without it; then a second one's, and nothing can be
/// acknowledged until there is room.
fn disks_fill(name: &str, arguments: &[&str]) -> usize {
    let database = shared(&format!("real_{}", name.replace('-', "_")));
    let (updates, expected) = prepare(&database, 8_000);
    let (cluster, _guard) = alone();
    let pipeline = cluster.pipeline(name, 6);
    let disks = [0, 1].map(|broker| Disk::of(cluster, broker));
    let mut outputs = pipeline.outputs();
    let worker = Worker::start(&pipeline, &database, arguments);
    let done = || worker.metric("idgroup_stage_seconds_count{stage=\"sync\"}");
    push(&pipeline, &updates, Duration::from_secs(40), || {
        wait_until("updates", PATIENCE, || done() > 0.0);
        disks[0].fill();
        let before = done();
        wait_until("updates without the one", PATIENCE, || done() > before + 100.0);
        disks[1].fill();
        // Whatever was on its way is in by then.
        sleep(Duration::from_secs(3));
        let before = done();
        sleep(Duration::from_secs(5));
        assert_eq!(done(), before, "two must have each message, and one is left");
        assert_eq!(worker.page("/healthz").0, 200);
        disks.iter().for_each(Disk::make_room);
        wait_until("updates again", PATIENCE, || done() > before);
    });
    let repeats = assert_nothing_lost(&mut outputs, &expected);
    println!(
        "{} events, {repeats} again; restarts {}",
        expected.len(),
        worker.metric("idgroup_stage_restarts_total")
    );
    assert!(worker.terminate().success());
    repeats
}

#[test]
fn disks_that_are_full_lose_nothing() {
    disks_fill("full", &[]);
}

#[test]
fn disks_that_are_full_lose_and_repeat_nothing_in_transactions() {
    assert_eq!(disks_fill("full-transactions", &["--transactional", "--batch", "512"]), 0);
}
