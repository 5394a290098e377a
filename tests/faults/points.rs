//! Planned failures: at each call of a command that changes the disk it is killed, before the call or with half of it done, or the disk is
//! full from there on. Whatever was acknowledged is there afterwards, all of it or nothing of what was under way, and the command can be
//! given again.
//!
//! `FAULT_ROUNDS` bounds how many points are tried (all, from 100 on); `FAULT_SEED` says which.

use crate::number;
use crate::world::{Random, World};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What a command does to home.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    /// It changes what is said of runs, all at once.
    Changes,
    /// Nothing of what is said is other than before.
    Stores,
}

const COMMANDS: [(&str, &[&str], Does); 10] = [
    ("tag", &["tag", "1-3", "best"], Does::Changes),
    ("note", &["note", "3", "seen"], Does::Changes),
    ("rm", &["rm", "1", "2", "--yes"], Does::Changes),
    ("restore", &["restore", "4"], Does::Changes),
    ("purge", &["rm", "4", "--purge", "--yes"], Does::Changes),
    ("ls", &["ls", "-a"], Does::Stores),
    ("metrics", &["metrics", "1", "loss"], Does::Stores),
    ("repair", &["repair"], Does::Stores),
    ("export", &["export", "1", "3", "-o", "../taken.neronet", "--force"], Does::Stores),
    ("import", &["import", "../given.neronet"], Does::Changes),
];

const MANNERS: [&str; 3] = ["kill", "torn", "full"];
/// Tries of a command in each manner where not all are made: for each round of the other faults one.
const ALL_FROM: u64 = 100;
/// About so many points has a daemon that seals one attempt.
const SEALING: u64 = 60;
/// Reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

struct Tried {
    world: World,
    shim: PathBuf,
    pristine: PathBuf,
}

#[test]
fn whatever_the_disk_refuses_or_a_kill_cuts_short_is_done_or_not_done() {
    let (rounds, seed) = (number("FAULT_ROUNDS", 12), number("FAULT_SEED", 1));
    println!("planned failures: FAULT_ROUNDS={rounds}, FAULT_SEED={seed}");
    let tried = Tried::new();
    let mut random = Random::new(seed);
    for (name, words, does) in COMMANDS {
        tried.restore();
        let before = tried.said();
        tried.restore();
        let (done, points) = tried.counted(words);
        assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
        let after = tried.said();
        assert_eq!(after == before, does == Does::Stores, "{name}: {after}");
        assert!(points > 0, "{name} changes nothing on the disk");
        let few = (rounds / 3).max(2);
        let chosen: Vec<u64> = match rounds >= ALL_FROM || points <= few {
            true => (1..=points).collect(),
            false => (0..few).map(|_| 1 + random.below(points)).collect(),
        };
        for point in &chosen {
            for manner in MANNERS {
                let context = format!("{name}, {manner} at point {point} of {points}, {}", tried.world.home().display());
                tried.restore();
                let cut = tried.preloaded(words, &format!("{manner}:{point}")).output().expect("it starts");
                let told = String::from_utf8_lossy(&cut.stderr).into_owned();
                assert!(!told.contains("panicked"), "{context}: {told}");
                let found = tried.said();
                assert!(found == before || found == after, "{context}: {found}\nnot\n{before}\nnor\n{after}");
                match cut.status.code() {
                    Some(0) => assert_eq!(found, after, "{context}: it said that it was done: {told}"),
                    Some(_) => {
                        assert!(manner == "full", "{context}: {told}");
                        assert!(told.contains("No space left on device"), "{context}: {told}");
                    }
                    None => assert!(manner != "full", "{context}: it died"),
                }
                // Once more, with nothing in its way: what was done already may be refused.
                let again = tried.world.neronet().args(words).output().expect("it starts");
                assert!(again.status.success() || found == after, "{context}: {}", String::from_utf8_lossy(&again.stderr));
                assert_eq!(tried.said(), after, "{context}, given again");
                assert!(unfinished(&tried.world.home().join("runs")).is_empty(), "{context}");
            }
        }
        println!("{:6} points of {name}, {} tried", points, chosen.len());
    }
    sealing(&tried, rounds, &mut random);
    tried.world.remove();
}

/// The daemon seals, and is cut short; another one goes on.
fn sealing(tried: &Tried, rounds: u64, random: &mut Random) {
    tried.restore();
    let before = tried.said();
    let few = if rounds >= ALL_FROM { SEALING } else { (rounds / 3).max(2) };
    for round in 0..few {
        let (point, manner) = (if rounds >= ALL_FROM { 1 + round } else { 1 + random.below(SEALING) }, MANNERS[random.below(3) as usize]);
        let context = format!("sealing, {manner} at point {point}");
        tried.restore();
        let mut daemon = tried.preloaded(&["serve"], &format!("{manner}:{point}")).spawn().expect("it starts");
        // On a full disk nothing comes of it: it is left to try for a while.
        let mut looks = if manner == "full" { 40 } else { usize::MAX };
        tried.until_sealed(
            || {
                looks -= 1;
                looks == 0 || daemon.try_wait().expect("it is ours").is_some()
            },
            &context,
        );
        daemon.kill().ok();
        daemon.wait().expect("it is ours");
        assert_eq!(tried.said(), before, "{context}");
        let mut daemon = tried.sealing(&mut tried.world.neronet()).arg("serve").spawn().expect("it starts");
        tried.until_sealed(|| false, &context);
        daemon.kill().expect("it runs");
        daemon.wait().expect("it is ours");
        assert_eq!(tried.said(), before, "{context}, sealed");
    }
    println!("{few:6} points of sealing tried");
}

