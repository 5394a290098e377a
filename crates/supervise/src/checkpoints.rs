//! Whether a checkpoint is complete: renamed into place, closed by its writer, or quiet and readable. Of formats that tell their own length (zip, as
//! `.pt` and `.npz` are; safetensors) a half-written file is known for what it is.

use crate::globs::expand;
use neronet_model::event::Checkpoint;
use neronet_model::{Attempt, Millis, UnixMs};
use std::fs::{self, File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Untouched for so long, a file that nobody saw being closed counts as written.
pub const QUIET: Millis = Millis(2_000);
/// A rename shows in the times of a file, as does a change of its mode, which may come before more is written: so long after
/// it, nothing more is expected.
const SETTLED: Millis = Millis(250);
/// Whoever opened a file and has not written to it for so long holds it for another reason.
const FORGOTTEN: Millis = Millis(60_000);
/// Names looked at in one search.
pub(crate) const MOST_NAMES: usize = 20_000;
/// A header of safetensors may be so long; one of a thousand tensors has a hundred kilobytes.
const LONGEST_HEADER: u64 = 16 << 20;

/// The parts of a file's state that change when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    inode: u64,
    /// Of a folder, of all that is in it.
    pub(crate) bytes: u64,
    modified_ns: i128,
    pub(crate) changed_ns: i128,
    /// When it was renamed, if its times show that: a rename, unlike a write, changes the inode's time and not that of the
    /// content.
    renamed_ns: Option<i128>,
}

impl Version {
    /// A folder is as new as its newest file and as large as all of them.
    pub(crate) fn of(path: &Path) -> Option<Version> {
        let meta = fs::metadata(path).ok()?;
        let mut all = version_of(&meta);
        if meta.is_dir() {
            let own_change = all.changed_ns;
            all.bytes = 0;
            for inner in expand(path, "**/*", MOST_NAMES).found {
                if let Ok(meta) = fs::metadata(&inner).map(|meta| version_of(&meta)) {
                    all.bytes += if inner.is_file() { meta.bytes } else { 0 };
                    all.modified_ns = all.modified_ns.max(meta.modified_ns);
                    all.changed_ns = all.changed_ns.max(meta.changed_ns);
                }
            }
            all.renamed_ns = Some(own_change).filter(|change| *change > all.modified_ns);
        }
        Some(all)
    }

    pub(crate) fn modified(self) -> UnixMs {
        UnixMs((self.modified_ns / 1_000_000) as i64)
    }

    /// Renamed or linked, and not written to since.
    pub(crate) fn has_been_moved(self) -> bool {
        self.renamed_ns.is_some()
    }

    fn renamed_before(self, time: UnixMs) -> bool {
        self.renamed_ns.is_some_and(|renamed| renamed <= i128::from(time.0) * 1_000_000)
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
    /// It was cut short: what it was writing then stays half-written. When that was may be known to nobody.
    CutShort {
        at: Option<UnixMs>,
    },
}

impl Writes {
    /// Of an attempt whose command has ended.
    pub fn after(attempt: &Attempt) -> Writes {
        // A shell tells with codes above 128 that what it ran was killed.
        if attempt.exit_code.is_some_and(|code| code < 128) {
            return Writes::NoMore;
        }
        let seen = attempt.exit_code.is_some() || attempt.signal.is_some();
        Writes::CutShort { at: attempt.begun.zip(attempt.lasted).filter(|_| seen).map(|(begun, lasted)| begun.plus(lasted)) }
    }
}

/// What was seen of the last write, besides the file's times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Nobody watched.
    Nothing,
    /// Renamed into place, and not written to since.
    Renamed,
    /// Closed by its writer; when that was noted.
    Closed(UnixMs),
    /// Opened and not closed, or other than it was on record.
    Open,
}

/// Looks at a checkpoint.
pub fn inspect(path: &Path, writes: Writes, seen: Seen) -> Verdict {
    let ended = !matches!(writes, Writes::Still { .. });
    let Some(version) = Version::of(path) else { return Verdict::Unusable("it is not there or cannot be read".into()) };
    let (bytes, modified) = (version.bytes, version.modified());
    if bytes == 0 {
        return if ended { Verdict::Unusable("it is empty".into()) } else { Verdict::NotYet };
    }
    if path.is_file()
        && let Err(why) = whole(path, bytes)
    {
        return if ended { Verdict::Unusable(why) } else { Verdict::NotYet };
    }
    let quiet = |now: UnixMs, pause: Millis| now.0 - modified.0 >= pause.0 as i64;
    let before = |now: UnixMs| UnixMs(now.0 - SETTLED.0 as i64);
    // The end of its writer closes a file as well: that it was closed counts when the writer lived on.
    let written = |now: UnixMs| match seen {
        Seen::Renamed => true,
        Seen::Closed(at) => at <= before(now) || quiet(now, FORGOTTEN),
        Seen::Open => quiet(now, FORGOTTEN),
        Seen::Nothing => quiet(now, QUIET) || version.renamed_before(before(now)),
    };
    let complete = match writes {
        Writes::Still { now } => written(now),
        Writes::NoMore => true,
        // Whoever wrote it after that was somebody else.
        Writes::CutShort { at: Some(at) } => written(at) || modified > at || tells_its_length(path),
        Writes::CutShort { at: None } => seen == Seen::Renamed || tells_its_length(path),
    };
    match (complete, ended) {
        (true, _) => Verdict::Complete { bytes, modified },
        (false, true) => Verdict::Unusable("it was being written when the command ended".into()),
        (false, false) => Verdict::NotYet,
    }
}

