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
    /// It lies between the two: rows are read in pieces.
    pub(crate) since: Moment,
    pub(crate) until: Moment,
}

pub(crate) struct Saves {
    /// Where there are no watches to be had, times alone must do.
    inotify: Option<Inotify>,
    folders: HashMap<WatchDescriptor, PathBuf>,
    watched: BTreeSet<PathBuf>,
    seen: BTreeMap<PathBuf, Save>,
    /// How far the rows were read at the last note.
    noted: Moment,
}

impl Saves {
    pub(crate) fn new() -> Saves {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok();
        Saves { inotify, folders: HashMap::new(), watched: BTreeSet::new(), seen: BTreeMap::new(), noted: 0 }
    }

    /// Readable when something was saved.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(Inotify::as_fd)
    }

    /// Watches a folder from now on; of one that is not there yet, the one that it will appear in. What lies in it already was
    /// saved between `since` and now, if that is told.
    pub(crate) fn watch(&mut self, folder: &Path, since: Option<Moment>) {
        let Some(inotify) = &self.inotify else { return };
        let Some(there) = folder.ancestors().find(|folder| folder.is_dir()) else { return };
        if self.watched.len() >= MOST_FOLDERS || self.watched.contains(there) {
            return;
        }
        let flags = AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_ONLYDIR;
        let Ok(watch) = inotify.add_watch(there, flags) else { return };
        self.folders.insert(watch, there.to_path_buf());
        self.watched.insert(there.to_path_buf());
        let Some(since) = since else { return };
        for path in std::fs::read_dir(there).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if let Some(version) = Version::of(&path) {
                self.seen.entry(path).or_insert(Save { renamed: false, version, since, until: self.noted });
            }
        }
    }

    /// Takes what happened since the last time; `now` is how far the rows are read. Gives the moment since which folders appeared,
    /// which may have to be watched as well.
    pub(crate) fn note(&mut self, now: Moment) -> Option<Moment> {
        let mut appeared = false;
        let since = std::mem::replace(&mut self.noted, now);
        while let Some(Ok(events)) = self.inotify.as_ref().map(Inotify::read_events) {
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    self.seen.clear();
                }
                let (Some(folder), Some(name)) = (self.folders.get(&event.wd), &event.name) else { continue };
                let path = folder.join(name);
                let comes = event.mask.intersects(AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO);
                appeared |= comes && event.mask.contains(AddWatchFlags::IN_ISDIR);
                if event.mask.contains(AddWatchFlags::IN_CREATE) {
                    // Nothing is in it yet.
                    continue;
                }
                let gone = event.mask.intersects(AddWatchFlags::IN_MOVED_FROM | AddWatchFlags::IN_DELETE);
                let Some(version) = Version::of(&path).filter(|_| !gone) else {
                    self.seen.remove(&path);
                    // A folder of this name is another one.
                    self.watched.remove(&path);
                    continue;
                };
                let renamed = event.mask.contains(AddWatchFlags::IN_MOVED_TO);
                match self.seen.get(&path) {
                    // Opened for writing and closed, and nothing written.
                    Some(known) if !renamed && known.version == version => {}
                    _ => drop(self.seen.insert(path, Save { renamed, version, since, until: now })),
                }
            }
        }
        appeared.then_some(since)
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
        saves.watch(folder.path(), None);
        let mut renamed = |now| {
            saves.note(now);
            let save = Version::of(&path("model")).and_then(|version| saves.of(&path("model"), version));
            save.map(|save| (save.renamed, save.until))
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

    #[test]
    fn a_folder_that_appears_later_is_watched_when_it_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let mut saves = Saves::new();
        saves.watch(&path("runs/ckpt"), None);
        fs::create_dir_all(path("runs/ckpt")).expect("made");
        fs::write(path("runs/ckpt/1"), "1").expect("written");
        assert_eq!(saves.note(1), Some(0));
        saves.watch(&path("runs/ckpt"), Some(0));
        fs::write(path("new"), "2").expect("written");
        fs::rename(path("new"), path("runs/ckpt/2")).expect("renamed");
        saves.note(2);
        let of = |name: &str| saves.of(&path(name), Version::of(&path(name)).expect("there")).map(|save| (save.renamed, save.until));
        assert_eq!((of("runs/ckpt/1"), of("runs/ckpt/2")), (Some((false, 1)), Some((true, 2))));
    }
}
