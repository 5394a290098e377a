//! Cuts, freezes, reboots, wipes and fills hosts, sets their clocks, and kills whoever has to do with runs there, at random moments, also
//! while runs are submitted and their code is on its way, now and then with another home in the same folders. Then all is healed, and
//! what is said of the runs is held against what they wrote themselves.
//!
//! `FAULT_CLUSTER_ROUNDS` says how many rounds (default: `FAULT_ROUNDS`), `FAULT_SEED` repeats a sequence, `FAULT_FIRST` begins with a
//! later round of it; all are printed.

use crate::chance::Random;
use crate::harm::{Done, Harm, heal, planned};
use crate::hosts::{Hosts, folder, harmed};
use crate::lab::Lab;
use crate::ledger::{self, Ledger, WORK};
use crate::world::text;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(150);

const TARGETS: [(&str, &str); 2] = [("gpu1", "gale"), ("gpu2", "squall")];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn whatever_happens_to_hosts_runs_are_carried_out_once_and_what_is_said_is_true() {
    let Some(_) = harmed() else { return };
    let rounds = number("FAULT_CLUSTER_ROUNDS", number("FAULT_ROUNDS", 10));
    let first = number("FAULT_FIRST", 0);
    let seed = number("FAULT_SEED", SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64));
    println!("faults of targets: {rounds} rounds from {first}, FAULT_SEED={seed}");
    let mut came_to: BTreeMap<String, u64> = BTreeMap::new();
    for round in first..first + rounds {
        let began = Instant::now();
        let all = one_round(round, seed);
        println!("round {round}: {} s, {all:?}", began.elapsed().as_secs());
        all.into_iter().for_each(|outcome| *came_to.entry(outcome).or_default() += 1);
    }
    for (outcome, count) in came_to {
        println!("{count:5} x {outcome}");
    }
}

/// What is submitted at once.
struct Load {
    spec: String,
    runs: u64,
    fails: u64,
    retries: u64,
}

fn load(random: &mut Random, lab: &Lab, targets: &[(&str, &str)], nth: u64) -> Load {
    let ticks = random.of(&[2, 5, 10, 25]);
    let (fails, retries) = random.of(&[(0, 0), (0, 0), (0, 2), (1, 2), (1, 0)]);
    let runs = 1 + random.below(3);
    let names: Vec<&str> = targets.iter().map(|(name, _)| *name).collect();
    let target = if random.below(3) == 0 { vec![random.of(&names)] } else { names };
    let copies: Vec<String> = (1..=runs).map(|copy| copy.to_string()).collect();
    let mut spec = format!("name = 'load{nth}'\ncommand = ['sh', 'work.sh', '{}', '{ticks}', '{fails}']\n", lab.note("ledger"));
    spec += &format!("target = {target:?}\noutputs.keep = ['left.bin']\nparams.copy = [{}]\n", copies.join(", "));
    if retries > 0 {
        spec += &format!("retry = {{ times = {retries}, backoff = '1s' }}\n");
    }
    // Several at a time on one host.
    if random.below(2) == 0 {
        spec += "sweep.parallel = 4\n";
    }
    Load { spec, runs, fails, retries }
}

/// A home with these targets, and what its runs need.
fn home(targets: &[(&str, &str)], folders: &[String], work: &[u8]) -> Lab {
    let hosts = harmed().expect("they were there");
    let mut lab = Lab::new(hosts, &[]);
    for ((name, host), folder) in targets.iter().zip(folders) {
        lab.add(name, host, folder);
        hosts.exec(host, &["install", "-d", "-o", "student", &crate::hosts::folder()]).with_code(0);
        lab.notes(host, "ledger");
        let ledger = hosts.outside(host, &lab.note("ledger"));
        std::fs::set_permissions(ledger, PermissionsExt::from_mode(0o666)).expect("ours");
    }
    lab.write("work.sh", WORK).write("data.bin", work);
    lab
}

fn submit(lab: &Lab, loads: &[Load]) {
    for (nth, load) in loads.iter().enumerate() {
        lab.write(&format!("load{nth}.toml"), &load.spec);
        lab.say(&["submit", &format!("load{nth}.toml"), "--again", "--quiet"]);
    }
}

