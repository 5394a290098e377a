//! The files of a folder that patterns name, or that lie in folders which they name.

use super::Folder;
use super::folder::{ARRIVING, entry_of};
use super::globs::{Globs, Left};
use crate::error::HomeError;
use neronet_target::parcel::{Entry, Inner};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::os::fd::AsRawFd;

/// Files that are listed, and names that are looked at for them.
pub(crate) const MOST_FILES: usize = 100_000;
const MOST_NAMES: usize = 1_000_000;
/// Of what cannot travel so many are named.
const SOME: usize = 20;

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// By their paths.
    pub entries: Vec<Entry>,
    /// What patterns name and cannot travel: links to folders and out of the folder, pipes, names that are no text, folders
    /// that cannot be looked into.
    pub left_out: u64,
    /// Some of that, for people.
    pub unfit: Vec<String>,
    /// There may be more.
    pub cut_short: bool,
}

impl Listing {
    fn leave_out(&mut self, path: &str) {
        self.left_out += 1;
        if self.unfit.len() < SOME {
            self.unfit.push(path.escape_debug().to_string());
        }
    }
}

/// A folder that is still to be looked into.
struct Below {
    path: String,
    /// Nothing where all that is in it counts.
    left: Option<Left>,
}

impl Folder {
    /// The files that the patterns name, which are relative to the folder; all that lies in folders that they name; everything for
    /// `.`. The upper folders come first where it is too much. Links lead to files within the folder, and nowhere else.
    ///
    /// # Errors
    /// A pattern is none, or leads out of the folder.
    pub fn list(&self, globs: &[String]) -> Result<Listing, HomeError> {
        self.list_most(globs, MOST_FILES, MOST_NAMES)
    }