/// Names of files that were being written.
fn unfinished(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && entry.file_name() != "work" {
            found.extend(unfinished(&path));
        } else if entry.file_name().to_string_lossy().ends_with(".new") {
            found.push(path);
        }
    }
    found
}

impl Tried {
    /// Four runs, of which one has a long curve, one failed, and one is in the trash; and a journal that is worth storing.
    fn new() -> Tried {
        let world = World::new();
        let shim = world.path("shim.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/faults/shim.c");
        let made =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&shim).arg(&source).arg("-ldl").status();
        assert!(made.is_ok_and(|status| status.success()), "planned failures need a C compiler: cc");
        let long = "awk 'BEGIN { for (i = 1; i <= 20000; i++) printf \"step %d loss 0.%d\\n\", i, i }'";
        for (command, code) in [(long, 0), ("echo loss 0.5; exit 3", 1), ("echo loss 0.25 accuracy 0.5", 0), ("echo loss 0.1", 0)] {
            let ran = world.neronet().args(["run", "--quiet", "--", "sh", "-c", command]).output().expect("it starts");
            assert_eq!(ran.status.code(), Some(code), "{}", String::from_utf8_lossy(&ran.stderr));
        }
        let elsewhere = world.path("elsewhere");
        for words in [&["run", "--quiet", "--", "echo", "loss 0.75"][..], &["export", "1", "-o", "../given.neronet"]] {
            let done = world.neronet().args(words).env("NERONET_HOME", &elsewhere).output().expect("it starts");
            assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        }
        let tried = Tried { shim, pristine: world.path("pristine"), world };
        tried.done(&["rm", "4", "--yes"]);
        for _ in 0..12 {
            tried.done(&["note", "3", &"long ".repeat(20_000)]);
        }
        tried.done(&["note", "3", "short"]);
        std::fs::remove_dir_all(tried.world.path(".cache")).ok();
        let copied = Command::new("cp").arg("-a").arg(tried.world.home()).arg(&tried.pristine).status();
        assert!(copied.is_ok_and(|status| status.success()));
        tried
    }

    fn done(&self, words: &[&str]) {
        let said = self.world.neronet().args(words).output().expect("it starts");
        assert!(said.status.success(), "{words:?}: {}", String::from_utf8_lossy(&said.stderr));
    }

    /// Home as it was at first, with nothing stored of it.
    fn restore(&self) {
        for folder in [self.world.home(), self.world.path(".cache")] {
            std::fs::remove_dir_all(folder).ok();
        }
        let copied = Command::new("cp").arg("-a").arg(&self.pristine).arg(self.world.home()).status();
        assert!(copied.is_ok_and(|status| status.success()));
    }

    fn preloaded(&self, words: &[&str], point: &str) -> Command {
        let mut command = self.world.neronet();
        self.sealing(&mut command);
        command.args(words).env("LD_PRELOAD", &self.shim).env("NERONET_TEST_POINT", point);
        command
    }

    fn sealing<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("NERONET_SEAL_AFTER", "0").stdout(Stdio::null()).stderr(Stdio::piped())
    }

    /// Done in whole, and how many points that has.
    fn counted(&self, words: &[&str]) -> (Output, u64) {
        let count = self.world.path("count");
        let said = self.preloaded(words, "kill:1000000").env("NERONET_TEST_COUNT", &count).output().expect("it starts");
        let counted = std::fs::read_to_string(&count).ok().and_then(|count| count.parse().ok());
        (said, counted.expect("the calls were counted"))
    }

    /// All that people see of these runs. Nobody starts a daemon for that.
    fn said(&self) -> String {
        let mut said = String::new();
        let questions: [&[&str]; 6] = [
            &["ls", "-a", "--json"],
            &["ls", "-a", "--trash", "--json"],
            &["metrics", "1", "loss", "--buckets", "40", "--json"],
            &["metrics", "3", "--json"],
            &["logs", "2"],
            &["show", "3", "--json"],
        ];
        for question in questions {
            let answer = self.world.neronet().args(question).output().expect("it starts");
            said += &String::from_utf8_lossy(&answer.stdout);
            said += &String::from_utf8_lossy(&answer.stderr);
        }
        said
    }

    fn until_sealed(&self, mut or: impl FnMut() -> bool, context: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !or() && !self.is_sealed() {
            assert!(Instant::now() < deadline, "{context}: nothing is sealed");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Of the run that is worth it.
    fn is_sealed(&self) -> bool {
        let folder = self.world.home().join("runs/1/attempts/1");
        let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let names: Vec<String> = names.filter(|name| name.starts_with("metrics.") || name.starts_with("output.")).collect();
        names.len() == 2 && names.iter().all(|name| name.ends_with(".zst"))
    }
}
