//! A file that is fetched from where it may still change: what has arrived of it belongs to the state that it had. Of another state
//! nothing of that is used, and whoever fetches is told.

use super::reading::Hashing;
use super::{Folder, Parts};
use crate::error::HomeError;
use neronet_capture::hash;
use neronet_target::parcel::{Entry, Hash, Inner};
use std::borrow::Borrow;
use std::collections::BTreeSet;

/// Digits of a part's name that stand for the path; the others stand for the state.
const OF_PATH: usize = 32;

#[derive(Debug)]
pub struct Arriving<F> {
    into: F,
    parts: Parts,
    part: Hash,
    source: Entry,
    hashed: Hashing,
}

/// Where it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    pub at: u64,
    /// Something had arrived of another state, and was given up.
    pub anew: bool,
}

fn digits(path: &Inner) -> String {
    hash(path.as_str().as_bytes()).chars().take(OF_PATH).collect()
}

/// Removes what has come of these files, where nobody goes on with them.
///
/// # Errors
/// It cannot be removed.
pub fn give_up(into: &Folder, paths: &[Inner]) -> Result<(), HomeError> {
    let all: BTreeSet<String> = paths.iter().map(digits).collect();
    into.parts()?.remove_those(|name| name.as_str().get(..OF_PATH).is_some_and(|of_path| all.contains(of_path)))?;
    into.leave();
    Ok(())
}

impl<F: Borrow<Folder>> Arriving<F> {
    /// Begins, or goes on, to fetch a file as it was told into a folder.
    ///
    /// # Errors
    /// There is no room, or nothing can be written.
    pub fn begin(into: F, source: Entry) -> Result<(Arriving<F>, Begun), HomeError> {
        let parts = into.borrow().parts()?;
        let state = hash(format!("{} {}", source.bytes, source.modified.0).as_bytes());
        let digits = digits(&source.path);
        let part = Hash::try_from(format!("{digits}{}", state.get(OF_PATH..).unwrap_or_default())).map_err(HomeError::Failed)?;
        let anew = parts.remove_those(|name| name.as_str().starts_with(&digits) && *name != part)?;
        let at = parts.begin(&part, source.bytes)?;
        Ok((Arriving { into, parts, part, source, hashed: Hashing::default() }, Begun { at, anew }))
    }

    /// Adds what was read at this byte, with the file as it was then. Gives where to read next, which is the end when all is there.
    ///
    /// # Errors
    /// It is another file by now, or nothing came: it has to be begun anew. Or it cannot be written.
    pub fn append(&mut self, now: &Entry, at: u64, bytes: &[u8]) -> Result<u64, HomeError> {
        self.same(now)?;
        self.add(at, bytes)
    }

    /// The same, of what nobody says whether it has changed: that is said in the end.
    ///
    /// # Errors
    /// As `append`.
    pub fn add(&mut self, at: u64, bytes: &[u8]) -> Result<u64, HomeError> {
        if bytes.is_empty() && at < self.source.bytes {
            return Err(HomeError::Failed(format!("nothing came of '{}' at byte {at} of {}", self.source.path, self.source.bytes)));
        }
        let next = self.parts.append(&self.part, self.source.bytes, at, bytes)?;
        if next == at + bytes.len() as u64 {
            self.hashed.take(at, bytes);
        }
        Ok(next)
    }

    /// Gives it its place in the folder, when it is what the file is now, whose hash must be told.
    ///
    /// # Errors
    /// It changed meanwhile, or not all has arrived, or it cannot be put there.
    pub fn finish(mut self, now: &Entry) -> Result<(), HomeError> {
        self.same(now)?;
        let Some(sha256) = &now.sha256 else { return Err(HomeError::Failed(format!("'{}' was told without its hash", self.source.path))) };
        self.into.borrow().put_part(&self.part, &self.source, sha256, &mut self.hashed)
    }

