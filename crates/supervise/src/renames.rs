//! Which files were renamed into place: the surest sign that they are complete. Told by the kernel (inotify), so that a file
//! that is replaced more often than we look is not taken for one that is being written.

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// Folders watched at most; what lies in others is judged by its times.
const MOST_FOLDERS: usize = 256;

pub(crate) struct Renames {
    /// Where there are no watches to be had, times alone must do.
    inotify: Option<Inotify>,
    folders: HashMap<WatchDescriptor, PathBuf>,
    watched: BTreeSet<PathBuf>,
    renamed: BTreeSet<PathBuf>,
}

impl Renames {
    pub(crate) fn new() -> Renames {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok();
        Renames { inotify, folders: HashMap::new(), watched: BTreeSet::new(), renamed: BTreeSet::new() }
    }

    /// Watches a folder from now on. One that is not there yet may be asked for again.
    pub(crate) fn watch(&mut self, folder: Option<&Path>) {
        let (Some(inotify), Some(folder)) = (&self.inotify, folder) else { return };
        if self.watched.len() >= MOST_FOLDERS || self.watched.contains(folder) {
            return;
        }
        let flags = AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_ONLYDIR;
        if let Ok(watch) = inotify.add_watch(folder, flags) {
            self.folders.insert(watch, folder.to_path_buf());
            self.watched.insert(folder.to_path_buf());
        }
    }

    /// Files whose last change was to be renamed into place.
    pub(crate) fn since_last(&mut self) -> &BTreeSet<PathBuf> {
        while let Some(Ok(events)) = self.inotify.as_ref().map(Inotify::read_events) {
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    self.renamed.clear();
                }
                let (Some(folder), Some(name)) = (self.folders.get(&event.wd), &event.name) else { continue };
                let path = folder.join(name);
                if event.mask.contains(AddWatchFlags::IN_MOVED_TO) {
                    self.renamed.insert(path);
                } else {
                    self.renamed.remove(&path);
                }
            }
        }
        &self.renamed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_what_was_renamed_last_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let mut renames = Renames::new();
        renames.watch(Some(folder.path()));
        fs::write(path("new"), "1").expect("written");
        fs::rename(path("new"), path("model")).expect("renamed");
        assert!(renames.since_last().contains(&path("model")));
        fs::write(path("model"), "2").expect("written");
        assert!(!renames.since_last().contains(&path("model")));
        fs::write(path("new"), "3").expect("written");
        fs::rename(path("new"), path("model")).expect("renamed");
        assert!(renames.since_last().contains(&path("model")));
        fs::remove_file(path("model")).expect("removed");
        fs::write(path("model"), "4").expect("written");
        assert!(renames.since_last().is_empty());
    }
}
