//! The journal: what home decided and learned, in the order in which it was acknowledged.

use crate::error::StoreError;
use crate::files;
use crate::frame;
use neronet_model::FORMAT;
use neronet_model::journal::{Entry, HomeState};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The first frame of a journal file.
#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
}

/// What reading a journal gave.
#[derive(Debug, Default)]
pub struct Replayed {
    pub state: HomeState,
    /// Sentences about bytes that could not be read.
    pub damage: Vec<String>,
    /// Where the last whole frame ends.
    end: u64,
    /// Length of the file when it was read.
    length: u64,
}

/// Reads the journal in `folder`. A home without one is empty.
pub fn replay(folder: &Path) -> Result<Replayed, StoreError> {
    let path = file(folder);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Replayed::default()),
        Err(source) => return Err(StoreError::Io { doing: "read", path, source }),
    };
    let scan = frame::scan(&bytes);
    let mut replayed = Replayed { end: scan.end as u64, length: bytes.len() as u64, ..Replayed::default() };
    for (from, to) in &scan.damaged {
        replayed.damage.push(format!("{}: bytes {from} to {to} are damaged and were passed over", path.display()));
    }
    let mut payloads = scan.payloads.into_iter();
    if let Some(first) = payloads.next() {
        match serde_json::from_slice::<Header>(first) {
            Ok(Header { format }) if format > FORMAT => return Err(StoreError::Newer { path, format }),
            Ok(_) => {}
            // The header itself was damaged: the entries behind it still count.
            Err(_) => apply(first, &path, &mut replayed),
        }
    }
    for payload in payloads {
        apply(payload, &path, &mut replayed);
    }
    Ok(replayed)
}

fn apply(payload: &[u8], path: &Path, replayed: &mut Replayed) {
    match serde_json::from_slice::<Entry>(payload) {
        Ok(entry) => replayed.state.apply(entry),
        Err(e) => replayed.damage.push(format!("{}: an entry of {} bytes cannot be read: {e}", path.display(), payload.len())),
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("1.log")
}

/// The journal opened for appending. Only whoever holds `home.lock` may have one.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    end: u64,
}

impl Journal {
    /// Opens for appending behind what `replayed` read. A frame that was never finished, hence never acknowledged, is moved
    /// aside first, so that it does not look like damage later.
    pub fn open(folder: &Path, replayed: &Replayed) -> Result<Journal, StoreError> {
        files::make_folder(folder)?;
        let path = file(folder);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        if replayed.length > replayed.end {
            let mut rest = Vec::new();
            file.seek(SeekFrom::Start(replayed.end)).and_then(|_| file.read_to_end(&mut rest)).map_err(StoreError::io("read", &path))?;
            files::replace(&folder.join(format!("unfinished-{}", replayed.end)), &rest, files::Durability::Renamed)?;
            file.set_len(replayed.end).map_err(StoreError::io("repair", &path))?;
        }
        let mut journal = Journal { file, path, end: replayed.end };
        if journal.end == 0 {
            journal.write(&serde_json::to_vec(&Header { format: FORMAT }).map_err(|e| journal.unwritable(&e))?)?;
            files::sync_folder_of(&journal.path)?;
        }
        Ok(journal)
    }

    fn unwritable(&self, e: &serde_json::Error) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), what: format!("an entry cannot be written as JSON: {e}") }
    }

    fn write(&mut self, payload: &[u8]) -> Result<(), StoreError> {
        let mut bytes = Vec::with_capacity(payload.len() + 12);
        frame::write(payload, &mut bytes);
        let written = self.file.seek(SeekFrom::Start(self.end)).and_then(|_| self.file.write_all(&bytes));
        if let Err(source) = written {
            // Nothing was acknowledged; leave no half frame behind. If even that fails, the next opening moves it aside.
            self.file.set_len(self.end).ok();
            return Err(StoreError::Io { doing: "write", path: self.path.clone(), source });
        }
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Appends entries that are durable when this returns.
    pub fn append(&mut self, entry: &Entry) -> Result<(), StoreError> {
        self.append_learned(entry)?;
        self.file.sync_data().map_err(StoreError::io("make durable", &self.path))
    }

    /// Appends what can be learned again, so that losing it in a power cut costs nothing.
    pub fn append_learned(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let payload = serde_json::to_vec(entry).map_err(|e| self.unwritable(&e))?;
        self.write(&payload)
    }
}
