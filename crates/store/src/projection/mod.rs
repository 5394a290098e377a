//! What the journal came to, stored in the cache: the state of home up to a byte of the journal (`packed`), and the metrics of ended
//! runs by name (`columns`). Worth nothing without the journal, and made anew from it where it is not there or does not fit.
//!
//! `state.F` is replaced whole by one writer at a time and says which parts of `metrics.F.G` belong to it, so both change together. F is
//! the version of the format: binaries of two versions keep out of each other's way. G counts how often it was made anew, so that
//! whoever still has the file before that open is not disturbed.

pub mod columns;
mod packed;
mod shelf;

use crate::error::StoreError;
use crate::files::{self, Durability};
use crate::frame;
use crate::journal::Replayed;
use columns::{Chunk, Column, Damaged, Fresh, Metrics};
use neronet_model::RunId;
use neronet_model::runs::Known;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// To be raised with every change of what is stored, also of the types of `model` and `schedule` that are: a test holds them against
/// a sample.
pub(crate) const FORMAT: u32 = 6;
const MARK: &[u8; 8] = b"NRHOME\x01\n";
/// So many bytes of the journal are rather read each time than stored; of a large state a part of its own length, as it is stored whole.
const FEW_BYTES: u64 = if cfg!(test) { 1 } else { 1 << 20 };
const FEW_OF: u64 = if cfg!(test) { u64::MAX } else { 4 };
/// Of these so many runs are held in memory at most while a long journal is read.
const MANY_RUNS: usize = 4_000;

#[cfg(test)]
mod tests;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Head {
    /// Up to which byte the journal was read.
    journal: u64,
    /// Where its last frame begins, and how.
    last_frame: u64,
    begins: [u8; frame::HEADER],
    generation: u64,
    chunks: Vec<Chunk>,
    length: u64,
    checksum: u32,
}

/// The projection as it was when it was read or written last.
#[derive(Debug)]
pub(crate) struct Stored {
    head: Head,
    metrics: File,
    folder: PathBuf,
}

/// What became of an attempt to store.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Stored,
    /// Another process is at it, or the cache cannot be written to.
    Left,
    /// What is stored is not what this process knows: it has to be read first.
    Outdated,
}

impl Stored {
    pub(crate) fn chunks(&self) -> &[Chunk] {
        &self.head.chunks
    }
    pub(crate) fn metrics(&self) -> &File {
        &self.metrics
    }

    /// Has it made anew by whoever reads home next.
    pub(crate) fn discard(&self) {
        fs::remove_file(state_file(&self.folder)).ok();
    }
}

/// Whether so much of the journal is not stored that it should be.
pub(crate) fn is_due(replayed: &Replayed) -> bool {
    let (stored, state) = replayed.stored.as_ref().map_or((0, 0), |stored| (stored.head.journal, stored.head.length));
    replayed.fresh.len() >= MANY_RUNS || replayed.end.saturating_sub(stored) >= FEW_BYTES.max(state / FEW_OF)
}

/// Puts what is stored in `replayed`, which knows nothing yet. Where nothing is stored that fits the journal, nothing changes.
pub(crate) fn load(replayed: &mut Replayed, folder: &Path, journal: &File) {
    let Some((head, bytes, begins)) = read(folder, journal) else { return };
    let Ok(metrics) = File::open(metrics_file(folder, head.generation)) else { return };
    let Some(packed::Unpacked { state, queue, damage }) = packed::unpack(&Arc::new(bytes), begins) else { return };
    replayed.state = Arc::new(state);
    replayed.queue = queue;
    replayed.damage = damage;
    replayed.end = head.journal;
    replayed.length = head.journal;
    replayed.last_frame = head.last_frame;
    replayed.stored = Some(Arc::new(Stored { head, metrics, folder: folder.to_path_buf() }));
}

