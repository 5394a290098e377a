//! A folder that nothing leads out of: its files are read, compared and put there by their paths within it. Whoever writes in it
//! meanwhile, each folder on the way is opened by itself, and no link is followed then.

use super::outgoing::read_at;
use super::parts::Held;
use super::reading::Hashing;
use super::{Parts, hash_of};
use crate::error::HomeError;
use neronet_model::UnixMs;
use neronet_store::{StoreError, files};
use neronet_target::frame::MOST_BODY;
use neronet_target::parcel::{Entry, Hash, Inner};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// In it, what is on its way there: so it is on the same disk.
pub(crate) const ARRIVING: &str = ".arriving";

#[derive(Debug)]
pub struct Folder {
    top: PathBuf,
    opened: OwnedFd,
    /// So much of the disk stays free, whatever is brought here.
    spare: u64,
}

/// Which of the files that were told of are not there, by their numbers.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    pub missing: Vec<usize>,
    /// As long, of another time, and told without a hash: with it, it is known.
    pub unsure: Vec<usize>,
}

impl Folder {
    /// Whoever names it is believed: links on the way to it are followed.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn open(path: &Path) -> Result<Folder, HomeError> {
        let failed = |e| HomeError::from(StoreError::io("open the folder", path)(e));
        let top = path.canonicalize().map_err(failed)?;
        let opened = openat(AT_FDCWD, &top, folder_flags(), Mode::empty()).map_err(|errno| failed(errno.into()))?;
        Ok(Folder { top, opened, spare: 0 })
    }

    pub fn sparing(self, bytes: u64) -> Folder {
        Folder { spare: bytes, ..self }
    }

    /// The same, made where it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn made(path: &Path) -> Result<Folder, HomeError> {
        files::make_folder(path)?;
        Folder::open(path)
    }

    /// A file as it is now.
    ///
    /// # Errors
    /// It is not there, is no plain file, or is reached by a link that leads out of the folder.
    pub fn entry(&self, path: &Inner) -> Result<Entry, HomeError> {
        self.look(path).map(|(_, entry)| entry).map_err(|e| unreadable(path, &e))
    }

    /// The same with its hash.
    ///
    /// # Errors
    /// It cannot be read either, or changes meanwhile.
    pub fn hashed(&self, path: &Inner) -> Result<Entry, HomeError> {
        let hashed = self.look(path).and_then(|(file, before)| {
            let hash = hash_of(&file)?;
            let after = entry_of(path, &file.metadata()?);
            if after.is_as(&before) {
                Ok(Entry { sha256: Some(hash), ..after })
            } else {
                Err(io::Error::other("it changes while it is read"))
            }
        });
        hashed.map_err(|e| unreadable(path, &e))
    }

    /// The bytes of a file from there on, as many as a frame takes at most; and the file as it was after that.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, path: &Inner, at: u64, most: usize) -> Result<(Entry, Vec<u8>), HomeError> {
        let read = self.look(path).and_then(|(file, _)| {
            let bytes = read_at(&file, at, most.min(MOST_BODY))?;
            Ok((entry_of(path, &file.metadata()?), bytes))
        });
        read.map_err(|e| unreadable(path, &e))
    }

    /// Which of these are not there as they are told: by length and time, and where only the time is another, by their hash.
    pub fn compare(&self, told: &[Entry]) -> Compared {
        let mut compared = Compared::default();
        for (n, told) in told.iter().enumerate() {
            match self.look(&told.path) {
                Ok((_, there)) if there.is_as(told) => {}
                Ok((file, there)) if there.bytes == told.bytes => match &told.sha256 {
                    None => compared.unsure.push(n),
                    // Next time its time tells.
                    Some(sha256) if hash_of(&file).is_ok_and(|hash| hash == *sha256) => set_time(&file, told.modified),
                    Some(_) => compared.missing.push(n),
                },
                _ => compared.missing.push(n),
            }
        }
        compared
    }

    /// What has arrived until now of files that are brought here, each under its hash. It goes with the last of them: ask anew for
    /// each.
    ///
    /// # Errors
    /// There is no place for it.
    pub fn parts(&self) -> Result<Parts, HomeError> {
        let shown = self.top.join(ARRIVING);
        let opened = self.down([OsStr::new(ARRIVING)].into_iter(), true).map_err(StoreError::io("open the folder", &shown))?;
        Ok(Parts::of(shown, opened, self.spare))
    }

    /// Gives what has arrived its place as the file that was told of, its hash with it. Durable once it returns. What is there already
    /// by the same hash is left.
    ///
    /// # Errors
    /// It has not arrived or is another; something else than a file is in its place, or a link on the way.
    pub fn put(&self, told: &Entry) -> Result<(), HomeError> {
        let Some(name) = &told.sha256 else { return Err(HomeError::Failed(format!("'{}' was told without its hash", told.path))) };
        self.put_part(name, told, name, &mut Hashing::default())
    }

    /// `hashed`: as much of it as was hashed when it came.
    pub(super) fn put_part(&self, name: &Hash, told: &Entry, sha256: &Hash, hashed: &mut Hashing) -> Result<(), HomeError> {
        let put = self.put_from(&self.parts()?, name, told, (sha256, hashed));
        self.leave();
        put
    }

    /// Nothing of what arrives stays behind where it was the last.
    pub(super) fn leave(&self) {
        unlinkat(&self.opened, ARRIVING, UnlinkatFlags::RemoveDir).ok();
    }

    fn put_from(&self, parts: &Parts, name: &Hash, told: &Entry, (sha256, hashed): (&Hash, &mut Hashing)) -> Result<(), HomeError> {
        match parts.whole(name, told.bytes, sha256, hashed)? {
            Some(part) => self.place(&part, told).map_err(|e| match e.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::io("write", &self.top)(e).into(),
                _ => HomeError::Failed(format!("'{}' cannot be put into {}: {e}", told.path, self.top.display())),
            }),
            None if self.hashed(&told.path).is_ok_and(|there| there.sha256.as_ref() == Some(sha256)) => Ok(()),
            None => Err(HomeError::Failed(format!("'{}' has not arrived", told.path))),
        }
    }

    fn place(&self, part: &Held<'_>, told: &Entry) -> io::Result<()> {
        let (folders, name) = told.path.split();
        let folder = self.down(folders.map(OsStr::new), true)?;
        match openat(&folder, name, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty()) {
            Ok(there) if !File::from(there.try_clone()?).metadata()?.is_file() => return Err(io::Error::other("what is there is no file")),
            Ok(_) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
        dress(&part.file, told)?;
        renameat(AT_FDCWD, &part.path, &folder, name)?;
        Ok(fsync(&folder)?)
    }

    /// Opens a file. Links that stay in the folder lead to what they lead to.
    pub(super) fn look(&self, path: &Inner) -> io::Result<(File, Entry)> {
        let real = self.top.join(path.as_str()).canonicalize()?;
        let inner = real.strip_prefix(&self.top).map_err(|_| io::Error::other("a link leads out of the folder"))?;
        let folder = self.down(inner.parent().unwrap_or(Path::new("")).iter(), false)?;
        let name = inner.file_name().unwrap_or_default();
        // A pipe in its place does not hang.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = File::from(openat(&folder, name, flags, Mode::empty())?);
        let meta = file.metadata()?;
        if meta.is_file() { Ok((file, entry_of(path, &meta))) } else { Err(io::Error::other("it is no file")) }
    }

    /// Opens a folder in it, step by step, and follows nothing.
    pub(super) fn down<'n>(&self, names: impl Iterator<Item = &'n OsStr>, make: bool) -> io::Result<OwnedFd> {
        let mut at = self.opened.try_clone()?;
        for name in names {
            let mut next = openat(&at, name, folder_flags(), Mode::empty());
            if make && matches!(next, Err(Errno::ENOENT)) {
                match mkdirat(&at, name, Mode::S_IRWXU) {
                    Ok(()) => fsync(&at)?,
                    Err(Errno::EEXIST) => {}
                    Err(errno) => return Err(errno.into()),
                }
                next = openat(&at, name, folder_flags(), Mode::empty());
            }
            at = next.map_err(|errno| match errno {
                Errno::ELOOP | Errno::ENOTDIR => io::Error::other(format!("'{}' is no folder", name.to_string_lossy().escape_debug())),
                errno => errno.into(),
            })?;
        }
        Ok(at)
    }
}

