//! Where the time goes: reading, deciding and writing, per update and beside the least that each can
//! cost. `cargo bench --bench table`
//!
//! Of many runs, in which steps and floors take turns, each figure is what a tenth of its runs were faster
//! than: on a machine that does other work too, half of them are interrupted. `cargo bench --bench table -- <step> <rounds>` does
//! nothing but this step that often, with the recorded updates, for who counts instructions.

mod yardsticks;

use std::collections::HashMap;
use std::env;
use std::hint::black_box;
use std::time::{Duration, Instant};

use idgroup::{Destinations, IdGroupEvent, ProfileUpdate, decide};
use yardsticks::floors::{FloorEvent, read_floor};
use yardsticks::{bytes_to_hash, destinations, destinations_all_different, sha256_floor, update_json};

/// Updates, and what they are decided with.
struct World {
    name: &'static str,
    lines: Vec<Vec<u8>>,
    updates: Vec<ProfileUpdate>,
    computations: HashMap<String, Destinations>,
    others: Destinations,
}

impl World {
    fn recorded() -> Self {
        let lines = include_bytes!("../fixtures/pipeline/updates.ndjson").split(|byte| *byte == b'\n');
        let computations = include_str!("../fixtures/pipeline/destinations.json");
        Self::new(
            "recorded",
            lines.map(<[u8]>::to_vec).collect(),
            serde_json::from_str(computations).unwrap(),
            Destinations::default(),
        )
    }

    fn generated(name: &'static str, ids: usize, destinations: Destinations) -> Self {
        let line = serde_json::to_vec(&update_json(ids)).unwrap();
        Self::new(name, vec![line], HashMap::new(), destinations)
    }

    fn new(
        name: &'static str,
        mut lines: Vec<Vec<u8>>,
        computations: HashMap<String, Destinations>,
        others: Destinations,
    ) -> Self {
        // Some recorded lines are no updates, on purpose.
        lines.retain(|line| serde_json::from_slice::<ProfileUpdate>(line).is_ok());
        let updates = lines.iter().map(|line| serde_json::from_slice(line).unwrap()).collect();
        Self { name, lines, updates, computations, others }
    }

    fn of<'w>(&'w self, update: &ProfileUpdate) -> &'w Destinations {
        self.computations.get(update.computation().id()).unwrap_or(&self.others)
    }

    fn events(&self) -> Vec<IdGroupEvent<'_>> {
        self.updates.iter().flat_map(|update| decide(update, self.of(update))).collect()
    }
}

/// What is timed, once for all updates of a world.
struct Step<'w> {
    name: &'static str,
    run: Box<dyn FnMut() + 'w>,
}

impl<'w> Step<'w> {
    fn new(name: &'static str, run: impl FnMut() + 'w) -> Self {
        Self { name, run: Box::new(run) }
    }
}

fn steps(world: &World) -> Vec<Step<'_>> {
    let events = world.events();
    let floor_events: Vec<FloorEvent> = events.iter().map(FloorEvent::of).collect();
    let hashed: Vec<Vec<u8>> = world
        .updates
        .iter()
        .flat_map(|update| bytes_to_hash(update, &decide(update, world.of(update))))
        .collect();
    for (event, floor) in events.iter().zip(&floor_events) {
        assert_eq!(serde_json::to_string(event).unwrap(), serde_json::to_string(floor).unwrap());
    }
    let (mut written, mut written_by_floor, mut output) = (Vec::new(), Vec::new(), Vec::new());
    vec![
        Step::new("read", || {
            for line in &world.lines {
                black_box(serde_json::from_slice::<ProfileUpdate>(black_box(line)).unwrap());
            }
        }),
        Step::new("read_floor", || {
            for line in &world.lines {
                black_box(read_floor(black_box(line)));
            }
        }),
        Step::new("decide", || {
            for update in &world.updates {
                black_box(decide(black_box(update), world.of(update)));
            }
        }),
        Step::new("decide_floor", move || sha256_floor(&hashed)),
        Step::new("write", move || {
            for event in &events {
                written.clear();
                serde_json::to_writer(&mut written, black_box(event)).unwrap();
            }
        }),
        Step::new("write_floor", move || {
            for event in &floor_events {
                written_by_floor.clear();
                serde_json::to_writer(&mut written_by_floor, black_box(event)).unwrap();
            }
        }),
        Step::new("all", move || {
            for line in &world.lines {
                let update: ProfileUpdate = serde_json::from_slice(black_box(line)).unwrap();
                output.clear();
                for event in decide(&update, world.of(&update)) {
                    serde_json::to_writer(&mut output, &event).unwrap();
                }
            }
        }),
    ]
}

/// The time of each step that a tenth of its runs were faster than.
fn times(steps: &mut [Step<'_>]) -> Vec<Duration> {
    const ROUNDS: usize = 301;
    const AT_LEAST: Duration = Duration::from_micros(200);
    let time = |step: &mut Step<'_>, repeats: u32| {
        let start = Instant::now();
        for _ in 0..repeats {
            (step.run)();
        }
        start.elapsed()
    };
    let repeats: Vec<u32> = steps
        .iter_mut()
        .map(|step| (0..32).map(|power| 1 << power).find(|&repeats| time(step, repeats) >= AT_LEAST).unwrap())
        .collect();
    let mut times: Vec<Vec<Duration>> = steps.iter().map(|_| Vec::with_capacity(ROUNDS)).collect();
    for _ in 0..ROUNDS {
        for ((step, &repeats), times) in steps.iter_mut().zip(&repeats).zip(&mut times) {
            times.push(time(step, repeats) / repeats);
        }
    }
    times.iter_mut().map(|times| *times.select_nth_unstable(ROUNDS / 10).1).collect()
}

fn print_rows(world: &World) {
    let mut steps = steps(world);
    let times = times(&mut steps);
    let updates = u32::try_from(world.lines.len()).unwrap();
    let bytes = u32::try_from(world.lines.iter().map(Vec::len).sum::<usize>()).unwrap();
    let of = |name: &str| steps.iter().position(|step| step.name == name).map(|at| times[at]);
    for name in ["read", "decide", "write", "all"] {
        let time = of(name).unwrap();
        let (floor, ratio) = match of(&format!("{name}_floor")) {
            Some(floor) => (
                format!("{} ns", (floor / updates).as_nanos()),
                format!("{:.2}", time.as_secs_f64() / floor.as_secs_f64()),
            ),
            None => Default::default(),
        };
        println!(
            "| {} | {name} | {} ns | {floor} | {ratio} | {:.0} k | {:.0} MB |",
            world.name,
            (time / updates).as_nanos(),
            f64::from(updates) / time.as_secs_f64() / 1e3,
            f64::from(bytes) / time.as_secs_f64() / 1e6,
        );
    }
}

fn main() {
    let worlds = [
        World::recorded(),
        World::generated("5 IDs, 10 destinations", 5, destinations(10)),
        World::generated("1,000 IDs, 10 destinations", 1_000, destinations(10)),
        World::generated("1,000 IDs, 1,000 settings", 1_000, destinations_all_different(1_000)),
    ];
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [name, rounds] = &arguments[..] {
        let mut steps = steps(&worlds[0]);
        let step = steps.iter_mut().find(|step| step.name == name).expect("the name of a step");
        (0..rounds.parse::<u32>().expect("a number of rounds")).for_each(|_| (step.run)());
        return;
    }
    println!("| updates | step | per update | floor | × floor | updates per second | bytes per second |");
    println!("|---|---|---|---|---|---|---|");
    worlds.iter().for_each(print_rows);
}
