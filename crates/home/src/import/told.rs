//! What a reader of another tracker tells of one run, written down as it comes.

use super::arrival::{self, Arrival, attempt_in};
use super::dressed::{self, Body, Origin, uid};
use super::{Became, Importing, grown};
use crate::error::HomeError;
use crate::masked;
use neronet_foreign::{Artifact, Metric, Output, Refusal, Row, Run, Sink, Source, Text, Wanted};
use neronet_model::event::Event;
use neronet_model::left::Left;
use neronet_model::row::Values;
use neronet_model::{AttemptNo, Cause, Millis, Outcome, RunId, Uid, UnixMs, row};
use neronet_store::history::History;
use neronet_store::{StoreError, files};
use neronet_supervise::retold::Retold;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

/// As of runs of our own: more names, and later beginnings anew, are values in the place of names.
const MOST_METRICS: usize = 10_000;
const MOST_ATTEMPTS: u64 = 100;
/// Values of one row that came one by one.
const MOST_TOGETHER: usize = 1_000;
/// The journal keeps them with the end.
const MOST_TEXTS: usize = 200;
const LONGEST_TEXT: usize = 8 << 10;
const MOST_FILES: u64 = 10_000;
const BETWEEN_WORDS: u64 = 50_000;

/// Takes one run. What is known already is not written down.
pub(super) struct Teller<'t, 'i> {
    importing: &'t mut Importing<'i>,
    source: &'t Source,
    told: Option<Told>,
    there: Option<RunId>,
    /// How its source is.
    stamp: &'t str,
    /// It is there, and its source is not as it was.
    has_changed: bool,
    run: Run,
}

/// A run that is being written down.
pub(super) struct Told {
    pub(super) uid: Uid,
    began: UnixMs,
    folder: PathBuf,
    host: String,
    src: String,
    secrets: Vec<String>,
    n: AttemptNo,
    retold: Retold,
    names: Vec<String>,
    known: HashSet<String>,
    /// Values of the same time and step that came one after the other, and the last metric among them.
    together: Option<(Option<UnixMs>, Option<i64>, Metric)>,
    row: row::Row,
    rows: u64,
    history: History,
    /// The last of each name.
    texts: BTreeMap<String, (Millis, String)>,
    files: u64,
    more_files: (u64, u64),
    notices: Vec<String>,
}

impl<'t, 'i> Teller<'t, 'i> {
    pub(super) fn new(importing: &'t mut Importing<'i>, source: &'t Source, stamp: &'t str) -> Teller<'t, 'i> {
        Teller { importing, source, told: None, there: None, stamp, has_changed: false, run: Run::default() }
    }

    /// What was written down, which run it is where that is there already, and all that is known of it.
    pub(super) fn told(self) -> (Option<Told>, Option<Became>, Run) {
        let there = if self.has_changed { Became::Changed } else { Became::There };
        (self.told, self.there.map(there), self.run)
    }
}

