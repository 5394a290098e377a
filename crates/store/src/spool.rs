//! An attempt's folder, read: its launch, its events folded to an `Attempt`, its rows, its output.
//! Only whole lines are believed; what cannot be parsed is counted and passed over. Segments have the same names, sealed or not.

use crate::deleted::{self, DELETED};
use crate::error::StoreError;
use crate::files;
use crate::lines::{self, Damage};
use crate::seal::{UNSEALED, Unsealed};
use crate::sealed;
use neronet_model::launch::Launch;
use neronet_model::left::Left;
use neronet_model::{Attempt, AttemptNo, Row, Stamped};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

pub const LAUNCH: &str = "launch.json";
pub const KEEPER: &str = "keeper.jsonl";
/// Kind of the segments that list what an attempt left.
pub const OUTPUTS: &str = "outputs";

/// Says by its time when somebody last looked at the attempt as it runs; in home's folder, at any of them.
const WATCHED: &str = "watched";
/// For so long after that it is recorded and passed on at once.
const WATCHED_FOR: Duration = Duration::from_secs(10);

/// Somebody looks at an attempt now, and so, to be said too, at one of its home. To be said again every few seconds.
pub fn watch(folder: &Path) {
    // Best effort: without it everything comes a little later. The folder itself is the claim of who starts the attempt.
    let marked = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(folder.join(WATCHED));
    marked.and_then(|file| file.set_modified(SystemTime::now())).ok();
}

pub fn is_watched(folder: &Path) -> bool {
    let looked = folder.join(WATCHED).metadata().and_then(|meta| meta.modified()).ok();
    looked.and_then(|at| at.elapsed().ok()).is_some_and(|ago| ago < WATCHED_FOR)
}

/// One line of an `output` segment: text that one stream printed, whole lines as a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    /// Milliseconds since the attempt's start when it was read.
    pub t: u64,
    /// `o` standard output, `e` standard error.
    pub src: String,
    /// Offset in the raw stream of the byte after this text.
    pub at: u64,
    pub text: String,
}

/// The streams whose raw output is kept until it is in the spool.
pub const STREAMS: [&str; 2] = ["stdout", "stderr"];

/// Where what a stream says lies until it is in the spool.
pub fn raw(folder: &Path, stream: &str) -> PathBuf {
    folder.join(format!("raw.{stream}"))
}

/// The segments in an attempt's folder, looked up once.
#[derive(Debug, Default)]
pub struct Segments {
    /// By kind, generation and piece.
    found: Vec<(String, u64, u64, PathBuf)>,
    /// Some could not be sealed.
    unsealed: bool,
    /// Checkpoints were deleted since.
    deleted: bool,
}

impl Segments {
    pub fn of(folder: &Path) -> Result<Segments, StoreError> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Segments::default()),
            Err(source) => return Err(StoreError::Io { doing: "read", path: folder.to_path_buf(), source }),
        };
        let mut segments = Segments::default();
        for entry in entries {
            let entry = entry.map_err(StoreError::io("read", folder))?;
            let name = entry.file_name();
            let Some(name) = name.to_str().map(|name| name.strip_suffix(sealed::ENDING).unwrap_or(name)) else { continue };
            segments.unsealed |= name == UNSEALED;
            segments.deleted |= name == DELETED;
            if let Some((kind, generation, piece)) = numbers_of(name) {
                segments.found.push((kind.to_string(), generation, piece, folder.join(name)));
            }
        }
        segments.found.sort();
        // One that is just being sealed is there twice.
        segments.found.dedup();
        Ok(segments)
    }

    pub fn all(&self) -> impl Iterator<Item = &Path> {
        self.found.iter().map(|(.., path)| path.as_path())
    }

    /// Those of one kind (`events`, `metrics`, `output`) by generation, then piece.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Path> {
        self.found.iter().filter(move |(known, ..)| known == kind).map(|(.., path)| path.as_path())
    }

    /// Every row, in the order in which they were recorded.
    pub fn rows(&self, each: impl FnMut(Row)) -> Result<Damage, StoreError> {
        self.typed("metrics", each)
    }

    /// Every chunk of output, in the order in which they were recorded.
    pub fn output(&self, each: impl FnMut(Chunk)) -> Result<Damage, StoreError> {
        self.typed("output", each)
    }

    fn typed<T: DeserializeOwned>(&self, kind: &str, mut each: impl FnMut(T)) -> Result<Damage, StoreError> {
        let mut damage = Damage::default();
        let mut paths = self.of_kind(kind).peekable();
        while let Some(path) = paths.next() {
            let (_, found) = lines::typed(path, 0, &mut each)?;
            // Nobody writes one when there is another behind it.
            damage += if paths.peek().is_some() { found.of_ended() } else { found };
        }
        Ok(damage)
    }

    pub fn last_generation(&self) -> Option<u64> {
        self.found.iter().map(|(_, generation, ..)| *generation).max()
    }
}

