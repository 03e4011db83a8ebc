//! One thread reads, some decide, and this one writes, in the order of the input.
//!
//! A fixed number of chunks goes round: what is read waits for an empty one. So memory is bounded,
//! however fast one side is.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::deciding::{Desk, Task, Tasks};
use crate::failure::Failure;
use crate::reading::Reader;
use crate::reading::chunk::Chunk;
use crate::reading::inputs::Input;
use crate::summary::Summary;
use crate::writing::{Outputs, Stop};

/// For each worker: one that it works on, one that waits for it, and one that is written.
const CHUNKS_OF_WORKER: usize = 3;

/// What is made of a chunk grows with the number of destinations, so that with many of them it holds fewer
/// updates.
const MAX_VERDICTS_OF_CHUNK: usize = 10_000;

/// How a replay came to its end.
pub enum Ending {
    /// All input was replayed.
    Whole,
    /// Somebody asked for an end, and all until then was replayed.
    Interrupted,
    /// The input could not be read to its end, and all until then was replayed.
    Cut(Failure),
    /// Whoever read standard output closed it.
    OutputClosed,
}

/// What the thread that writes hears of the others.
#[expect(clippy::large_enum_variant, reason = "nearly all messages are chunks")]
pub enum Message {
    /// A worker is done with the chunk.
    Done(Chunk),
    /// There are so many chunks; less than the whole input, if it could not be read.
    Read(u64, Result<(), Failure>),
    /// The replay is to end where it is.
    Interrupted,
    /// Another thread panicked, and its chunk is lost.
    Panicked,
}

pub struct Pipeline {
    desk: Arc<Desk>,
    /// The task, where it is not the workers'.
    in_order: Option<Box<dyn Task>>,
    heard: Receiver<Message>,
    empty: Sender<Chunk>,
    /// Chunks that were written and are not yet handed back.
    written: Vec<Chunk>,
    /// How many of them are handed back at once: half of all, so that the thread that reads need not be woken for
    /// each, which takes time from the workers where there is no processor to spare.
    handed_back: usize,
    /// Chunks that are done before those that precede them.
    early: BTreeMap<u64, Chunk>,
    /// Of the chunk that is to be written.
    next: u64,
}

/// What a worker needs.
struct Worker {
    desk: Arc<Desk>,
    task: Option<Box<dyn Task>>,
    filled: Arc<Mutex<Receiver<Chunk>>>,
    done: Sender<Message>,
}

impl Pipeline {
    /// Sets reader and workers to work. They are not waited for: a reader may wait for input that never
    /// comes.
    pub fn start(inputs: Vec<Input>, desk: Desk, tasks: Tasks, jobs: usize) -> (Self, Sender<Message>) {
        let max_line_bytes = desk.max_line_bytes;
        let other_destinations = tasks.any().map_or(0, Task::most_other_destinations);
        let verdicts = desk.connections.most() + other_destinations;
        let max_pieces = (MAX_VERDICTS_OF_CHUNK / verdicts.max(1)).max(1);
        let desk = Arc::new(desk);
        let (said, heard) = mpsc::channel();
        let (empty, to_fill) = mpsc::channel();
        let (filled, to_decide) = mpsc::channel();
        let to_decide = Arc::new(Mutex::new(to_decide));
        for _ in 0..jobs * CHUNKS_OF_WORKER {
            let _ = empty.send(Chunk::new(max_pieces));
        }
        let (of_workers, in_order): (Vec<_>, _) = match tasks {
            Tasks::OfWorkers(tasks) => (tasks.into_iter().map(Some).collect(), None),
            Tasks::InOrder(task) => ((0..jobs).map(|_| None).collect(), Some(task)),
        };
        for task in of_workers {
            let (desk, filled, done) = (desk.clone(), to_decide.clone(), said.clone());
            let worker = Worker { desk, task, filled, done };
            spawn(said.clone(), move || worker.work());
        }
        let reader = Reader { empty: to_fill, filled, max_line_bytes, chunks: 0 };
        let read = said.clone();
        spawn(said.clone(), move || read_all(reader, inputs, &read));
        let (written, handed_back) = (Vec::new(), jobs * CHUNKS_OF_WORKER / 2);
        (Self { desk, in_order, heard, empty, written, handed_back, early: BTreeMap::new(), next: 0 }, said)
    }

