//! Whether the head of a bundle may be believed: what it names lies in the bundle's own runs and code, leads nowhere else, and is not
//! more than a run can be. Anybody may have written it.

use crate::bundle::{File, Head};
use neronet_model::RunId;
use neronet_store::sealed::ENDING;
use neronet_store::spool::{self, KEEPER, LAUNCH, OUTPUTS};
use std::collections::HashSet;

/// Attempts of a run: each is a folder that is looked into.
const MOST_ATTEMPTS: u64 = 10_000;
const LONGEST_NAME: usize = 255;
const DEEPEST: usize = 64;

pub(super) fn head(head: &Head) -> Result<(), String> {
    let (mut runs, mut uids) = (HashSet::new(), HashSet::new());
    let mut snapshots = HashSet::new();
    for packet in &head.sweeps {
        snapshots.extend(packet.sweep.code.snapshot.as_deref());
        for run in &packet.runs {
            if !runs.insert(run.member.id) || !uids.insert(run.member.uid) {
                return Err(format!("run {} is in it twice", run.member.id));
            }
            if run.end.attempt.n.0 > MOST_ATTEMPTS {
                return Err(format!("run {} has {} attempts", run.member.id, run.end.attempt.n));
            }
        }
    }
    let mut paths = HashSet::new();
    for File { path, .. } in &head.files {
        let belongs = match run_of(path) {
            Some(run) => runs.contains(&run),
            None => snapshots.iter().any(|snapshot| path.strip_prefix("snapshots/").is_some_and(|rest| rest.starts_with(snapshot))),
        };
        if !belongs || !may_be(path) {
            return Err(format!("it names the file '{}', which is none of a bundle", path.escape_debug()));
        }
        if !paths.insert(path) {
            return Err(format!("it names the file '{}' twice", path.escape_debug()));
        }
    }
    Ok(())
}

/// The run that a file belongs to.
pub(super) fn run_of(path: &str) -> Option<RunId> {
    let (run, _) = path.strip_prefix("runs/")?.split_once('/')?;
    number(run).map(RunId)
}

/// A number as it is written, so that two ways to write it are not two names.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

fn may_be(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let plain = |part: &&str| !matches!(*part, "" | "." | "..") && part.len() <= LONGEST_NAME && !part.chars().any(char::is_control);
    if parts.len() > DEEPEST || !parts.iter().all(plain) {
        return false;
    }
    match parts.as_slice() {
        ["runs", _, "run.json" | "params.json" | "history.json" | "summary.json"] => true,
        ["runs", _, "attempts", n, name] => number(n).is_some_and(|n| (1..=MOST_ATTEMPTS).contains(&n)) && may_be_of_attempt(name),
        ["runs", _, "work" | "checkpoints", _, ..] => true,
        ["snapshots", hash, "manifest.json" | "diff.patch"] | ["snapshots", hash, "files", _, ..] => is_hash(hash),
        _ => false,
    }
}

fn may_be_of_attempt(name: &str) -> bool {
    let segment = name.strip_suffix(ENDING).unwrap_or(name);
    let known = |(kind, ..): (&str, u64, u64)| ["events", "metrics", "output", OUTPUTS].contains(&kind);
    name == LAUNCH || name == KEEPER || spool::numbers_of(segment).is_some_and(known)
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_run_has_may_be_in_a_bundle() {
        let hash = "0123456789abcdef".repeat(4);
        let good = [
            "runs/1/run.json",
            "runs/12/attempts/1/keeper.jsonl",
            "runs/12/attempts/2/output.1.7.jsonl.zst",
            "runs/1/work/deep/er/last.pt",
            "runs/1/checkpoints/best.pt",
        ];
        assert!(good.into_iter().all(may_be));
        assert!(may_be(&format!("snapshots/{hash}/files/src/a.py")));
        let bad = [
            "/etc/passwd",
            "runs/1/../../x",
            "runs/1/work/../../../x",
            "runs/1/attempts/01/keeper.jsonl",
            "runs/1/attempts/99999999/keeper.jsonl",
            "runs/1/attempts/1/raw.stdout",
            "runs/1/attempts/1/output.x.jsonl",
            "runs/1/work",
            "runs/1/work/a\nb",
            "runs/1/work//a",
            "private/sweep-1.environ",
            "snapshots/abc/files/a",
            "journal/1.log",
            "",
        ];
        for path in bad {
            assert!(!may_be(path), "{path}");
        }
        assert_eq!((run_of("runs/7/run.json"), run_of("runs/07/run.json"), run_of("snapshots/7/x")), (Some(RunId(7)), None, None));
    }
}
