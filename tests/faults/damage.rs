//! A small home of which one file is changed or cut, at every 512th byte of each file: what is not hit is said as before, and whatever is
//! hit, every command answers.
//!
//! `FAULT_ROUNDS` bounds how many places are tried (all, from 100 on); `FAULT_SEED` says which.

use crate::chance::Random;
use crate::number;
use crate::world::World;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const EVERY: usize = 512;
/// Run 2 is not touched by damage to what is of run 1.
const QUESTIONS: [&[&str]; 6] =
    [&["ls", "-a", "--json"], &["show", "1", "--json"], &["metrics", "1"], &["logs", "1"], &["plot", "4"], &["repair", "--json"]];

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        match entry.file_type().expect("a type") {
            kind if kind.is_dir() => files(&entry.path(), into),
            kind if kind.is_file() => into.push(entry.path()),
            _ => {}
        }
    }
}

#[test]
fn whatever_byte_of_home_is_damaged_the_rest_is_told() {
    let (rounds, seed) = (number("FAULT_ROUNDS", 12), number("FAULT_SEED", 1));
    let mut random = Random::new(seed);
    let world = World::new();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/formats/1");
    let copied = Command::new("cp").arg("-a").arg(&sample).arg(world.home()).status();
    assert!(copied.is_ok_and(|status| status.success()));
    let listed = || -> Vec<Value> {
        let said = world.neronet().args(QUESTIONS[0]).output().expect("it starts");
        serde_json::from_slice(&said.stdout).unwrap_or_default()
    };
    let before = listed();
    let mut all = Vec::new();
    files(&world.home(), &mut all);
    let places: Vec<(PathBuf, usize)> = all
        .into_iter()
        .flat_map(|file| {
            let length = std::fs::metadata(&file).map_or(0, |known| known.len() as usize);
            (0..length).step_by(EVERY).map(move |at| (file.clone(), at)).collect::<Vec<_>>()
        })
        .collect();
    let mut tried = 0;
    for (file, at) in &places {
        if rounds < 100 && random.below(places.len() as u64) >= 2 * rounds {
            continue;
        }
        tried += 1;
        let whole = std::fs::read(file).expect("reads");
        for cut in [false, true] {
            let context = format!("byte {at} of {}, {}, seed {seed}", file.display(), if cut { "cut" } else { "changed" });
            let mut damaged = whole.clone();
            if cut {
                damaged.truncate(*at);
            } else {
                damaged[*at] ^= 0x15;
            }
            std::fs::write(file, damaged).expect("written");
            for question in QUESTIONS {
                let said = world.neronet().args(question).output().expect("it starts");
                let told = String::from_utf8_lossy(&said.stderr);
                let answered = said.status.code().is_some_and(|code| code <= 3) && !told.contains("panicked");
                assert!(answered, "{context}: {question:?}: {} {told}", said.status);
                assert!(said.status.success() || !told.is_empty() || !said.stdout.is_empty(), "{context}: {question:?} says nothing");
            }
            // Damage to one run's own files says nothing of the others.
            let of_run =
                file.strip_prefix(world.home().join("runs")).ok().and_then(|path| path.iter().next()?.to_str()?.parse::<u64>().ok());
            if let Some(run) = of_run {
                let others = |all: &[Value]| all.iter().filter(|one| one["id"] != run).cloned().collect::<Vec<_>>();
                assert_eq!(others(&listed()), others(&before), "{context}");
            }
            std::fs::write(file, &whole).expect("written");
        }
    }
    assert_eq!(listed(), before, "all is as it was");
    println!("{tried} of {} places of a home tried", places.len());
    world.remove();
}
