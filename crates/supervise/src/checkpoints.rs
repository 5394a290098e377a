//! Checkpoints: found by the patterns of the spec, believed only when complete, deleted only as the spec says.
//!
//! Complete means renamed into place, or quiet and readable. Of formats that tell their own length (zip, as `.pt` and `.npz`
//! are; safetensors) a half-written file is known for what it is.

use crate::globs::expand;
use crate::marks::{Mark, Marks};
use crate::renames::Renames;
use neronet_model::event::{Checkpoint, Event};
use neronet_model::launch::Launch;
use neronet_model::settings::{Goal, Keep, Objective};
use neronet_model::{Attempt, Millis, UnixMs};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Untouched for so long, a file counts as written.
pub const QUIET: Millis = Millis(2_000);
/// Names looked at in one search.
const MOST_NAMES: usize = 20_000;

/// The parts of a file's state that change when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    inode: u64,
    bytes: u64,
    modified_ns: i128,
    changed_ns: i128,
}

impl Version {
    fn modified(self) -> UnixMs {
        UnixMs((self.modified_ns / 1_000_000) as i64)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Complete {
        bytes: u64,
        modified: UnixMs,
    },
    /// It may still be being written.
    NotYet,
    /// It never will be complete as it is.
    Unusable(String),
}

/// Whether whoever writes the checkpoints may still be writing one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    Still {
        now: UnixMs,
    },
    /// It ended by itself: what it had to write is written.
    NoMore,
    /// It was cut short: what it was writing then stays half-written.
    CutShort {
        at: UnixMs,
    },
}

impl Writes {
    /// Of an attempt whose command has ended.
    pub fn after(attempt: &Attempt, now: UnixMs) -> Writes {
        // A shell tells with codes above 128 that what it ran was killed.
        if attempt.exit_code.is_some_and(|code| code < 128) {
            return Writes::NoMore;
        }
        let lasted = attempt.begun.zip(attempt.lasted).map(|(begun, lasted)| begun.plus(lasted));
        Writes::CutShort { at: lasted.unwrap_or(now) }
    }
}

/// Looks at a checkpoint.
pub fn inspect(path: &Path, writes: Writes) -> Verdict {
    inspect_one(path, writes, false)
}

/// `renamed`: it was seen to be renamed into place and not written to since.
fn inspect_one(path: &Path, writes: Writes, renamed: bool) -> Verdict {
    let ended = !matches!(writes, Writes::Still { .. });
    let Some((version, bytes)) = version(path) else { return Verdict::Unusable("it is not there or cannot be read".into()) };
    let modified = version.modified();
    if bytes == 0 {
        return if ended { Verdict::Unusable("it is empty".into()) } else { Verdict::NotYet };
    }
    if path.is_file()
        && let Err(why) = whole(path, bytes)
    {
        return if ended { Verdict::Unusable(why) } else { Verdict::NotYet };
    }
    // A rename, unlike a write, changes the inode's time and not that of its content, if the clock's tick lets one see it.
    let renamed = renamed || version.changed_ns > version.modified_ns;
    let quiet = |now: UnixMs| now.0 - modified.0 >= QUIET.0 as i64;
    let complete = match writes {
        Writes::Still { now } => renamed || quiet(now),
        Writes::NoMore => true,
        // Whoever wrote it after that was somebody else.
        Writes::CutShort { at } => renamed || quiet(at) || modified > at || tells_its_length(path),
    };
    match (complete, ended) {
        (true, _) => Verdict::Complete { bytes, modified },
        (false, true) => Verdict::Unusable("it was being written when the command ended".into()),
        (false, false) => Verdict::NotYet,
    }
}

/// Whether it is untouched since it was recorded as complete.
pub fn is_as_recorded(path: &Path, recorded: &Checkpoint) -> bool {
    version(path).is_some_and(|(version, bytes)| version.modified() == recorded.modified && bytes == recorded.bytes)
}

