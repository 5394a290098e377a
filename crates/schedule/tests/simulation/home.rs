//! A simulated home: a journal on a disk that may be full, attempt folders, and keepers that execute the runs.

use crate::chance::Chance;
use neronet_model::journal::{Entry, HomeState};
use neronet_model::outcome::Cause;
use neronet_model::queue::Grant;
use neronet_model::run::KnownEnd;
use neronet_model::{AttemptNo, Outcome, RunId, UnixMs};
use neronet_schedule::Queue;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) type Which = (RunId, AttemptNo);

#[derive(Debug)]
pub(crate) struct Full;

/// What the folder of an attempt holds.
pub(crate) struct Folder {
    /// In `launch.json`.
    pub(crate) grant: Grant,
    /// A keeper has begun, or somebody has seen to it that none can.
    pub(crate) begun: bool,
    pub(crate) end: Option<KnownEnd>,
}

/// A command that a keeper has started. The truth, which nobody reads but the checks.
pub(crate) struct Execution {
    pub(crate) until: i64,
    pub(crate) outcome: Outcome,
    pub(crate) cause: Option<Cause>,
    began: i64,
}

#[derive(Default)]
pub(crate) struct Home {
    pub(crate) entries: Vec<Entry>,
    synced: usize,
    pub(crate) full: bool,
    pub(crate) queue: Queue,
    pub(crate) state: HomeState,
    pub(crate) folders: BTreeMap<Which, Folder>,
    pub(crate) executing: BTreeMap<Which, Execution>,
    /// Everything that ever executed, and how it ended.
    pub(crate) diary: BTreeMap<Which, Option<Outcome>>,
}

impl Home {
    /// With the lock held. `durably`: synced before it returns.
    pub(crate) fn append(&mut self, entry: Entry, durably: bool) -> Result<(), Full> {
        if self.full {
            return Err(Full);
        }
        self.queue.apply(&entry);
        self.state.apply(entry.clone(), self.entries.len() as u64);
        self.entries.push(entry);
        if durably {
            self.synced = self.entries.len();
        }
        Ok(())
    }

    pub(crate) fn sync(&mut self) {
        self.synced = self.entries.len();
    }

    pub(crate) fn replayed(entries: &[Entry]) -> (Queue, HomeState) {
        let mut queue = Queue::default();
        let mut state = HomeState::default();
        for (at, entry) in (0..).zip(entries) {
            queue.apply(entry);
            state.apply(entry.clone(), at);
        }
        (queue, state)
    }

    /// Makes the folder of an attempt; of two who try, one does.
    pub(crate) fn claim(&mut self, which: Which, grant: &Grant) -> bool {
        if self.folders.contains_key(&which) {
            return false;
        }
        self.folders.insert(which, Folder { grant: grant.clone(), begun: false, end: None });
        true
    }

    /// Takes away the folder of an attempt that no keeper has begun.
    pub(crate) fn take_back(&mut self, which: Which) -> bool {
        let may = self.folders.get(&which).is_some_and(|folder| !folder.begun);
        if may {
            self.folders.remove(&which);
        }
        may
    }

    /// A word to the nursery arrives, perhaps late, perhaps once more.
    pub(crate) fn begin(&mut self, which: Which, now: i64, chance: &mut Chance) {
        let Some(folder) = self.folders.get_mut(&which).filter(|folder| !folder.begun) else { return };
        folder.begun = true;
        let (outcome, cause) = match chance.below(10) {
            0 | 1 => (Outcome::Failed, Some(Cause::ExitCode(1))),
            2 => (Outcome::Failed, Some(Cause::OutOfMemory)),
            _ => (Outcome::Finished, None),
        };
        assert!(!self.executing.keys().any(|(run, _)| *run == which.0), "run {} executes twice at once", which.0);
        assert!(self.diary.insert(which, None).is_none(), "attempt {} of run {} executed twice", which.1, which.0);
        self.executing.insert(which, Execution { until: now + chance.within(1_000, 60_000) as i64, outcome, cause, began: now });
    }

    /// Keepers write down what has ended by now. On a full disk they try again.
    pub(crate) fn end_what_is_due(&mut self, now: i64, wall: UnixMs) {
        if self.full {
            return;
        }
        let due: Vec<Which> = self.executing.iter().filter(|(_, one)| one.until <= now).map(|(which, _)| *which).collect();
        for which in due {
            let Some(Execution { outcome, cause, began, .. }) = self.executing.remove(&which) else { continue };
            let lasted = u64::try_from(now - began).unwrap_or(0);
            self.diary.insert(which, Some(outcome));
            if let Some(folder) = self.folders.get_mut(&which) {
                folder.end = Some(crate::kit::end(which.1.0, outcome, cause, wall, lasted));
            }
        }
    }

    /// Of each attempt that was begun and no longer executes: whoever looks finds that nobody knows.
    pub(crate) fn adopt(&mut self, which: Which, wall: UnixMs) {
        let lost = !self.executing.contains_key(&which);
        if let Some(folder) = self.folders.get_mut(&which).filter(|folder| lost && folder.begun && folder.end.is_none()) {
            folder.end = Some(crate::kit::end(which.1.0, Outcome::Lost, Some(Cause::KeeperLost), wall, 0));
        }
    }

    pub(crate) fn kill_keeper(&mut self, which: Which) {
        if self.executing.remove(&which).is_some() {
            self.diary.insert(which, Some(Outcome::Lost));
        }
    }

    /// Everything that is not synced may be gone, and every process is.
    pub(crate) fn power_cut(&mut self, chance: &mut Chance) {
        let left = chance.within(self.synced as u64, self.entries.len() as u64) as usize;
        self.entries.truncate(left);
        (self.queue, self.state) = Home::replayed(&self.entries);
        let executing: Vec<Which> = self.executing.keys().copied().collect();
        executing.into_iter().for_each(|which| self.kill_keeper(which));
        let unsynced: Vec<Which> = self.folders.iter().filter(|(_, folder)| !folder.begun).map(|(which, _)| *which).collect();
        let gone: BTreeSet<Which> = unsynced.into_iter().filter(|_| chance.one_in(2)).collect();
        self.folders.retain(|which, _| !gone.contains(which));
    }
}
