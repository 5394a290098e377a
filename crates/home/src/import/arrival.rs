//! Runs that were recorded elsewhere become runs of this home: their folders first, whole and durable, then one record of the journal.
//!
//! Cut short before that record there is a folder that no run has: one under `imports/`, which the next import removes, or one that is
//! called like a run, which the next import of the same run replaces and every submission passes over.

use crate::begin::Frozen;
use crate::context::Context;
use crate::error::HomeError;
use crate::submit::world_file;
use neronet_model::journal::{Entry, Submitted};
use neronet_model::launch::Launch;
use neronet_model::run::{Again, Decision, KnownEnd};
use neronet_model::{AttemptNo, Outcome, RunId, SweepId, Uid};
use neronet_store::files::{self, Durability};
use neronet_store::spool::{self, LAUNCH};
use neronet_store::{StoreError, series};
use nix::fcntl::{Flock, FlockArg};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const LOCK: &str = "lock";

/// Where folders of runs are made before they are runs: below home, so that a rename is all that is left. One process at a time has it.
pub(crate) struct Landing {
    folder: PathBuf,
    made: u64,
    _lock: Flock<fs::File>,
}

impl Landing {
    /// Waits while another process imports, and removes what one that was killed has left.
    pub(crate) fn open(context: &Context) -> Result<Landing, HomeError> {
        let folder = context.home.root().join("imports");
        files::make_folder(&folder)?;
        let path = folder.join(LOCK);
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = open.map_err(StoreError::io("open", &path))?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).or_else(|(file, _)| {
            (context.say)("another import into this home is under way; waiting for its end");
            Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| StoreError::io("lock", &path)(errno.into()))
        })?;
        let landing = Landing { folder, made: 0, _lock: lock };
        landing.clear()?;
        Ok(landing)
    }

    /// A new folder for one run.
    pub(crate) fn place(&mut self) -> Result<PathBuf, HomeError> {
        self.made += 1;
        let place = self.folder.join(self.made.to_string());
        files::make_folder(&place)?;
        Ok(place)
    }

    fn clear(&self) -> Result<(), StoreError> {
        for entry in fs::read_dir(&self.folder).map_err(StoreError::io("read", &self.folder))?.flatten() {
            if entry.file_name() != LOCK {
                files::remove_folder(&entry.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        // What could not be removed goes with the next import.
        self.clear().ok();
    }
}

/// Runs that are about to be those of home, under the numbers that they will probably have.
#[derive(Default)]
pub(crate) struct Arrival {
    pub(crate) sweeps: Vec<Submitted>,
    /// What is known of them beyond their submission.
    pub(crate) entries: Vec<Entry>,
    pub(crate) folders: BTreeMap<RunId, PathBuf>,
    /// What `sweeps/N.json` is to hold.
    pub(crate) worlds: BTreeMap<SweepId, Vec<u8>>,
}

/// The runs of home by what an import knows them by again, those in the trash included.
pub(crate) fn known(context: &Context) -> Result<HashMap<String, RunId>, HomeError> {
    let state = context.home.read()?.state;
    Ok(state.runs.values().map(|run| (identity(&run.uid), run.id)).collect())
}

/// What of a ULID is not its time.
pub(crate) fn identity(uid: &Uid) -> String {
    uid.as_str().get(10..).unwrap_or_default().to_string()
}

/// The numbers that the next runs and the next sweep will have, where nobody submits meanwhile.
pub(crate) fn next(context: &Context, uids: &[Uid]) -> Result<(Vec<RunId>, SweepId), HomeError> {
    let state = context.home.read()?.state;
    Ok((numbers(context, state.last_run, uids), SweepId(state.last_sweep + 1)))
}

/// Numbers behind `last` whose folders nobody has, or an import of the same run that was cut short.
fn numbers(context: &Context, mut last: u64, uids: &[Uid]) -> Vec<RunId> {
    let mut next = |uid: &Uid| {
        last += 1;
        while context.home.run(RunId(last)).exists() && !is_left_behind(context, RunId(last), uid) {
            last += 1;
        }
        RunId(last)
    };
    uids.iter().map(&mut next).collect()
}

fn is_left_behind(context: &Context, run: RunId, uid: &Uid) -> bool {
    Frozen::of(context, run).is_some_and(|frozen| frozen.uid == *uid)
}

/// Makes them runs of home. Gives the numbers that they have, in their order.
pub(crate) fn land(context: &Context, landing: &mut Landing, mut arrival: Arrival) -> Result<Vec<RunId>, HomeError> {
    let mut home = context.lock()?;
    let members = || arrival.sweeps.iter().flat_map(|submitted| &submitted.members);
    let uids: Vec<Uid> = members().map(|member| member.uid).collect();
    let given = numbers(context, home.state().last_run, &uids);
    let new: HashMap<RunId, RunId> = members().map(|member| member.id).zip(given.iter().copied()).collect();
    let run = |id: RunId| new.get(&id).copied().unwrap_or(id);
    let mut placed = Vec::new();
    let mut worlds = Vec::new();
    for (next, submitted) in (home.state().last_sweep + 1..).zip(&mut arrival.sweeps) {
        if let Some(world) = arrival.worlds.remove(&submitted.sweep.id) {
            worlds.push((world_file(context, SweepId(next)), world));
        }
        let is_another = submitted.sweep.id != SweepId(next);
        submitted.sweep.id = SweepId(next);
        submitted.sweep.best_of.iter_mut().for_each(|id| *id = run(*id));
        for member in &mut submitted.members {
            let folder = arrival.folders.remove(&member.id);
            member.after = member.after.map(run);
            let is_another = is_another || run(member.id) != member.id;
            member.id = run(member.id);
            if let Some(folder) = folder {
                if is_another {
                    renumber(context, &folder, member.id, SweepId(next), member.after)?;
                }
                placed.push((folder, context.home.run(member.id)));
            }
        }
    }
    for entry in &mut arrival.entries {
        match entry {
            Entry::Ended { run: id, .. } => *id = run(*id),
            Entry::Decided { decision, .. } => decision.run = run(decision.run),
            _ => {}
        }
    }
    files::make_folder(&context.home.runs())?;
    for (path, bytes) in &worlds {
        files::make_folder(path.parent().unwrap_or(context.home.root()))?;
        files::replace(path, bytes, Durability::Synced)?;
    }
    for (from, to) in &placed {
        if to.exists() {
            let aside = landing.place()?;
            fs::rename(to, aside.join("left")).map_err(StoreError::io("move aside", to))?;
        }
        fs::rename(from, to).map_err(StoreError::io("make the folder", to))?;
    }
    files::sync_folder_of(&context.home.run(RunId(0)))?;
    let entries = [Entry::Submitted(arrival.sweeps)].into_iter().chain(arrival.entries).collect();
    if let Err(error) = home.decide(Entry::Together(entries)) {
        for (from, to) in &placed {
            fs::rename(to, from).ok();
        }
        return Err(error.into());
    }
    Ok(given)
}

/// Puts other numbers into what a folder says of its run.
pub(crate) fn renumber(context: &Context, folder: &Path, run: RunId, sweep: SweepId, after: Option<RunId>) -> Result<(), HomeError> {
    let path = folder.join("run.json");
    if let Some(frozen) = files::read_json::<Frozen>(&path)? {
        files::replace_json(&path, &Frozen { id: run, sweep, after, ..frozen }, Durability::Synced)?;
    }
    for n in spool::attempts_of(folder)? {
        let attempt = folder.join("attempts").join(n.to_string());
        if let Some(launch) = spool::launch(&attempt)? {
            let run_directory = context.home.run(run).display().to_string();
            let within = Path::new(&launch.directory).strip_prefix(&launch.run_directory).ok().filter(|_| !launch.run_directory.is_empty());
            let directory =
                within.map_or_else(|| launch.directory.clone(), |within| Path::new(&run_directory).join(within).display().to_string());
            files::replace_json(&attempt.join(LAUNCH), &Launch { run, run_directory, directory, ..launch }, Durability::Synced)?;
        }
    }
    let path = folder.join("history.json");
    if let Some(mut history) = files::read_json::<serde_json::Map<String, serde_json::Value>>(&path)? {
        history.insert("run".into(), run.0.into());
        files::replace_json(&path, &history, Durability::Renamed)?;
    }
    Ok(())
}

/// What the attempts of a run in `folder` came to, as home would have learned it attempt by attempt. `stored` is where the projection
/// of its series is made.
pub(crate) fn learned(run: RunId, folder: &Path, stored: &Path, outcome: Option<Outcome>) -> Result<Vec<Entry>, HomeError> {
    let mut entries = Vec::new();
    let attempts = spool::attempts_of(folder)?;
    let mut started = None;
    for n in &attempts {
        let mut attempt = spool::attempt(&folder.join("attempts").join(n.to_string()), *n)?;
        if !attempt.resumes || started.is_none() {
            started = attempt.begun;
        }
        if n.0 > 1 {
            let again = if attempt.resumes { Again::Resume { checkpoint: None, best: None, step: None } } else { Again::Retry };
            let at = attempt.begun.unwrap_or(neronet_model::UnixMs(0));
            entries.push(Entry::Decided { at, decision: Decision::new(run, *n, again, None) });
        }
        let is_last = attempts.last() == Some(n);
        let mut metrics = attempt.end.as_mut().map(|end| std::mem::take(&mut end.summary.metrics)).unwrap_or_default();
        if is_last && attempt.resumes {
            metrics = series::extents(folder, Some(stored))?;
        }
        let ended = attempt.end.as_ref().map(|end| end.outcome);
        let outcome = outcome.filter(|_| is_last).or(ended).unwrap_or(Outcome::Unknown);
        entries.push(Entry::Ended { run, end: Box::new(KnownEnd::of(attempt, outcome, started, metrics)) });
    }
    Ok(entries)
}

/// The folder of an attempt that is being made.
pub(crate) fn attempt_in(folder: &Path, n: AttemptNo) -> Result<PathBuf, HomeError> {
    let attempt = folder.join("attempts").join(n.to_string());
    files::make_folder(&attempt)?;
    Ok(attempt)
}