/// The segments of one kind, as `Segments::of_kind` gives them.
pub fn segments(folder: &Path, kind: &str) -> Result<Vec<PathBuf>, StoreError> {
    Ok(Segments::of(folder)?.of_kind(kind).map(Path::to_path_buf).collect())
}

/// What a segment holds, in bytes, sealed or not. One that is not there holds nothing.
pub fn length(path: &Path) -> Result<u64, StoreError> {
    match std::fs::metadata(path) {
        Ok(meta) => Ok(meta.len()),
        Err(e) if e.kind() == ErrorKind::NotFound => sealed::length(path),
        Err(source) => Err(StoreError::Io { doing: "read", path: path.to_path_buf(), source }),
    }
}

/// `metrics.2.jsonl` is of kind `metrics`, generation 2, piece 0; `output.2.7.jsonl` generation 2, piece 7.
pub fn numbers_of(name: &str) -> Option<(&str, u64, u64)> {
    let (kind, numbers) = name.strip_suffix(".jsonl")?.split_once('.')?;
    match numbers.split_once('.') {
        Some((generation, piece)) => Some((kind, generation.parse().ok()?, piece.parse().ok()?)),
        None => Some((kind, numbers.parse().ok()?, 0)),
    }
}

/// Reads each whole line of a segment from byte `from`; gives the offset behind the last one.
/// A segment that is not there has no lines.
pub fn lines(path: &Path, from: u64, mut each: impl FnMut(&[u8])) -> Result<u64, StoreError> {
    let (to, _) = lines::read(path, from, |line| {
        each(line);
        true
    })?;
    Ok(to)
}

pub fn launch(folder: &Path) -> Result<Option<Launch>, StoreError> {
    let launch: Option<Launch> = files::read_json(&folder.join(LAUNCH))?;
    match launch {
        Some(launch) if launch.version > neronet_model::FORMAT => {
            Err(StoreError::Newer { path: folder.join(LAUNCH), format: launch.version })
        }
        launch => Ok(launch),
    }
}

/// Where a path that an attempt recorded lies now, in the run's own folder: home may have been moved since. Nothing where it lies
/// elsewhere.
pub fn here(run_folder: &Path, launch: &Launch, path: &str) -> Option<PathBuf> {
    let path = Path::new(&launch.directory).join(path);
    let below = path.strip_prefix(&launch.run_directory).ok()?;
    let stays = below.components().all(|part| matches!(part, Component::Normal(_)));
    stays.then(|| run_folder.join(below))
}

/// Folds the events of an attempt. An attempt whose folder is not there has not begun.
pub fn attempt(folder: &Path, n: AttemptNo) -> Result<Attempt, StoreError> {
    let mut attempt = folded(folder, n, &Segments::of(folder)?)?;
    match launch(folder) {
        Ok(Some(launch)) => told(&mut attempt, &launch),
        Ok(None) => {}
        Err(newer @ StoreError::Newer { .. }) => return Err(newer),
        // After a power cut; the events still say what happened.
        Err(e) => attempt.notices.push(e.to_string()),
    }
    Ok(attempt)
}