/// What the runs came to.
fn one_round(round: u64, seed: u64) -> Vec<String> {
    // What one round draws is not what the next one draws, one later.
    let mut random = Random::new(Random::new(seed.wrapping_add(round << 32)).below(u64::MAX));
    let hosts = harmed().expect("they were there");
    let targets = &TARGETS[..1 + random.below(2) as usize];
    let events = planned(&mut random, targets.len());
    for (_, host) in targets {
        hosts.clock(host, random.of(&[0, 0, 7, -7]) * 3600, 0);
    }
    let is_disk = |at: usize| events.iter().any(|event| event.host == at && event.harm == Harm::Full);
    let folders: Vec<String> =
        targets.iter().enumerate().map(|(at, (_, host))| if is_disk(at) { disk(hosts, host) } else { folder() }).collect();
    // What takes a while to be sent.
    let size = random.of(&[0, 0, 20_000_000]);
    let noise: Vec<u8> = (0..size / 8).flat_map(|_| random.below(u64::MAX).to_le_bytes()).collect();
    let lab = home(targets, &folders, &noise);
    let loads: Vec<Load> = (0..2 + random.below(3)).map(|nth| load(&mut random, &lab, targets, nth)).collect();
    // Another home in the same folders, to which only that is done which is done to whole hosts.
    let other = (random.below(3) == 0).then(|| {
        let other = home(targets, &folders, &[]);
        let loads: Vec<Load> = (0..2).map(|nth| load(&mut random, &other, targets, nth)).collect();
        (other, loads)
    });
    let context = format!("round {round} of FAULT_SEED={seed}, {events:?}, home {}", lab.home().display());
    let mut done = Done::default();
    let seen = Seen::default();
    let over = AtomicBool::new(false);
    let since = SystemTime::now();
    std::thread::scope(|scope| {
        let (lab, other, seen, over) = (&lab, &other, &seen, &over);
        scope.spawn(move || seen.look_on(lab, over));
        // However this ends, nobody looks on any more.
        let _over = Over(over);
        let began = Instant::now();
        let submitting = scope.spawn(|| submit(lab, &loads));
        let beside = scope.spawn(|| other.iter().for_each(|(other, loads)| submit(other, loads)));
        for event in &events {
            std::thread::sleep(event.at.saturating_sub(began.elapsed()));
            let (target, host) = targets[event.host];
            done.to(lab, target, host, event);
        }
        submitting.join().expect("all are submitted");
        beside.join().expect("all are submitted");
        heal(lab, targets);
        let healed = began.elapsed().as_secs();
        wait_for_the_end(lab, targets, &context);
        other.iter().for_each(|(other, _)| wait_for_the_end(other, targets, &context));
        println!("{healed} s until all was healed, {} s until all had ended: {events:?}", began.elapsed().as_secs());
    });
    let runs = lab.list();
    seen.judge(&ledger::read(&lab, &hosts_of(targets)), &done, &context);
    judge_all((&lab, &loads), targets, &done, since, &context);
    if let Some((other, loads)) = &other {
        let context = format!("{context}, another home {}", other.home().display());
        judge_all((other, loads), targets, &done.to_another_home(), since, &context);
    }
    runs.iter().map(|run| format!("{}{}", text(&run["outcome"]), if run["attempts"] == 1 { "" } else { ", again" })).collect()
}

fn hosts_of<'a>(targets: &[(&str, &'a str)]) -> Vec<&'a str> {
    targets.iter().map(|(_, host)| *host).collect()
}

/// What became of a home's runs, and whether all that their targets have of them is at home.
fn judge_all((lab, loads): (&Lab, &[Load]), targets: &[(&str, &str)], done: &Done, since: SystemTime, context: &str) {
    let runs = lab.list();
    judge(lab, &runs, &ledger::read(lab, &hosts_of(targets)), done, loads, context);
    is_by_our_clock(&runs, since, context);
    for (target, _) in targets.iter().filter(|(target, _)| !done.wiped.contains(*target)) {
        let finished = runs.iter().filter(|run| run["outcome"] == "finished" && run["target"] == *target);
        let finished: Vec<u64> = finished.filter_map(|run| run["id"].as_u64()).collect();
        let until = Instant::now() + Duration::from_secs(30);
        while !ledger::not_at_home(lab, target, &finished).is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(ledger::not_at_home(lab, target, &finished), Vec::<String>::new(), "{context}: what {target} has is not at home");
    }
}

