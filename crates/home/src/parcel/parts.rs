//! What has arrived until now of something: `HASH.part` in a folder, appended to by whoever brings the byte that is missing next. When
//! all is there and is what its hash says, it gets its place; what is something else goes.

use super::reading::Hashing;
use super::{Folder, remove, room, sweep};
use crate::error::HomeError;
use neronet_store::{Home, StoreError};
use neronet_target::parcel::Hash;
use nix::fcntl::{Flock, FlockArg, OFlag, PosixFadviseAdvice, posix_fadvise};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const ENDING: &str = ".part";
const WRITTEN_OUT: u64 = 16 << 20;

/// A folder of parts.
#[derive(Debug)]
pub struct Parts {
    /// For people. What has this name by now may be another folder.
    shown: PathBuf,
    opened: OwnedFd,
    spare: u64,
}

/// A part that nobody else changes meanwhile.
pub(super) struct Held<'p> {
    pub(super) file: Flock<File>,
    pub(super) path: PathBuf,
    of: &'p Parts,
}

impl Parts {
    /// Of snapshots that are brought to this home.
    ///
    /// # Errors
    /// Their folder cannot be made.
    pub fn incoming(home: &Home) -> Result<Parts, HomeError> {
        Ok(Folder::made(&home.incoming())?.into())
    }

    pub(super) fn of(shown: PathBuf, opened: OwnedFd, spare: u64) -> Parts {
        Parts { shown, opened, spare }
    }

    /// How much is there of `total` bytes. The rest finds room, as it looks now.
    ///
    /// # Errors
    /// It does not, or nothing can be written.
    pub fn begin(&self, name: &Hash, total: u64) -> Result<u64, HomeError> {
        let part = self.open(name, true)?.ok_or_else(|| self.failed("begin")(ErrorKind::NotFound.into()))?;
        let mut there = part.length()?;
        if there > total {
            part.file.set_len(0).map_err(self.failed("write"))?;
            there = 0;
        }
        room(&self.folder(), (total - there).saturating_add(self.spare)).map_err(self.failed("write"))?;
        Ok(there)
    }

    /// Adds what comes at this byte, where that is the next, and gives how much is there then. Where it is not, somebody else was
    /// faster: nothing is written, and what is told is where to go on.
    ///
    /// # Errors
    /// It was not begun, is more than was told, or cannot be written.
    pub fn append(&self, name: &Hash, total: u64, at: u64, bytes: &[u8]) -> Result<u64, HomeError> {
        let Some(part) = self.open(name, false)? else {
            return Err(HomeError::Failed(format!("nothing of {name} is in {}: it has to be begun anew", self.shown.display())));
        };
        let (there, more) = (part.length()?, bytes.len() as u64);
        if at != there {
            return Ok(there);
        }
        if more > total.saturating_sub(there) {
            return Err(HomeError::Failed(format!("{there} and {more} bytes are more than the {total} that were told")));
        }
        part.file.write_all_at(bytes, there).map_err(self.failed("write"))?;
        write_out(&part.file, there, there + more);
        Ok(there + more)
    }

