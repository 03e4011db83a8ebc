//! The worker's processes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::database::{Database, free_port};
use crate::kafka::{Broker, Pipeline};

/// A worker. Killed with the value.
pub struct Worker {
    child: Child,
    port: u16,
}

impl Broker {
    pub fn start(partitions: i32) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sync-worker"))
            .args(["--log", "error", "broker", "--partitions", &partitions.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut servers = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut servers).unwrap();
        let servers = servers.trim().to_owned();
        Self { child, pipeline: Pipeline { servers, prefix: String::new(), partitions } }
    }

    /// `STOP` makes it stand still, and `CONT` go on.
    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Worker {
    pub fn start(pipeline: &Pipeline, database: &Database, arguments: &[&str]) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_sync-worker")), pipeline, database, arguments)
    }

    pub fn start_by(command: Command, pipeline: &Pipeline, database: &Database, arguments: &[&str]) -> Self {
        let log = std::env::var("SYNC_WORKER_LOG").unwrap_or_else(|_| "off".to_owned());
        Self::start_logging(command, &log, pipeline, database, arguments)
    }

    pub fn start_logging(
        mut command: Command,
        log: &str,
        pipeline: &Pipeline,
        database: &Database,
        arguments: &[&str],
    ) -> Self {
        let port = free_port();
        let child = command
            .args(["--log", log, "run", "--database-url", &database.url])
            .args(pipeline.arguments())
            .args(["--listen", &format!("127.0.0.1:{port}")])
            // A killed member is missed after this long. The mock takes three seconds to begin a
            // group, and a shorter timeout would end its members while they wait.
            .args(["--kafka", "session.timeout.ms=6000", "--kafka", "heartbeat.interval.ms=500"])
            .args(arguments)
            .spawn()
            .unwrap();
        Self { child, port }
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and what the worker makes of it.
    pub fn terminate(mut self) -> ExitStatus {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        self.child.wait().unwrap()
    }

    /// `STOP` makes it stand still, and `CONT` go on.
    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// How it has ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// The status and the body of a page.
    pub fn page(&self, path: &str) -> (u16, String) {
        page(&self.address(), path)
    }

    /// Where its pages are.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The sum of all samples whose name, with its labels, begins so.
    pub fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.page("/metrics");
        let values = text.lines().filter(|line| line.starts_with(name));
        values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Waits for such samples to be above zero, for a while: on a busy machine others may have done all that
    /// there was to do.
    pub fn waits_for(&self, name: &str) {
        let began = Instant::now();
        while self.metric(name) == 0.0 && began.elapsed() < Duration::from_secs(20) {
            sleep(Duration::from_millis(20));
        }
    }

    /// Memory in KiB: `VmRSS` for now, `VmHWM` for the most ever.
    pub fn memory(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// The threads, and the seconds of processor time that each has spent so far.
    pub fn processor_by_thread(&self) -> Vec<(String, f64)> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let spent = |thread: std::io::Result<std::fs::DirEntry>| {
            let path = thread.ok()?.path();
            // It may have ended meanwhile.
            let stat = std::fs::read_to_string(path.join("schedstat")).ok()?;
            let name = std::fs::read_to_string(path.join("comm")).ok()?;
            let nanoseconds: f64 = stat.split(' ').next()?.parse().ok()?;
            Some((name.trim().to_owned(), nanoseconds / 1e9))
        };
        threads.filter_map(spent).collect()
    }

    /// Seconds of processor time that all threads have spent so far.
    pub fn processor_seconds(&self) -> f64 {
        processor_seconds(self.child.id())
    }
}

/// Sends a signal to a process that a test has started, if it is still there.
pub fn signal(process: u32, name: &str) {
    let mut kill = Command::new("kill");
    kill.args([&format!("-{name}"), &process.to_string()]).stderr(Stdio::null()).status().unwrap();
}

/// Those of any process and of its children that have ended; none of one that has ended itself.
pub fn processor_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let Some((_, fields)) = stat.rsplit_once(") ") else { return 0.0 };
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |field: usize| fields[field].parse::<f64>().unwrap();
    (11..=14).map(ticks).sum::<f64>() / 100.0
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status and the body of a page; 0 where there is none.
pub fn page(address: &str, path: &str) -> (u16, String) {
    let mut answer = String::new();
    let read = TcpStream::connect(address).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        stream.read_to_string(&mut answer)
    });
    if read.is_err() {
        return (0, String::new());
    }
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

#[track_caller]
pub fn wait_until(what: &str, patience: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < patience, "not within {patience:?}: {what}");
        sleep(Duration::from_millis(20));
    }
    began.elapsed()
}