/// Whether it is untouched since it was recorded as complete.
pub fn is_as_recorded(path: &Path, recorded: &Checkpoint) -> bool {
    Version::of(path).is_some_and(|version| version.modified() == recorded.modified && version.bytes == recorded.bytes)
}

/// The same of a copy on another machine. A folder is as new as what was put into it last, so of that only the size tells.
pub fn is_copy_of(path: &Path, recorded: &Checkpoint) -> bool {
    let same_time = |version: Version| path.is_dir() || version.modified() == recorded.modified;
    Version::of(path).is_some_and(|version| version.bytes == recorded.bytes && same_time(version))
}

fn version_of(meta: &Metadata) -> Version {
    let ns = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
    let (modified_ns, changed_ns) = (ns(meta.mtime(), meta.mtime_nsec()), ns(meta.ctime(), meta.ctime_nsec()));
    let renamed_ns = Some(changed_ns).filter(|changed| *changed > modified_ns);
    Version { inode: meta.ino(), bytes: meta.len(), modified_ns, changed_ns, renamed_ns }
}

pub(crate) fn tells_its_length(path: &Path) -> bool {
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
        if header > LONGEST_HEADER || 8 + header > bytes {
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
        assert_eq!(inspect(&path, Writes::Still { now: LATER }, Seen::Nothing), Verdict::NotYet);
        assert!(matches!(inspect(&path, Writes::NoMore, Seen::Nothing), Verdict::Unusable(_)));
        archive.extend(b"PK\x05\x06");
        archive.extend([0; 18]);
        fs::write(&path, &archive).expect("written");
        assert!(matches!(inspect(&path, Writes::CutShort { at: Some(LATER) }, Seen::Nothing), Verdict::Complete { bytes: 526, .. }));
    }

    #[test]
    fn a_file_counts_when_renamed_into_place_or_quiet() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("weights.bin");
        fs::write(folder.path().join("new"), "weights").expect("written");
        let written = fs::metadata(folder.path().join("new")).expect("there");
        let just_then = UnixMs(written.mtime() * 1000);
        assert_eq!(inspect(&folder.path().join("new"), Writes::Still { now: just_then }, Seen::Nothing), Verdict::NotYet);
        assert!(matches!(inspect(&folder.path().join("new"), Writes::Still { now: LATER }, Seen::Nothing), Verdict::Complete { .. }));
        // The file system's clock has its own grain: rename until it has moved on.
        while fs::metadata(&path).map_or(true, |meta| (meta.ctime(), meta.ctime_nsec()) <= (meta.mtime(), meta.mtime_nsec())) {
            let from = if path.exists() { path.clone() } else { folder.path().join("new") };
            fs::rename(&from, folder.path().join("between")).expect("renamed");
            fs::rename(folder.path().join("between"), &path).expect("renamed");
        }
        assert_eq!(inspect(&path, Writes::Still { now: just_then }, Seen::Nothing), Verdict::NotYet);
        let settled = UnixMs((fs::metadata(&path).expect("there").ctime() + 2) * 1000 - 1);
        assert!(matches!(inspect(&path, Writes::Still { now: settled }, Seen::Nothing), Verdict::Complete { bytes: 7, .. }));
    }

    #[test]
    fn of_a_command_that_was_killed_only_what_was_surely_written_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("direct.bin"), "half").expect("written");
        let at = UnixMs(Version::of(&path("direct.bin")).expect("there").modified().0 + 1);
        assert!(matches!(inspect(&path("direct.bin"), Writes::CutShort { at: Some(at) }, Seen::Nothing), Verdict::Unusable(_)));
        assert!(matches!(inspect(&path("direct.bin"), Writes::NoMore, Seen::Nothing), Verdict::Complete { .. }));
        // It was closed before the end, or by it.
        let before = inspect(&path("direct.bin"), Writes::CutShort { at: Some(at) }, Seen::Closed(UnixMs(at.0 - 300)));
        assert!(matches!(before, Verdict::Complete { .. }));
        let by_the_end = inspect(&path("direct.bin"), Writes::CutShort { at: Some(at) }, Seen::Closed(at));
        assert!(matches!(by_the_end, Verdict::Unusable(_)));
        fs::write(path("new.tmp"), "whole").expect("written");
        fs::rename(path("new.tmp"), path("renamed.bin")).expect("renamed");
        let at = UnixMs(at.0 + 1);
        assert!(matches!(inspect(&path("renamed.bin"), Writes::CutShort { at: Some(at) }, Seen::Renamed), Verdict::Complete { .. }));
    }

    #[test]
    fn when_nobody_saw_the_end_only_what_tells_its_length_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("direct.bin");
        fs::write(&path, "half").expect("written");
        assert!(matches!(inspect(&path, Writes::CutShort { at: None }, Seen::Nothing), Verdict::Unusable(_)));
        assert!(matches!(inspect(&path, Writes::CutShort { at: Some(LATER) }, Seen::Nothing), Verdict::Complete { .. }));
    }

    #[test]
    fn a_file_within_a_folder_that_changes_its_mode_does_not_make_the_folder_complete() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("ck/a.bin");
        fs::create_dir(folder.path().join("ck")).expect("made");
        fs::write(&inner, "first").expect("written");
        while Version::of(&inner).is_none_or(|version| version.renamed_ns.is_none()) {
            fs::set_permissions(&inner, PermissionsExt::from_mode(0o600)).expect("ours");
        }
        assert_eq!(Version::of(&folder.path().join("ck")).expect("there").renamed_ns, None);
    }
}
