//! The points that `export --points` wrote, as JSON lines, a JSON list, CSV or Parquet: read twice, first for what runs there are and
//! how many points each has, then run by run. Never all of them are in memory.

use super::arrival::{self, attempt_in, identity};
use super::dressed::{self, Body, Origin};
use super::lines::{self, Line};
use super::{Became, Found, Importing, Result, grown, tables};
use crate::error::HomeError;
use neronet_model::row::Values;
use neronet_model::{AttemptNo, Outcome, Row, Uid, UnixMs};
use neronet_store::StoreError;
use neronet_store::history::History;
use neronet_supervise::retold::Retold;
use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const MOST_RUNS: usize = 100_000;
const MOST_ATTEMPTS: usize = 10_000;
const BETWEEN_WORDS: u64 = 50_000;

/// How the file is: another text once it has been written.
fn stamp(place: &Path) -> String {
    let meta = place.metadata().ok();
    meta.map(|meta| format!("{} {}.{:09}", meta.len(), meta.mtime(), meta.mtime_nsec())).unwrap_or_default()
}

/// What is known of a run before its points are taken.
struct Seen {
    run: u64,
    experiment: String,
    points: u64,
    /// Of each attempt when its first point was told, and whether any point of it still counts.
    attempts: BTreeMap<u64, (UnixMs, bool)>,
}

/// A run whose points are being written down.
struct Open {
    folder: PathBuf,
    attempts: BTreeMap<u64, Retold>,
    history: History,
    points: u64,
}

pub(super) fn is_one(place: &Path) -> bool {
    lines::is_one(place) || tables::is_one(place)
}

pub(super) fn import(importing: &mut Importing<'_>, path: &Path, place: &Path, result: &mut Result) -> std::result::Result<(), HomeError> {
    let (mut seen, stamp) = (BTreeMap::<Uid, Seen>::new(), stamp(place));
    each_line(place, &mut |line| {
        if seen.len() >= MOST_RUNS && !seen.contains_key(&line.uid) {
            return Err(HomeError::Failed(format!("{} holds points of more than {MOST_RUNS} runs", path.display())));
        }
        let run = seen.entry(line.uid).or_insert_with(|| Seen {
            run: line.run,
            experiment: line.experiment.clone(),
            points: 0,
            attempts: BTreeMap::new(),
        });
        run.points += 1;
        let attempt = run.attempts.entry(line.attempt).or_insert((line.time, false));
        *attempt = (attempt.0.min(line.time), attempt.1 || !line.superseded);
        Ok(())
    })?;
    if let Some(run) = seen.values().find(|run| run.attempts.len() > MOST_ATTEMPTS) {
        return Err(HomeError::Failed(format!("{} holds more than {MOST_ATTEMPTS} attempts of run {}", path.display(), run.run)));
    }
    let first = result.found.len();
    let mut places = HashMap::new();
    for (uid, run) in &seen {
        let became = match importing.known.get(&identity(uid)).copied() {
            None => Became::Would,
            Some(id) if grown::may_have(importing, id, ("neronet", &stamp))?.is_some_and(|known| known == *uid) => Became::Changed(id),
            Some(id) => Became::There(id),
        };
        places.insert(*uid, result.found.len());
        result.found.push(Found {
            from: "neronet".into(),
            path: path.to_path_buf(),
            name: format!("run {}", run.run),
            project: importing.project.clone(),
            experiment: importing.words.experiment.clone().unwrap_or_else(|| run.experiment.clone()),
            became,
            points: run.points,
            notices: Vec::new(),
        });
    }
    importing.at.sources += seen.len();
    if importing.landing.is_none() {
        return Ok(());
    }
    let mut open: HashMap<Uid, Open> = HashMap::new();
    each_line(place, &mut |line| {
        let Some(found) = places.get(&line.uid).and_then(|at| result.found.get_mut(*at)) else { return Err(changed(path)) };
        let Some(run) = seen.get(&line.uid).filter(|_| is_wanted(found)) else { return Ok(()) };
        let uid = line.uid;
        let known = match open.entry(uid) {
            Slot::Occupied(known) => known.into_mut(),
            Slot::Vacant(slot) => slot.insert(begin(importing, run)?),
        };
        known.take(line)?;
        if known.points % BETWEEN_WORDS == 0 {
            importing.at.points = known.points;
            (importing.progress)(importing.at);
        }
        if known.points == run.points
            && let Some(known) = open.remove(&uid)
        {
            end(importing, (uid, run), known, found, (place, &stamp))?;
            importing.at.done += 1;
        }
        Ok(())
    })?;
    match result.found.iter().skip(first).any(is_wanted) {
        true => Err(changed(path)),
        false => Ok(()),
    }
}