    /// Writes what is made, until the end. Whatever ends it, what was made until then is written, and
    /// counted in the summary.
    pub fn write_all(&mut self, outputs: &mut Outputs, summary: &mut Summary) -> Result<Ending, Failure> {
        let written = self.write_until_end(outputs, summary);
        outputs.progress.end();
        outputs.flush()?;
        match written {
            Ok(ending) => {
                self.in_order.as_mut().map_or(Ok(()), |task| task.end())?;
                Ok(ending)
            }
            Err(Stop::OutputClosed) => Ok(Ending::OutputClosed),
            Err(Stop::Failed(failure)) => Err(failure),
        }
    }

    fn write_until_end(&mut self, outputs: &mut Outputs, summary: &mut Summary) -> Result<Ending, Stop> {
        let mut end = None;
        loop {
            match end {
                Some((chunks, _)) if chunks == self.next => break,
                _ => {}
            }
            match self.hear(outputs)? {
                Message::Done(chunk) => {
                    self.early.insert(chunk.number, chunk);
                    while let Some(chunk) = self.early.remove(&self.next) {
                        self.write(chunk, outputs, summary)?;
                    }
                    outputs.progress.show(summary.tally.updates);
                }
                Message::Read(chunks, read) => end = Some((chunks, read)),
                Message::Interrupted => return Ok(Ending::Interrupted),
                Message::Panicked => {
                    return Err(Failure::new("a part of the replay broke down, which is a bug of it").into());
                }
            }
        }
        match end {
            Some((_, Err(failure))) => Ok(Ending::Cut(failure)),
            _ => Ok(Ending::Whole),
        }
    }

    /// Before it waits, files are brought up to date.
    fn hear(&self, outputs: &mut Outputs) -> Result<Message, Stop> {
        match self.heard.try_recv() {
            Ok(message) => return Ok(message),
            Err(TryRecvError::Empty) => outputs.flush()?,
            Err(TryRecvError::Disconnected) => {}
        }
        Ok(self.heard.recv().unwrap_or(Message::Panicked))
    }