/// A folder is as new as its newest file and as large as all of them.
fn version(path: &Path) -> Option<(Version, u64)> {
    let meta = fs::metadata(path).ok()?;
    let mut all = version_of(&meta);
    if meta.is_dir() {
        all.bytes = 0;
        for inner in expand(path, "**/*", MOST_NAMES) {
            if let Ok(meta) = fs::metadata(&inner).map(|meta| version_of(&meta)) {
                all.bytes += if inner.is_file() { meta.bytes } else { 0 };
                all.modified_ns = all.modified_ns.max(meta.modified_ns);
                all.changed_ns = all.changed_ns.max(meta.changed_ns);
            }
        }
    }
    Some((all, all.bytes))
}

fn version_of(meta: &Metadata) -> Version {
    let ns = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
    Version {
        inode: meta.ino(),
        bytes: meta.len(),
        modified_ns: ns(meta.mtime(), meta.mtime_nsec()),
        changed_ns: ns(meta.ctime(), meta.ctime_nsec()),
    }
}

fn tells_its_length(path: &Path) -> bool {
    let mut start = [0; 4];
    let is_zip = File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && &start == b"PK\x03\x04";
    is_zip || path.extension().is_some_and(|ending| ending == "safetensors")
}

/// Whether a file of a format that tells its length has it.
fn whole(path: &Path, bytes: u64) -> Result<(), String> {
    let mut file = File::open(path).map_err(|e| format!("it cannot be read: {e}"))?;
    let mut start = [0; 8];
    let got = file.read(&mut start).map_err(|e| format!("it cannot be read: {e}"))?;
    if start.starts_with(b"PK\x03\x04") {
        // The end record is the last 22 bytes, or before a comment of at most 64 kB.
        let tail = bytes.min(22 + 65_535);
        let mut end = Vec::new();
        file.seek(SeekFrom::End(-(tail as i64))).and_then(|_| file.read_to_end(&mut end)).map_err(|e| format!("it cannot be read: {e}"))?;
        if !end.windows(4).any(|window| window == b"PK\x05\x06") {
            return Err("half-written: the end of the zip archive is missing".into());
        }
    } else if path.extension().is_some_and(|ending| ending == "safetensors") {
        let header = if got == 8 { u64::from_le_bytes(start) } else { u64::MAX };
        if header > 100_000_000 || 8 + header > bytes {
            return Err("half-written: shorter than its header says".into());
        }
        let mut json = vec![0; header as usize];
        file.seek(SeekFrom::Start(8)).and_then(|_| file.read_exact(&mut json)).map_err(|e| format!("it cannot be read: {e}"))?;
        let header_json: serde_json::Value = serde_json::from_slice(&json).map_err(|_| "its header is damaged".to_string())?;
        let ends = header_json.as_object().into_iter().flat_map(|map| map.values()).filter_map(|tensor| tensor["data_offsets"][1].as_u64());
        if 8 + header + ends.max().unwrap_or(0) > bytes {
            return Err("half-written: shorter than its header says".into());
        }
    }
    Ok(())
}

/// The kernel takes its time to give watches up again, up to 30 ms: where no checkpoints are named, runs shorter than this do
/// without them.
const WATCH_AFTER: Millis = Millis(1_000);

/// Watches for the checkpoints of one attempt.
pub(crate) struct Watcher {
    directory: PathBuf,
    /// Each with the folder that it is relative to.
    patterns: Vec<(PathBuf, String)>,
    keep: Option<Keep>,
    objective: Option<Objective>,
    /// The version of each file that was last spoken of.
    known: BTreeMap<PathBuf, Version>,
    kept: Vec<Kept>,
    renames: Renames,
    /// From when on the folders are watched.
    renames_from: UnixMs,
}

struct Kept {
    path: PathBuf,
    modified: UnixMs,
    value: Option<f64>,
}

