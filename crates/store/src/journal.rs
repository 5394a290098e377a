//! The journal: what home decided and learned, in the order in which it was acknowledged.

use crate::error::StoreError;
use crate::files;
use crate::frame;
use crate::projection::columns::{Fresh, Metrics};
use crate::projection::{self, Done, Stored};
use crate::queued::Queued;
use neronet_model::event::Extent;
use neronet_model::journal::{Entry, HomeState};
use neronet_model::run::KnownEnd;
use neronet_model::{FORMAT, RunId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
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
    pub queue: Queued,
    /// Sentences about bytes that could not be read.
    pub damage: Vec<String>,
    /// Which file was read: another one in its place is read from its beginning.
    inode: u64,
    /// Where the last whole frame begins, and where it ends.
    pub(crate) last_frame: u64,
    pub(crate) end: u64,
    /// Length of the file when it was read.
    pub(crate) length: u64,
    /// The metrics of runs whose end is not in what is stored.
    pub(crate) fresh: Arc<Fresh>,
    pub(crate) stored: Option<Arc<Stored>>,
}

/// So much of a journal is read at once.
const PIECE: u64 = 16 << 20;

impl Replayed {
    /// Reads what the journal in `folder` says beyond what is known. A home without one is empty. What is stored in the folder
    /// `projection` is not read again, and where much is new it is stored there, as far as that can be done.
    pub fn catch_up(&mut self, folder: &Path, projection: Option<&Path>) -> Result<(), StoreError> {
        let path = file(folder);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                *self = Replayed::default();
                return Ok(());
            }
            Err(source) => return Err(StoreError::Io { doing: "read", path, source }),
        };
        let meta = file.metadata().map_err(StoreError::io("read", &path))?;
        if meta.ino() != self.inode || meta.len() < self.end {
            *self = Replayed { inode: meta.ino(), ..Replayed::default() };
            projection.iter().for_each(|folder| projection::load(self, folder, &file));
        }
        self.read_on(&path, &file, projection)
    }

    /// What is stored in the folder `projection`, and what the journal says beyond that. Nothing where nothing is stored that fits.
    pub(crate) fn stored_and_after(folder: &Path, projection: &Path) -> Result<Option<Replayed>, StoreError> {
        let path = file(folder);
        let Ok(file) = File::open(&path) else { return Ok(None) };
        let mut replayed = Replayed { inode: file.metadata().map_err(StoreError::io("read", &path))?.ino(), ..Replayed::default() };
        projection::load(&mut replayed, projection, &file);
        if replayed.stored.is_none() {
            return Ok(None);
        }
        replayed.read_on(&path, &file, None)?;
        Ok(Some(replayed))
    }

    fn read_on(&mut self, path: &Path, mut file: &File, projection: Option<&Path>) -> Result<(), StoreError> {
        file.seek(SeekFrom::Start(self.end)).map_err(StoreError::io("read", path))?;
        let mut bytes = Vec::new();
        loop {
            // Where no whole frame was in what was read, twice as much is.
            let piece = PIECE.max(bytes.len() as u64);
            let read = file.take(piece).read_to_end(&mut bytes).map_err(StoreError::io("read", path))?;
            self.length = self.end + bytes.len() as u64;
            let used = self.take(&bytes, path)?;
            bytes.drain(..used);
            // What we wrote ourselves was not read.
            if let Some(folder) = projection.filter(|_| projection::is_due(self))
                && matches!(projection::store(self, folder, file), Ok(Done::Outdated))
            {
                // What another process stored is read, and what follows it.
                *self = Replayed { inode: self.inode, ..Replayed::default() };
                projection::load(self, folder, file);
                bytes.clear();
                file.seek(SeekFrom::Start(self.end)).map_err(StoreError::io("read", path))?;
            } else if read == 0 {
                return Ok(());
            }
        }
    }

    /// Takes the whole frames of bytes that follow what is known. Gives how many bytes they were.
    fn take(&mut self, bytes: &[u8], path: &Path) -> Result<usize, StoreError> {
        let (scan, begins) = (frame::scan(bytes), self.end);
        for (from, to) in &scan.damaged {
            let (from, to) = (begins + *from as u64, begins + *to as u64);
            self.damage.push(format!("{}: bytes {from} to {to} are damaged and were passed over", path.display()));
        }
        for (payload, end) in scan.payloads.iter().zip(&scan.ends) {
            let at = begins + (end - payload.len() - frame::HEADER) as u64;
            let is_first = self.end == 0;
            (self.last_frame, self.end) = (at, begins + *end as u64);
            if is_first && let Ok(Header { format }) = serde_json::from_slice::<Header>(payload) {
                if format > FORMAT {
                    return Err(StoreError::Newer { path: path.to_path_buf(), format });
                }
                continue;
            }
            // Where the header itself was damaged, the entries behind it still count.
            match serde_json::from_slice::<Entry>(payload) {
                Ok(entry) => self.fold(entry, at),
                Err(e) => self.damage.push(format!("{}: an entry of {} bytes cannot be read: {e}", path.display(), payload.len())),
            }
        }
        Ok(scan.end)
    }

    pub(crate) fn fold(&mut self, mut entry: Entry, at: u64) {
        self.queue.change(|queue| queue.apply(&entry));
        let mut ends = Vec::new();
        take_metrics(&mut entry, &mut ends);
        let state = Arc::make_mut(&mut self.state);
        state.apply(entry, at);
        // An end that came too late to count says nothing of the run.
        let counts = |run: &RunId| state.runs.get(run).and_then(|run| run.ending.as_ref()).is_some_and(|ending| ending.at == at);
        let ends: Vec<_> = ends.into_iter().filter(|(run, _)| counts(run)).collect();
        if !ends.is_empty() {
            Arc::make_mut(&mut self.fresh).extend(ends);
        }
    }

    /// The metrics of ended runs, by name.
    pub fn metrics(&self) -> Metrics {
        Metrics { stored: self.stored.clone(), fresh: Arc::clone(&self.fresh) }
    }

    /// Says that a frame which we wrote ourselves is known.
    fn wrote(&mut self, inode: u64, at: u64, end: u64) {
        self.inode = inode;
        (self.last_frame, self.end, self.length) = (at, end, end);
    }
}

