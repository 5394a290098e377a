//! Kills the daemon, nurseries, keepers, supervisors, runs and submissions at random instants under a load of about 200 runs, which
//! is kept up by further submissions, also while daemons die; and compares the runs' own diaries with what neronet says.
//!
//! `FAULT_QUEUE_ROUNDS` says how many rounds (default: `FAULT_ROUNDS`), `FAULT_SEED` repeats what is done; both are printed.

use crate::diary;
use crate::load::{Load, is_held_by_a_failure, reason};
use crate::number;
use crate::world::{Process, Random, Role};
use serde_json::Value;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(120);
/// The load is left to end, and all is compared, whenever so many rounds are over.
const REST_EVERY: u64 = 75;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Nobody,
    Daemon,
    /// And its successor, while that takes over.
    DaemonTwice,
    Nurseries,
    Keepers,
    Supervisors,
    Runs,
    /// Of one attempt.
    KeeperAndSupervisor,
    KeeperAndRun,
    DaemonAndKeepers,
    Submission,
    AllButRuns,
    Everything,
    Down,
    People,
}

const VICTIMS: [Victim; 15] = [
    Victim::Nobody,
    Victim::Daemon,
    Victim::DaemonTwice,
    Victim::Nurseries,
    Victim::Keepers,
    Victim::Supervisors,
    Victim::Runs,
    Victim::KeeperAndSupervisor,
    Victim::KeeperAndRun,
    Victim::DaemonAndKeepers,
    Victim::Submission,
    Victim::AllButRuns,
    Victim::Everything,
    Victim::Down,
    Victim::People,
];

