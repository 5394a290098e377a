//! Planned failures of a run that is being recorded: its supervisor or its keeper finds the disk full at one of its calls, or the supervisor
//! dies there. When there is room again the record is complete: no line lost, none doubled, and it says how the run ended.

use crate::chance::Random;
use crate::number;
use crate::planned::{ALL_FROM, shim};
use crate::world::{Manner, World};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Steps of the training, one every 5 ms: the supervisor looks some times.
const STEPS: u64 = 120;
/// About so many points have the supervisor and the keeper of such a run.
const POINTS: [(&str, u64); 2] = [("neronet-superv", 40), ("neronet-keeper", 12)];
/// Reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_disk_that_fills_while_a_run_is_recorded_costs_nothing_when_there_is_room_again() {
    let (rounds, seed) = (number("FAULT_ROUNDS", 12), number("FAULT_SEED", 1));
    println!("planned failures of a run: FAULT_ROUNDS={rounds}, FAULT_SEED={seed}");
    let mut random = Random::new(seed.wrapping_add(2));
    for (role, points) in POINTS {
        let chosen: Vec<u64> = match rounds >= ALL_FROM {
            true => (1..=points).collect(),
            false => (0..(rounds / 3).max(2)).map(|_| 1 + random.below(points)).collect(),
        };
        let mut reached = 0;
        for point in &chosen {
            // That a keeper is killed is tried elsewhere: then the outcome is not known.
            let manner = if role == "neronet-keeper" { "full" } else { ["full", "full", "kill", "torn"][random.below(4) as usize] };
            reached += u64::from(one(role, manner, *point, random.below(2) == 0));
        }
        println!("{:6} points of {role} tried, {reached} reached", chosen.len());
    }
}

/// Whether the point was reached. `at_once`: there is room again as soon as somebody was refused, else when the training is over, if it
/// had begun.
fn one(role: &str, manner: &str, point: u64, at_once: bool) -> bool {
    let world = World::new();
    let context = format!("{role}, {manner} at point {point}, room at once: {at_once}, {}", world.home().display());
    let (full, told) = (world.path("full"), world.path("full.reached"));
    std::fs::write(&full, "").expect("written");
    let mut command = world.training(STEPS, Manner::Lines);
    command.env("LD_PRELOAD", shim(&world)).env("NERONET_TEST_POINT", format!("{manner}:{point}"));
    command.env("NERONET_TEST_WHILE", &full).env("NERONET_TEST_ROLE", role);
    let mut cli = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let refused = wait(&mut cli, || told.exists() && (at_once || matches!(world.printed(), (STEPS, _) | (_, 0))), &context);
    let reached = told.exists() || !full.exists();
    std::fs::remove_file(&full).ok();
    if refused {
        wait(&mut cli, || false, &context);
    }
    let ended = cli.wait_with_output().expect("it is ours");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!said.contains("panicked"), "{context}: {said}");
    let deadline = Instant::now() + PATIENCE;
    let record = loop {
        match world.settled() {
            Some(record) => break record,
            None => assert!(Instant::now() < deadline, "{context}: the run never settled: {}", world.describe()),
        }
    };
    assert!(record.damage.is_empty(), "{context}: {:?}", record.damage);
    assert_eq!(record.steps, (1..=record.steps.len() as u64).collect::<Vec<_>>(), "{context}: a point was lost or doubled");
    record.verify_segments(&world.home(), &context);
    let run = record.run.as_ref().expect("it was submitted");
    if ended.status.success() {
        assert_eq!((record.steps.len() as u64, record.lines), (STEPS, STEPS), "{context}: {run:#}");
        assert_eq!(run["outcome"], "finished", "{context}: {run:#}");
    } else {
        // A keeper that cannot write that it begins does not begin; it says why, and the run can be started again.
        let why = said.to_string() + &run.to_string();
        assert!(role == "neronet-keeper" && why.contains("No space left on device"), "{context}: {why}");
        assert_eq!(world.printed().1, 0, "{context}: what is not on record ran");
        let again = world.neronet().args(["retry", "1"]).output().expect("it starts");
        assert!(again.status.success(), "{context}: {}", String::from_utf8_lossy(&again.stderr));
        world.neronet().arg("down").output().expect("it starts");
    }
    world.remove();
    reached
}

/// Until it is so, or the command has ended. Gives whether it still runs.
fn wait(cli: &mut Child, is: impl Fn() -> bool, context: &str) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if cli.try_wait().expect("it is ours").is_some() {
            return false;
        }
        if is() {
            return true;
        }
        assert!(Instant::now() < deadline, "{context}: it hangs");
        std::thread::sleep(Duration::from_millis(2));
    }
}