impl From<Folder> for Parts {
    fn from(folder: Folder) -> Parts {
        Parts::of(folder.top, folder.opened, folder.spare)
    }
}

fn folder_flags() -> OFlag {
    OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC
}

pub(super) fn entry_of(path: &Inner, meta: &Metadata) -> Entry {
    let modified = UnixMs(meta.mtime().saturating_mul(1000).saturating_add(meta.mtime_nsec() / 1_000_000));
    Entry { path: path.clone(), bytes: meta.len(), modified, mode: meta.mode() & 0o777, sha256: None }
}

pub(super) fn unreadable(path: &Inner, e: &io::Error) -> HomeError {
    HomeError::Failed(format!("'{path}' cannot be read: {e}"))
}

/// As it was where it comes from, ours to read and write in any case; and on the disk before it has its name.
fn dress(file: &File, told: &Entry) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(told.mode & 0o777 | 0o600))?;
    set_time(file, told.modified);
    file.sync_all()
}

/// Without it, the file is compared by its hash.
fn set_time(file: &File, at: UnixMs) {
    let since = Duration::from_millis(at.0.unsigned_abs());
    let time = if at.0 < 0 { SystemTime::UNIX_EPOCH.checked_sub(since) } else { SystemTime::UNIX_EPOCH.checked_add(since) };
    time.map(|time| file.set_modified(time).ok());
}