/// Metrics are kept by name, not with the run.
fn take_metrics(entry: &mut Entry, into: &mut Vec<(RunId, BTreeMap<String, Extent>)>) {
    match entry {
        Entry::Ended { run, end } => into.push((*run, std::mem::take(&mut end.metrics))),
        Entry::Together(all) => all.iter_mut().for_each(|entry| take_metrics(entry, into)),
        Entry::Keyed { entry, .. } => take_metrics(entry, into),
        _ => {}
    }
}

/// All that the entry at a byte of the journal says of how a run ended.
pub fn end_at(folder: &Path, at: u64, run: RunId) -> Result<KnownEnd, StoreError> {
    let path = file(folder);
    let read = || -> io::Result<Vec<u8>> {
        let file = File::open(&path)?;
        let mut bytes = vec![0; frame::HEADER];
        file.read_exact_at(&mut bytes, at)?;
        let length = bytes.first_chunk().and_then(frame::length).and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        if length <= frame::LONGEST {
            bytes.resize(frame::HEADER + length, 0);
            file.read_exact_at(&mut bytes, at)?;
        }
        Ok(bytes)
    };
    let bytes = read().map_err(StoreError::io("read", &path))?;
    let entry = frame::first(&bytes).and_then(|payload| serde_json::from_slice::<Entry>(payload).ok());
    let end = entry.and_then(|entry| end_of(entry, run));
    end.ok_or_else(|| StoreError::Damaged { path, what: format!("at byte {at} is not the end of run {run} that was there") })
}

