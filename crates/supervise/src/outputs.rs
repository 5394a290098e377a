//! What an attempt left behind, written down when its commands have ended: the artifacts that `[outputs] keep` names, with size and
//! hash, and what else appeared in the run's folder, with names and sizes.

use crate::globs::expand;
use crate::segment::{Writer, sealed_file};
use neronet_capture::space::shown;
use neronet_model::UnixMs;
use neronet_model::event::Segment;
use neronet_model::launch::Launch;
use neronet_model::left::{Artifact, Left};
use neronet_store::spool;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Names looked at; a run may leave millions of files.
const MOST_NAMES: usize = 20_000;
/// Other files that are named one by one.
const MOST_OTHERS: usize = 1_000;
/// Bytes of artifacts where `[outputs] max` does not say.
const MOST_BYTES: u64 = 2 << 30;
/// What neronet itself keeps in a run's folder, and checkpoints, which are on record as such.
const OWN: [&str; 7] = ["attempts", "checkpoints", "files", "history.json", "params.json", "run.json", "summary.json"];

/// Of one attempt, in the order in which it is told.
pub(crate) struct Outputs {
    pub(crate) left: Vec<Left>,
    /// Sentences on what is not kept although `keep` names it.
    pub(crate) notices: Vec<String>,
}

/// Looks at what there is. `checkpoints` are on record already, as they are called there.
pub(crate) fn look(folder: &Path, launch: &Launch, checkpoints: &BTreeSet<&str>) -> Outputs {
    let places = Places::of(folder, launch);
    let mut outputs = Outputs { left: Vec::new(), notices: Vec::new() };
    let mut named: BTreeSet<PathBuf> = BTreeSet::new();
    let mut too_wide = false;
    for pattern in &launch.outputs.keep {
        let all = expand(&places.directory, pattern, MOST_NAMES);
        too_wide |= all.cut_short;
        for path in all.found {
            match fs::symlink_metadata(&path) {
                Ok(meta) if meta.is_dir() => {
                    let inside = expand(&path, "**/*", MOST_NAMES);
                    too_wide |= inside.cut_short;
                    named.extend(inside.found);
                }
                _ => drop(named.insert(path)),
            }
        }
    }
    if too_wide {
        outputs.notices.push(format!("[outputs] keep passes more than {MOST_NAMES} names: there may be more artifacts than are on record"));
    }
    let most = launch.outputs.max.unwrap_or(MOST_BYTES);
    let (mut kept, mut beyond) = (0, (0u64, 0u64));
    let mut artifacts: BTreeSet<PathBuf> = BTreeSet::new();
    for path in named {
        let Some(meta) = fs::symlink_metadata(&path).ok().filter(|meta| places.left_by_this_attempt(&path, meta)) else { continue };
        if kept + meta.len() > most {
            beyond = (beyond.0 + 1, beyond.1 + meta.len());
            continue;
        }
        let name = places.name(&path);
        match sealed_file(&path) {
            Ok(sealed) => {
                kept += sealed.bytes;
                let modified = UnixMs(meta.mtime() * 1_000 + meta.mtime_nsec() / 1_000_000);
                outputs.left.push(Left::Artifact(Artifact { path: name, bytes: sealed.bytes, modified, sha256: sealed.sha256 }));
                artifacts.insert(path);
            }
            Err(e) => outputs.notices.push(format!("{name} is not kept: it cannot be read: {e}")),
        }
    }
    if beyond.0 > 0 {
        let (files, bytes) = beyond;
        let (those, stay) = if files == 1 { ("1 file".to_string(), "stays") } else { (format!("{files} files"), "stay") };
        let (bytes, most) = (shown(bytes), shown(most));
        outputs
            .notices
            .push(format!("{those} ({bytes}) that [outputs] keep names {stay} with the run's folder alone, beyond its max of {most}"));
    }
    outputs.left.extend(others(&places, &artifacts, checkpoints));
    outputs
}