/// Whatever the hosts' clocks showed.
fn is_by_our_clock(runs: &[Value], since: SystemTime, context: &str) {
    let first = since.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs() as i64 - 60;
    let last = jiff::Timestamp::now().as_second() + 60;
    for run in runs {
        for at in ["started", "ended"].iter().filter_map(|key| run[key].as_str()) {
            let at = at.parse::<jiff::Timestamp>().expect("RFC 3339").as_second();
            assert!((first..=last).contains(&at), "{context}: not when it was: {run:#}");
        }
    }
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A small disk, for the folder of a target.
fn disk(hosts: &Hosts, host: &str) -> String {
    let at = format!("/home/student/disk.{}", std::process::id());
    let script =
        format!("umount -l {at} 2>/dev/null; mkdir -p {at} && mount -t tmpfs -o size=400m,uid=$(id -u student),mode=700 tmpfs {at}");
    hosts.exec(host, &["sh", "-c", &script]).with_code(0);
    at
}

fn wait_for_the_end(lab: &Lab, targets: &[(&str, &str)], context: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let runs = lab.list();
        if runs.iter().all(|run| run["state"] == "ended") {
            return;
        }
        if Instant::now() >= until {
            let left: Vec<&Value> = runs.iter().filter(|run| run["state"] != "ended").collect();
            panic!("{context}: these do not end: {left:#?}\n{:#?}", ledger::read(lab, &hosts_of(targets)));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Holds how each run ended against what it wrote, and what was done to it.
fn judge(lab: &Lab, runs: &[Value], ledger: &Ledger, done: &Done, loads: &[Load], context: &str) {
    // The daemon that a submission waited for may have been killed: then it is there whole or not at all.
    for (nth, load) in loads.iter().enumerate() {
        let there = runs.iter().filter(|run| run["experiment"] == format!("load{nth}")).count() as u64;
        assert!(there == load.runs || there == 0, "{context}: {there} of {} runs of load{nth}", load.runs);
    }
    let target_of = |run: u64| runs.iter().find(|known| known["id"] == run).map(|known| text(&known["target"])).unwrap_or_default();
    for (run, wrong) in ledger::twice(ledger) {
        // What ran when all about it was wiped cannot be known to have run.
        let pages = ledger.range((run, 0)..(run + 1, 0)).flat_map(|(_, pages)| pages.values());
        let wiped = pages
            .map(|page| page.host.clone())
            .any(|host| done.wiped.iter().any(|target| TARGETS.contains(&(target.as_str(), host.as_str()))));
        assert!(wiped, "{context}: {wrong}");
    }
    for run in runs {
        let (id, n) = (run["id"].as_u64().expect("a number"), run["attempts"].as_u64().expect("a number"));
        let nth: usize = text(&run["experiment"])[4..].parse().expect("a number");
        let load = &loads[nth];
        let target = target_of(id);
        let ends: Vec<Option<u64>> = ledger.get(&(id, n)).into_iter().flat_map(|pages| pages.values().map(|page| page.end)).collect();
        let killed = (1..=n).any(|attempt| done.killed.contains(&(id, attempt)));
        let began = !ends.is_empty();
        let context = format!("{context}: run {id}, {}, {done:?}, {:?}: {run:#}", load.spec, ledger.range((id, 0)..(id + 1, 0)));
        let gone = done.wiped.contains(&target) || done.rebooted.contains(&target);
        match run["outcome"].as_str().unwrap_or_default() {
            "finished" => assert!(ends.contains(&Some(0)), "{context}: it did not finish"),
            "failed" if ends.contains(&Some(3)) => {
                assert!(n > load.retries || load.fails == 0 || gone || killed, "{context}: it was to be tried again");
            }
            "failed" if began => assert!(killed || gone, "{context}: it did not fail"),
            "failed" => assert!(text(&run["reason"]).starts_with("could not be started"), "{context}: it did not begin"),
            "lost" => assert!(killed || gone, "{context}: nothing was lost"),
            _ => panic!("{context}: no such outcome"),
        }
        assert!(!began || n == ledger.range((id, 0)..(id + 1, 0)).map(|((_, n), _)| *n).max().unwrap_or(n), "{context}: more was executed");
    }
    let log = std::fs::read_to_string(lab.home().join("daemon.log")).unwrap_or_default();
    assert!(!log.contains("panicked"), "{context}: {log}");
}

/// What was listed while it happened.
#[derive(Default)]
struct Seen {
    wrong: Mutex<Vec<String>>,
    running: Mutex<BTreeSet<(u64, u64)>>,
    lost: Mutex<BTreeSet<u64>>,
}

impl Seen {
    fn look_on(&self, lab: &Lab, over: &AtomicBool) {
        let mut ended: BTreeMap<u64, Value> = BTreeMap::new();
        while !over.load(Ordering::SeqCst) {
            let said = lab.say(&["ls", "-a", "--json"]);
            let runs: Vec<Value> = match serde_json::from_str(&said.out) {
                Ok(runs) if said.code == Some(0) => runs,
                _ => {
                    self.wrong.lock().expect("nobody panicked").push(format!("ls: {said:?}"));
                    return;
                }
            };
            for run in runs {
                let (id, n) = (run["id"].as_u64().expect("a number"), run["attempts"].as_u64().expect("a number"));
                if let Some(before) = ended.get(&id).filter(|before| before["outcome"] != run["outcome"] || before["state"] != run["state"])
                {
                    self.wrong.lock().expect("nobody panicked").push(format!("{before:#} became {run:#}"));
                }
                if run["state"] == "running" {
                    self.running.lock().expect("nobody panicked").insert((id, n));
                }
                if run["outcome"] == "lost" {
                    self.lost.lock().expect("nobody panicked").insert(id);
                }
                if run["state"] == "ended" {
                    ended.insert(id, run);
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn judge(&self, ledger: &Ledger, done: &Done, context: &str) {
        let wrong = self.wrong.lock().expect("nobody panicked");
        assert!(wrong.is_empty(), "{context}: {}", wrong.join("\n"));
        for (run, attempt) in self.running.lock().expect("nobody panicked").iter() {
            // One that is killed may not have said that it began, nor one whose script is gone.
            let said = ledger.contains_key(&(*run, *attempt));
            let excused = done.killed.contains(&(*run, *attempt)) || !done.rebooted.is_empty() || !done.wiped.is_empty();
            assert!(said || excused, "{context}: attempt {attempt} of run {run} was listed as running and never began");
        }
        for run in self.lost.lock().expect("nobody panicked").iter() {
            let killed = done.killed.iter().any(|(killed, _)| killed == run);
            assert!(killed || !done.wiped.is_empty() || !done.rebooted.is_empty(), "{context}: run {run} was listed as lost");
        }
    }
}