fn end_of(entry: Entry, of: RunId) -> Option<KnownEnd> {
    match entry {
        Entry::Ended { run, end } if run == of => Some(*end),
        Entry::Together(all) => all.into_iter().rev().find_map(|entry| end_of(entry, of)),
        Entry::Keyed { entry, .. } => end_of(*entry, of),
        _ => None,
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

    /// Says in `replayed` that the entry which we wrote at byte `at` is known.
    pub fn known_to(&self, replayed: &mut Replayed, at: u64) {
        if let Ok(meta) = self.file.metadata() {
            replayed.wrote(meta.ino(), at, self.end);
        }
    }

    /// Appends an entry that is durable when this returns. Gives the byte at which it stands.
    pub fn append(&mut self, entry: &Entry) -> Result<u64, StoreError> {
        let before = self.append_learned(entry)?;
        let synced = self.file.sync_data().map_err(StoreError::io("make durable", &self.path));
        if synced.is_err() {
            // Told to have failed, it must not be found to have happened.
            self.end = before;
            self.file.set_len(before).ok();
        }
        synced.map(|()| before)
    }

    /// Appends what can be learned again, so that losing it in a power cut costs nothing.
    pub fn append_learned(&mut self, entry: &Entry) -> Result<u64, StoreError> {
        let payload = serde_json::to_vec(entry).map_err(|e| self.unwritable(&e))?;
        let before = self.end;
        self.write(&payload).map(|()| before)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use neronet_model::attempt::End;
    use neronet_model::event::{By, Process, Summary};
    use neronet_model::journal::{Code, Handed, Member, Submitted, Sweep};
    use neronet_model::queue::{Grant, Quota, Wishes};
    use neronet_model::run::{Again, Decision};
    use neronet_model::settings::{Command, Settings};
    use neronet_model::{Attempt, AttemptNo, Cause, Millis, Outcome, Params, SweepId, Uid, UnixMs, Value};
    use proptest::prelude::*;

    pub(crate) fn submission(first: u64, count: u64) -> Entry {
        let sweep = Sweep {
            id: SweepId(first),
            at: UnixMs(1),
            project: "p".into(),
            experiment: "e".into(),
            settings: Settings::of(Command::Shell("train {lr}".into())).into(),
            varying: vec!["lr".into()],
            parallel: Some(1),
            driver: driver(),
            detached: first.is_multiple_of(2),
            code: Code::default(),
            host: "h".into(),
            user: "u".into(),
            spec: None,
            best_of: Vec::new(),
            wishes: Wishes::default(),
            targets: Vec::new(),
            imported: None,
        };
        let member = |id| {
            let value = Value::float("1e-3").expect("a number");
            Member {
                id: RunId(id),
                uid: Uid::new(id, [0; 10]),
                params: Params::from_iter([
                    ("lr".to_string(), value),
                    ("w".to_string(), Value::as_word("True")),
                    ("l".to_string(), Value::List(vec![Value::Str("x".into()), Value::Bool(false), Value::Int(-3)])),
                ]),
                after: (id > 9).then_some(RunId(1)),
                gpus: (id > 7).then_some(1),
                tags: vec!["t".into()],
                note: None,
            }
        };
        Entry::Submitted(vec![Submitted { sweep, members: (first..first + count).map(member).collect() }])
    }

    pub(crate) fn entry() -> impl Strategy<Value = Entry> {
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
            (run(), 1u64..4, metrics()).prop_map(|(run, n, metrics)| ended(run, n, metrics)),
            prop::collection::vec((run(), 1u64..3, metrics()), 0..4)
                .prop_map(|all| Entry::Together(all.into_iter().map(|(run, n, metrics)| ended(run, n, metrics)).collect())),
            (run(), "[a-c]", metrics()).prop_map(|(run, key, metrics)| Entry::Keyed {
                at: UnixMs(7),
                key,
                request: "r".into(),
                answer: None,
                entry: Box::new(ended(run, 2, metrics)),
            }),
            (run(), 1u64..3).prop_map(|(run, n)| {
                let grant = Grant { machine: "m".into(), memory: 5, gpus: Some(Vec::new()), ..Grant::default() };
                Entry::Started { at: UnixMs(3), run, attempt: AttemptNo(n), grant: Box::new(grant), driver: driver() }
            }),
            (run(), 1u64..3, prop::option::of(Just(Box::new(Grant::default())))).prop_map(|(run, n, grant)| Entry::Handed {
                at: UnixMs(3),
                target: "m".into(),
                epoch: n,
                runs: vec![Handed { run, attempt: AttemptNo(n), grant }],
            }),
            runs().prop_map(|runs| Entry::HandedBack { target: "m".into(), runs }),
            runs().prop_map(|runs| Entry::Asked { at: UnixMs(4), runs, by: "me".into(), kill: true }),
            runs().prop_map(|runs| Entry::Held { at: UnixMs(4), runs, by: "me".into(), why: None }),
            (0u64..4).prop_map(|runs| Entry::Limited { project: "p".into(), quota: Some(Quota { runs: Some(runs), gpus: None }) }),
        ]
    }

    fn metrics() -> impl Strategy<Value = BTreeMap<String, Extent>> {
        prop::collection::btree_map(
            "[x-z]",
            (any::<f64>(), 0u8..3).prop_map(|(value, points)| {
                let mut extent = Extent::of(value, 1.0, By::Step);
                (0..points).for_each(|step| extent.add(f64::from(step), f64::from(step), By::Epoch));
                extent
            }),
            0..3,
        )
    }

    fn ended(run: RunId, n: u64, metrics: BTreeMap<String, Extent>) -> Entry {
        let mut attempt = Attempt::new(AttemptNo(n));
        attempt.begun = Some(UnixMs(17));
        attempt.lasted = Some(Millis(5));
        let (outcome, cause) = if n == 1 { (Outcome::Finished, None) } else { (Outcome::Failed, Some(Cause::OutOfMemory)) };
        attempt.end = Some(End { outcome, cause, at: UnixMs(22), last_lines: Vec::new(), summary: Summary::default() });
        Entry::Ended { run, end: Box::new(KnownEnd { attempt, outcome, started: Some(UnixMs(16)), metrics }) }
    }

    fn driver() -> Process {
        Process { host: "h".into(), boot: "b".into(), pid_namespace: 1, pid: 2, start: 3 }
    }

    fn replay(folder: &Path) -> Result<Replayed, StoreError> {
        let mut replayed = Replayed::default();
        replayed.catch_up(folder, None).map(|()| replayed)
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
                let at = journal.append_learned(entry).expect("writes");
                live.apply(entry.clone(), at);
                states.push((journal.end, live.clone()));
                // A reader that looks now and then knows as much as one that reads everything.
                if i % 2 == 0 {
                    reader.catch_up(folder.path(), None).expect("reads");
                    prop_assert_eq!(&*reader.state, &live);
                }
            }
            let path = file(folder.path());
            let cut = states[0].0 + cut.index((journal.end - states[0].0) as usize + 1) as u64;
            OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(cut)).expect("cut");
            let (_, expected) = states.iter().rev().find(|(end, _)| *end <= cut).expect("the header is whole");
            let replayed = replay(folder.path()).expect("reads");
            prop_assert_eq!(&*replayed.state, expected);
            reader.catch_up(folder.path(), None).expect("reads");
            prop_assert_eq!(&*reader.state, expected);
            prop_assert!(replayed.damage.is_empty());
            let mut again = Journal::open(folder.path(), &replayed).expect("opens");
            let at = again.append(&entries[0]).expect("writes");
            let mut expected = expected.clone();
            expected.apply(entries[0].clone(), at);
            let replayed = replay(folder.path()).expect("reads");
            prop_assert_eq!(&*replayed.state, &expected);
            reader.catch_up(folder.path(), None).expect("reads");
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
