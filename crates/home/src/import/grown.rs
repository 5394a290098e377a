//! Runs that were imported before, and whose source is not as it was: they are read anew, whole, beside home's own. Where all that is on
//! record is in what was read, that takes its place; else what is on record stays.
//!
//! The attempts change places with those that were read, in one step; then the journal learns the ends. Cut short between the two, the
//! next import finds nothing to change but the journal.

use super::arrival::{Arrival, renumber};
use super::{Became, Importing};
use crate::error::HomeError;
use neronet_model::journal::{Entry, Submitted};
use neronet_model::run::{Decision, KnownEnd, Run};
use neronet_model::{Params, RunId, Uid};
use neronet_store::StoreError;
use neronet_store::files::{self, Durability};
use neronet_store::spool::{self, KEEPER, LAUNCH, Segments};
use neronet_supervise::os::exchange;
use nix::fcntl::{Flock, FlockArg};
use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs::{self, OpenOptions};
use std::hash::Hasher;
use std::path::{Path, PathBuf};

/// In the folder of a run: how its source was when it was read. Without it the source is read again.
const SOURCE: &str = "source.json";

/// The ULID of a run that may have grown where it came from: one of which nothing but an import from there made the record, and
/// whose source is not as it was when that was done.
pub(super) fn may_have(importing: &Importing<'_>, id: RunId, (from, stamp): (&str, &str)) -> Result<Option<Uid>, HomeError> {
    let context = importing.context;
    let state = context.home.read()?.state;
    let Some(run) = state.runs.get(&id).filter(|run| run.trashed.is_none()) else { return Ok(None) };
    let imported = state.sweeps.get(&run.sweep).and_then(|sweep| sweep.imported.as_ref());
    let is_imported = imported.is_some_and(|imported| imported.from == from);
    let folder = context.home.run(id);
    if !is_imported || files::read_json::<String>(&folder.join(SOURCE))?.is_some_and(|known| known == stamp) {
        return Ok(None);
    }
    for n in spool::attempts_of(&folder)? {
        // That of a bundle is the record of another home, with more than its points.
        if spool::attempt(&context.home.attempt(id, n), n)?.keeper.is_some_and(|keeper| keeper.pid != 0) {
            return Ok(None);
        }
    }
    Ok(Some(run.uid))
}

/// Notes in the folder of a run how its source was before it was read.
pub(super) fn note(folder: &Path, stamp: &str) -> Result<(), StoreError> {
    files::replace_json(&folder.join(SOURCE), &stamp, Durability::Renamed)
}

/// Puts what was read in the place of what is on record of this run. Gives what became of it, and words on what was not taken.
pub(super) fn take_over(
    importing: &Importing<'_>,
    id: RunId,
    (arrival, stamp): (Arrival, &str),
) -> Result<(Became, Option<String>), HomeError> {
    let Arrival { sweeps, entries, folders, .. } = arrival;
    let Some(folder) = folders.into_values().next() else { return Ok((Became::There(id), None)) };
    let became = replace(importing, id, (&folder, stamp), (sweeps, entries));
    // The next one needs the room.
    files::remove_folder(&folder).ok();
    became
}

fn replace(
    importing: &Importing<'_>,
    id: RunId,
    (folder, stamp): (&Path, &str),
    (sweeps, entries): (Vec<Submitted>, Vec<Entry>),
) -> Result<(Became, Option<String>), HomeError> {
    let context = importing.context;
    let there = context.home.run(id);
    exchange::mend(&there.join("attempts")).map_err(StoreError::io("mend", &there))?;
    let Some(run) = context.home.read()?.state.runs.get(&id).cloned() else { return Ok((Became::There(id), None)) };
    let (ours, read) = (Record::of(&there)?, Record::of(folder)?);
    if let Some(why) = ours.beyond(&read) {
        return Ok((Became::There(id), Some(format!("run {id} stays as it is: {why}"))));
    }
    let entries = told(&run, entries);
    let is_same = ours.keepers == read.keepers;
    if is_same && is_known(importing, &run, &entries)? {
        note(&there, stamp)?;
        return Ok((Became::There(id), None));
    }
    let forget_curves = || drop(context.series_of(run.uid).map(fs::remove_file));
    renumber(context, folder, id, run.sweep, run.after)?;
    let locks = locks(&there)?;
    let mut home = context.lock()?;
    // It may have gone meanwhile.
    if home.state().runs.get(&id).is_none_or(|run| run.trashed.is_some()) {
        return Ok((Became::There(id), None));
    }
    if !is_same {
        exchange::folders(&folder.join("attempts"), &there.join("attempts")).map_err(StoreError::io("replace", &there))?;
        files::sync_folder_of(&there.join("attempts"))?;
        forget_curves();
    }
    if let Err(error) = home.decide(Entry::Together(entries)) {
        if !is_same {
            exchange::folders(&folder.join("attempts"), &there.join("attempts")).map_err(StoreError::io("put back", &there))?;
            forget_curves();
        }
        return Err(error.into());
    }
    drop((home, locks));
    // Curves are made of the attempts where it is not there.
    fs::rename(folder.join("history.json"), there.join("history.json")).ok();
    note(&there, stamp)?;
    Ok((Became::Grown(id, read.points().saturating_sub(ours.points())), other_params(&run, &sweeps)))
}

/// What the journal is told of the run that is there.
fn told(run: &Run, entries: Vec<Entry>) -> Vec<Entry> {
    let of_run = |entry| match entry {
        Entry::Ended { end, .. } => Some(Entry::Ended { run: run.id, end }),
        Entry::Decided { at, decision } if decision.attempt.0 > run.attempts => {
            Some(Entry::Decided { at, decision: Decision { run: run.id, ..decision } })
        }
        _ => None,
    };
    entries.into_iter().filter_map(of_run).collect()
}

