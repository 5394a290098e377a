//! Planned failures: at each call of a command that changes the disk it is killed, before the call or with half of it done, or the disk is
//! full from there on. Whatever was acknowledged is there afterwards, all of it or nothing of what was under way, and the command can be
//! given again. What the daemon does by itself is in `beside`, what a run writes in `ingest`.
//!
//! `FAULT_ROUNDS` bounds how many points are tried (all, from 100 on); `FAULT_SEED` says which, `FAULT_ONLY` of which commands.

use crate::chance::Random;
use crate::number;
use crate::planned::{ALL_FROM, MANNERS, Planned, Tried, unfinished};

/// What a command does to home.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    /// It changes what is said of runs, all at once.
    Changes,
    /// Nothing of what is said is other than before.
    Stores,
}
use Does::{Changes, Stores};

const COMMANDS: [(&str, Does, Planned); 17] = [
    ("tag", Changes, Planned::of(&["tag", "1-3", "best"])),
    ("note", Changes, Planned::of(&["note", "3", "seen"])),
    ("rm", Changes, Planned::of(&["rm", "1", "2", "--yes"])),
    ("restore", Changes, Planned::of(&["restore", "4"])),
    ("purge", Changes, Planned::of(&["rm", "4", "--purge", "--yes"])),
    ("ls", Stores, Planned::of(&["ls", "-a"])),
    ("metrics", Stores, Planned::of(&["metrics", "1", "loss"])),
    ("repair", Stores, Planned::of(&["repair"])),
    ("export", Stores, Planned::making(&["export", "1", "3", "--force", "-o"], "taken.neronet")),
    ("export points", Stores, Planned::making(&["export", "1", "3", "--points", "--force", "-o"], "points.csv")),
    ("export a table", Stores, Planned::making(&["export", "1-3", "--force", "-o"], "runs.parquet")),
    ("plot", Stores, Planned::making(&["plot", "1", "-o"], "curve.svg")),
    ("import", Changes, Planned::of(&["import", "../given.neronet"])),
    // Snapshots, builds and what was never finished.
    ("gc", Stores, Planned::of(&["gc", "--apply"])),
    ("gc of checkpoints", Changes, Planned::of(&["gc", "5", "--keep-last", "2", "--apply"])),
    ("gc of old trash", Changes, Planned { trash: "keep = '0s'\nleast_free = '0 B'", ..Planned::of(&["gc", "--apply"]) }),
    ("gc for want of room", Changes, Planned { trash: "least_free = '99 %'", later: 7_200, ..Planned::of(&["gc", "--apply"]) }),
];

#[test]
fn whatever_the_disk_refuses_or_a_kill_cuts_short_is_done_or_not_done() {
    let (rounds, seed) = (number("FAULT_ROUNDS", 12), number("FAULT_SEED", 1));
    println!("planned failures: FAULT_ROUNDS={rounds}, FAULT_SEED={seed}");
    let tried = Tried::new();
    let mut random = Random::new(seed);
    let only = std::env::var("FAULT_ONLY").unwrap_or_default();
    for (name, does, planned) in COMMANDS.into_iter().filter(|(name, ..)| name.contains(&only)) {
        tried.restore(planned.trash);
        let before = tried.said();
        tried.restore(planned.trash);
        let (done, points) = tried.counted(&planned);
        assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
        let after = tried.said();
        assert_eq!(after == before, does == Stores, "{name}: {after}");
        assert!(points > 0, "{name} changes nothing on the disk");
        let made = tried.made(&planned);
        let few = (rounds / 3).max(2);
        let chosen: Vec<u64> = match rounds >= ALL_FROM || points <= few {
            true => (1..=points).collect(),
            false => (0..few).map(|_| 1 + random.below(points)).collect(),
        };
        for point in &chosen {
            for manner in MANNERS {
                let context = format!("{name}, {manner} at point {point} of {points}, {}", tried.world.home().display());
                tried.restore(planned.trash);
                let cut = tried.preloaded(&planned, &format!("{manner}:{point}")).output().expect("it starts");
                let told = String::from_utf8_lossy(&cut.stderr).into_owned();
                assert!(!told.contains("panicked"), "{context}: {told}");
                let found = tried.said();
                assert!(found == before || found == after, "{context}: {found}\nnot\n{before}\nnor\n{after}");
                match cut.status.code() {
                    Some(0) => assert_eq!(found, after, "{context}: it said that it was done: {told}"),
                    Some(_) => {
                        assert!(manner == "full", "{context}: {told}");
                        assert!(told.contains("No space left on device") && told.contains("free some space"), "{context}: {told}");
                    }
                    None => assert!(manner != "full", "{context}: it died"),
                }
                // A file under its name is whole.
                let there = tried.made(&planned);
                assert!(there.is_none() || tried.is_alike(&there, &made), "{context}: half a file");
                // Once more, with nothing in its way: what was done already may be refused.
                let again = tried.unhindered(&planned).output().expect("it starts");
                assert!(again.status.success() || found == after, "{context}: {}", String::from_utf8_lossy(&again.stderr));
                assert_eq!(tried.said(), after, "{context}, given again");
                assert!(tried.is_alike(&tried.made(&planned), &made), "{context}, given again");
                assert!(unfinished(&tried.world.home().join("runs")).is_empty(), "{context}");
                tried.is_whole(&planned, &context);
            }
        }
        println!("{:6} points of {name}, {} tried", points, chosen.len());
    }
    tried.world.remove();
}