/// The head, and the file, with where in it the packed state begins: where all is whole and of this journal.
fn read(folder: &Path, journal: &File) -> Option<(Head, Vec<u8>, usize)> {
    let bytes = fs::read(state_file(folder)).ok()?;
    let (head, begins) = {
        let rest = bytes.strip_prefix(MARK)?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let head = rest.get(..u32::from_le_bytes(*length) as usize)?;
        let (checksum, head) = head.split_first_chunk::<4>()?;
        let known = crc32c::crc32c(head) == u32::from_le_bytes(*checksum);
        (known.then(|| postcard::from_bytes::<Head>(head).ok()).flatten()?, MARK.len() + 4 + 4 + head.len())
    };
    let mut frame_begins = [0; frame::HEADER];
    journal.read_exact_at(&mut frame_begins, head.last_frame).ok()?;
    let ends = head.last_frame.checked_add(frame::HEADER as u64)?.checked_add(frame::length(&frame_begins)?)?;
    let is_of_it = frame_begins == head.begins && ends == head.journal && journal.metadata().ok()?.len() >= head.journal;
    let body = bytes.get(begins..)?;
    let is_whole = body.len() as u64 == head.length && crc32c::crc32c(body) == head.checksum;
    (is_of_it && is_whole).then_some((head, bytes, begins))
}

/// Stores what `replayed` knows, and lets go of the metrics that are stored then.
pub(crate) fn store(replayed: &mut Replayed, folder: &Path, journal: &File) -> Result<Done, StoreError> {
    files::make_folder(folder)?;
    let path = folder.join("lock");
    let lock =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(StoreError::io("open", &path))?;
    let Ok(_lock) = Flock::lock(lock, FlockArg::LockExclusiveNonblock) else { return Ok(Done::Left) };
    let there = read(folder, journal).map(|(head, ..)| head);
    if there.as_ref() != replayed.stored.as_ref().map(|stored| &stored.head) {
        return Ok(Done::Outdated);
    }
    let generation = there.as_ref().map_or_else(|| 1 + generations(folder).max().unwrap_or(0), |head| head.generation);
    let mut chunks = there.map_or_else(Vec::new, |head| head.chunks);
    let path = metrics_file(folder, generation);
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut metrics = opened.map_err(StoreError::io("open", &path))?;
    if !replayed.fresh.is_empty() {
        let at = chunks.last().map_or(0, |chunk| chunk.at + chunk.length);
        let bytes = columns::encode(&replayed.fresh)?;
        // Behind what belongs to the state there may be what a writer that was killed left.
        let written = metrics.set_len(at).and_then(|()| metrics.seek(SeekFrom::Start(at))).and_then(|_| metrics.write_all(&bytes));
        written.map_err(StoreError::io("write", &path))?;
        chunks.push(Chunk { at, length: bytes.len() as u64 });
    }
    let body = packed::pack(&replayed.state, &replayed.queue, &replayed.damage)?;
    let mut begins = [0; frame::HEADER];
    journal.read_exact_at(&mut begins, replayed.last_frame).map_err(StoreError::io("read", folder))?;
    let head = Head {
        journal: replayed.end,
        last_frame: replayed.last_frame,
        begins,
        generation,
        chunks,
        length: body.len() as u64,
        checksum: crc32c::crc32c(&body),
    };
    files::replace(&state_file(folder), &framed(&head, &body)?, Durability::Renamed)?;
    for old in generations(folder).filter(|old| *old != generation) {
        fs::remove_file(metrics_file(folder, old)).ok();
    }
    replayed.stored = Some(Arc::new(Stored { head, metrics, folder: folder.to_path_buf() }));
    replayed.fresh = Arc::new(Fresh::default());
    Ok(Done::Stored)
}

/// Reads a packed state of any bytes, for whoever tests that: what is one packs to what reads the same. Panics where that is not so.
#[doc(hidden)]
pub fn fuzz(bytes: &[u8]) {
    let Some(packed::Unpacked { state, queue, damage }) = packed::unpack(&Arc::new(bytes.to_vec()), 0) else { return };
    let again = packed::pack(&state, &queue, &damage).ok().and_then(|packed| packed::unpack(&Arc::new(packed), 0));
    assert!(again.is_some_and(|again| again.state == state && again.damage == damage), "it packs to something else");
}