#[cfg(test)]
mod tests {
    use super::super::parts::tests::{bring, name_of};
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    struct Here {
        folder: tempfile::TempDir,
    }

    impl Here {
        fn new() -> Here {
            let folder = tempfile::tempdir().expect("a folder");
            fs::create_dir_all(folder.path().join("root/in")).expect("made");
            fs::write(folder.path().join("secret"), "secret").expect("written");
            Here { folder }
        }

        fn root(&self) -> PathBuf {
            self.folder.path().join("root")
        }

        fn opened(&self) -> Folder {
            Folder::open(&self.root()).expect("there")
        }

        fn put(&self, path: &str, content: &[u8]) -> Result<(), HomeError> {
            bring(&self.opened().parts()?, &name_of(content), content, 3)?;
            self.opened().put(&told(path, content))
        }
    }

    fn inner(path: &str) -> Inner {
        Inner::try_from(path.to_string()).expect("a path")
    }

    fn told(path: &str, content: &[u8]) -> Entry {
        let sha256 = Some(name_of(content));
        Entry { path: inner(path), bytes: content.len() as u64, modified: UnixMs(1_700_000_000_123), mode: 0o100_4755, sha256 }
    }

    #[test]
    fn a_file_gets_its_place_as_it_was() {
        let here = Here::new();
        for (path, content) in [("new/deep/a.pt", &b"weights"[..]), ("empty", b""), ("new/deep/a.pt", b"other weights")] {
            here.put(path, content).expect("put");
            assert_eq!(fs::read(here.root().join(path)).expect("there"), content);
            let meta = fs::metadata(here.root().join(path)).expect("there");
            assert_eq!((meta.mode() & 0o7777, entry_of(&inner(path), &meta).modified), (0o755, UnixMs(1_700_000_000_123)));
            // Once more is once.
            here.opened().put(&told(path, content)).expect("there");
        }
        assert!(here.opened().put(&told("empty", b"x")).expect_err("no").to_string().contains("not arrived"));
        assert!(here.opened().put(&Entry { sha256: None, ..told("a", b"x") }).is_err());
        assert!(!here.root().join(ARRIVING).exists());
    }

