//! A file that is read piece by piece to be sent, and hashed on the way: whoever has read all of it knows its hash.

use super::Folder;
use super::folder::{entry_of, unreadable};
use super::outgoing::read_at;
use crate::error::HomeError;
use neronet_capture::hex;
use neronet_target::frame::MOST_BODY;
use neronet_target::parcel::{Entry, Hash, Inner};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io;

#[derive(Debug)]
pub struct Reading {
    file: File,
    begun: Entry,
    hashed: Hashing,
}

/// The hash of what comes in order. What is passed over or comes twice does not count.
#[derive(Debug, Default, Clone)]
pub(super) struct Hashing {
    until: u64,
    state: Sha256,
}

impl Hashing {
    pub(super) fn take(&mut self, at: u64, bytes: &[u8]) {
        if at == self.until {
            self.state.update(bytes);
            self.until += bytes.len() as u64;
        }
    }

    /// Of the whole file, where the rest of it is little or nothing.
    pub(super) fn whole(&mut self, file: &File, bytes: u64) -> io::Result<Hash> {
        while self.until < bytes {
            let more = read_at(file, self.until, MOST_BODY)?;
            if more.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let most = usize::try_from(bytes - self.until).unwrap_or(usize::MAX);
            self.take(self.until, more.get(..most).unwrap_or(&more));
        }
        Hash::try_from(hex(&self.state.clone().finalize())).map_err(io::Error::other)
    }
}

impl Folder {
    /// # Errors
    /// It cannot be read.
    pub fn reading(&self, path: &Inner) -> Result<Reading, HomeError> {
        let (file, begun) = self.look(path).map_err(|e| unreadable(path, &e))?;
        Ok(Reading { file, begun, hashed: Hashing::default() })
    }
}

impl Reading {
    /// As it was when it was opened.
    pub fn begun(&self) -> &Entry {
        &self.begun
    }

    /// The bytes from there on, as many as a frame takes at most; and the file as it was after that.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&mut self, at: u64, most: usize) -> Result<(Entry, Vec<u8>), HomeError> {
        let bytes = read_at(&self.file, at, most.min(MOST_BODY)).map_err(|e| unreadable(&self.begun.path, &e))?;
        self.hashed.take(at, &bytes);
        Ok((self.now()?, bytes))
    }

    /// With its hash, which is known where all was read in order, and else found out.
    ///
    /// # Errors
    /// It cannot be read, or is not what it was when it was opened.
    pub fn hashed(&mut self) -> Result<Entry, HomeError> {
        let failed = |e: io::Error| unreadable(&self.begun.path, &e);
        let sha256 = self.hashed.whole(&self.file, self.begun.bytes).map_err(failed)?;
        let now = self.now()?;
        if now.is_as(&self.begun) { Ok(Entry { sha256: Some(sha256), ..now }) } else { Err(changes(&self.begun.path)) }
    }

    fn now(&self) -> Result<Entry, HomeError> {
        let meta = self.file.metadata().map_err(|e| unreadable(&self.begun.path, &e))?;
        Ok(entry_of(&self.begun.path, &meta))
    }
}

fn changes(path: &Inner) -> HomeError {
    unreadable(path, &io::Error::other("it changes while it is read"))
}

#[cfg(test)]
mod tests {
    use super::super::parts::tests::name_of;
    use super::*;
    use std::fs;

    #[test]
    fn whoever_reads_all_of_a_file_knows_its_hash() {
        let top = tempfile::tempdir().expect("a folder");
        let path = Inner::try_from("a.pt".to_string()).expect("a path");
        fs::write(top.path().join("a.pt"), "some weights").expect("written");
        let folder = Folder::open(top.path()).expect("there");
        // In order, from the middle, with pieces that come twice.
        for pieces in [&[(0, 5), (5, 100)][..], &[(4, 100)], &[(0, 5), (0, 5), (7, 100)], &[]] {
            let mut reading = folder.reading(&path).expect("there");
            for (at, most) in pieces {
                let (now, bytes) = reading.read(*at, *most).expect("read");
                assert!(now.is_as(reading.begun()) && b"some weights"[*at as usize..].starts_with(&bytes));
            }
            assert_eq!(reading.hashed().expect("read").sha256, Some(name_of(b"some weights")), "{pieces:?}");
        }
    }

    #[test]
    fn a_file_that_grows_or_shrinks_meanwhile_has_no_hash() {
        let top = tempfile::tempdir().expect("a folder");
        let path = Inner::try_from("log".to_string()).expect("a path");
        let folder = Folder::made(top.path()).expect("there");
        for then in ["one two three", "on"] {
            fs::write(top.path().join("log"), "one two").expect("written");
            let mut reading = folder.reading(&path).expect("there");
            reading.read(0, 3).expect("read");
            fs::write(top.path().join("log"), then).expect("written");
            assert!(!reading.read(3, 3).expect("read").0.is_as(reading.begun()));
            assert!(reading.hashed().is_err(), "{then}");
        }
        assert!(folder.reading(&Inner::try_from("absent".to_string()).expect("a path")).is_err());
    }
}
