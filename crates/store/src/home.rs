//! The home folder: who it is, who may write to it, what lies where.

use crate::error::StoreError;
use crate::files::{self, Durability};
use crate::journal::{self, Journal, Replayed};
use crate::reserve;
use neronet_model::journal::{Entry, HomeState};
use neronet_model::run::KnownEnd;
use neronet_model::{AttemptNo, FORMAT, Run, RunId, SweepId, Uid};
use neronet_schedule::Queue;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

/// How long nobody is told that we wait for home, and how often it is tried meanwhile.
const SILENT: Duration = Duration::from_secs(1);
const BETWEEN: Duration = Duration::from_millis(2);

/// `home.json`: which home this is. Written once.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Identity {
    format: u32,
    uid: Uid,
}

#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
    /// Where what the journal came to is stored, below the cache.
    cache: Option<PathBuf>,
    /// What was read of the journal so far.
    known: Arc<Shared>,
}

/// What this process knows of a journal. Whoever writes takes it away, so that it is theirs alone to change, and others wait for that
/// moment rather than read everything themselves.
#[derive(Debug, Default)]
struct Shared {
    known: Mutex<Slot>,
    put_back: Condvar,
}

#[derive(Debug, Default)]
struct Slot {
    replayed: Replayed,
    taken_by: Option<ThreadId>,
}

/// So long somebody who reads waits for somebody who writes.
const MOMENT: Duration = Duration::from_millis(500);

impl Shared {
    fn wait(&self) -> MutexGuard<'_, Slot> {
        let slot = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let me = std::thread::current().id();
        let is_taken = |slot: &mut Slot| slot.taken_by.is_some_and(|by| by != me);
        self.put_back.wait_timeout_while(slot, MOMENT, is_taken).unwrap_or_else(PoisonError::into_inner).0
    }

    fn put(&self, replayed: Replayed) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Slot { replayed, taken_by: None };
        self.put_back.notify_all();
    }
}

impl Home {
    /// The home in `root`, which need not exist yet. Refuses one that a newer neronet made.
    pub fn at(root: &Path) -> Result<Home, StoreError> {
        let home = Home { root: root.to_path_buf(), cache: None, known: Arc::default() };
        if let Some(identity) = home.identity()?
            && identity.format > FORMAT
        {
            return Err(StoreError::Newer { path: home.root.join("home.json"), format: identity.format });
        }
        Ok(home)
    }

    /// The same, with what its journal comes to stored in this folder, for this home and others.
    pub fn cached_in(self, cache: &Path) -> Home {
        Home { cache: Some(cache.join("homes")), ..self }
    }

    /// Where that is, once it is known which home this is.
    pub fn projection(&self) -> Option<PathBuf> {
        Some(self.cache.as_ref()?.join(self.uid().ok()??.as_str()))
    }

    fn identity(&self) -> Result<Option<Identity>, StoreError> {
        files::read_json(&self.root.join("home.json"))
    }

    /// Which home it is, once it has been written to.
    pub fn uid(&self) -> Result<Option<Uid>, StoreError> {
        Ok(self.identity()?.map(|identity| identity.uid))
    }