    #[test]
    fn nothing_is_put_through_a_link_or_in_the_place_of_what_is_no_file() {
        let here = Here::new();
        for (link, to) in [("out", ".."), ("dir", "in"), ("file", "../secret"), ("dangling", "../new"), ("absolute", "/tmp")] {
            symlink(to, here.root().join(link)).expect("linked");
        }
        for path in ["out/secret", "out/evil", "dir/a", "file", "dangling", "absolute/evil", "in", "file/a"] {
            let refused = here.put(path, b"evil").expect_err(path).to_string();
            assert!(refused.contains("cannot be put into"), "{refused}");
        }
        assert_eq!(fs::read(here.folder.path().join("secret")).expect("there"), b"secret");
        assert!(!here.folder.path().join("new").exists() && !here.folder.path().join("evil").exists());
        assert!(fs::read_dir(here.root().join("in")).expect("there").next().is_none());
        // Nor do parts lie elsewhere.
        fs::remove_dir_all(here.root().join(ARRIVING)).expect("ours");
        symlink("../elsewhere", here.root().join(ARRIVING)).expect("linked");
        fs::create_dir(here.folder.path().join("elsewhere")).expect("made");
        assert!(here.put("a", b"evil").is_err() && fs::read_dir(here.folder.path().join("elsewhere")).expect("there").next().is_none());
    }

    #[test]
    fn links_are_followed_within_the_folder_alone() {
        let here = Here::new();
        fs::write(here.root().join("in/1.pt"), "weights").expect("written");
        for (link, to) in [("last.pt", "in/1.pt"), ("out.pt", "../secret"), ("up", ".."), ("round", "round"), ("dir", "in")] {
            symlink(to, here.root().join(link)).expect("linked");
        }
        let read = |path: &str, at: u64, most: usize| here.opened().read(&inner(path), at, most).map(|(_, bytes)| bytes);
        assert_eq!(read("last.pt", 2, 3).expect("within"), b"igh");
        assert_eq!(read("dir/1.pt", 5, usize::MAX).expect("within"), b"ts");
        assert_eq!(read("in/1.pt", u64::MAX, 3).expect("behind the end"), b"");
        for path in ["out.pt", "up/secret", "round", "in", "absent", "in/1.pt/x"] {
            assert!(read(path, 0, 3).is_err(), "{path}");
        }
        nix::unistd::mkfifo(&here.root().join("pipe"), Mode::S_IRWXU).expect("made");
        assert!(read("pipe", 0, 3).is_err());
        // Whoever puts a link in the place of a folder after it was found does not lead out.
        assert!(here.opened().down([OsStr::new("dir")].into_iter(), false).is_err());
        assert!(Folder::open(&here.root().join("absent")).is_err() && Folder::open(&here.root().join("in/1.pt")).is_err());
    }

    #[test]
    fn only_what_differs_is_missing() {
        let here = Here::new();
        here.put("same", b"same").expect("put");
        here.put("touched", b"touched").expect("put");
        here.put("changed", b"changed").expect("put");
        here.put("longer", b"longer").expect("put");
        let other = |path: &str, content: &[u8]| Entry { modified: UnixMs(5), ..told(path, content) };
        let unhashed = |path: &str, content: &[u8]| Entry { sha256: None, ..other(path, content) };
        let all =
            [told("same", b"same"), other("touched", b"touched"), other("changed", b"CHANGED"), other("longer", b"long"), told("new", b"")];
        assert_eq!(
            here.opened().compare(&[unhashed("touched", b"touched"), unhashed("longer", b"")]),
            Compared { missing: vec![1], unsure: vec![0] }
        );
        assert_eq!(here.opened().compare(&all), Compared { missing: vec![2, 3, 4], unsure: vec![] });
        // The time of what was found by its hash is now right.
        assert_eq!(here.opened().compare(&[unhashed("touched", b"touched")]), Compared::default());
        assert_eq!(here.opened().hashed(&inner("same")).expect("there").sha256, Some(name_of(b"same")));
    }
}
