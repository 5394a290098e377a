//! What travels between home and a target as a whole: snapshots, files that are pushed, files that are fetched. It comes in parts that
//! lie in a folder until they are whole (`parts`), and then gets its place: a snapshot among the others (`snapshot`, packed by
//! `outgoing`), a file within a folder that nothing leads out of (`folder`, `list`). What travels may change meanwhile (`reading`,
//! `arriving`).
//!
//! No channel is known here. Each call stands for itself; whoever was cut off asks how much is there and goes on from that byte.

mod arriving;
mod folder;
mod globs;
mod list;
mod outgoing;
mod parts;
mod reading;
mod snapshot;

pub use arriving::{Arriving, Begun, give_up};
pub(crate) use folder::ARRIVING;
pub use folder::{Compared, Folder};
pub use globs::{Globs, literally};
pub use list::Listing;
pub(crate) use list::MOST_FILES;
pub use outgoing::Outgoing;
pub use parts::Parts;
pub use reading::Reading;
pub use snapshot::{fuzz, take_snapshot};

use neronet_capture::{hex, space};
use neronet_target::parcel::Hash;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::time::SystemTime;

/// The SHA-256 of all that comes.
fn hash_of(mut from: impl Read) -> io::Result<Hash> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 128 << 10]);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Hash::try_from(hex(&hash.finalize())).map_err(io::Error::other),
            Ok(n) => hash.update(buffer.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Fails where so much more does not fit.
fn room(folder: &Path, bytes: u64) -> io::Result<()> {
    let Some(disk) = space::disk(folder).filter(|disk| disk.free < bytes) else { return Ok(()) };
    let (needs, has) = (space::shown(bytes), space::shown(disk.free));
    Err(io::Error::new(ErrorKind::StorageFull, format!("{needs} more are needed, and {} has room for {has}", disk.mount.display())))
}

/// Removes the files of a folder that nobody has touched since then. Gives their number.
pub(crate) fn sweep(folder: &Path, before: SystemTime) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let old = |meta: fs::Metadata| meta.is_file() && meta.modified().is_ok_and(|at| at < before);
    entries.filter(|entry| entry.metadata().is_ok_and(old)).filter(|entry| fs::remove_file(entry.path()).is_ok()).count()
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
