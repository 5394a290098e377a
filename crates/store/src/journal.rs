//! The journal: what home decided and learned, in the order in which it was acknowledged.

use crate::error::StoreError;
use crate::files;
use crate::frame;
use neronet_model::FORMAT;
use neronet_model::journal::{Entry, HomeState};
use neronet_schedule::Queue;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The first frame of a journal file.
#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
}

/// What reading a journal gave. The journal only grows, so what was read stays true and reading goes on from there.
#[derive(Debug, Clone, Default)]
pub struct Replayed {
    pub state: Arc<HomeState>,
    /// What of it is queued.
    pub queue: Arc<Queue>,
    /// Sentences about bytes that could not be read.
    pub damage: Vec<String>,
    /// Which file was read: another one in its place is read from its beginning.
    inode: u64,
    /// Where the last whole frame ends.
    end: u64,
    /// Length of the file when it was read.
    length: u64,
}

impl Replayed {
    /// Reads what the journal in `folder` says beyond what is known. A home without one is empty.
    pub fn catch_up(&mut self, folder: &Path) -> Result<(), StoreError> {
        let path = file(folder);
        let mut bytes = Vec::new();
        match File::open(&path) {
            Ok(mut file) => {
                let meta = file.metadata().map_err(StoreError::io("read", &path))?;
                if meta.ino() != self.inode || meta.len() < self.end {
                    *self = Replayed { inode: meta.ino(), ..Replayed::default() };
                }
                let read = file.seek(SeekFrom::Start(self.end)).and_then(|_| file.read_to_end(&mut bytes));
                read.map_err(StoreError::io("read", &path))?;
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {
                *self = Replayed::default();
                return Ok(());
            }
            Err(source) => return Err(StoreError::Io { doing: "read", path, source }),
        }
        let scan = frame::scan(&bytes);
        let mut payloads = scan.payloads.into_iter();
        if self.end == 0
            && let Some(first) = payloads.next()
        {
            match serde_json::from_slice::<Header>(first) {
                Ok(Header { format }) if format > FORMAT => return Err(StoreError::Newer { path, format }),
                Ok(_) => {}
                // The header itself was damaged: the entries behind it still count.
                Err(_) => self.apply(first, &path),
            }
        }
        for (from, to) in &scan.damaged {
            let (from, to) = (self.end + *from as u64, self.end + *to as u64);
            self.damage.push(format!("{}: bytes {from} to {to} are damaged and were passed over", path.display()));
        }
        for payload in payloads {
            self.apply(payload, &path);
        }
        self.length = self.end + bytes.len() as u64;
        self.end += scan.end as u64;
        Ok(())
    }

    fn apply(&mut self, payload: &[u8], path: &Path) {
        match serde_json::from_slice::<Entry>(payload) {
            Ok(entry) => self.fold(entry),
            Err(e) => self.damage.push(format!("{}: an entry of {} bytes cannot be read: {e}", path.display(), payload.len())),
        }
    }
}

impl Replayed {
    pub(crate) fn fold(&mut self, entry: Entry) {
        Arc::make_mut(&mut self.queue).apply(&entry);
        Arc::make_mut(&mut self.state).apply(entry);
    }
}

pub(crate) fn file(folder: &Path) -> PathBuf {
    folder.join("1.log")
}

/// The journal opened for appending. Only whoever holds `home.lock` may have one.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    end: u64,
}

impl Journal {
    /// Opens for appending behind what `replayed` read. A frame that was never finished, hence never acknowledged, is moved
    /// aside first, so that it does not look like damage later.
    pub fn open(folder: &Path, replayed: &Replayed) -> Result<Journal, StoreError> {
        files::make_folder(folder)?;
        let path = file(folder);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        if replayed.length > replayed.end {
            let mut rest = Vec::new();
            file.seek(SeekFrom::Start(replayed.end)).and_then(|_| file.read_to_end(&mut rest)).map_err(StoreError::io("read", &path))?;
            files::replace(&folder.join(format!("unfinished-{}", replayed.end)), &rest, files::Durability::Renamed)?;
            file.set_len(replayed.end).map_err(StoreError::io("repair", &path))?;
        }
        let mut journal = Journal { file, path, end: replayed.end };
        if journal.end == 0 {
            journal.write(&serde_json::to_vec(&Header { format: FORMAT }).map_err(|e| journal.unwritable(&e))?)?;
            files::sync_folder_of(&journal.path)?;
        }
        Ok(journal)
    }

