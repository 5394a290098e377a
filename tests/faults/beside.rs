//! Planned failures of what the daemon does by itself, sealing and emptying the trash: it is cut short, and another one goes on.

use crate::chance::Random;
use crate::number;
use crate::planned::{ALL_FROM, MANNERS, Planned, Tried};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// About so many points has a daemon that seals one attempt, or purges one run.
const POINTS: u64 = 60;
/// Reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(60);
const SERVE: Planned = Planned::of(&["serve"]);

#[test]
fn what_the_daemon_does_by_itself_goes_on_where_another_was_cut_short() {
    let (rounds, seed) = (number("FAULT_ROUNDS", 12), number("FAULT_SEED", 1));
    println!("planned failures of daemons: FAULT_ROUNDS={rounds}, FAULT_SEED={seed}");
    let tried = Tried::new();
    let mut random = Random::new(seed.wrapping_add(1));
    let tries = |few: u64| if rounds >= ALL_FROM { POINTS } else { few.max(2) };
    served(&tried, "sealing", &SERVE, tries(rounds / 3), &mut random, is_sealed);
    // It looks at the trash two seconds after it began.
    let emptying = Planned { trash: "keep = '0s'\nleast_free = '0 B'", ..SERVE };
    served(&tried, "emptying the trash", &emptying, tries(rounds / 10), &mut random, is_emptied);
    tried.world.remove();
}

fn served(tried: &Tried, what: &str, planned: &Planned, tries: u64, random: &mut Random, is_done: fn(&Tried) -> bool) {
    tried.restore(planned.trash);
    let before = tried.said();
    let mut after = None;
    for round in 0..tries {
        let point = if tries == POINTS { 1 + round } else { 1 + random.below(POINTS) };
        let manner = MANNERS[random.below(3) as usize];
        let context = format!("{what}, {manner} at point {point}, {}", tried.world.home().display());
        tried.restore(planned.trash);
        let mut daemon = Served(
            tried
                .preloaded(planned, &format!("{manner}:{point}"))
                .env("NERONET_SEAL_AFTER", "0")
                .stderr(Stdio::null())
                .spawn()
                .expect("it starts"),
        );
        // On a full disk nothing comes of it: it is left to try for a while.
        let began = Instant::now();
        let enough = || manner == "full" && began.elapsed() > Duration::from_millis(if what == "sealing" { 300 } else { 3_000 });
        until(|| is_done(tried) || enough() || daemon.0.try_wait().expect("it is ours").is_some(), &context);
        drop(daemon);
        let found = tried.said();
        let daemon = Served(tried.unhindered(planned).env("NERONET_SEAL_AFTER", "0").stderr(Stdio::null()).spawn().expect("it starts"));
        until(|| is_done(tried), &context);
        drop(daemon);
        let done = tried.said();
        let after = after.get_or_insert_with(|| done.clone());
        assert_eq!(&done, after, "{context}, done");
        assert!(found == before || &found == after, "{context}: {found}\nnot\n{before}\nnor\n{after}");
        assert_eq!(what == "sealing", *after == before, "{context}");
        // What a purge that was cut short left.
        let gc = Planned { trash: planned.trash, ..Planned::of(&["gc", "--apply"]) };
        let collected = tried.unhindered(&gc).output().expect("it starts");
        assert!(collected.status.success(), "{context}: {}", String::from_utf8_lossy(&collected.stderr));
        assert_eq!(tried.world.home().join("runs/4").exists(), what == "sealing", "{context}");
        tried.is_whole(&gc, &context);
    }
    println!("{tries:6} points of {what} tried");
}

/// Ended with the test.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn until(mut is: impl FnMut() -> bool, context: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "{context}: nothing comes of it");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The run that is worth it.
fn is_sealed(tried: &Tried) -> bool {
    let folder = tried.world.home().join("runs/1/attempts/1");
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let names: Vec<String> = names.filter(|name| name.starts_with("metrics.") || name.starts_with("output.")).collect();
    names.len() == 2 && names.iter().all(|name| name.ends_with(".zst"))
}

fn is_emptied(tried: &Tried) -> bool {
    let said = tried.world.neronet().args(["ls", "-a", "--trash", "--json"]).output().expect("it starts");
    serde_json::from_slice::<Vec<serde_json::Value>>(&said.stdout).is_ok_and(|trash| trash.is_empty())
}