    /// Gives it up.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, name: &Hash) -> Result<(), HomeError> {
        remove(&self.path(name)).map_err(|e| self.failed("write")(e).into())
    }

    /// Removes what nobody has added to since then. Gives the number.
    pub fn sweep(&self, before: SystemTime) -> usize {
        sweep(&self.folder(), before)
    }

    /// All of it, read from the beginning, when it is what its hash says; nothing where it is not there, as when it has its place
    /// already. What was hashed as it came is not read again.
    pub(super) fn whole(&self, name: &Hash, total: u64, sha256: &Hash, hashed: &mut Hashing) -> Result<Option<Held<'_>>, HomeError> {
        let Some(part) = self.open(name, false)? else { return Ok(None) };
        let there = part.length()?;
        if there != total {
            return Err(HomeError::Failed(format!("{there} of {total} bytes have arrived")));
        }
        let mut file: &File = &part.file;
        if hashed.whole(file, total).map_err(self.failed("read"))? != *sha256 {
            self.remove(name)?;
            return Err(HomeError::Failed("what arrived is not what its hash says: it has to be sent anew".into()));
        }
        file.rewind().map_err(self.failed("read"))?;
        Ok(Some(part))
    }

    /// Gives up the parts of such names. Whether there were any.
    pub(super) fn remove_those(&self, are_meant: impl Fn(&Hash) -> bool) -> Result<bool, HomeError> {
        let names = fs::read_dir(self.folder()).into_iter().flatten().flatten();
        let names = names.filter_map(|entry| Hash::try_from(entry.file_name().to_str()?.strip_suffix(ENDING)?.to_string()).ok());
        let meant: Vec<Hash> = names.filter(are_meant).collect();
        meant.iter().try_for_each(|name| self.remove(name))?;
        Ok(!meant.is_empty())
    }

    /// By its number: it is the folder that was opened, whatever has its name by now.
    fn folder(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.opened.as_raw_fd()))
    }

    fn path(&self, name: &Hash) -> PathBuf {
        self.folder().join(format!("{name}{ENDING}"))
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(io::Error) -> StoreError {
        StoreError::io(doing, &self.shown)
    }

    fn open(&self, name: &Hash, create: bool) -> Result<Option<Held<'_>>, HomeError> {
        let path = self.path(name);
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(create).truncate(false).mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
            let file = match options.open(&path) {
                Ok(file) => file,
                Err(e) if e.kind() == ErrorKind::NotFound && !create => return Ok(None),
                Err(e) => return Err(self.failed("write")(e).into()),
            };
            let file = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| self.failed("lock")(errno.into()))?;
            // Whoever held it before may have given it its place, or given it up.
            if is_at(&file, &path) {
                return Ok(Some(Held { file, path, of: self }));
            }
        }
    }
}

impl Held<'_> {
    fn length(&self) -> Result<u64, HomeError> {
        Ok(self.file.metadata().map_err(self.of.failed("read"))?.len())
    }
}