    fn unwritable(&self, e: &serde_json::Error) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), what: format!("an entry cannot be written as JSON: {e}") }
    }

    fn write(&mut self, payload: &[u8]) -> Result<(), StoreError> {
        if payload.len() > frame::LONGEST {
            let what = format!("an entry of {} bytes is longer than the journal takes", payload.len());
            return Err(StoreError::Damaged { path: self.path.clone(), what });
        }
        let mut bytes = Vec::with_capacity(payload.len() + 12);
        frame::write(payload, &mut bytes);
        let written = self.file.seek(SeekFrom::Start(self.end)).and_then(|_| self.file.write_all(&bytes));
        if let Err(source) = written {
            // Nothing was acknowledged; leave no half frame behind. If even that fails, the next opening moves it aside.
            self.file.set_len(self.end).ok();
            return Err(StoreError::Io { doing: "write", path: self.path.clone(), source });
        }
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Says in `replayed` that all we wrote is known.
    pub fn known_to(&self, replayed: &mut Replayed) {
        if let Ok(meta) = self.file.metadata() {
            replayed.inode = meta.ino();
            (replayed.end, replayed.length) = (self.end, self.end);
        }
    }

    /// Appends entries that are durable when this returns.
    pub fn append(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let before = self.end;
        self.append_learned(entry)?;
        let synced = self.file.sync_data().map_err(StoreError::io("make durable", &self.path));
        if synced.is_err() {
            // Told to have failed, it must not be found to have happened.
            self.end = before;
            self.file.set_len(before).ok();
        }
        synced
    }

    /// Appends what can be learned again, so that losing it in a power cut costs nothing.
    pub fn append_learned(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let payload = serde_json::to_vec(entry).map_err(|e| self.unwritable(&e))?;
        self.write(&payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neronet_model::event::Process;
    use neronet_model::journal::{Code, Member, Submitted, Sweep};
    use neronet_model::queue::Wishes;
    use neronet_model::run::{Again, Decision};
    use neronet_model::settings::{Command, Settings};
    use neronet_model::{AttemptNo, Params, RunId, SweepId, Uid, UnixMs, Value};
    use proptest::prelude::*;

    fn submission(first: u64, count: u64) -> Entry {
        let driver = Process { host: "h".into(), boot: "b".into(), pid_namespace: 1, pid: 2, start: 3 };
        let sweep = Sweep {
            id: SweepId(first),
            at: UnixMs(1),
            project: "p".into(),
            experiment: "e".into(),
            settings: Settings::of(Command::Shell("train {lr}".into())),
            varying: vec!["lr".into()],
            parallel: Some(1),
            driver,
            detached: false,
            code: Code::default(),
            host: "h".into(),
            user: "u".into(),
            spec: None,
            best_of: Vec::new(),
            wishes: Wishes::default(),
            imported: None,
        };
        let member = |id| {
            let value = Value::float("1e-3").expect("a number");
            Member {
                id: RunId(id),
                uid: Uid::new(id, [0; 10]),
                params: Params::from_iter([("lr".to_string(), value)]),
                after: None,
                gpus: None,
                tags: Vec::new(),
                note: None,
            }
        };
        Entry::Submitted(vec![Submitted { sweep, members: (first..first + count).map(member).collect() }])
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let run = || (1u64..12).prop_map(RunId);
        let runs = || prop::collection::vec(run(), 0..3);
        prop_oneof![
            (1u64..12, 0u64..4).prop_map(|(first, count)| submission(first, count)),
            (run(), 1u64..4)
                .prop_map(|(run, n)| { Entry::Decided { at: UnixMs(5), decision: Decision::new(run, AttemptNo(n), Again::Retry, None) } }),
            (runs(), "[a-c]").prop_map(|(runs, tag)| Entry::Tagged { runs, add: vec![tag], remove: vec!["a".into()] }),
            (run(), prop::option::of(".*")).prop_map(|(run, note)| Entry::Noted { run, note }),
            runs().prop_map(|runs| Entry::Trashed { at: UnixMs(9), runs }),
            runs().prop_map(|runs| Entry::Restored { runs }),
            runs().prop_map(|runs| Entry::Purged { runs }),
        ]
    }

    fn replay(folder: &Path) -> Result<Replayed, StoreError> {
        let mut replayed = Replayed::default();
        replayed.catch_up(folder).map(|()| replayed)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// However a crash cuts the file, what was whole is replayed to the state that was live then, and writing goes on.
        #[test]
        fn replay_is_the_live_state_at_every_cut(entries in prop::collection::vec(entry(), 1..12), cut in any::<prop::sample::Index>()) {
            let folder = tempfile::tempdir().expect("a folder");
            let mut journal = Journal::open(folder.path(), &Replayed::default()).expect("opens");
            let mut live = HomeState::default();
            let mut states = vec![(journal.end, live.clone())];
            let mut reader = Replayed::default();
            for (i, entry) in entries.iter().enumerate() {
                journal.append_learned(entry).expect("writes");
                live.apply(entry.clone());
                states.push((journal.end, live.clone()));
                // A reader that looks now and then knows as much as one that reads everything.
                if i % 2 == 0 {
                    reader.catch_up(folder.path()).expect("reads");
                    prop_assert_eq!(&*reader.state, &live);
                }
            }
            let path = file(folder.path());
            let cut = states[0].0 + cut.index((journal.end - states[0].0) as usize + 1) as u64;
            OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(cut)).expect("cut");
            let (_, expected) = states.iter().rev().find(|(end, _)| *end <= cut).expect("the header is whole");
            let replayed = replay(folder.path()).expect("reads");
            prop_assert_eq!(&*replayed.state, expected);
            reader.catch_up(folder.path()).expect("reads");
            prop_assert_eq!(&*reader.state, expected);
            prop_assert!(replayed.damage.is_empty());
            let mut again = Journal::open(folder.path(), &replayed).expect("opens");
            again.append(&entries[0]).expect("writes");
            let mut expected = expected.clone();
            expected.apply(entries[0].clone());
            let replayed = replay(folder.path()).expect("reads");
            prop_assert_eq!(&*replayed.state, &expected);
            reader.catch_up(folder.path()).expect("reads");
            prop_assert_eq!(&*reader.state, &expected);
            prop_assert!(replayed.damage.is_empty());
        }
    }

    #[test]
    fn a_newer_journal_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut bytes = Vec::new();
        frame::write(br#"{"format":999}"#, &mut bytes);
        std::fs::write(file(folder.path()), bytes).expect("written");
        assert!(matches!(replay(folder.path()), Err(StoreError::Newer { format: 999, .. })));
    }
}
