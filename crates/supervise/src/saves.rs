//! Which files were saved, and after how many rows: told by the kernel (inotify) at once. That a file was renamed into place
//! is the surest sign that it is complete, and what was read before it was saved is what its values are.

use crate::checkpoints::Version;
use crate::marks::Moment;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// Folders watched at most; what lies in others is judged by its times.
const MOST_FOLDERS: usize = 256;

/// The last time that a file was renamed into place, or closed by who wrote it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Save {
    pub(crate) renamed: bool,
    pub(crate) version: Version,
    pub(crate) moment: Moment,
}

pub(crate) struct Saves {
    /// Where there are no watches to be had, times alone must do.
    inotify: Option<Inotify>,
    folders: HashMap<WatchDescriptor, PathBuf>,
    watched: BTreeSet<PathBuf>,
    seen: BTreeMap<PathBuf, Save>,
}

impl Saves {
    pub(crate) fn new() -> Saves {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok();
        Saves { inotify, folders: HashMap::new(), watched: BTreeSet::new(), seen: BTreeMap::new() }
    }

    /// Readable when something was saved.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(Inotify::as_fd)
    }

    /// Watches a folder from now on. One that is not there yet may be asked for again.
    pub(crate) fn watch(&mut self, folder: Option<&Path>) {
        let (Some(inotify), Some(folder)) = (&self.inotify, folder) else { return };
        if self.watched.len() >= MOST_FOLDERS || self.watched.contains(folder) {
            return;
        }
        let flags = AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_ONLYDIR;
        if let Ok(watch) = inotify.add_watch(folder, flags) {
            self.folders.insert(watch, folder.to_path_buf());
            self.watched.insert(folder.to_path_buf());
        }
    }

    /// Takes what happened since the last time; `now` is how far the rows are read.
    pub(crate) fn note(&mut self, now: Moment) {
        while let Some(Ok(events)) = self.inotify.as_ref().map(Inotify::read_events) {
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    self.seen.clear();
                }
                let (Some(folder), Some(name)) = (self.folders.get(&event.wd), &event.name) else { continue };
                let path = folder.join(name);
                let gone = event.mask.intersects(AddWatchFlags::IN_MOVED_FROM | AddWatchFlags::IN_DELETE);
                let Some(version) = Version::of(&path).filter(|_| !gone) else {
                    self.seen.remove(&path);
                    continue;
                };
                let renamed = event.mask.contains(AddWatchFlags::IN_MOVED_TO);
                match self.seen.get(&path) {
                    // Opened for writing and closed, and nothing written.
                    Some(known) if !renamed && known.version == version => {}
                    _ => drop(self.seen.insert(path, Save { renamed, version, moment: now })),
                }
            }
        }
    }

    /// The save that made the file what it is.
    pub(crate) fn of(&self, path: &Path, version: Version) -> Option<Save> {
        self.seen.get(path).filter(|save| save.version == version).copied()
    }

    /// Forgets all others.
    pub(crate) fn keep_only(&mut self, paths: &BTreeSet<PathBuf>) {
        self.seen.retain(|path, _| paths.contains(path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_what_was_renamed_last_counts_as_renamed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let mut saves = Saves::new();
        saves.watch(Some(folder.path()));
        let mut renamed = |now| {
            saves.note(now);
            let save = Version::of(&path("model")).and_then(|version| saves.of(&path("model"), version));
            save.map(|save| (save.renamed, save.moment))
        };
        fs::write(path("new"), "1").expect("written");
        fs::rename(path("new"), path("model")).expect("renamed");
        assert_eq!(renamed(1), Some((true, 1)));
        fs::write(path("model"), "22").expect("written");
        assert_eq!(renamed(2), Some((false, 2)));
        fs::write(path("new"), "3").expect("written");
        fs::rename(path("new"), path("model")).expect("renamed");
        assert_eq!(renamed(3), Some((true, 3)));
        fs::remove_file(path("model")).expect("removed");
        assert_eq!(renamed(4), None);
    }
}
