//! An attempt's folder, read: its launch, its events folded to an `Attempt`, its rows, its output.
//! Only whole lines are believed; what cannot be parsed is counted and passed over.

use crate::error::StoreError;
use crate::files;
use neronet_model::launch::Launch;
use neronet_model::left::Left;
use neronet_model::{Attempt, AttemptNo, Row, Stamped};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

pub const LAUNCH: &str = "launch.json";
pub const KEEPER: &str = "keeper.jsonl";
/// Kind of the segments that list what an attempt left.
pub const OUTPUTS: &str = "outputs";

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
}

impl Segments {
    pub fn of(folder: &Path) -> Result<Segments, StoreError> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Segments::default()),
            Err(source) => return Err(StoreError::Io { doing: "read", path: folder.to_path_buf(), source }),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(StoreError::io("read", folder))?;
            if let Some((kind, generation, piece)) = entry.file_name().to_str().and_then(numbers_of) {
                found.push((kind.to_string(), generation, piece, entry.path()));
            }
        }
        found.sort();
        Ok(Segments { found })
    }

    /// Those of one kind (`events`, `metrics`, `output`) by generation, then piece.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Path> {
        self.found.iter().filter(move |(known, ..)| known == kind).map(|(.., path)| path.as_path())
    }

    /// Every row, in the order in which they were recorded.
    pub fn rows(&self, each: impl FnMut(Row)) -> Result<(), StoreError> {
        self.parsed("metrics", each)
    }

    /// Every chunk of output, in the order in which they were recorded.
    pub fn output(&self, each: impl FnMut(Chunk)) -> Result<(), StoreError> {
        self.parsed("output", each)
    }

    fn parsed<T: DeserializeOwned>(&self, kind: &str, mut each: impl FnMut(T)) -> Result<(), StoreError> {
        for path in self.of_kind(kind) {
            lines(path, 0, |line| {
                if let Ok(known) = serde_json::from_slice(line) {
                    each(known);
                }
            })?;
        }
        Ok(())
    }

    pub fn last_generation(&self) -> Option<u64> {
        self.found.iter().map(|(_, generation, ..)| *generation).max()
    }
}

/// The segments of one kind, as `Segments::of_kind` gives them.
pub fn segments(folder: &Path, kind: &str) -> Result<Vec<PathBuf>, StoreError> {
    Ok(Segments::of(folder)?.of_kind(kind).map(Path::to_path_buf).collect())
}

/// `metrics.2.jsonl` is of kind `metrics`, generation 2, piece 0; `output.2.7.jsonl` generation 2, piece 7.
fn numbers_of(name: &str) -> Option<(&str, u64, u64)> {
    let (kind, numbers) = name.strip_suffix(".jsonl")?.split_once('.')?;
    match numbers.split_once('.') {
        Some((generation, piece)) => Some((kind, generation.parse().ok()?, piece.parse().ok()?)),
        None => Some((kind, numbers.parse().ok()?, 0)),
    }
}

/// Reads each whole line of a file from byte `from`; gives the offset behind the last one.
/// A file that is not there has no lines.
pub fn lines(path: &Path, from: u64, mut each: impl FnMut(&[u8])) -> Result<u64, StoreError> {
    use std::io::{Seek, SeekFrom};
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(from),
        Err(source) => return Err(StoreError::Io { doing: "read", path: path.to_path_buf(), source }),
    };
    file.seek(SeekFrom::Start(from)).map_err(StoreError::io("read", path))?;
    let mut reader = BufReader::with_capacity(64 << 10, file);
    let mut at = from;
    let mut line = Vec::new();
    loop {
        line.clear();
        let n = reader.read_until(b'\n', &mut line).map_err(StoreError::io("read", path))?;
        if line.last() != Some(&b'\n') {
            return Ok(at);
        }
        at += n as u64;
        each(&line[..line.len() - 1]);
    }
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
    let mut unread = 0u64;
    let mut read = |path: &Path| {
        lines(path, 0, |line| match serde_json::from_slice(line) {
            Ok(event) => events.push(event),
            // An empty line ends one that a full disk had torn before its first byte.
            Err(_) => unread += u64::from(!line.is_empty()),
        })
    };
    read(&folder.join(KEEPER))?;
    for path in segments.of_kind("events") {
        read(path)?;
    }
    // Stable: events of one writer keep their order, and the keeper's come first at the same instant.
    events.sort_by_key(|event| event.t);
    let mut attempt = Attempt::new(n);
    for event in events {
        attempt.apply(event);
    }
    if unread > 0 {
        attempt.notices.push(format!("{unread} damaged lines of the record were passed over"));
    }
    Ok(attempt)
}

/// Every row of an attempt, in the order in which they were recorded.
pub fn rows(folder: &Path, each: impl FnMut(Row)) -> Result<(), StoreError> {
    Segments::of(folder)?.rows(each)
}

/// Every chunk of output of an attempt, in the order in which they were recorded.
pub fn output(folder: &Path, each: impl FnMut(Chunk)) -> Result<(), StoreError> {
    Segments::of(folder)?.output(each)
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
