//! Whatever can fail, fails.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::database::Server;
use crate::endpoint::{Endpoint, Fault};
use crate::process::{Worker, signal};
use crate::real::cluster::{BROKERS, Cluster};

/// So many workers run each stage.
const WORKERS: usize = 2;

pub struct Nemesis<'a> {
    pub cluster: &'a Cluster,
    pub server: &'a Server,
    pub endpoint: &'a Endpoint,
    workers: Vec<(&'static str, Worker)>,
    start: Box<dyn Fn(&'static str) -> Worker + Send + 'a>,
    random: fastrand::Rng,
    pub faults: BTreeMap<&'static str, usize>,
}

impl<'a> Nemesis<'a> {
    /// Starts the workers of these stages.
    pub fn new(
        seed: u64,
        (cluster, server, endpoint): (&'a Cluster, &'a Server, &'a Endpoint),
        stages: &[&'static str],
        start: impl Fn(&'static str) -> Worker + Send + 'a,
    ) -> Self {
        let workers = stages.iter().flat_map(|stage| [*stage; WORKERS]);
        let workers = workers.map(|stage| (stage, start(stage))).collect();
        let (start, random) = (Box::new(start), fastrand::Rng::with_seed(seed));
        Self { cluster, server, endpoint, workers, start, random, faults: BTreeMap::new() }
    }

    /// One fault after the other, of which some hit two things at once. All is mended in the end.
    pub fn rage(&mut self, until: Instant) {
        let mut kinds: Vec<usize> = Vec::new();
        while Instant::now() < until {
            if kinds.is_empty() {
                kinds.extend(0..9);
                self.random.shuffle(&mut kinds);
            }
            match kinds.pop() {
                Some(0) => self.kill_worker(),
                Some(1) => self.freeze_worker(),
                Some(2) => self.kill_broker(),
                Some(3) => self.freeze_broker(),
                Some(4) => self.crash_database(),
                Some(5) => self.shut_the_door(),
                Some(6) => self.lose_answers(),
                Some(7) => self.freeze_database(),
                _ => self.kill_a_stage(),
            }
            self.start_again();
            sleep(Duration::from_secs(1));
        }
        self.cluster.wait_until_whole();
    }

    /// A worker that has ended by itself is started again, as whatever looks after processes does.
    pub fn start_again(&mut self) {
        for position in 0..self.workers.len() {
            if self.workers[position].1.ended().is_some() {
                self.replace(position);
                self.count("workers that ended by themselves");
            }
        }
    }

    /// Ends all workers as they should end.
    pub fn terminate(self) {
        for (stage, worker) in self.workers {
            assert!(worker.terminate().success(), "a worker of {stage} has not drained");
        }
    }

    fn count(&mut self, fault: &'static str) {
        *self.faults.entry(fault).or_default() += 1;
    }

    fn replace(&mut self, position: usize) -> Worker {
        let stage = self.workers[position].0;
        std::mem::replace(&mut self.workers[position].1, (self.start)(stage))
    }

    fn any_worker(&mut self) -> usize {
        self.random.usize(..self.workers.len())
    }

    fn kill_worker(&mut self) {
        let position = self.any_worker();
        self.replace(position).kill();
        self.count("workers killed");
        sleep(Duration::from_secs(2));
    }

    fn kill_a_stage(&mut self) {
        let stage = self.random.usize(..self.workers.len() / WORKERS);
        for position in stage * WORKERS..(stage + 1) * WORKERS {
            self.replace(position).kill();
            self.count("workers killed");
        }
        sleep(Duration::from_secs(2));
    }

    /// For longer than its group waits, so that another has its partitions when it goes on: half of the times
    /// one that has just started, because the stage's others were killed meanwhile.
    fn freeze_worker(&mut self) {
        let position = self.any_worker();
        self.workers[position].1.signal("STOP");
        self.count("workers frozen");
        sleep(Duration::from_secs(4));
        if self.random.bool() {
            let first = position / WORKERS * WORKERS;
            for other in (first..first + WORKERS).filter(|other| *other != position) {
                self.replace(other).kill();
                self.count("workers killed");
            }
        }
        sleep(Duration::from_secs(5));
        self.workers[position].1.signal("CONT");
    }

    fn kill_broker(&mut self) {
        let broker = self.random.usize(..BROKERS);
        self.cluster.kill(broker);
        self.count("brokers killed");
        sleep(Duration::from_secs(2));
        self.cluster.go_on(broker);
        self.cluster.wait_until_whole();
    }

    fn freeze_broker(&mut self) {
        let broker = self.random.usize(..BROKERS);
        self.cluster.signal(broker, "STOP");
        sleep(Duration::from_secs(8));
        self.cluster.signal(broker, "CONT");
        self.count("brokers frozen");
        self.cluster.wait_until_whole();
    }

    /// Half of the times a worker is killed meanwhile.
    fn crash_database(&mut self) {
        self.server.crash();
        self.count("crashes of the database");
        sleep(Duration::from_secs(1));
        if self.random.bool() {
            self.kill_worker();
        }
        self.server.go_on();
    }

    /// Its connections stay open, and nothing comes of what they are asked.
    fn freeze_database(&mut self) {
        let processes = self.server.processes();
        processes.iter().for_each(|process| signal(*process, "STOP"));
        self.count("freezes of the database");
        sleep(Duration::from_secs(4));
        processes.iter().for_each(|process| signal(*process, "CONT"));
    }

    fn shut_the_door(&mut self) {
        let fault = match self.random.u8(..3) {
            0 => Fault::Status(503),
            1 => Fault::RetryAfter("1"),
            _ => Fault::CutRequest,
        };
        self.endpoint.fail(Some(fault));
        // Long enough for deliveries to be parked.
        sleep(Duration::from_secs(5));
        self.endpoint.fail(None);
        self.count("outages of the endpoint");
    }

    /// What was taken is posted again, since nobody has said so.
    fn lose_answers(&mut self) {
        for _ in 0..4 {
            let fault = match self.random.u8(..4) {
                0 => Fault::TakenThen(500),
                1 => Fault::CutBeforeAnswer,
                2 => Fault::CutAnswer,
                _ => Fault::Slow(Duration::from_millis(700)),
            };
            self.endpoint.fail_next([fault]);
        }
        self.count("answers of the endpoint lost");
        sleep(Duration::from_secs(2));
    }
}