#[test]
fn whoever_is_killed_whenever_each_run_is_carried_out_once_and_none_is_forgotten() {
    let rounds = number("FAULT_QUEUE_ROUNDS", number("FAULT_ROUNDS", 12));
    let seed = number("FAULT_SEED", std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64));
    println!("faults of the queue: {rounds} rounds, FAULT_SEED={seed}");
    let mut load = Load::new();
    for round in 0..rounds {
        let mut random = Random::new(seed.wrapping_add(round.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        // Each of them in turn, from a random one on.
        let victim = VICTIMS[(seed.wrapping_add(round) % VICTIMS.len() as u64) as usize];
        let context = format!("round {round} of FAULT_SEED={seed}, {victim:?}, home {}", load.world.home().display());
        one_round(&mut load, victim, &mut random, &context);
        if round % REST_EVERY == REST_EVERY - 1 && round + 1 < rounds {
            compare_at_rest(&mut load, &context);
        }
    }
    let context = format!("at the end of FAULT_SEED={seed}, home {}", load.world.home().display());
    compare_at_rest(&mut load, &context);
    for (what, count) in &load.counts {
        println!("{count:6} x {what}");
    }
    load.say(&["down"]);
    load.world.remove();
}

fn one_round(load: &mut Load, victim: Victim, random: &mut Random, context: &str) {
    let queue = load.queue();
    let cut_short = matches!(victim, Victim::Submission | Victim::AllButRuns | Victim::Everything);
    let mut under_way = load.submit_what_is_missing(&queue, cut_short, random);
    // A third while the submissions are under way, as far as there are any.
    let latest = if cut_short || random.below(3) == 0 { 80_000 } else { 400_000 };
    std::thread::sleep(Duration::from_micros(random.below(latest)));
    load.count(&format!("round: {victim:?}"));
    match victim {
        Victim::Nobody => {}
        Victim::Daemon => load.kill(|process| process.role == Role::Daemon),
        Victim::DaemonTwice => {
            load.kill(|process| process.role == Role::Daemon);
            let mut started = load.world.neronet().args(["serve", "--background"]).stderr(Stdio::null()).spawn().expect("neronet starts");
            std::thread::sleep(Duration::from_micros(random.below(60_000)));
            load.kill(|process| process.role == Role::Daemon);
            started.wait().expect("it is ours");
        }
        Victim::Nurseries => load.kill(|process| process.role == Role::Nursery),
        Victim::Keepers => kill_some(load, &[Role::Keeper], random),
        Victim::Supervisors => kill_some(load, &[Role::Supervisor], random),
        Victim::Runs => kill_some(load, &[Role::Training], random),
        Victim::KeeperAndSupervisor => {
            let keepers: Vec<Process> = load.world.processes().into_iter().filter(|process| process.role == Role::Keeper).collect();
            let chosen = keepers.get(random.below(keepers.len().max(1) as u64) as usize).map(|keeper| keeper.attempt.clone());
            load.kill(|process| chosen.as_ref() == Some(&process.attempt));
        }
        Victim::KeeperAndRun => kill_some(load, &[Role::Keeper, Role::Training], random),
        Victim::DaemonAndKeepers => load.kill(|process| matches!(process.role, Role::Daemon | Role::Keeper)),
        Victim::Submission => under_way.iter_mut().for_each(|submission| submission.kill()),
        Victim::AllButRuns => {
            under_way.iter_mut().for_each(|submission| submission.kill());
            load.kill(|process| process.role != Role::Training);
        }
        Victim::Everything => {
            under_way.iter_mut().for_each(|submission| submission.kill());
            load.kill(|_| true);
        }
        Victim::Down => drop(load.say(&["down"])),
        Victim::People => people(load, random),
    }
    under_way.into_iter().for_each(|submission| load.acknowledge(submission, context));
    // Else the next submission starts one.
    if random.below(2) == 0 && !load.daemon() {
        load.say(&["serve", "--background"]);
    }
}

/// Half of those that are there, or one.
fn kill_some(load: &mut Load, roles: &[Role], random: &mut Random) {
    let mut all: Vec<i32> =
        load.world.processes().iter().filter(|process| roles.contains(&process.role)).map(|process| process.pid).collect();
    if random.below(2) == 0 {
        all.retain(|_| random.below(2) == 0);
    } else if !all.is_empty() {
        all = vec![all[random.below(all.len() as u64) as usize]];
    }
    load.kill(|process| all.contains(&process.pid));
}

/// What people do with some of the runs. What is refused changes nothing.
fn people(load: &mut Load, random: &mut Random) {
    let runs = load.list();
    for (word, of) in [("stop", ""), ("kill", ""), ("hold", "queued"), ("release", "queued"), ("retry", "ended"), ("move", "queued")] {
        let chosen: Vec<u64> = runs
            .iter()
            .filter(|run| of.is_empty() && run["state"] != "ended" || run["state"] == of && run["outcome"] != "finished")
            .filter(|run| word != "release" || reason(run).starts_with("held by"))
            .filter_map(|run| run["id"].as_u64())
            .collect();
        if chosen.is_empty() {
            continue;
        }
        // Mostly the first ones, which are at work, or are just being started.
        let among = if random.below(3) == 0 { chosen.len() } else { chosen.len().min(14) } as u64;
        let run = chosen[random.below(among) as usize];
        let text = run.to_string();
        let words = match word {
            "retry" => vec!["retry", &text, "--detach"],
            "move" => vec!["move", &text, "--last"],
            _ => vec![word, &text],
        };
        match word {
            "stop" | "kill" => load.asked.insert(run),
            "retry" => load.again.insert(run),
            _ => true,
        };
        let done = if load.say(&words).status.success() { "done" } else { "refused" };
        load.count(&format!("people: {word}, {done}"));
    }
}

/// Lets everything come to its end, and compares.
fn compare_at_rest(load: &mut Load, context: &str) {
    if !load.daemon() {
        load.say(&["serve", "--background"]);
    }
    let (mut deadline, mut least) = (Instant::now() + PATIENCE, usize::MAX);
    loop {
        let queue = load.queue();
        let held = |run: &&Value| reason(run).starts_with("held by");
        let ids: Vec<String> = queue.iter().filter(held).map(|run| run["id"].to_string()).collect();
        tell(load, &["release"], &ids);
        let left = queue.iter().filter(|run| !is_held_by_a_failure(run, &queue)).count();
        let processes = load.world.processes();
        let nobody = processes.iter().all(|process| matches!(process.role, Role::Daemon | Role::Nursery));
        if left == 0 && nobody {
            let failed = failures_that_hold(&queue, &load.list(), context);
            if failed.is_empty() {
                break;
            }
            // So that those behind them have their turn.
            load.again.extend(failed.iter().filter_map(|run| run.parse::<u64>().ok()));
            tell(load, &["retry", "--detach", "--quiet"], &failed);
        }
        if left < least {
            (deadline, least) = (Instant::now() + PATIENCE, left);
        }
        assert!(Instant::now() < deadline, "{context}: {left} of these do not end: {queue:#?}, {processes:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    diary::compare(load, &load.list(), context);
}

fn tell(load: &Load, words: &[&str], runs: &[String]) {
    if !runs.is_empty() {
        load.say(&[words, runs.iter().map(String::as_str).collect::<Vec<_>>().as_slice()].concat());
    }
}

/// The runs that queued ones wait for. It is true of each that it has ended, and not well.
fn failures_that_hold(queue: &[Value], runs: &[Value], context: &str) -> Vec<String> {
    let mut failed: Vec<String> =
        queue.iter().filter_map(|run| Some(reason(run).strip_prefix("held: run ")?.split(',').next()?.into())).collect();
    failed.sort();
    failed.dedup();
    for id in &failed {
        let run = runs.iter().find(|run| run["id"].to_string() == *id);
        let holds = run.is_some_and(|run| run["state"] == "ended" && run["outcome"] != "finished");
        assert!(holds, "{context}: run {id} is said to hold others: {run:#?}");
    }
    failed
}