/// Its points are still to be taken.
fn is_wanted(found: &Found) -> bool {
    matches!(found.became, Became::Would | Became::Changed(_))
}

/// Gives every point of a file.
fn each_line(place: &Path, each: &mut dyn FnMut(Line) -> std::result::Result<(), HomeError>) -> std::result::Result<(), HomeError> {
    if tables::is_one(place) { tables::each(place, each) } else { lines::each(place, each) }
}

fn changed(path: &Path) -> HomeError {
    HomeError::Failed(format!("{} changed while it was read: import it again", path.display()))
}

fn begin(importing: &mut Importing<'_>, run: &Seen) -> std::result::Result<Open, HomeError> {
    let Some(landing) = importing.landing.as_mut() else { return Err(HomeError::Failed("there is no place to import to".into())) };
    let folder = landing.place()?;
    let mut attempts = BTreeMap::new();
    for (n, (told, (begun, _))) in (1..).map(AttemptNo).zip(&run.attempts) {
        let attempt = attempt_in(&folder, n)?;
        attempts.insert(*told, Retold::begin(&attempt, *begun, "", &[]).map_err(StoreError::io("write", &attempt))?);
    }
    Ok(Open { folder, attempts, history: History::default(), points: 0 })
}

impl Open {
    fn take(&mut self, line: Line) -> std::result::Result<(), HomeError> {
        let Some(retold) = self.attempts.get_mut(&line.attempt) else { return Ok(()) };
        self.points += 1;
        let (step, epoch) = match line.by.as_str() {
            "epoch" => (None, Some(line.step)),
            "count" => (None, None),
            _ => (Some(line.step as i64), None),
        };
        let row = Row {
            t: retold.since(Some(line.time)),
            src: "f:neronet".into(),
            at: self.points,
            step,
            epoch,
            m: Values(vec![(line.metric, line.value)]),
            ..Row::default()
        };
        let step = retold.row(&row).map_err(StoreError::io("write", &self.folder))?;
        if !line.superseded {
            self.history.add(&row, step, line.time);
        }
        Ok(())
    }
}

fn end(
    importing: &mut Importing<'_>,
    (uid, run): (Uid, &Seen),
    open: Open,
    found: &mut Found,
    (place, stamp): (&Path, &str),
) -> std::result::Result<(), HomeError> {
    let Open { folder, attempts, mut history, .. } = open;
    for retold in attempts.into_values() {
        retold.end((Outcome::Unknown, None), None).map_err(StoreError::io("write", &folder))?;
    }
    // An attempt goes on where something before it still counts.
    let mut counts = false;
    let resumes = run.attempts.values().map(|(_, kept)| {
        let before = counts;
        counts |= *kept;
        before
    });
    let resumes = resumes.collect();
    history.finish();
    history.join();
    let began = run.attempts.values().map(|(begun, _)| *begun).min().unwrap_or(UnixMs(0));
    let origin = Origin { from: "neronet".into(), path: importing.origin(place) };
    let body = Body { uid, began, folder, resumes, outcome: Outcome::Unknown, history };
    let arrival = dressed::dress(importing, &origin, &neronet_foreign::Run::default(), found, &body)?;
    if let Became::Changed(id) = found.became {
        let (became, word) = grown::take_over(importing, id, (arrival, stamp))?;
        found.became = became;
        found.notices.extend(word);
        return Ok(());
    }
    for folder in arrival.folders.values() {
        grown::note(folder, stamp)?;
    }
    let Some(landing) = importing.landing.as_mut() else { return Err(HomeError::Failed("there is no place to import to".into())) };
    let ids = arrival::land(importing.context, landing, arrival)?;
    let id = ids.first().copied().ok_or_else(|| HomeError::Failed("the run got no number".into()))?;
    importing.known.insert(identity(&uid), id);
    found.became = Became::New(id);
    Ok(())
}
