//! Following the journal: what was appended behind a place, and being woken when something is. Whoever follows folds nothing, so that
//! it may be slow, or many, at no cost to anybody.

use crate::error::StoreError;
use crate::files;
use crate::frame;
use crate::journal;
use neronet_model::journal::Entry;
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// So much is read at a time, unless one entry is longer.
const AT_A_TIME: u64 = 256 * 1024;

/// Entries behind the place `from` of the journal in `folder`, each with the place where it ends: some of them, or none when there is
/// nothing more. A place beyond the end counts as the end, one within an entry as the beginning of the next.
pub fn behind(folder: &Path, from: u64) -> Result<Vec<(u64, Entry)>, StoreError> {
    let path = journal::file(folder);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(StoreError::Io { doing: "open", path, source }),
    };
    let length = file.metadata().map_err(StoreError::io("read", &path))?.len();
    let mut wanted = AT_A_TIME;
    loop {
        let mut bytes = vec![0; length.saturating_sub(from).min(wanted) as usize];
        match file.read_exact_at(&mut bytes, from) {
            // A frame that was never finished went away meanwhile.
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(Vec::new()),
            read => read.map_err(StoreError::io("read", &path))?,
        }
        let scan = frame::scan(&bytes);
        let placed = scan.ends.iter().zip(&scan.payloads);
        let entries: Vec<(u64, Entry)> =
            placed.filter_map(|(end, payload)| Some((from + *end as u64, serde_json::from_slice(payload).ok()?))).collect();
        if !entries.is_empty() || from + bytes.len() as u64 >= length {
            return Ok(entries);
        }
        wanted = wanted.saturating_mul(4);
    }
}

/// Where the journal ends at this moment.
pub fn end(folder: &Path) -> u64 {
    std::fs::metadata(journal::file(folder)).map_or(0, |meta| meta.len())
}

/// Readable whenever somebody wrote to the journal, this process or another.
#[derive(Debug)]
pub struct Watch(Inotify);

impl Watch {
    pub fn of(folder: &Path) -> Result<Watch, StoreError> {
        files::make_folder(folder)?;
        let failed = |errno: Errno| StoreError::io("watch", folder)(errno.into());
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).map_err(failed)?;
        let changes = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        inotify.add_watch(folder, changes).map_err(failed)?;
        Ok(Watch(inotify))
    }

    /// Forgets what it was woken for. To be called before looking.
    pub fn drain(&self) {
        while self.0.read_events().is_ok_and(|events| !events.is_empty()) {}
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