/// Whether the journal knows the end as it is. As text: NaN is no other than NaN there.
fn is_known(importing: &Importing<'_>, run: &Run, entries: &[Entry]) -> Result<bool, HomeError> {
    let text = |end: &KnownEnd| serde_json::to_string(end).unwrap_or_default();
    let known = importing.context.home.end_of(run)?.map(|end| text(&end));
    let told = entries.iter().rev().find_map(|entry| if let Entry::Ended { end, .. } = entry { Some(text(end)) } else { None });
    Ok(told == known)
}

/// Keeps others from the attempts while they change places: whoever seals one holds the same.
fn locks(there: &Path) -> Result<Vec<Flock<fs::File>>, StoreError> {
    let lock = |path: PathBuf| {
        let file = OpenOptions::new().write(true).open(&path).map_err(StoreError::io("open", &path))?;
        Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| StoreError::io("lock", &path)(errno.into()))
    };
    let attempts = spool::attempts_of(there)?.into_iter();
    attempts.map(|n| there.join("attempts").join(n.to_string()).join(LAUNCH)).filter(|path| path.exists()).map(lock).collect()
}

/// A word on parameters that are other ones by now: those of the journal are what the run is known by.
fn other_params(run: &Run, sweeps: &[Submitted]) -> Option<String> {
    let now = sweeps.iter().flat_map(|submitted| &submitted.members).map(|member| &member.params).next()?;
    let missing = |a: &Params, b: &Params| -> Vec<String> {
        a.iter().filter(|(name, value)| b.get(name) != Some(*value)).map(|(name, _)| name.to_string()).collect()
    };
    let mut names = missing(now, &run.params);
    names.extend(missing(&run.params, now));
    names.sort();
    names.dedup();
    let more = names.len().saturating_sub(5);
    names.truncate(5);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| format!("parameters of run {} stay as they were first: {}{more}", run.id, names.join(", ")))
}

/// What is on record of a run, so that one record can be found in another.
struct Record {
    metrics: BTreeMap<String, Told>,
    /// The record of each attempt with its end, which names all else with length and hash.
    keepers: Vec<Vec<u8>>,
    output: u64,
    tags: Vec<String>,
    folder: PathBuf,
}

/// The points of a metric: how many, and a sum over them in their order.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Told {
    points: u64,
    sum: u64,
    /// Some have a step or an epoch.
    is_curve: bool,
}

impl Record {
    fn of(folder: &Path) -> Result<Record, HomeError> {
        let metrics = metrics(folder, None)?;
        let mut record = Record { metrics, keepers: Vec::new(), output: 0, tags: Vec::new(), folder: folder.to_path_buf() };
        for n in spool::attempts_of(folder)? {
            let attempt = folder.join("attempts").join(n.to_string());
            let keeper = attempt.join(KEEPER);
            record.keepers.push(fs::read(&keeper).map_err(StoreError::io("read", &keeper))?);
            for path in Segments::of(&attempt)?.of_kind("output") {
                record.output += spool::length(path)?;
            }
            record.tags.extend(spool::attempt(&attempt, n)?.tags.into_keys());
        }
        Ok(record)
    }

    fn points(&self) -> u64 {
        self.metrics.values().map(|told| told.points).fold(0, u64::saturating_add)
    }

    /// What of this is not in the other.
    fn beyond(&self, other: &Record) -> Option<String> {
        if self.keepers.len() > other.keepers.len() {
            return Some(format!("it has {} attempts, where it came from there are {}", self.keepers.len(), other.keepers.len()));
        }
        let Ok(as_many) = metrics(&other.folder, Some(&self.metrics)) else { return Some("what was read cannot be read back".into()) };
        for (name, ours) in &self.metrics {
            let Some(theirs) = as_many.get(name) else { return Some(format!("there are no points of {name} any more where it came from")) };
            // A result is one number, which may be another by now.
            let is_result = !ours.is_curve && ours.points == 1;
            if !is_result && theirs.points < ours.points {
                return Some(format!("it has {} points of {name}, where it came from there are {}", ours.points, theirs.points));
            }
            if !is_result && theirs.sum != ours.sum {
                return Some(format!("its points of {name} are other ones where it came from"));
            }
        }
        if other.output < self.output {
            return Some("there is less output where it came from".into());
        }
        self.tags.iter().find(|name| !other.tags.contains(name)).map(|name| format!("there is no {name} any more where it came from"))
    }
}

/// The points of each metric, in the order in which they were recorded; of those in `as_many` the sum is over as many points as there.
fn metrics(folder: &Path, as_many: Option<&BTreeMap<String, Told>>) -> Result<BTreeMap<String, Told>, StoreError> {
    let mut all: BTreeMap<String, Told> = BTreeMap::new();
    for n in spool::attempts_of(folder)? {
        spool::rows(&folder.join("attempts").join(n.to_string()), |row| {
            for (name, value) in &row.m.0 {
                if !all.contains_key(name) {
                    all.insert(name.clone(), Told::default());
                }
                let Some(told) = all.get_mut(name) else { continue };
                let most = as_many.map_or(u64::MAX, |known| known.get(name).map_or(0, |known| known.points));
                if told.points < most {
                    let mut hasher = DefaultHasher::new();
                    let numbers = [told.sum, row.step.map_or(1, |step| step as u64), row.epoch.map_or(1, f64::to_bits), value.to_bits()];
                    numbers.into_iter().for_each(|number| hasher.write_u64(number));
                    told.sum = hasher.finish();
                }
                told.points += 1;
                told.is_curve |= row.step.is_some() || row.epoch.is_some();
            }
        })?;
    }
    Ok(all)
}
