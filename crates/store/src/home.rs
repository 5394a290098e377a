//! The home folder: who it is, who may write to it, what lies where.

use crate::error::StoreError;
use crate::files::{self, Durability};
use crate::journal::{self, Journal, Replayed};
use neronet_model::journal::{Entry, HomeState};
use neronet_model::{AttemptNo, FORMAT, RunId, SweepId, Uid};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// `home.json`: which home this is. Written once.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Identity {
    format: u32,
    uid: Uid,
}

#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// The home in `root`, which need not exist yet. Refuses one that a newer neronet made.
    pub fn at(root: &Path) -> Result<Home, StoreError> {
        let home = Home { root: root.to_path_buf() };
        if let Some(identity) = home.identity()?
            && identity.format > FORMAT
        {
            return Err(StoreError::Newer { path: home.root.join("home.json"), format: identity.format });
        }
        Ok(home)
    }

    fn identity(&self) -> Result<Option<Identity>, StoreError> {
        files::read_json(&self.root.join("home.json"))
    }

    pub fn root(&self) -> &Path {
        &self.root
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
        journal::replay(&self.root.join("journal"))
    }

    /// Makes the home where needed and becomes its only writer. Waits while another process is; `waiting` is told once
    /// who that is.
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
        let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((mut file, Errno::EWOULDBLOCK)) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).ok();
                waiting(holder.trim());
                Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| StoreError::io("lock", &path)(errno.into()))?
            }
            Err((_, errno)) => return Err(StoreError::io("lock", &path)(errno.into())),
        };
        // For whoever has to wait; of no other use, so a failure costs nothing.
        lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| write!(lock, "{}", std::process::id())).ok();
        if self.identity()?.is_none() {
            let identity = Identity { format: FORMAT, uid: Uid::new(unix_ms, random) };
            files::replace_json(&self.root.join("home.json"), &identity, Durability::Synced)?;
        }
        let folder = self.root.join("journal");
        let replayed = journal::replay(&folder)?;
        let journal = Journal::open(&folder, &replayed)?;
        Ok(Locked { journal, state: replayed.state, damage: replayed.damage, _lock: lock })
    }
}

/// Home while we are its only writer. Dropping it lets go.
#[derive(Debug)]
pub struct Locked {
    journal: Journal,
    state: HomeState,
    pub damage: Vec<String>,
    _lock: Flock<File>,
}

impl Locked {
    pub fn state(&self) -> &HomeState {
        &self.state
    }

    /// Decides: durable before it counts.
    pub fn decide(&mut self, entry: Entry) -> Result<(), StoreError> {
        self.journal.append(&entry)?;
        self.state.apply(entry);
        Ok(())
    }

    /// Notes what can be learned again.
    pub fn learn(&mut self, entry: Entry) -> Result<(), StoreError> {
        self.journal.append_learned(&entry)?;
        self.state.apply(entry);
        Ok(())
    }
}
