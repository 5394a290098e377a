//! Which files of a run home has copies of, wherever it executes: what an attempt records, and what says what the run is. Everything
//! else stays where it is until somebody asks for it. The names here are the only ones that home takes from a target.

use neronet_model::{AttemptNo, RunId};
use neronet_store::sealed;
use neronet_store::spool::{self, KEEPER, LAUNCH, OUTPUTS};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Of a file that is replaced whole.
pub(crate) const MOST_REPLACED: usize = 512 << 10;

/// Of the run itself.
const OF_RUN: [&str; 4] = ["run.json", "params.json", "summary.json", HISTORY];
/// Made of what the attempts record: where it is longer than what is replaced, whoever has that makes it anew.
const HISTORY: &str = "history.json";
/// Of an attempt.
const OF_ATTEMPT: [&str; 2] = [LAUNCH, "keeper-failed"];
const SEGMENTS: [&str; 4] = ["events", "metrics", "output", OUTPUTS];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// Below the run's folder.
    pub(crate) path: String,
    /// It only grows; others are replaced.
    pub(crate) is_appended: bool,
    /// Whose record it belongs to; nothing where it is the run's.
    pub(crate) attempt: Option<AttemptNo>,
}

impl File {
    /// What a name below a run's folder stands for. Nothing where home does not take it.
    pub(crate) fn of(path: &str) -> Option<File> {
        if OF_RUN.contains(&path) {
            return Some(File { path: path.to_string(), is_appended: false, attempt: None });
        }
        let (n, name) = path.strip_prefix("attempts/")?.split_once('/')?;
        let is_number = !n.is_empty() && n.len() <= 9 && !n.starts_with('0') && n.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number {
            return None;
        }
        let attempt = n.parse().ok();
        let file = |is_appended| Some(File { path: path.to_string(), is_appended, attempt });
        if OF_ATTEMPT.contains(&name) {
            return file(false);
        }
        // Written as it is read: `events.01.jsonl` would be another file with the same number.
        let is_segment = |(kind, generation, piece): (&str, u64, u64)| {
            let written = [format!("{kind}.{generation}.jsonl"), format!("{kind}.{generation}.{piece}.jsonl")];
            SEGMENTS.contains(&kind) && written.iter().any(|written| written == name)
        };
        if name == KEEPER || spool::numbers_of(name).is_some_and(is_segment) { file(true) } else { None }
    }

    /// It says that something ended, and is sent behind what that was.
    pub(crate) fn says_ends(&self) -> bool {
        rank(self) >= RANK_OF_ENDS
    }

    /// While its run goes on nobody at home needs it, and it may be long.
    pub(crate) fn is_for_the_end(&self) -> bool {
        self.path == HISTORY
    }
}

const RANK_OF_ENDS: u8 = 2;

/// What says that something ended comes behind what it ended: nobody finds an end without what led to it.
fn rank(file: &File) -> u8 {
    match file.path.rsplit('/').next().unwrap_or_default() {
        LAUNCH => 0,
        KEEPER => RANK_OF_ENDS,
        name if name.starts_with("events.") => RANK_OF_ENDS + 1,
        _ => 1,
    }
}

/// Those that are there: of the run, then of its attempts in their order, the keeper's record last, as it says how an attempt ended.
pub(crate) fn files(folder: &Path) -> Vec<File> {
    let mut all: Vec<File> = OF_RUN.iter().filter(|name| folder.join(name).is_file()).filter_map(|name| File::of(name)).collect();
    for n in spool::attempts_of(folder).unwrap_or_default() {
        let entries = std::fs::read_dir(folder.join("attempts").join(n.to_string())).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().to_str().map(str::to_string));
        let mut of_attempt: Vec<File> = names.filter_map(|name| File::of(&format!("attempts/{n}/{name}"))).collect();
        of_attempt.sort_by(|a, b| (rank(a), &a.path).cmp(&(rank(b), &b.path)));
        all.append(&mut of_attempt);
    }
    all
}

/// What may be sent of a run that goes on meanwhile.
pub(crate) struct Look {
    pub(crate) files: Vec<File>,
    /// How long those that say ends were before the others were listed: what was recorded before such an end is among these.
    ends: BTreeMap<String, u64>,
}

