//! What folders take on the disk: walked without following a link, and of a file with several names counted only one.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::ops::AddAssign;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The unit of `st_blocks`, whatever the file system's own is.
const BLOCK: u64 = 512;
/// Of what cannot be read so many are named.
const NAMED: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Bytes that are allocated.
    pub disk: u64,
    /// Bytes that files say they hold.
    pub apparent: u64,
    /// All but folders.
    pub files: u64,
}

impl AddAssign for Size {
    fn add_assign(&mut self, other: Size) {
        self.disk = self.disk.saturating_add(other.disk);
        self.apparent = self.apparent.saturating_add(other.apparent);
        self.files += other.files;
    }
}

/// With which of its names a file that has several is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// What there is.
    Once,
    /// What would be free if all that is walked went: only with the last of all its names.
    WhenLast,
}

/// What could not be read, and so is not counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread {
    pub count: u64,
    /// The first of them, each with the reason.
    pub named: Vec<String>,
}

pub struct Walk<'t> {
    counted: Counted,
    /// Of files with several names, by device and inode: names that were not met yet. Gone once all were.
    links: HashMap<(u64, u64), u64>,
    pub unread: Unread,
    seen: u64,
    tell: &'t dyn Fn(u64),
}

impl<'t> Walk<'t> {
    /// `tell` is told now and then how many names were looked at.
    pub fn new(counted: Counted, tell: &'t dyn Fn(u64)) -> Walk<'t> {
        Walk { counted, links: HashMap::new(), unread: Unread::default(), seen: 0, tell }
    }

    /// Tells of everything from `top` on, itself included. What vanishes meanwhile was never there.
    pub fn walk(&mut self, top: &Path, each: &mut dyn FnMut(&Path, Size)) {
        let mut folders = Vec::new();
        self.take(top.to_path_buf(), top.symlink_metadata(), &mut folders, each);
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(e) => {
                    self.failed(&folder, &e);
                    continue;
                }
            };
            for entry in entries {
                match entry {
                    Ok(entry) => self.take(entry.path(), entry.metadata(), &mut folders, each),
                    Err(e) => self.failed(&folder, &e),
                }
            }
        }
    }

    /// All of it together.
    pub fn size(&mut self, top: &Path) -> Size {
        let mut all = Size::default();
        self.walk(top, &mut |_, size| all += size);
        all
    }

    /// A folder's own size, or a file's.
    pub fn own(&mut self, path: &Path) -> Size {
        let mut own = Size::default();
        self.take(path.to_path_buf(), path.symlink_metadata(), &mut Vec::new(), &mut |_, size| own = size);
        own
    }

    /// What lies in a folder, by name; nothing where it cannot be read.
    pub fn names(&mut self, folder: &Path) -> Vec<PathBuf> {
        match fs::read_dir(folder) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            Err(e) => {
                self.failed(folder, &e);
                Vec::new()
            }
        }
    }

    fn take(&mut self, path: PathBuf, meta: io::Result<Metadata>, folders: &mut Vec<PathBuf>, each: &mut dyn FnMut(&Path, Size)) {
        let meta = match meta {
            Ok(meta) => meta,
            Err(e) => return self.failed(&path, &e),
        };
        self.seen += 1;
        if self.seen.is_multiple_of(1_000) {
            (self.tell)(self.seen);
        }
        let is_folder = meta.is_dir();
        if is_folder || self.counts(&meta) {
            let apparent = if is_folder { 0 } else { meta.len() };
            each(&path, Size { disk: meta.blocks().saturating_mul(BLOCK), apparent, files: u64::from(!is_folder) });
        }
        if is_folder {
            folders.push(path);
        }
    }

    fn counts(&mut self, meta: &Metadata) -> bool {
        if meta.nlink() < 2 {
            return true;
        }
        let key = (meta.dev(), meta.ino());
        let left = self.links.entry(key).or_insert(meta.nlink());
        let first = *left == meta.nlink();
        *left = left.saturating_sub(1);
        let last = *left == 0;
        if last {
            self.links.remove(&key);
        }
        if self.counted == Counted::Once { first } else { last }
    }

    fn failed(&mut self, path: &Path, e: &io::Error) {
        if e.kind() == ErrorKind::NotFound {
            return;
        }
        self.unread.count += 1;
        if self.unread.named.len() < NAMED {
            self.unread.named.push(format!("{}: {e}", path.display()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_with_two_names_is_counted_once_and_goes_with_the_last() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("a")).expect("made");
        fs::create_dir_all(path("b")).expect("made");
        fs::write(path("a/file"), vec![1; 100_000]).expect("written");
        fs::hard_link(path("a/file"), path("b/file")).expect("linked");
        let quiet = |_| {};
        let files = |counted: Counted, tops: &[&str]| {
            let mut walk = Walk::new(counted, &quiet);
            tops.iter().map(|top| walk.size(&path(top)).apparent).collect::<Vec<_>>()
        };
        assert_eq!(files(Counted::Once, &["a", "b"]), [100_000, 0]);
        assert_eq!(files(Counted::WhenLast, &["a", "b"]), [0, 100_000]);
        assert_eq!(files(Counted::WhenLast, &["a"]), [0], "the other name keeps it");
    }

    #[test]
    fn links_are_not_followed_and_what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let elsewhere = tempfile::tempdir().expect("a folder");
        fs::write(elsewhere.path().join("file"), vec![1; 100_000]).expect("written");
        symlink(elsewhere.path(), folder.path().join("link")).expect("linked");
        let quiet = |_| {};
        let mut walk = Walk::new(Counted::Once, &quiet);
        assert!(walk.size(folder.path()).disk < 100_000);
        assert_eq!(walk.size(&folder.path().join("nothing")), Size::default());
        assert_eq!(walk.unread, Unread::default());
        // What is no folder cannot be read as one.
        assert!(walk.names(&elsewhere.path().join("file")).is_empty());
        assert_eq!(walk.unread.count, 1);
    }
}