/// The same for whoever has its launch, and knows what segments there are.
pub fn attempt_of(launch: &Launch, folder: &Path, segments: &Segments) -> Result<Attempt, StoreError> {
    let mut attempt = folded(folder, launch.attempt, segments)?;
    told(&mut attempt, launch);
    Ok(attempt)
}

/// What the launch says of an attempt.
fn told(attempt: &mut Attempt, launch: &Launch) {
    attempt.resumed_from = launch.resumed_from.clone();
    attempt.resumes = launch.resumes;
    attempt.steps_only = launch.steps_only;
    attempt.notices.splice(0..0, launch.notices.iter().cloned());
}

fn folded(folder: &Path, n: AttemptNo, segments: &Segments) -> Result<Attempt, StoreError> {
    let mut events: Vec<Stamped> = Vec::new();
    let mut damages = Vec::new();
    let keeper = folder.join(KEEPER);
    for path in [keeper.as_path()].into_iter().chain(segments.of_kind("events")) {
        damages.push(lines::typed(path, 0, |event| events.push(event))?.1);
    }
    // Stable: events of one writer keep their order, and the keeper's come first at the same instant.
    events.sort_by_key(|event| event.t);
    let mut attempt = Attempt::new(n);
    for event in events {
        attempt.apply(event);
    }
    let mut damage = Damage::default();
    damages.into_iter().for_each(|found| damage += if attempt.end.is_some() { found.of_ended() } else { found });
    attempt.notices.extend(damage.notice("the record"));
    if segments.deleted {
        deleted::apply(folder, &mut attempt)?;
    }
    if segments.unsealed {
        let unsealed = files::read_json::<Unsealed>(&folder.join(UNSEALED));
        attempt.notices.extend(unsealed.ok().flatten().iter().flat_map(Unsealed::notices));
    }
    Ok(attempt)
}

/// Every row of an attempt, in the order in which they were recorded.
pub fn rows(folder: &Path, each: impl FnMut(Row)) -> Result<Damage, StoreError> {
    Segments::of(folder)?.rows(each)
}

/// Every chunk of output of an attempt, in the order in which they were recorded.
pub fn output(folder: &Path, each: impl FnMut(Chunk)) -> Result<Damage, StoreError> {
    Segments::of(folder)?.output(each)
}

/// What cannot be read of the rows and the output of an attempt that has ended, in sentences for people. All of both is read for that,
/// unless it is more than `most` bytes: then nothing is said.
pub fn damage(folder: &Path, most: u64) -> Result<Vec<String>, StoreError> {
    let segments = Segments::of(folder)?;
    let mut bytes = 0;
    for path in ["metrics", "output"].into_iter().flat_map(|kind| segments.of_kind(kind)) {
        bytes += length(path)?;
    }
    if bytes > most {
        return Ok(Vec::new());
    }
    let rows = segments.typed("metrics", |_: Row| {})?.of_ended().notice("the metrics");
    let output = segments.typed("output", |_: Chunk| {})?.of_ended().notice("the output");
    Ok(rows.into_iter().chain(output).collect())
}

/// What an attempt left, as its last supervisor listed it.
pub fn left(folder: &Path) -> Result<Vec<Left>, StoreError> {
    let mut all = Vec::new();
    if let Some(last) = segments(folder, OUTPUTS)?.last() {
        lines(last, 0, |line| all.extend(serde_json::from_slice::<Left>(line).ok()))?;
    }
    Ok(all)
}

/// The attempts whose folders exist, in order.
pub fn attempts_of(run_folder: &Path) -> Result<Vec<AttemptNo>, StoreError> {
    let folder = run_folder.join("attempts");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(StoreError::Io { doing: "read", path: folder, source }),
    };
    let mut found: Vec<AttemptNo> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok())).collect();
    found.sort();
    Ok(found)
}