impl Look {
    pub(crate) fn at(folder: &Path) -> Look {
        let ends = files(folder).into_iter().filter(File::says_ends);
        let ends = ends.map(|file| (file.path.clone(), length(&folder.join(&file.path)))).collect();
        Look { files: files(folder), ends }
    }

    /// How far a file may be sent that is appended to.
    pub(crate) fn until(&self, folder: &Path, file: &File) -> u64 {
        if file.says_ends() { self.ends.get(&file.path).copied().unwrap_or(0) } else { length(&folder.join(&file.path)) }
    }
}

fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |meta| meta.len())
}

/// Whether a file was replaced.
pub(crate) fn stamp(path: &Path) -> Option<(u64, i64, i64)> {
    let meta = path.metadata().ok()?;
    Some((meta.ino(), meta.mtime(), meta.mtime_nsec()))
}

pub(crate) fn sum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// Where a run's copy is, and what it has. What was sealed since has all that it had.
pub(crate) fn copies(folder: &Path, run: RunId) -> neronet_target::wire::Followed {
    let copy = |file: File| {
        let path = folder.join(&file.path);
        let bytes = spool::length(&path).ok()?;
        let sum = if file.is_appended { None } else { Some(sum(&std::fs::read(&path).ok()?)) };
        Some(neronet_target::wire::Copy { path: file.path, bytes, sum })
    };
    let all = files(folder).into_iter().chain(sealed_files(folder));
    neronet_target::wire::Followed { run, files: all.filter_map(copy).collect(), watched: false }
}

/// What was sealed, by the names that it had.
fn sealed_files(folder: &Path) -> Vec<File> {
    let of = |n: AttemptNo| {
        let entries = std::fs::read_dir(folder.join("attempts").join(n.to_string())).into_iter().flatten().flatten();
        entries.filter_map(move |entry| File::of(&format!("attempts/{n}/{}", entry.file_name().to_str()?.strip_suffix(sealed::ENDING)?)))
    };
    let all = spool::attempts_of(folder).unwrap_or_default().into_iter().flat_map(of);
    all.filter(|file| !folder.join(&file.path).exists()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_is_not_wanted_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let attempt = folder.path().join("attempts/1");
        std::fs::create_dir_all(&attempt).expect("made");
        std::fs::write(attempt.join("keeper.jsonl"), "{}\n").expect("written");
        std::fs::write(attempt.join("output.1.0.jsonl"), "12345\n").expect("written");
        let plain = attempt.join("output.1.0.jsonl");
        let open = || std::fs::File::open(&plain).expect("there");
        let mut sealed = std::fs::File::create(sealed::path_of(&plain)).expect("made");
        let original = sealed::measure(&mut open()).expect("read");
        assert!(sealed::write(&original, &mut open(), &mut sealed, &|| true).expect("sealed"));
        std::fs::remove_file(&plain).expect("removed");
        let copies = copies(folder.path(), RunId(1));
        let told: Vec<(&str, u64)> = copies.files.iter().map(|copy| (copy.path.as_str(), copy.bytes)).collect();
        assert_eq!(told, [("attempts/1/keeper.jsonl", 3), ("attempts/1/output.1.0.jsonl", 6)]);
    }

    #[test]
    fn only_names_that_home_knows_are_taken() {
        for (path, is_appended) in [
            ("run.json", false),
            ("attempts/1/launch.json", false),
            ("attempts/12/keeper.jsonl", true),
            ("attempts/1/events.1.jsonl", true),
            ("attempts/1/output.2.17.jsonl", true),
            ("attempts/1/outputs.1.jsonl", true),
        ] {
            assert_eq!(File::of(path).map(|file| file.is_appended), Some(is_appended), "{path}");
        }
        for path in [
            "",
            "/run.json",
            "../run.json",
            "work/model.pt",
            "attempts/1/../../../x",
            "attempts/1/events.1.jsonl/x",
            "attempts//events.1.jsonl",
            "attempts/01/events.1.jsonl",
            "attempts/1/events.01.jsonl",
            "attempts/1/events.+1.jsonl",
            "attempts/-1/keeper.jsonl",
            "attempts/1/request.json",
            "attempts/1/secrets.1.jsonl",
            "attempts/1/events.1.jsonl\n",
            "attempts/9999999999/keeper.jsonl",
        ] {
            assert_eq!(File::of(path), None, "{path:?}");
        }
    }
}
