//! Data that runs read, seen from outside: how much there is, and by what it is known again. Nothing of it is copied.

use crate::sign::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashSet};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How closely data is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closely {
    /// How much there is.
    Amount,
    /// And names, sizes and times.
    Listing,
    /// And all bytes.
    Bytes,
}

/// Data as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Data {
    pub files: u64,
    pub bytes: u64,
    /// SHA-256 of what was looked at; none where that was too much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// Entries that are looked at; more are counted as far as they were seen.
const MOST: usize = 2_000_000;

/// Looks at a file or a folder with all that is in it, and says whether that is all of it: after `patience` it stops, and gives what it
/// has without a fingerprint. Links count as what they lead to, each folder once; what only a link leads to and cannot be read is a
/// name.
pub fn look(path: &Path, closely: Closely, patience: Duration) -> io::Result<(Data, bool)> {
    let until = Instant::now() + patience;
    let mut walk = Walk { top: path, closely, data: Data::default(), listing: Vec::new(), been: HashSet::new(), links: BTreeSet::new() };
    let top = std::fs::metadata(path)?;
    if top.is_dir() {
        walk.been.insert((top.dev(), top.ino()));
    } else {
        walk.file(PathBuf::new(), Some(&top));
    }
    let mut folders: Vec<PathBuf> = top.is_dir().then(PathBuf::new).into_iter().collect();
    let (mut whole, mut linked) = (true, false);
    while whole {
        // Links last and in order: which of several names a folder has must not depend on the disk.
        let Some(folder) = folders.pop().or_else(|| walk.next_link().inspect(|_| linked = true)) else { break };
        match walk.folder(&folder, &mut folders, until) {
            Ok(all) => whole = all,
            Err(_) if linked => {}
            Err(e) => return Err(io::Error::new(e.kind(), format!("{}: {e}", path.join(folder).display()))),
        }
    }
    let Walk { mut data, mut listing, .. } = walk;
    if whole && closely != Closely::Amount {
        listing.sort_unstable();
        data.fingerprint = sign(path, &listing, closely, until)?;
    }
    Ok((data, whole))
}

struct Walk<'p> {
    top: &'p Path,
    closely: Closely,
    data: Data,
    /// Name, size and time of each file.
    listing: Vec<(PathBuf, u64, i64, i64)>,
    /// Folders that were looked at.
    been: HashSet<(u64, u64)>,
    /// Links to folders that are still to be looked at.
    links: BTreeSet<PathBuf>,
}

impl Walk<'_> {
    /// False when there is more than is looked at.
    fn folder(&mut self, folder: &Path, folders: &mut Vec<PathBuf>, until: Instant) -> io::Result<bool> {
        for entry in std::fs::read_dir(self.top.join(folder))? {
            let entry = entry?;
            let name = folder.join(entry.file_name());
            let is_link = entry.file_type()?.is_symlink();
            // A link that leads nowhere is a name.
            match std::fs::metadata(entry.path()) {
                Ok(meta) if meta.is_dir() && is_link => drop(self.links.insert(name)),
                Ok(meta) if meta.is_dir() => {
                    if self.been.insert((meta.dev(), meta.ino())) {
                        folders.push(name);
                    }
                }
                meta => self.file(name, meta.ok().filter(Metadata::is_file).as_ref()),
            }
            let looked_at = self.data.files as usize + self.been.len();
            if looked_at.is_multiple_of(1000) && (self.listing.len() >= MOST || Instant::now() >= until) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The first link that leads to a folder that nothing has led to so far.
    fn next_link(&mut self) -> Option<PathBuf> {
        while let Some(link) = self.links.pop_first() {
            let meta = std::fs::metadata(self.top.join(&link));
            if meta.is_ok_and(|meta| self.been.insert((meta.dev(), meta.ino()))) {
                return Some(link);
            }
        }
        None
    }

    fn file(&mut self, name: PathBuf, meta: Option<&Metadata>) {
        let (size, seconds, rest) = meta.map_or((0, 0, 0), |meta| (meta.len(), meta.mtime(), meta.mtime_nsec()));
        self.data.files += 1;
        self.data.bytes += size;
        if self.closely != Closely::Amount {
            self.listing.push((name, size, seconds, rest));
        }
    }
}

fn sign(path: &Path, listing: &[(PathBuf, u64, i64, i64)], closely: Closely, until: Instant) -> io::Result<Option<String>> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    for (name, size, seconds, rest) in listing {
        hash.update(name.as_os_str().as_encoded_bytes());
        hash.update(format!("\0{size}\0"));
        if closely == Closely::Listing {
            hash.update(format!("{seconds}.{rest}\n"));
            continue;
        }
        let place = if name.as_os_str().is_empty() { path.to_path_buf() } else { path.join(name) };
        if !place.is_file() {
            continue;
        }
        let mut file = File::open(place)?;
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                read => hash.update(&buffer[..read]),
            }
            if Instant::now() >= until {
                return Ok(None);
            }
        }
    }
    Ok(Some(hex(&hash.finalize())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn data_is_known_again_by_its_listing_or_its_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("deep")).expect("made");
        std::fs::write(at("a.bin"), b"1234").expect("written");
        std::fs::write(at("deep/b.bin"), b"56").expect("written");
        std::os::unix::fs::symlink("/nowhere", at("gone")).expect("linked");
        let look = |closely| look(folder.path(), closely, PATIENCE).expect("seen").0;
        let (listing, bytes) = (look(Closely::Listing), look(Closely::Bytes));
        assert_eq!((listing.files, listing.bytes, look(Closely::Amount).fingerprint), (3, 6, None));
        assert_eq!(look(Closely::Listing), listing);
        // Touched, it is another listing of the same bytes.
        let file = File::options().write(true).open(at("a.bin")).expect("open");
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("set");
        assert_ne!(look(Closely::Listing).fingerprint, listing.fingerprint);
        assert_eq!(look(Closely::Bytes), bytes);
        std::fs::write(at("deep/b.bin"), b"57").expect("written");
        assert_ne!(look(Closely::Bytes).fingerprint, bytes.fingerprint);
        assert_eq!(super::look(&at("a.bin"), Closely::Listing, PATIENCE).expect("seen").0.bytes, 4);
        // What links lead to is data as well, and a circle is no reason to go round.
        std::os::unix::fs::symlink(folder.path(), at("deep/circle")).expect("linked");
        let elsewhere = tempfile::tempdir().expect("a folder");
        std::fs::write(elsewhere.path().join("c.bin"), b"789").expect("written");
        std::os::unix::fs::symlink(elsewhere.path(), at("train")).expect("linked");
        std::os::unix::fs::symlink(folder.path(), elsewhere.path().join("back")).expect("linked");
        std::os::unix::fs::symlink(elsewhere.path(), at("deep/again")).expect("linked");
        let all = look(Closely::Bytes);
        assert_eq!((all.files, all.bytes), (4, 9));
        assert!(all.fingerprint.is_some_and(|fingerprint| Some(fingerprint) != bytes.fingerprint));
        assert!(super::look(&at("no"), Closely::Listing, PATIENCE).is_err());
        assert_eq!(super::look(&at("a.bin"), Closely::Bytes, Duration::ZERO).expect("seen").0.fingerprint, None);
    }
}
