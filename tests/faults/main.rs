//! Of single runs here, of a loaded queue in `queue`: kills the nursery, the keeper, the supervisor, the command line and the training at random instants, and looks at every record.
//!
//! `FAULT_ROUNDS` says how many rounds (default 12), `FAULT_SEED` repeats a sequence; both are printed.

mod beside;
#[path = "../chance.rs"]
mod chance;
mod damage;
mod diary;
mod ingest;
mod load;
mod planned;
mod points;
mod queue;
mod record;
mod world;

use chance::Random;
use record::Record;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use world::{Manner, Role, World};

/// Steps that the training prints, one every few milliseconds.
const STEPS: u64 = 120;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Nobody,
    Nursery,
    Supervisor,
    SupervisorTwice,
    Keeper,
    KeeperAndSupervisor,
    CommandLine,
    Training,
    Everything,
}

const VICTIMS: [Victim; 9] = [
    Victim::Nobody,
    Victim::Nursery,
    Victim::Supervisor,
    Victim::SupervisorTwice,
    Victim::Keeper,
    Victim::KeeperAndSupervisor,
    Victim::CommandLine,
    Victim::Training,
    Victim::Everything,
];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn whoever_is_killed_whenever_the_record_is_right() {
    let rounds = number("FAULT_ROUNDS", 12);
    let seed = number("FAULT_SEED", std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64));
    println!("faults: {rounds} rounds, FAULT_SEED={seed}");
    // Two at a time: one waits while the other computes.
    let done = std::sync::atomic::AtomicU64::new(0);
    let seen = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let round = done.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    if round >= rounds {
                        return;
                    }
                    let (victim, came_to) = one_round(round, seed);
                    *seen.lock().expect("no round panics while it holds it").entry((format!("{victim:?}"), came_to)).or_insert(0u64) += 1;
                }
            });
        }
    });
    // So that a reader sees that the instants fell before, within and after.
    for ((victim, came_to), count) in seen.into_inner().expect("all threads ended well") {
        println!("{count:5} x {victim} killed: {came_to}");
    }
}

/// Who was killed, and what the run came to.
fn one_round(round: u64, seed: u64) -> (Victim, String) {
    let mut random = Random::new(seed.wrapping_add(round.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let victim = VICTIMS[(round % VICTIMS.len() as u64) as usize];
    let world = World::new();
    let manner = [Manner::Lines, Manner::Halves, Manner::Shell][random.below(3) as usize];
    let mut cli = world.run_training(STEPS, manner);
    // From before the keeper is there until after the training's end; a third within the start, where most happens.
    let latest = if random.below(3) == 0 { 80_000 } else { 1_300_000 };
    let instant = Duration::from_micros(random.below(latest));
    std::thread::sleep(instant);
    let context =
        format!("round {round} of FAULT_SEED={seed}: {victim:?} killed after {instant:?}, {manner:?}, home {}", world.home().display());
    match victim {
        Victim::Nobody => {}
        Victim::Nursery => world.kill(&[Role::Nursery]),
        Victim::Supervisor => world.kill(&[Role::Supervisor]),
        Victim::SupervisorTwice => {
            world.kill(&[Role::Supervisor]);
            std::thread::sleep(Duration::from_micros(random.below(300_000)));
            world.kill(&[Role::Supervisor]);
        }
        Victim::Keeper => world.kill(&[Role::Keeper]),
        Victim::KeeperAndSupervisor => world.kill(&[Role::Keeper, Role::Supervisor]),
        Victim::CommandLine => drop(cli.kill()),
        Victim::Training => world.kill(&[Role::Training]),
        Victim::Everything => {
            cli.kill().ok();
            world.kill(&[Role::Keeper, Role::Supervisor, Role::Training]);
        }
    }
    // A command line that lives ends by itself when the run has; for one that was killed, later commands see to the rest.
    let code = cli.wait().expect("it is our child").code();
    let deadline = Instant::now() + Duration::from_secs(60);
    let record = loop {
        match world.settled() {
            Some(record) => break record,
            None => assert!(Instant::now() < deadline, "{context}: the run never settled: {}", world.describe()),
        }
    };
    check(&record, (victim, manner), code, &world, &context);
    world.remove();
    (victim, record.describe())
}

fn check(record: &Record, (victim, manner): (Victim, Manner), code: Option<i32>, world: &World, context: &str) {
    let truth = world.printed();
    let Some(run) = &record.run else {
        // Killed before the submission was acknowledged: then nothing may have been started.
        assert!(matches!(victim, Victim::CommandLine | Victim::Everything), "{context}: no run on record");
        assert_eq!(truth.1, 0, "{context}: something ran that is not on record");
        return;
    };
    assert!(record.damage.is_empty(), "{context}: damage {:?}", record.damage);
    let steps = &record.steps;
    let expected: Vec<u64> = (1..=steps.len() as u64).collect();
    assert_eq!(steps, &expected, "{context}: a point was lost or doubled");
    // Of a line that was cut short the text is kept.
    let cut_short = manner != Manner::Lines && matches!(victim, Victim::Training | Victim::Everything);
    let lines = steps.len() as u64..=steps.len() as u64 + u64::from(cut_short);
    assert!(lines.contains(&record.lines), "{context}: {} lines of output, {} points", record.lines, steps.len());
    assert!((truth.0..=truth.1).contains(&(steps.len() as u64)), "{context}: printed {truth:?}, recorded {}", steps.len());
    record.verify_segments(&world.home(), context);
    let outcome = run["outcome"].as_str();
    // Behind a shell nobody sees that the training was killed.
    let hidden = manner == Manner::Shell && matches!(victim, Victim::Training | Victim::Everything);
    let finished = outcome == Some("finished") && (steps.len() as u64 == STEPS || hidden);
    let attempt = &run["attempts_list"][0];
    match victim {
        Victim::Nobody | Victim::Nursery | Victim::Supervisor | Victim::SupervisorTwice => {
            assert!(finished, "{context}: {run:#}");
            assert_eq!(attempt["exit_code"], 0, "{context}");
            assert_eq!(code, Some(0), "{context}");
        }
        Victim::CommandLine => {
            // Within a start that was cut short, nobody has begun it; either way the record says how to.
            let not_begun = (run["state"] == "queued" || run["state"] == "starting") && steps.is_empty();
            assert!(finished || not_begun, "{context}: {run:#}");
        }
        Victim::Training => {
            // KILL at the very end may find nobody left, and at the very start nobody yet.
            let failed = outcome == Some("failed") && attempt["signal"] == 9;
            assert!(finished || failed, "{context}: {run:#}");
            assert_eq!(code, Some(if finished { 0 } else { 1 }), "{context}");
        }
        Victim::Keeper | Victim::KeeperAndSupervisor => {
            let unknown = outcome == Some("lost") && attempt["outcome"] == "unknown";
            let never_began = outcome == Some("failed") && steps.is_empty();
            assert!(finished || never_began || unknown, "{context}: {run:#}");
            if unknown && !steps.is_empty() {
                assert_eq!(steps.len() as u64, STEPS, "{context}: the training was not touched and must be recorded whole");
            }
        }
        Victim::Everything => {
            let unknown = outcome == Some("lost") && attempt["outcome"] == "unknown";
            let failed = outcome == Some("failed");
            assert!(finished || unknown || failed || run["state"] == "queued" || run["state"] == "starting", "{context}: {run:#}");
        }
    }
}