impl Watcher {
    /// `recorded`: the checkpoints on record, of this and of earlier attempts.
    pub(crate) fn new(launch: &Launch, attempt_began: UnixMs, recorded: &[Checkpoint]) -> Watcher {
        let directory = PathBuf::from(&launch.directory);
        let mut patterns: Vec<(PathBuf, String)> = launch.checkpoints.paths.iter().map(|path| (directory.clone(), path.clone())).collect();
        patterns.push((Path::new(&launch.run_directory).join("checkpoints"), "*".into()));
        let mut watcher = Watcher {
            directory,
            patterns,
            keep: launch.checkpoints.keep,
            objective: launch.objectives.first().cloned(),
            known: BTreeMap::new(),
            kept: Vec::new(),
            renames: Renames::new(),
            renames_from: attempt_began.plus(if launch.checkpoints.paths.is_empty() { WATCH_AFTER } else { Millis(0) }),
        };
        if !launch.checkpoints.paths.is_empty() {
            watcher.watch_folders();
        }
        for path in watcher.candidates() {
            watcher.renames.watch(path.parent());
            let Some((version, bytes)) = version(&path) else { continue };
            let modified = version.modified();
            let on_record = recorded.iter().rfind(|checkpoint| watcher.directory.join(&checkpoint.path) == path);
            match on_record.filter(|checkpoint| checkpoint.modified == modified && checkpoint.bytes == bytes) {
                Some(checkpoint) => {
                    watcher.kept.push(Kept { path: path.clone(), modified, value: checkpoint.value });
                    watcher.known.insert(path, version);
                }
                // What an earlier attempt left is that attempt's.
                None if version.changed_ns < i128::from(attempt_began.0) * 1_000_000 => drop(watcher.known.insert(path, version)),
                None => {}
            }
        }
        watcher
    }

    /// The folders that the patterns name outright; those that they only match are watched once something is in them.
    fn watch_folders(&mut self) {
        for (folder, pattern) in &self.patterns {
            self.renames.watch(folder.join(pattern).parent());
        }
    }

    fn candidates(&self) -> BTreeSet<PathBuf> {
        self.patterns.iter().flat_map(|(folder, pattern)| expand(folder, pattern, MOST_NAMES)).collect()
    }

    /// What is new since the last look.
    pub(crate) fn look(&mut self, writes: Writes, marks: &Marks) -> Vec<Event> {
        let watch = matches!(writes, Writes::Still { now } if now >= self.renames_from);
        if watch {
            self.watch_folders();
        }
        let renamed = self.renames.since_last().clone();
        let mut events = Vec::new();
        for path in self.candidates() {
            let Some((version, _)) = version(&path) else { continue };
            if self.known.get(&path) == Some(&version) {
                continue;
            }
            self.renames.watch(path.parent().filter(|_| watch));
            let shown = path.strip_prefix(&self.directory).unwrap_or(&path).display().to_string();
            match inspect_one(&path, writes, renamed.contains(&path)) {
                Verdict::NotYet => continue,
                Verdict::Unusable(why) => events.push(Event::CheckpointSkipped { path: shown, why }),
                Verdict::Complete { bytes, modified } => {
                    let Mark { step, epoch, value } = marks.as_of(modified);
                    events.push(Event::Checkpoint(Checkpoint { path: shown, bytes, modified, step, epoch, value }));
                    self.kept.retain(|kept| kept.path != path);
                    self.kept.push(Kept { path: path.clone(), modified, value });
                }
            }
            self.known.insert(path, version);
        }
        if !events.is_empty() {
            self.delete_surplus(&mut events);
        }
        events
    }