impl Sink for Teller<'_, '_> {
    fn begin(&mut self, run: &Run) -> Result<Wanted, Refusal> {
        // Where nobody wrote down when it began, its folder is at least not younger than its end.
        let began = run.started.unwrap_or_else(|| {
            let modified = self.source.path.symlink_metadata().and_then(|meta| meta.modified()).ok();
            let since = modified.and_then(|modified| modified.duration_since(UNIX_EPOCH).ok());
            UnixMs(since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0)))
        });
        let mut uid = uid(&run.key, began);
        self.there = self.importing.known.get(&arrival::identity(&uid)).copied();
        if let Some(id) = self.there {
            let Some(known) = grown::may_have(self.importing, id, (&self.source.kind.to_string(), self.stamp))? else {
                return Ok(Wanted::Nothing);
            };
            (uid, self.has_changed) = (known, true);
        }
        let Some(landing) = self.importing.landing.as_mut() else { return Ok(Wanted::Nothing) };
        let folder = landing.place()?;
        self.told = Some(Told::begin(folder, (uid, began), run, self.source, self.importing.secrets.clone())?);
        Ok(Wanted::All)
    }

    fn metric(&mut self, _: Metric, name: &str) -> Result<(), Refusal> {
        if let Some(told) = &mut self.told {
            if told.names.len() == MOST_METRICS {
                told.notices.push(format!("of more than {MOST_METRICS} metrics the others were not kept"));
            }
            told.names.push(name.to_string());
            told.known.insert(name.to_string());
        }
        Ok(())
    }

    fn row(&mut self, row: Row<'_>) -> Result<(), Refusal> {
        let Some(told) = &mut self.told else { return Ok(()) };
        for (metric, value) in row.values {
            told.value(row.at, row.step, *metric, *value)?;
        }
        let points = &mut self.importing.at.points;
        *points += row.values.len() as u64;
        if *points % BETWEEN_WORDS < row.values.len() as u64 {
            (self.importing.progress)(self.importing.at);
        }
        Ok(())
    }

    fn restarted(&mut self, _: i64) -> Result<(), Refusal> {
        self.told.as_mut().map_or(Ok(()), |told| Ok(told.again()?))
    }

    fn text(&mut self, text: Text<'_>) -> Result<(), Refusal> {
        if let Some(told) = &mut self.told {
            told.text(text.at, text.name, text.text);
        }
        Ok(())
    }

    fn output(&mut self, output: Output<'_>) -> Result<(), Refusal> {
        let Some(told) = &mut self.told else { return Ok(()) };
        let t = told.retold.since(output.at);
        Ok(told.retold.printed(t, output.error, output.text.as_bytes()).map_err(failed(&told.folder))?)
    }

    fn artifact(&mut self, artifact: Artifact<'_>) -> Result<(), Refusal> {
        let Some(told) = &mut self.told else { return Ok(()) };
        told.files += 1;
        if told.files > MOST_FILES {
            told.more_files = (told.more_files.0 + 1, told.more_files.1.saturating_add(artifact.bytes));
            return Ok(());
        }
        // They stay where they are.
        let left = Left::Other { path: self.importing.origin(artifact.path).display().to_string(), bytes: artifact.bytes };
        Ok(told.retold.left(&left).map_err(failed(&told.folder))?)
    }

    fn end(&mut self, run: &Run) -> Result<(), Refusal> {
        self.run = run.clone();
        Ok(())
    }
}

impl Told {
    fn begin(folder: PathBuf, (uid, began): (Uid, UnixMs), run: &Run, source: &Source, secrets: Vec<String>) -> Result<Told, HomeError> {
        let host = run.host.clone().unwrap_or_default();
        let attempt = attempt_in(&folder, AttemptNo(1))?;
        let retold = Retold::begin(&attempt, began, &host, &secrets).map_err(failed(&attempt))?;
        Ok(Told {
            uid,
            began,
            folder,
            host,
            src: format!("f:{}", source.kind),
            secrets,
            n: AttemptNo(1),
            retold,
            names: Vec::new(),
            known: HashSet::new(),
            together: None,
            row: row::Row::default(),
            rows: 0,
            history: History::default(),
            texts: BTreeMap::new(),
            files: 0,
            more_files: (0, 0),
            notices: Vec::new(),
        })
    }

    fn value(&mut self, at: Option<UnixMs>, step: Option<i64>, metric: Metric, value: f64) -> Result<(), StoreError> {
        if metric.index() >= MOST_METRICS {
            return Ok(());
        }
        let goes_along = self.together.is_some_and(|(known_at, known_step, last)| {
            (known_at, known_step) == (at, step) && metric > last && self.row.m.0.len() < MOST_TOGETHER
        });
        if !goes_along {
            self.write()?;
        }
        self.together = Some((at, step, metric));
        let name = self.names.get(metric.index()).cloned().unwrap_or_default();
        self.row.m.0.push((name, value));
        Ok(())
    }

    /// Writes the row that was gathered.
    fn write(&mut self) -> Result<(), StoreError> {
        let Some((at, step, _)) = self.together.take() else { return Ok(()) };
        self.rows += 1;
        self.row.t = self.retold.since(at);
        self.row.step = step;
        // What came before the beginning comes with it; what its clock said is kept.
        self.row.time = at.filter(|at| *at < self.retold.begun()).map(UnixMs::seconds);
        self.row.at = self.rows;
        if self.row.src.is_empty() {
            self.row.src.clone_from(&self.src);
        }
        let step = self.retold.row(&self.row).map_err(failed(&self.folder))?;
        self.history.add(&self.row, step, at.unwrap_or(self.retold.begun().plus(self.row.t)));
        self.row.m.0.clear();
        Ok(())
    }

