//! Data that runs read, seen from outside: how much there is, and by what it is known again. Nothing of it is copied.

use crate::sign::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
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

/// Looks at a file or a folder with all that is in it. After `patience` it stops, and gives what it has without a fingerprint.
/// Links to files count as the files, links to folders are not followed.
pub fn look(path: &Path, closely: Closely, patience: Duration) -> io::Result<Data> {
    let until = Instant::now() + patience;
    let mut data = Data::default();
    let mut listing: Vec<(PathBuf, u64, i64, i64)> = Vec::new();
    let top = std::fs::metadata(path)?;
    let mut folders = Vec::new();
    let mut whole = true;
    if top.is_dir() {
        folders.push(PathBuf::new());
    } else {
        data.files = 1;
        data.bytes = top.len();
        listing.push((PathBuf::new(), top.len(), top.mtime(), top.mtime_nsec()));
    }
    'walk: while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(path.join(&folder))? {
            let entry = entry?;
            let name = folder.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(name);
                continue;
            }
            // A link that leads nowhere is a name, and so is one to a folder.
            let meta = std::fs::metadata(entry.path()).ok().filter(|meta| meta.is_file());
            let (size, seconds, rest) = meta.map_or((0, 0, 0), |meta| (meta.len(), meta.mtime(), meta.mtime_nsec()));
            data.files += 1;
            data.bytes += size;
            if closely != Closely::Amount {
                listing.push((name, size, seconds, rest));
            }
            if data.files.is_multiple_of(1000) && (listing.len() >= MOST || Instant::now() >= until) {
                whole = false;
                break 'walk;
            }
        }
    }
    if whole && closely != Closely::Amount {
        listing.sort_unstable();
        data.fingerprint = sign(path, &listing, closely, until)?;
    }
    Ok(data)
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
        let look = |closely| look(folder.path(), closely, PATIENCE).expect("seen");
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
        assert_eq!(super::look(&at("a.bin"), Closely::Listing, PATIENCE).expect("seen").bytes, 4);
        assert!(super::look(&at("no"), Closely::Listing, PATIENCE).is_err());
        assert_eq!(super::look(&at("a.bin"), Closely::Bytes, Duration::ZERO).expect("seen").fingerprint, None);
    }
}
