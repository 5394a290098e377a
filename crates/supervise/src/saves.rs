//! Which files were saved, and after how many rows: told by the kernel (inotify) at once. That a file was renamed into place
//! is the surest sign that it is complete, and what was read before it was saved is what its values are.

use crate::checkpoints::{Seen, Version};
use crate::marks::Moment;
use neronet_model::UnixMs;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// Folders watched at most; what lies in others is judged by its times.
const MOST_FOLDERS: usize = 256;

/// The last time that a file was renamed into place, or closed by who wrote it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Save {
    seen: Seen,
    version: Version,
    /// It lies between the two: rows are read in pieces.
    pub(crate) since: Moment,
    pub(crate) until: Moment,
}

pub(crate) struct Saves {
    /// Where there are no watches to be had, times alone must do.
    inotify: Option<Inotify>,
    folders: HashMap<WatchDescriptor, PathBuf>,
    watched: BTreeSet<PathBuf>,
    saves: BTreeMap<PathBuf, Save>,
    /// Files that came to be and were not closed since.
    open: BTreeSet<PathBuf>,
    /// How far the rows were read at the last note.
    noted: Moment,
}

impl Saves {
    pub(crate) fn new() -> Saves {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok();
        Saves { inotify, folders: HashMap::new(), watched: BTreeSet::new(), saves: BTreeMap::new(), open: BTreeSet::new(), noted: 0 }
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
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_ONLYDIR;
        let Ok(watch) = inotify.add_watch(there, flags) else { return };
        self.folders.insert(watch, there.to_path_buf());
        self.watched.insert(there.to_path_buf());
        let Some(since) = since else { return };
        for path in std::fs::read_dir(there).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if let Some(version) = Version::of(&path) {
                self.saves.entry(path).or_insert(Save { seen: Seen::Nothing, version, since, until: self.noted });
            }
        }
    }

    /// Takes what happened since the last time; `now` is how far the rows are read. Gives the moment since which folders appeared,
    /// which may have to be watched as well.
    pub(crate) fn note(&mut self, now: Moment, time: UnixMs) -> Option<Moment> {
        let mut appeared = false;
        let since = std::mem::replace(&mut self.noted, now);
        while let Some(Ok(events)) = self.inotify.as_ref().map(Inotify::read_events) {
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    self.saves.clear();
                    self.open.clear();
                }
                let (Some(folder), Some(name)) = (self.folders.get(&event.wd), &event.name) else { continue };
                let path = folder.join(name);
                let is = |flag: AddWatchFlags| event.mask.contains(flag);
                let comes = is(AddWatchFlags::IN_CREATE) || is(AddWatchFlags::IN_MOVED_TO);
                appeared |= comes && is(AddWatchFlags::IN_ISDIR);
                let gone = is(AddWatchFlags::IN_MOVED_FROM) || is(AddWatchFlags::IN_DELETE);
                let Some(version) = Version::of(&path).filter(|_| !gone) else {
                    self.saves.remove(&path);
                    self.open.remove(&path);
                    // A folder of this name is another one.
                    self.watched.remove(&path);
                    continue;
                };
                if is(AddWatchFlags::IN_CREATE) {
                    // A link, too, comes to be; its file is older than it.
                    if !is(AddWatchFlags::IN_ISDIR) && !path.is_symlink() && !version.has_been_moved() {
                        self.open.insert(path);
                    }
                    continue;
                }
                if is(AddWatchFlags::IN_ATTRIB) {
                    // Its mode or its time was set, and nothing written.
                    if let Some(save) = self.saves.get_mut(&path).filter(|save| save.version.bytes == version.bytes) {
                        save.version = version;
                    }
                    continue;
                }
                self.open.remove(&path);
                let seen = if is(AddWatchFlags::IN_MOVED_TO) { Seen::Renamed } else { Seen::Closed(time) };
                match self.saves.get(&path) {
                    // Opened for writing and closed, and nothing written.
                    Some(known) if seen != Seen::Renamed && known.version == version => {}
                    _ => drop(self.saves.insert(path, Save { seen, version, since, until: now })),
                }
            }
        }
        appeared.then_some(since)
    }

    /// What is known of how the file became what it is, with the save that made it so.
    pub(crate) fn of(&self, path: &Path, version: Version) -> (Seen, Option<Save>) {
        if self.open.range(path.to_path_buf()..).next().is_some_and(|open| open.starts_with(path)) {
            return (Seen::Open, None);
        }
        match self.saves.get(path) {
            Some(save) if save.version == version => (save.seen, Some(*save)),
            // Folders are not closed.
            Some(_) if !path.is_dir() => (Seen::Open, None),
            _ => (Seen::Nothing, None),
        }
    }

    /// Forgets all others, but for what lies in them.
    pub(crate) fn keep_only(&mut self, paths: &BTreeSet<PathBuf>) {
        let within = |path: &PathBuf| path.ancestors().take(2).any(|path| paths.contains(path));
        self.saves.retain(|path, _| within(path));
        self.open.retain(within);
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
            saves.note(now, UnixMs(7));
            let (seen, save) = saves.of(&path("model"), Version::of(&path("model"))?);
            Some((seen, save?.until))
        };
        fs::write(path("new"), "1").expect("written");
        fs::rename(path("new"), path("model")).expect("renamed");
        assert_eq!(renamed(1), Some((Seen::Renamed, 1)));
        fs::write(path("model"), "22").expect("written");
        assert_eq!(renamed(2), Some((Seen::Closed(UnixMs(7)), 2)));
        fs::write(path("new"), "3").expect("written");
        fs::rename(path("new"), path("model")).expect("renamed");
        assert_eq!(renamed(3), Some((Seen::Renamed, 3)));
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
        assert_eq!(saves.note(1, UnixMs(0)), Some(0));
        saves.watch(&path("runs/ckpt"), Some(0));
        fs::write(path("new"), "2").expect("written");
        fs::rename(path("new"), path("runs/ckpt/2")).expect("renamed");
        saves.note(2, UnixMs(0));
        let of = |name: &str| {
            let (seen, save) = saves.of(&path(name), Version::of(&path(name)).expect("there"));
            (seen, save.map(|save| save.until))
        };
        assert_eq!((of("runs/ckpt/1"), of("runs/ckpt/2")), ((Seen::Nothing, Some(1)), (Seen::Renamed, Some(2))));
    }
    #[test]
    fn what_is_being_written_is_open_until_it_is_closed() {
        use std::io::Write;
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let mut saves = Saves::new();
        saves.watch(folder.path(), None);
        let mut seen = |name: &str| {
            saves.note(1, UnixMs(7));
            saves.of(&path(name), Version::of(&path(name)).expect("there")).0
        };
        let mut file = fs::File::create(path("model")).expect("made");
        file.write_all(b"half").expect("written");
        assert_eq!(seen("model"), Seen::Open);
        drop(file);
        assert_eq!(seen("model"), Seen::Closed(UnixMs(7)));
        let mut again = fs::File::create(path("model")).expect("opened");
        again.write_all(b"ha").expect("written");
        assert_eq!(seen("model"), Seen::Open, "written anew in place");
        drop(again);
        fs::set_permissions(path("model"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("ours");
        assert_eq!(seen("model"), Seen::Closed(UnixMs(7)));
        std::os::unix::fs::symlink(path("model"), path("latest")).expect("linked");
        assert_eq!(seen("latest"), Seen::Nothing);
        fs::create_dir(path("folder")).expect("made");
        saves.watch(&path("folder"), None);
        let inner = fs::File::create(path("folder/weights")).expect("made");
        saves.note(2, UnixMs(8));
        assert_eq!(saves.of(&path("folder"), Version::of(&path("folder")).expect("there")).0, Seen::Open);
        drop(inner);
        saves.note(3, UnixMs(9));
        assert_eq!(saves.of(&path("folder"), Version::of(&path("folder")).expect("there")).0, Seen::Nothing);
    }
}