    /// The training began anew in the middle: what follows is another attempt, which goes on.
    fn again(&mut self) -> Result<(), HomeError> {
        self.write()?;
        if self.n.0 >= MOST_ATTEMPTS {
            let what = format!("it began anew more than {MOST_ATTEMPTS} times: later points stand beside those that they replace");
            if !self.notices.contains(&what) {
                self.notices.push(what);
            }
            return Ok(());
        }
        let begun = self.retold.begun().plus(self.retold.since(None));
        self.n = AttemptNo(self.n.0 + 1);
        let attempt = attempt_in(&self.folder, self.n)?;
        let next = Retold::begin(&attempt, begun, &self.host, &self.secrets).map_err(failed(&attempt))?;
        let ended = std::mem::replace(&mut self.retold, next);
        ended.end((Outcome::Unknown, None), None).map_err(failed(&self.folder))?;
        self.history.begin(true);
        Ok(())
    }

    fn text(&mut self, at: Option<UnixMs>, name: &str, text: &str) {
        if self.texts.len() >= MOST_TEXTS && !self.texts.contains_key(name) {
            let what = format!("texts of more than {MOST_TEXTS} names: the others were not kept");
            if !self.notices.contains(&what) {
                self.notices.push(what);
            }
            return;
        }
        let end = (0..=LONGEST_TEXT.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        let value = masked::variable(name, text.get(..end).unwrap_or_default(), &self.secrets);
        self.texts.insert(name.to_string(), (self.retold.since(at), value));
    }

    pub(super) fn notices(&self) -> impl Iterator<Item = &String> {
        self.notices.iter()
    }

    /// Writes down the end and what the run is. Durable once it returns.
    pub(super) fn finish(
        mut self,
        importing: &Importing<'_>,
        source: &Source,
        run: &Run,
        found: &super::Found,
    ) -> Result<Arrival, HomeError> {
        self.write()?;
        self.results(run)?;
        if self.more_files.0 > 0 {
            let left = Left::More { files: self.more_files.0, bytes: self.more_files.1, at_least: false };
            self.retold.left(&left).map_err(failed(&self.folder))?;
        }
        for (name, (t, value)) in std::mem::take(&mut self.texts) {
            self.retold.event(t, Event::Tag { name, value }).map_err(failed(&self.folder))?;
        }
        for notice in found.notices.iter().take(100) {
            let t = self.retold.since(None);
            self.retold.event(t, Event::Dropped { what: notice.clone() }).map_err(failed(&self.folder))?;
        }
        let outcome = run.outcome.unwrap_or(Outcome::Unknown);
        let cause = run.exit_code.filter(|_| outcome == Outcome::Failed).map(Cause::ExitCode);
        let at = run.ended.map(|ended| ended.max(self.retold.begun()));
        let Told { folder, retold, mut history, uid, n, began, .. } = self;
        retold.end((outcome, cause), at).map_err(failed(&folder))?;
        files::sync_folder_of(&folder.join("attempts").join(n.to_string()))?;
        history.finish();
        history.join();
        let origin = Origin { from: source.kind.to_string(), path: importing.origin(&source.path) };
        let resumes = (1..=n.0).map(|n| n > 1).collect();
        dressed::dress(importing, &origin, run, found, &Body { uid, began, folder, resumes, outcome, history })
    }

    /// Single values that stand for the run: numbers as metrics, everything else as texts.
    fn results(&mut self, run: &Run) -> Result<(), HomeError> {
        let mut numbers = Vec::new();
        for (name, value) in run.results.iter() {
            if self.known.contains(name) {
                continue;
            }
            match value.number() {
                Some(number) if numbers.len() + self.known.len() < MOST_METRICS => numbers.push((name.to_string(), number)),
                _ => {
                    let (name, value) = (name.to_string(), value.to_string());
                    self.text(None, &name, &value);
                }
            }
        }
        for some in numbers.chunks(MOST_TOGETHER) {
            self.row.m = Values(some.to_vec());
            self.together = Some((run.ended, None, Metric(0)));
            self.write()?;
        }
        Ok(())
    }
}

fn failed(folder: &std::path::Path) -> impl FnOnce(io::Error) -> StoreError {
    StoreError::io("write", folder)
}