    fn same(&self, now: &Entry) -> Result<(), HomeError> {
        if now.is_as(&self.source) {
            return Ok(());
        }
        self.parts.remove(&self.part)?;
        Err(HomeError::Failed(format!("'{}' changed while it was fetched: it has to be begun anew", self.source.path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neronet_model::UnixMs;
    use neronet_target::parcel::Inner;
    use proptest::prelude::*;
    use std::fs;

    struct Both {
        folder: tempfile::TempDir,
        here: Folder,
        path: Inner,
    }

    impl Both {
        fn new(content: &[u8]) -> Both {
            let folder = tempfile::tempdir().expect("a folder");
            fs::create_dir_all(folder.path().join("there/ck")).expect("made");
            let here = Folder::made(&folder.path().join("run/checkpoints")).expect("made");
            let both = Both { folder, here, path: Inner::try_from("ck/last.pt".to_string()).expect("a path") };
            both.write(content);
            both
        }

        fn write(&self, content: &[u8]) {
            fs::write(self.folder.path().join("there").join(self.path.as_str()), content).expect("written");
        }

        fn there(&self) -> Folder {
            Folder::open(&self.folder.path().join("there")).expect("there")
        }

        fn begin(&self) -> (Arriving<&Folder>, Begun) {
            let source = self.there().entry(&self.path).expect("there");
            Arriving::begin(&self.here, source).expect("begun")
        }

        fn piece(&self, arriving: &mut Arriving<&Folder>, at: u64, most: usize) -> Result<u64, HomeError> {
            let (now, bytes) = self.there().read(&self.path, at, most)?;
            arriving.append(&now, at, &bytes)
        }

        /// All of it, from wherever it has got to.
        fn fetch(&self, most: usize) -> Result<Vec<u8>, HomeError> {
            let (mut arriving, Begun { mut at, .. }) = self.begin();
            while at < arriving.source.bytes {
                at = self.piece(&mut arriving, at, most)?;
            }
            arriving.finish(&self.there().hashed(&self.path)?)?;
            Ok(fs::read(self.folder.path().join("run/checkpoints").join(self.path.as_str())).expect("there"))
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn cut_anywhere_and_gone_on_with_it_is_the_same(
            content in prop::collection::vec(any::<u8>(), 0..2000), first in 1..500_usize, second in 1..500_usize,
        ) {
            let both = Both::new(&content);
            let (mut arriving, begun) = both.begin();
            if !content.is_empty() {
                both.piece(&mut arriving, begun.at, first).expect("a piece");
            }
            drop(arriving);
            prop_assert_eq!(both.begin().1, Begun { at: first.min(content.len()) as u64, anew: false });
            prop_assert_eq!(both.fetch(second).expect("fetched"), content);
            prop_assert_eq!(fs::read_dir(both.folder.path().join("run/checkpoints")).expect("made").count(), 1);
        }
    }

    #[test]
    fn what_changes_meanwhile_is_begun_anew_and_that_is_said() {
        let both = Both::new(b"first weights");
        let (mut arriving, _) = both.begin();
        both.piece(&mut arriving, 0, 5).expect("a piece");
        both.write(b"other weights, longer");
        let told = both.piece(&mut arriving, 5, 5).expect_err("another file").to_string();
        assert!(told.contains("changed while it was fetched"), "{told}");
        assert_eq!(both.fetch(4).expect("fetched"), b"other weights, longer");
        // Cut off, and changed before anybody asked again.
        let (mut arriving, _) = both.begin();
        both.piece(&mut arriving, 0, 5).expect("a piece");
        both.write(b"third");
        assert_eq!(both.begin().1, Begun { at: 0, anew: true });
        assert_eq!(both.fetch(4).expect("fetched"), b"third");
    }

    #[test]
    fn whatever_the_other_end_says_nothing_else_lands() {
        let both = Both::new(b"weights");
        let run = both.folder.path().join("run/checkpoints");
        let source = both.there().hashed(&both.path).expect("there");
        let begin = || Arriving::begin(&both.here, source.clone()).expect("begun").0;
        assert!(begin().append(&source, 0, b"weights and more").is_err() && begin().append(&source, 0, b"").is_err());
        assert!(begin().finish(&source).expect_err("nothing came").to_string().contains("0 of 7 bytes"));
        // Other bytes, told with the hash of the right ones; and without any.
        assert_eq!(begin().append(&source, 0, b"WEIGHTS").expect("as many"), 7);
        assert!(begin().finish(&Entry { sha256: None, ..source.clone() }).is_err());
        assert!(begin().finish(&source).expect_err("another").to_string().contains("sent anew"));
        assert_eq!(begin().append(&source, 0, b"weights").expect("as many"), 7);
        let elsewhere = Entry { path: Inner::try_from("other".to_string()).expect("a path"), ..source.clone() };
        begin().finish(&elsewhere).expect("put where it was asked for");
        assert!(run.join("ck/last.pt").is_file() && !run.join("other").exists());
        assert!(Arriving::begin(&both.here, Entry { bytes: u64::MAX / 2, modified: UnixMs(i64::MIN), ..source.clone() }).is_err());
    }
}