    fn list_most(&self, globs: &[String], most_files: usize, most_names: usize) -> Result<Listing, HomeError> {
        let globs = Globs::of(globs)?;
        let left = Some(globs.all()).filter(|left| !globs.matched(left));
        let (mut listing, mut names) = (Listing::default(), 0);
        let mut waiting = VecDeque::from([Below { path: String::new(), left }]);
        'folders: while let Some(below) = waiting.pop_front() {
            let opened = self.down(below.path.split('/').filter(|name| !name.is_empty()).map(OsStr::new), false);
            // By its number: whatever has its name by now, this is the folder that was opened.
            let Ok(entries) = opened.and_then(|opened| fs::read_dir(format!("/proc/self/fd/{}", opened.as_raw_fd()))) else {
                listing.leave_out(&below.path);
                continue;
            };
            for entry in entries.flatten() {
                names += 1;
                if names > most_names || listing.entries.len() >= most_files {
                    listing.cut_short = true;
                    break 'folders;
                }
                self.meet(&entry, &below, &globs, &mut waiting, &mut listing);
            }
        }
        listing.entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(listing)
    }

    fn meet(&self, entry: &DirEntry, below: &Below, globs: &Globs, waiting: &mut VecDeque<Below>, listing: &mut Listing) {
        let (name, Ok(meta)) = (entry.file_name(), entry.metadata()) else { return };
        if below.path.is_empty() && name == ARRIVING {
            return;
        }
        let left = below.left.as_ref().map(|left| globs.behind(left, &name.to_string_lossy())).filter(|left| !globs.matched(left));
        if left.as_ref().is_some_and(|left| left.is_empty() || !meta.is_dir()) {
            return;
        }
        let whole = |name: &str| if below.path.is_empty() { name.to_string() } else { format!("{}/{name}", below.path) };
        let (path, shown) = (name.to_str().map(whole), whole(&name.to_string_lossy()));
        match path.and_then(|path| Inner::try_from(path).ok()) {
            Some(path) if meta.is_dir() => waiting.push_back(Below { path: path.into(), left }),
            Some(path) if meta.is_file() => listing.entries.push(entry_of(&path, &meta)),
            Some(path) if meta.is_symlink() => match self.entry(&path) {
                Ok(entry) => listing.entries.push(entry),
                Err(_) => listing.leave_out(&shown),
            },
            _ => listing.leave_out(&shown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    fn listed(folder: &Folder, globs: &[&str]) -> (String, u64) {
        let globs: Vec<String> = globs.iter().map(ToString::to_string).collect();
        let listing = folder.list(&globs).expect("listed");
        assert!(!listing.cut_short);
        (listing.entries.iter().map(|entry| entry.path.as_str()).collect::<Vec<_>>().join(" "), listing.left_out)
    }

    #[test]
    fn patterns_name_files_and_all_that_is_in_folders() {
        let top = tempfile::tempdir().expect("a folder");
        for path in ["ck/1.pt", "ck/2.pt", "ck/deep/3.pt", "ck/.hidden.pt", "dcp/4/.metadata", "dcp/4/0.distcp", ".git/a.pt", "x.csv"] {
            let path = top.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, "12").expect("written");
        }
        let folder = Folder::open(top.path()).expect("there");
        let found = |globs: &[&str]| listed(&folder, globs).0;
        assert_eq!(found(&["ck/*.pt"]), "ck/1.pt ck/2.pt");
        assert_eq!(found(&["**/*.pt", "./x.csv"]), "ck/1.pt ck/2.pt ck/deep/3.pt x.csv");
        assert_eq!(found(&["**/**/3.pt", "ck/{1,2}.pt", "ck/1.pt"]), "ck/1.pt ck/2.pt ck/deep/3.pt");
        // A folder is all that is in it.
        assert_eq!(found(&["dcp/*"]), "dcp/4/.metadata dcp/4/0.distcp");
        assert_eq!(found(&["ck/**"]), "ck/1.pt ck/2.pt ck/deep/3.pt");
        assert_eq!(found(&["ck/.h*", "nothing/*.pt", "x.csv/a"]), "ck/.hidden.pt");
        assert_eq!(found(&["."]).split(' ').count(), 8);
        // Whoever is told of files knows which were asked for.
        for globs in [&["ck/*.pt"][..], &["**/*.pt", "./x.csv"], &["dcp/*"], &["ck/**"], &["ck/.h*"], &["."], &[]] {
            let asked = Globs::of(&globs.iter().map(ToString::to_string).collect::<Vec<_>>()).expect("patterns");
            let all = folder.list(&[".".into()]).expect("listed").entries;
            let named: Vec<&str> = all.iter().map(|entry| &entry.path).filter(|path| asked.name(path)).map(Inner::as_str).collect();
            assert_eq!(named.join(" "), found(globs), "{globs:?}");
        }
        assert_eq!((found(&[]), folder.list(&["x.csv".into()]).expect("listed").entries[0].bytes), (String::new(), 2));
        for bad in ["/etc/*", "../*", "a/../../b", "a[", &"x{".repeat(9)] {
            assert!(folder.list(&[bad.to_string()]).is_err(), "{bad}");
        }
        assert!(folder.list(&vec![String::from("*"); 1001]).is_err());
    }

    #[test]
    fn links_lead_nowhere_else_and_what_cannot_travel_is_counted() {
        let world = tempfile::tempdir().expect("a folder");
        let top = world.path().join("top");
        fs::create_dir_all(top.join("in")).expect("made");
        fs::write(world.path().join("secret.pt"), "secret").expect("written");
        fs::write(top.join("in/1.pt"), "weights").expect("written");
        fs::create_dir(top.join(ARRIVING)).expect("made");
        fs::write(top.join(ARRIVING).join("half.part"), "wei").expect("written");
        for (link, to) in [("last.pt", "in/1.pt"), ("out.pt", "../secret.pt"), ("up", ".."), ("round", "."), ("lost.pt", "nowhere")] {
            symlink(to, top.join(link)).expect("linked");
        }
        fs::write(top.join(OsStr::from_bytes(b"\xff.pt")), "").expect("written");
        let folder = Folder::open(&top).expect("there");
        assert_eq!(listed(&folder, &["**/*.pt"]), ("in/1.pt last.pt".into(), 3));
        assert_eq!(listed(&folder, &["up/*", "round/in/*", "up/secret.pt"]), (String::new(), 0));
        assert_eq!(listed(&folder, &["."]), ("in/1.pt last.pt".into(), 5));
    }

    #[test]
    fn no_more_than_was_told_is_listed_and_that_is_said() {
        let top = tempfile::tempdir().expect("a folder");
        (0..20).for_each(|n| fs::write(top.path().join(n.to_string()), "").expect("written"));
        let folder = Folder::open(top.path()).expect("there");
        let all = |files, names| folder.list_most(&["*".into()], files, names).map(|all| (all.entries.len(), all.cut_short));
        assert_eq!(all(21, 21).expect("listed"), (20, false));
        assert_eq!((all(7, 21).expect("listed"), all(21, 5).expect("listed")), ((7, true), (5, true)));
    }
}