    /// Deletes what `keep` does not name: only files that we saw complete, and never the newest.
    fn delete_surplus(&mut self, events: &mut Vec<Event>) {
        let Some(keep) = self.keep else { return };
        let mut stays: BTreeSet<PathBuf> = BTreeSet::new();
        self.kept.sort_by_key(|kept| std::cmp::Reverse(kept.modified));
        stays.extend(self.kept.iter().take(keep.last.max(1) as usize).map(|kept| kept.path.clone()));
        match &self.objective {
            Some(objective) => {
                let mut ranked: Vec<(&Kept, f64)> =
                    self.kept.iter().filter_map(|kept| Some((kept, kept.value.filter(|value| !value.is_nan())?))).collect();
                ranked.sort_by(|(_, a), (_, b)| if objective.goal == Goal::Min { a.total_cmp(b) } else { b.total_cmp(a) });
                stays.extend(ranked.iter().take(keep.best as usize).map(|(kept, _)| kept.path.clone()));
                // What cannot be ranked cannot be said to be worse.
                stays.extend(self.kept.iter().filter(|kept| kept.value.is_none()).map(|kept| kept.path.clone()));
            }
            // Without an objective nobody knows the best.
            None if keep.best > 0 => return,
            None => {}
        }
        for kept in std::mem::take(&mut self.kept) {
            if stays.contains(&kept.path) {
                self.kept.push(kept);
                continue;
            }
            let removed = if kept.path.is_dir() { fs::remove_dir_all(&kept.path) } else { fs::remove_file(&kept.path) };
            if removed.is_ok() {
                let shown = kept.path.strip_prefix(&self.directory).unwrap_or(&kept.path).display().to_string();
                self.known.remove(&kept.path);
                events.push(Event::CheckpointDeleted { path: shown });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: UnixMs = UnixMs(i64::MAX / 2);

    #[test]
    fn a_half_written_archive_is_never_complete() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.npz");
        let mut archive = b"PK\x03\x04".to_vec();
        archive.extend([0; 500]);
        fs::write(&path, &archive).expect("written");
        assert_eq!(inspect(&path, Writes::Still { now: LATER }), Verdict::NotYet);
        assert!(matches!(inspect(&path, Writes::NoMore), Verdict::Unusable(_)));
        archive.extend(b"PK\x05\x06");
        archive.extend([0; 18]);
        fs::write(&path, &archive).expect("written");
        assert!(matches!(inspect(&path, Writes::CutShort { at: LATER }), Verdict::Complete { bytes: 526, .. }));
    }

    #[test]
    fn a_file_counts_when_renamed_into_place_or_quiet() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("weights.bin");
        fs::write(folder.path().join("new"), "weights").expect("written");
        let written = fs::metadata(folder.path().join("new")).expect("there");
        let just_then = UnixMs(written.mtime() * 1000);
        assert_eq!(inspect(&folder.path().join("new"), Writes::Still { now: just_then }), Verdict::NotYet);
        assert!(matches!(inspect(&folder.path().join("new"), Writes::Still { now: LATER }), Verdict::Complete { .. }));
        // The file system's clock has its own grain: rename until it has moved on.
        while fs::metadata(&path).map_or(true, |meta| (meta.ctime(), meta.ctime_nsec()) <= (meta.mtime(), meta.mtime_nsec())) {
            let from = if path.exists() { path.clone() } else { folder.path().join("new") };
            fs::rename(&from, folder.path().join("between")).expect("renamed");
            fs::rename(folder.path().join("between"), &path).expect("renamed");
        }
        assert!(matches!(inspect(&path, Writes::Still { now: just_then }), Verdict::Complete { bytes: 7, .. }));
    }

    #[test]
    fn of_a_command_that_was_killed_only_what_was_surely_written_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("direct.bin"), "half").expect("written");
        let at = UnixMs((version(&path("direct.bin")).expect("there").0.modified_ns / 1_000_000) as i64 + 1);
        assert!(matches!(inspect(&path("direct.bin"), Writes::CutShort { at }), Verdict::Unusable(_)));
        assert!(matches!(inspect(&path("direct.bin"), Writes::NoMore), Verdict::Complete { .. }));
        fs::write(path("new.tmp"), "whole").expect("written");
        fs::rename(path("new.tmp"), path("renamed.bin")).expect("renamed");
        let at = UnixMs(at.0 + 1);
        assert!(matches!(inspect_one(&path("renamed.bin"), Writes::CutShort { at }, true), Verdict::Complete { .. }));
    }
}