/// What else appeared below the run's folder.
fn others(places: &Places, artifacts: &BTreeSet<PathBuf>, checkpoints: &BTreeSet<&str>) -> Vec<Left> {
    let mut others = Vec::new();
    let (mut looked_at, mut more) = (0, (0u64, 0u64));
    let mut folders = vec![places.run.clone()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut names: BTreeMap<_, _> = BTreeMap::new();
        for entry in entries {
            looked_at += 1;
            if looked_at > MOST_NAMES {
                break;
            }
            let name = entry.file_name();
            let bytes = name.as_encoded_bytes();
            let own = folder == places.run && OWN.iter().any(|own| own.as_bytes() == bytes);
            if !own && !bytes.starts_with(b".") && bytes != b"__pycache__" {
                names.insert(name, entry);
            }
        }
        let mut inner = Vec::new();
        for entry in names.into_values() {
            // Relative to its folder, which is what thousands of them cost least.
            let Ok(meta) = entry.metadata() else { continue };
            if !meta.is_dir() && !places.may_be_left(&meta) {
                continue;
            }
            let path = entry.path();
            if meta.is_dir() {
                inner.push(path);
            } else if !artifacts.contains(&path) && places.left_by_this_attempt(&path, &meta) {
                let name = places.name(&path);
                if checkpoints.contains(name.as_str()) {
                    continue;
                }
                if others.len() < MOST_OTHERS {
                    others.push(Left::Other { path: name, bytes: meta.len() });
                } else {
                    more = (more.0 + 1, more.1 + meta.len());
                }
            }
        }
        inner.retain(|path| !checkpoints.contains(places.name(path).as_str()));
        folders.extend(inner.into_iter().rev());
    }
    let at_least = looked_at > MOST_NAMES;
    if more.0 > 0 || at_least {
        others.push(Left::More { files: more.0, bytes: more.1, at_least });
    }
    others
}

fn changed(meta: &Metadata) -> (i64, i64) {
    (meta.ctime(), meta.ctime_nsec())
}

/// Where an attempt may leave files, and since when.
struct Places {
    directory: PathBuf,
    run: PathBuf,
    work: PathBuf,
    /// What the run's copy of the code was made of: the code itself, and configuration files.
    put_there: Vec<PathBuf>,
    /// When the attempt was about to begin, by the clock of the disk that it writes to.
    since: Option<(i64, i64)>,
}

impl Places {
    fn of(folder: &Path, launch: &Launch) -> Places {
        let run = PathBuf::from(&launch.run_directory);
        let put_there = launch.code.iter().map(PathBuf::from).chain([run.join("files")]).collect();
        let since = fs::metadata(folder.join(spool::LAUNCH)).map(|meta| changed(&meta)).ok();
        Places { directory: PathBuf::from(&launch.directory), work: run.join("work"), run, put_there, since }
    }

    /// A regular file that was written, moved there or changed since the attempt began. Links are not followed: what they lead to
    /// is not the run's.
    fn left_by_this_attempt(&self, path: &Path, meta: &Metadata) -> bool {
        // The clock of a disk ticks some hundred times a second: within the tick of the start, what was put there was.
        let below = path.strip_prefix(&self.work);
        let put_there = || below.is_ok_and(|below| self.put_there.iter().any(|from| from.join(below).symlink_metadata().is_ok()));
        self.may_be_left(meta) && (self.since != Some(changed(meta)) || !put_there())
    }

    fn may_be_left(&self, meta: &Metadata) -> bool {
        meta.is_file() && self.since.is_none_or(|since| changed(meta) >= since)
    }

    /// As checkpoints are called: relative to where the command started, or absolute.
    fn name(&self, path: &Path) -> String {
        path.strip_prefix(&self.directory).unwrap_or(path).display().to_string()
    }
}

/// Writes it down as a segment of this generation, if anything is left.
pub(crate) fn record(folder: &Path, generation: u32, left: &[Left]) -> io::Result<Option<Segment>> {
    let mut writer = Writer::new(folder, format!("{}.{generation}.jsonl", spool::OUTPUTS));
    left.iter().for_each(|left| writer.push(left));
    writer.flush()?;
    writer.sync()?;
    Ok(writer.sealed())
}