    fn write(&mut self, mut chunk: Chunk, outputs: &mut Outputs, summary: &mut Summary) -> Result<(), Stop> {
        let mut written = Ok(());
        if let Some(task) = &mut self.in_order {
            self.desk.decide_kept(&mut **task, &mut chunk, &mut |output| {
                if written.is_ok() {
                    written = outputs.write_events(output);
                }
                output.clear();
                if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
        }
        chunk.made.tally.bytes = chunk.input_bytes;
        summary.tally.merge(&chunk.made.tally);
        outputs.write(&chunk.made)?;
        written?;
        chunk.clear();
        self.next += 1;
        self.written.push(chunk);
        if self.written.len() == self.handed_back {
            // Nobody takes them where all has been read.
            self.written.drain(..).for_each(|chunk| drop(self.empty.send(chunk)));
        }
        Ok(())
    }
}

fn read_all(mut reader: Reader, inputs: Vec<Input>, read: &Sender<Message>) {
    let result = reader.read_all(inputs);
    let _ = read.send(Message::Read(reader.chunks, result));
}

impl Worker {
    fn work(mut self) {
        while let Some(mut chunk) = next(&self.filled) {
            self.desk.work(self.task.as_mut(), &mut chunk);
            if self.done.send(Message::Done(chunk)).is_err() {
                return;
            }
        }
    }
}

fn next(filled: &Mutex<Receiver<Chunk>>) -> Option<Chunk> {
    filled.lock().ok()?.recv().ok()
}

/// A thread of which it is said if it panics.
fn spawn(said: Sender<Message>, work: impl FnOnce() + Send + 'static) {
    struct Witness(Sender<Message>);

    impl Drop for Witness {
        fn drop(&mut self) {
            if thread::panicking() {
                let _ = self.0.send(Message::Panicked);
            }
        }
    }

    thread::spawn(move || {
        let _witness = Witness(said);
        work();
    });
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::num::NonZeroU64;
    use std::path::PathBuf;

    use idgroup::Lane;

    use super::*;
    use crate::deciding::connections::Connections;
    use crate::deciding::{Given, Making, Reporting};
    use crate::options::Options;
    use crate::reading::inputs::Position;
    use crate::writing::progress::Progress;

    const UPDATES: usize = 3_000;

    /// Prints the number of each update, which only one that decides in order knows.
    struct Numbers {
        decided: usize,
        ended: Arc<Mutex<Option<usize>>>,
    }

    impl Task for Numbers {
        fn decide(&mut self, given: Given<'_>, made: &mut Making<'_>) -> Lane {
            made.print(&(given.update.id(), self.decided));
            self.decided += 1;
            Lane::Fast
        }

        fn end(&mut self) -> Result<(), Failure> {
            *self.ended.lock().unwrap() = Some(self.decided);
            Ok(())
        }
    }

    /// Panics at some update.
    struct Panics;

    impl Task for Panics {
        fn decide(&mut self, given: Given<'_>, _: &mut Making<'_>) -> Lane {
            assert_ne!(given.update.id(), "upd_1000", "a test");
            Lane::Fast
        }
    }

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Runs the tasks over a file of many updates.
    fn run(test: &str, tasks: Tasks, jobs: usize, events: impl Write + 'static) -> Result<Ending, Failure> {
        let path = std::env::temp_dir().join(format!("replay_{test}_{}.ndjson", std::process::id()));
        let line = |number: usize| {
            format!(
                r#"{{"id":"upd_{number}","space_id":"spa_1","profile_id":"use_1","computation":{{"id":"aud_1"}},"membership":"in","trigger":{{"reason":"value_changed"}},"external_ids":[]}}"#
            )
        };
        let lines: Vec<String> = (0..UPDATES).map(line).collect();
        std::fs::write(&path, lines.join("\n")).unwrap();
        let inputs = Input::open_all(&[PathBuf::from(&path)], &Position::default()).unwrap();
        let connections = Arc::new(Connections::of_text("{}"));
        let max_line_bytes = NonZeroU64::MAX;
        let desk = Desk { connections, fast_lane: None, reporting: Reporting::Off, max_line_bytes };
        let progress = Progress::new(None, Position::default());
        let mut outputs = Outputs::of_events(Box::new(events), progress);
        let options = Options::of(["replay", "--destinations", "x"]);
        let (mut pipeline, _) = Pipeline::start(inputs, desk, tasks, jobs);
        let ending = pipeline.write_all(&mut outputs, &mut Summary::new(&options));
        std::fs::remove_file(path).unwrap();
        ending
    }

    #[test]
    fn one_task_decides_in_order_whatever_reads() {
        for jobs in [1, 4] {
            let ended = Arc::new(Mutex::new(None));
            let task = Numbers { decided: 0, ended: ended.clone() };
            let (tasks, written) = (Tasks::InOrder(Box::new(task)), Written::default());
            let ending = run(&format!("in_order_{jobs}"), tasks, jobs, written.clone());
            assert!(matches!(ending, Ok(Ending::Whole)));
            let expected: String = (0..UPDATES).map(|n| format!("[\"upd_{n}\",{n}]\n")).collect();
            assert!(*written.0.lock().unwrap() == expected.into_bytes());
            assert_eq!(*ended.lock().unwrap(), Some(UPDATES));
        }
    }

    /// What was not printed was not sent, and must not be kept as if it were.
    #[test]
    fn a_task_keeps_nothing_where_its_output_is_closed() {
        let ended = Arc::new(Mutex::new(None));
        let task = Tasks::InOrder(Box::new(Numbers { decided: 0, ended: ended.clone() }));
        assert!(matches!(run("closed", task, 2, Closed), Ok(Ending::OutputClosed)));
        assert_eq!(*ended.lock().unwrap(), None);
    }

    #[test]
    fn a_panic_elsewhere_ends_the_replay() {
        for jobs in [1, 4] {
            let tasks = (0..jobs).map(|_| Box::new(Panics) as Box<dyn Task>).collect();
            let ending = run(&format!("panic_{jobs}"), Tasks::OfWorkers(tasks), jobs, io::sink());
            assert!(ending.is_err_and(|failure| failure.to_string().contains("which is a bug")));
        }
    }
}