/// What has come goes to the disk while more comes, so that in the end little is left to wait for.
fn write_out(file: &File, from: u64, to: u64) {
    let (first, last) = (from / WRITTEN_OUT, to / WRITTEN_OUT);
    if first < last {
        let offset = |n: u64| i64::try_from(n * WRITTEN_OUT).unwrap_or(i64::MAX);
        // To say that nobody needs them in memory has dirty pages written.
        posix_fadvise(file, offset(first), offset(last - first), PosixFadviseAdvice::POSIX_FADV_DONTNEED).ok();
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let id = |meta: fs::Metadata| (meta.dev(), meta.ino());
    file.metadata().map(id).ok() == fs::symlink_metadata(path).map(id).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use neronet_capture::hash;
    use proptest::prelude::*;
    use std::io::Read;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    pub(crate) fn name_of(bytes: &[u8]) -> Hash {
        Hash::try_from(hash(bytes)).expect("a hash")
    }

    /// Brings what is missing in pieces of this length, as whoever knows nothing but how much is there.
    pub(crate) fn bring(parts: &Parts, name: &Hash, bytes: &[u8], piece: usize) -> Result<(), HomeError> {
        let total = bytes.len() as u64;
        let mut at = parts.begin(name, total)?;
        while at < total {
            let from = at as usize;
            at = parts.append(name, total, at, &bytes[from..bytes.len().min(from + piece)])?;
        }
        Ok(())
    }

    fn parts_in(folder: &Path) -> Parts {
        Folder::open(folder).expect("a folder").into()
    }

    fn taken(parts: &Parts, name: &Hash, bytes: &[u8]) -> Vec<u8> {
        let part = parts.whole(name, bytes.len() as u64, name, &mut Hashing::default()).expect("whole").expect("there");
        let mut all = Vec::new();
        (&*part.file).read_to_end(&mut all).expect("read");
        all
    }

    proptest! {
        #[test]
        fn cut_at_any_byte_and_gone_on_with_it_is_the_same(
            bytes in prop::collection::vec(any::<u8>(), 0..3000), cuts in prop::collection::vec((0..4000_u64, 1..700_usize), 0..6), piece in 1..999_usize,
        ) {
            let folder = tempfile::tempdir().expect("a folder");
            let (parts, name, total) = (parts_in(folder.path()), name_of(&bytes), bytes.len() as u64);
            for (at, piece) in cuts {
                // What comes at another byte than the next changes nothing; what comes there is cut off again.
                let there = parts.begin(&name, total).expect("begun");
                let from = at.min(total);
                let some = &bytes[from as usize..bytes.len().min(from as usize + piece)];
                let now = parts.append(&name, total, from, some).expect("appended");
                prop_assert_eq!(now, if from == there { there + some.len() as u64 } else { there });
            }
            bring(&parts, &name, &bytes, piece).expect("brought");
            prop_assert_eq!(taken(&parts, &name, &bytes), bytes);
        }
    }

    #[test]
    fn two_who_bring_the_same_at_once_do_not_disturb_each_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let bytes: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
        let (parts, name) = (parts_in(folder.path()), name_of(&bytes));
        std::thread::scope(|scope| {
            [700, 1100]
                .map(|piece| {
                    scope.spawn({
                        let (parts, name, bytes) = (&parts, &name, &bytes);
                        move || bring(parts, name, bytes, piece)
                    })
                })
                .map(|who| who.join().expect("no panic").expect("brought"))
        });
        assert_eq!(taken(&parts, &name, &bytes), bytes);
    }

    #[test]
    fn no_more_is_taken_than_was_told_and_finds_room() {
        let folder = tempfile::tempdir().expect("a folder");
        let (parts, name) = (parts_in(folder.path()), name_of(b"abcd"));
        let told = parts.begin(&name, u64::MAX / 2).expect_err("no disk has that").to_string();
        assert!(told.contains("has room for"), "{told}");
        assert_eq!(parts.begin(&name, 4).expect("begun"), 0);
        assert!(parts.append(&name, 4, 0, b"abcde").is_err() && parts.append(&name, 4, 0, b"ab").is_ok());
        assert!(parts.append(&name, 4, 2, b"cde").is_err() && parts.whole(&name, 4, &name, &mut Hashing::default()).is_err());
        // What is there beyond all that there is cannot be part of it.
        assert_eq!(parts.begin(&name, 1).expect("begun anew"), 0);
        assert!(parts.append(&name_of(b"other"), 4, 0, b"a").expect_err("not begun").to_string().contains("begun anew"));
    }

    #[test]
    fn what_is_not_what_its_hash_says_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let (parts, name) = (parts_in(folder.path()), name_of(b"abcd"));
        bring(&parts, &name, b"abcx", 4).expect("brought");
        assert!(parts.whole(&name, 4, &name, &mut Hashing::default()).is_err());
        assert_eq!(parts.begin(&name, 4).expect("begun"), 0);
        bring(&parts, &name, b"abcd", 4).expect("brought");
        assert_eq!(taken(&parts, &name, b"abcd"), b"abcd");
    }

    #[test]
    fn a_link_in_the_place_of_a_part_is_not_written_through() {
        let folder = tempfile::tempdir().expect("a folder");
        let (parts, name) = (parts_in(folder.path()), name_of(b"abcd"));
        fs::write(folder.path().join("mine"), "precious").expect("written");
        symlink("mine", parts.path(&name)).expect("linked");
        assert!(parts.begin(&name, 4).is_err() && parts.append(&name, 4, 0, b"abcd").is_err());
        assert_eq!(fs::read(folder.path().join("mine")).expect("there"), b"precious");
    }

    #[test]
    fn what_nobody_adds_to_is_swept() {
        let folder = tempfile::tempdir().expect("a folder");
        let parts = parts_in(folder.path());
        bring(&parts, &name_of(b"old"), b"old", 4).expect("brought");
        bring(&parts, &name_of(b"new"), b"new", 4).expect("brought");
        let day = Duration::from_secs(86_400);
        let old = File::options().write(true).open(parts.path(&name_of(b"old"))).expect("there");
        old.set_modified(SystemTime::now() - 2 * day).expect("ours");
        assert_eq!((parts.sweep(SystemTime::now() - day), parts.begin(&name_of(b"new"), 3).expect("there")), (1, 3));
    }
}