/// How what was stored compares to what it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Was {
    /// Too little is recorded for it to be stored.
    Absent,
    Right,
    /// Why it was made anew.
    Wrong(&'static str),
}

/// Makes anew what is stored of a journal, and says whether it was right.
///
/// # Errors
/// The journal cannot be read.
pub fn rebuild(journal: &Path, folder: &Path) -> Result<(Replayed, Was), StoreError> {
    let was_there = state_file(folder).exists();
    let before = Replayed::stored_and_after(journal, folder)?;
    match fs::remove_file(state_file(folder)) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(StoreError::io("remove", &state_file(folder))(e)),
        _ => {}
    }
    let mut now = Replayed::default();
    now.catch_up(journal, Some(folder))?;
    let was = match before {
        None if was_there => Was::Wrong("it was damaged, or of another journal"),
        None => Was::Absent,
        Some(before) => compared(&before, &now),
    };
    Ok((now, was))
}

fn compared(before: &Replayed, now: &Replayed) -> Was {
    if before.end != now.end {
        return Was::Wrong("the journal grew meanwhile, or is not the one that it was made of");
    }
    if before.state != now.state || before.queue != now.queue || before.damage != now.damage {
        return Was::Wrong("it did not say what the journal says");
    }
    let ended: BTreeSet<RunId> = now.state.runs.all().filter(|run| run.has_ended()).map(Known::id).collect();
    let (before, now) = (before.metrics(), now.metrics());
    let (Ok(names), Ok(expected)) = (before.names(&ended), now.names(&ended)) else { return Was::Wrong("its metrics were damaged") };
    let right = names == expected && say_the_same(&before, &now, expected.keys(), &ended).unwrap_or(false);
    if right { Was::Right } else { Was::Wrong("its metrics were not those of the journal") }
}

/// Heads are read once: there may be a million names.
fn say_the_same<'n>(
    before: &Metrics,
    now: &Metrics,
    mut names: impl Iterator<Item = &'n String>,
    ended: &BTreeSet<RunId>,
) -> Result<bool, Damaged> {
    let (readers, expected) = (before.readers()?, now.readers()?);
    let (before, now) = (before.opened(&readers)?, now.opened(&expected)?);
    // As text, in which NaN equals NaN.
    let shown = |column: &Column| column.iter().filter(|(run, _)| ended.contains(run)).map(|cell| format!("{cell:?}")).collect::<Vec<_>>();
    Ok(names.all(|name| matches!((before.column(name), now.column(name)), (Ok(before), Ok(now)) if shown(&before) == shown(&now))))
}

fn framed(head: &Head, body: &[u8]) -> Result<Vec<u8>, StoreError> {
    let head = postcard::to_allocvec(head).map_err(unstorable)?;
    let mut bytes = Vec::with_capacity(MARK.len() + 8 + head.len() + body.len());
    bytes.extend_from_slice(MARK);
    bytes.extend_from_slice(&(head.len() as u32 + 4).to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&head).to_le_bytes());
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(body);
    Ok(bytes)
}

fn unstorable(e: postcard::Error) -> StoreError {
    StoreError::Damaged { path: PathBuf::new(), what: format!("the state of home cannot be packed: {e}") }
}

fn state_file(folder: &Path) -> PathBuf {
    folder.join(format!("state.{FORMAT}"))
}

fn metrics_file(folder: &Path, generation: u64) -> PathBuf {
    folder.join(format!("metrics.{FORMAT}.{generation}"))
}

/// Of the files of metrics that are there.
fn generations(folder: &Path) -> impl Iterator<Item = u64> {
    let prefix = format!("metrics.{FORMAT}.");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(move |entry| entry.file_name().to_str()?.strip_prefix(&prefix)?.parse().ok())
}