    pub fn root(&self) -> &Path {
        &self.root
    }
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }
    pub fn run(&self, run: RunId) -> PathBuf {
        self.runs().join(run.to_string())
    }
    pub fn work(&self, run: RunId) -> PathBuf {
        self.run(run).join("work")
    }
    pub fn attempt(&self, run: RunId, n: AttemptNo) -> PathBuf {
        self.run(run).join("attempts").join(n.to_string())
    }
    pub fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }
    /// Packed for targets.
    pub fn outgoing(&self) -> PathBuf {
        self.root.join("outgoing")
    }
    /// What is on its way here.
    pub fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }
    /// Things for the submitter alone: outside snapshots, spools and exports.
    pub fn private(&self) -> PathBuf {
        self.root.join("private")
    }
    /// The submitter's environment, as `NAME=VALUE` ended by NUL bytes.
    pub fn environment_of(&self, sweep: SweepId) -> PathBuf {
        self.private().join(format!("sweep-{sweep}.environ"))
    }

    /// What the journal says, read without the lock.
    pub fn read(&self) -> Result<Replayed, StoreError> {
        let mut slot = self.known.wait();
        slot.replayed.catch_up(&self.journal(), self.projection().as_deref())?;
        Ok(slot.replayed.clone())
    }

    /// All that the journal says of how a run ended, if it has.
    pub fn end_of(&self, run: &Run) -> Result<Option<KnownEnd>, StoreError> {
        run.ending.as_ref().map(|ending| journal::end_at(&self.journal(), ending.at, run.id)).transpose()
    }

    /// Makes the home where needed and becomes its only writer. Waits while another process is; when that lasts,
    /// `waiting` is told once who it is.
    pub fn lock(&self, random: [u8; 10], unix_ms: u64, waiting: impl FnOnce(&str)) -> Result<Locked, StoreError> {
        files::make_folder(&self.root)?;
        let path = self.root.join("home.lock");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        let mut lock = take(file, waiting).map_err(|errno| StoreError::io("lock", &path)(errno.into()))?;
        // For whoever has to wait; of no other use, so a failure costs nothing. Padded, as to shorten a file gives its block back to
        // the disk, which takes longer than all else that is done here.
        lock.rewind().and_then(|()| lock.write_all(format!("{:<10}", std::process::id()).as_bytes())).ok();
        if self.identity()?.is_none() {
            let identity = Identity { format: FORMAT, uid: Uid::new(unix_ms, random) };
            files::replace_json(&self.root.join("home.json"), &identity, Durability::Synced)?;
            reserve::take(&self.root);
        }
        let folder = self.journal();
        let mut replayed = {
            let mut slot = self.known.wait();
            slot.taken_by = Some(std::thread::current().id());
            std::mem::take(&mut slot.replayed)
        };
        let opened = replayed.catch_up(&folder, self.projection().as_deref()).and_then(|()| Journal::open(&folder, &replayed));
        match opened {
            Ok(journal) => Ok(Locked { journal, replayed, known: Arc::clone(&self.known), _lock: lock }),
            Err(e) => {
                self.known.put(replayed);
                Err(e)
            }
        }
    }
}

/// Locks are held for milliseconds: only when it lasts, `waiting` is told who has it.
fn take(mut file: File, waiting: impl FnOnce(&str)) -> Result<Flock<File>, Errno> {
    let began = Instant::now();
    while began.elapsed() < SILENT {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((back, Errno::EWOULDBLOCK)) => file = back,
            Err((_, errno)) => return Err(errno),
        }
        std::thread::sleep(BETWEEN);
    }
    let mut holder = String::new();
    file.read_to_string(&mut holder).ok();
    waiting(holder.trim());
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno)
}

/// Home while we are its only writer. Dropping it lets go.
#[derive(Debug)]
pub struct Locked {
    journal: Journal,
    replayed: Replayed,
    known: Arc<Shared>,
    _lock: Flock<File>,
}

impl Locked {
    pub fn state(&self) -> &HomeState {
        &self.replayed.state
    }

    /// All that is known, as `Home::read` gives it to others.
    pub fn replayed(&self) -> Replayed {
        self.replayed.clone()
    }

    pub fn queue(&self) -> &Queue {
        &self.replayed.queue
    }

    /// Decides: durable before it counts. What is asked for once more under the same key has been decided.
    pub fn decide(&mut self, entry: Entry) -> Result<(), StoreError> {
        if let Entry::Keyed { key, .. } = &entry
            && self.state().keys.get(key).is_some()
        {
            return Ok(());
        }
        let at = self.journal.append(&entry)?;
        self.apply(entry, at);
        Ok(())
    }

    /// Notes what can be learned again.
    pub fn learn(&mut self, entry: Entry) -> Result<(), StoreError> {
        let at = self.journal.append_learned(&entry)?;
        self.apply(entry, at);
        Ok(())
    }

    fn apply(&mut self, entry: Entry, at: u64) {
        self.replayed.fold(entry, at);
        self.journal.known_to(&mut self.replayed, at);
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.known.put(std::mem::take(&mut self.replayed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_long_is_told_for_whom() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::at(folder.path()).expect("a home");
        let (told, heard) = std::sync::mpsc::channel();
        let locked = home.lock([0; 10], 0, |_| panic!("nobody else is there")).expect("locked");
        let other = std::thread::spawn(move || home.lock([0; 10], 0, |holder| told.send(holder.to_string()).expect("heard")).map(drop));
        assert_eq!(heard.recv().expect("told"), std::process::id().to_string());
        drop(locked);
        other.join().expect("no panic").expect("locked in turn");
    }
}
