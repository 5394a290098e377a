//! A snapshot on its way to targets: packed once, as `outgoing/HASH`, and read from wherever a target has got to.

use super::{hash_of, remove, snapshot, sweep};
use crate::error::HomeError;
use neronet_capture::unique;
use neronet_store::{Home, StoreError, files};
use neronet_target::parcel::{Hash, Parcel};
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::SystemTime;

#[derive(Debug)]
pub struct Outgoing {
    file: File,
    parcel: Parcel,
}

impl Outgoing {
    /// A snapshot of this home, packed where it is not yet.
    ///
    /// # Errors
    /// It is not there or damaged, or there is no room to pack it.
    pub fn of_snapshot(home: &Home, snapshot: &Hash) -> Result<Outgoing, HomeError> {
        let path = home.outgoing().join(snapshot.as_str());
        let file = match File::open(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                pack(home, snapshot, &path)?;
                File::open(&path)
            }
            opened => opened,
        };
        let read = StoreError::io("read", &path);
        let told = file.and_then(|file| {
            // Whoever takes away what nobody needs looks at that.
            file.set_modified(SystemTime::now()).ok();
            Ok((Parcel { bytes: file.metadata()?.len(), sha256: hash_of(&file)? }, file))
        });
        let (parcel, file) = told.map_err(read)?;
        Ok(Outgoing { file, parcel })
    }

    pub fn parcel(&self) -> &Parcel {
        &self.parcel
    }

    /// The bytes from there on, no more than `most`; none behind the end.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, at: u64, most: usize) -> io::Result<Vec<u8>> {
        read_at(&self.file, at, most)
    }

    /// Removes what was packed of a snapshot, as all targets have it.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn discard(home: &Home, snapshot: &Hash) -> Result<(), HomeError> {
        let path = home.outgoing().join(snapshot.as_str());
        Ok(remove(&path).map_err(StoreError::io("remove", &path))?)
    }

    /// Removes what nobody has sent since then. Gives the number.
    pub fn sweep(home: &Home, before: SystemTime) -> usize {
        sweep(&home.outgoing(), before)
    }
}

pub(super) fn read_at(file: &File, at: u64, most: usize) -> io::Result<Vec<u8>> {
    let left = file.metadata()?.len().saturating_sub(at);
    let mut bytes = vec![0; usize::try_from(left).unwrap_or(usize::MAX).min(most)];
    let mut got = 0;
    while let Some(room) = bytes.get_mut(got..).filter(|room| !room.is_empty()) {
        match file.read_at(room, at + got as u64) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    bytes.truncate(got);
    Ok(bytes)
}

/// Written beside its place and synced: what has the name is whole. Two who pack the same write the same.
fn pack(home: &Home, snapshot: &Hash, path: &Path) -> Result<(), HomeError> {
    files::make_folder(&home.outgoing())?;
    let draft = path.with_file_name(format!(".{snapshot}.{}.new", unique()));
    let write = || -> Result<(), HomeError> {
        let failed = |e| HomeError::from(StoreError::io("write", &draft)(e));
        let made = File::options().write(true).create_new(true).mode(0o600).open(&draft).map_err(failed)?;
        let mut out = snapshot::pack(&home.snapshots(), snapshot, BufWriter::new(made))?;
        out.flush().and_then(|()| out.get_ref().sync_data()).and_then(|()| fs::rename(&draft, path)).map_err(failed)
    };
    write().inspect_err(|_| drop(fs::remove_file(&draft)))
}
