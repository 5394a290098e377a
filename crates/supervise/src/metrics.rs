//! The rows of an attempt as they are kept: each source byte recorded once, names and bytes bounded, the summary and the
//! history kept up to date beside them.

use crate::marks::{Mark, Marks};
use crate::segment::Writer;
use neronet_model::event::{Segment, Summary};
use neronet_model::launch::Launch;
use neronet_model::row::Values;
use neronet_model::{Millis, Row, UnixMs};
use neronet_store::StoreError;
use neronet_store::earlier::{self, Earlier, Firsts};
use neronet_store::spool::{self, Segments};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) struct Metrics {
    writer: Writer,
    /// The last byte of each source that a row was made of, by this and earlier generations.
    recorded: BTreeMap<String, u64>,
    /// Every name since the training began (again), with where it began.
    firsts: Firsts,
    /// Those before that.
    names_before: BTreeSet<String>,
    folder: PathBuf,
    most_names: usize,
    said_names: bool,
    most_bytes: u64,
    bytes_before: u64,
    /// One row in 4^level is kept.
    level: u32,
    rows: u64,
    /// Of this attempt alone, since the training began again in it.
    summary: Summary,
    pub(crate) marks: Marks,
    /// What is gone on from, and what has been added to its history and its steps.
    earlier: Earlier,
    /// What the earlier attempts came to before so many of our names began.
    before: (usize, Summary),
    before_at: Option<Instant>,
    before_cost: Duration,
    history_at: Option<Instant>,
    history_cost: Duration,
    history_stale: bool,
    run_folder: PathBuf,
    launch: Launch,
    begun: UnixMs,
    /// Sentences for the record about what was not kept.
    pub(crate) notices: Vec<String>,
}

impl Metrics {
    /// Goes on after the earlier generations of the attempt in `folder`.
    pub(crate) fn new(folder: &Path, generation: u32, launch: &Launch, begun: UnixMs, before: &Segments) -> Result<Metrics, StoreError> {
        let run_folder = PathBuf::from(&launch.run_directory);
        let mut earlier = Earlier::default();
        if launch.attempt.0 > 1 {
            earlier = Earlier::read(&run_folder, launch.attempt, launch.resumes)?;
        }
        let mut metrics = Metrics {
            writer: Writer::new(folder, format!("metrics.{generation}.jsonl")),
            recorded: BTreeMap::new(),
            firsts: Firsts::new(),
            names_before: BTreeSet::new(),
            folder: folder.to_path_buf(),
            most_names: usize::try_from(launch.limits.metric_names).unwrap_or(usize::MAX),
            said_names: false,
            most_bytes: launch.limits.metrics_bytes,
            bytes_before: 0,
            level: 0,
            rows: 0,
            summary: Summary::default(),
            marks: Marks::default(),
            earlier,
            before: (0, Summary::default()),
            before_at: None,
            before_cost: Duration::ZERO,
            history_at: None,
            history_cost: Duration::ZERO,
            history_stale: false,
            run_folder,
            launch: launch.clone(),
            begun,
            notices: Vec::new(),
        };
        if generation > 1 {
            for path in before.of_kind("metrics") {
                metrics.bytes_before += spool::length(path)?;
            }
            before.rows(|row| metrics.fold(&row))?;
        }
        Ok(metrics)
    }

    fn fold(&mut self, row: &Row) {
        match self.recorded.get_mut(&row.src) {
            Some(recorded) => *recorded = row.at.max(*recorded),
            None => drop(self.recorded.insert(row.src.clone(), row.at)),
        }
        if row.again && self.rows > 0 {
            self.begin_again();
        }
        let step = self.earlier.steps.of(row);
        let given = earlier::given(row, step);
        earlier::note_firsts(&mut self.firsts, row, given);
        self.summary.steps = step.or(self.summary.steps);
        let objective = self.launch.objectives.first().map(|objective| objective.metric.as_str());
        let value = row.m.0.iter().rev().find(|(name, _)| Some(name.as_str()) == objective).map(|(_, value)| *value);
        self.marks.add(self.begun.plus(row.t), Mark { step, epoch: row.epoch }, row.ends_epoch(), value);
        self.summary.add(&row.m, step, row.epoch);
        self.history_stale |= self.earlier.history.add(row, step, self.begun.plus(row.t));
        self.rows += 1;
    }

    /// What was told until now joins what comes as an earlier attempt would.
    fn begin_again(&mut self) {
        let firsts = std::mem::take(&mut self.firsts);
        self.names_before.extend(firsts.keys().cloned());
        self.earlier.again(&self.folder, firsts);
        self.summary = Summary::default();
        (self.before, self.before_at) = ((0, Summary::default()), None);
    }

    /// Whether a row from these bytes is on record already.
    pub(crate) fn has(&self, src: &str, at: u64) -> bool {
        self.recorded.get(src).is_some_and(|recorded| *recorded >= at)
    }

    pub(crate) fn add(&mut self, mut row: Row) {
        if self.has(&row.src, row.at) {
            return;
        }
        if self.firsts.len() + self.names_before.len() >= self.most_names {
            let before = row.m.0.len();
            row.m = Values(
                row.m.0.into_iter().filter(|(name, _)| self.firsts.contains_key(name) || self.names_before.contains(name)).collect(),
            );
            if row.m.0.len() < before && !std::mem::replace(&mut self.said_names, true) {
                self.notices.push(format!("more than {} metric names: further names are not recorded", self.most_names));
            }
            if row.m.0.is_empty() && !row.again {
                return;
            }
        }
        self.fold(&row);
        if row.again || self.rows.is_multiple_of(1 << (2 * self.level)) {
            self.writer.push(&row);
        }
        // Half of what is left for each level: however many rows come, they fit.
        let full = self.most_bytes - (self.most_bytes >> (self.level + 1));
        if self.bytes_before + self.writer.bytes() > full && self.level < 20 {
            self.level += 1;
            self.notices.push(format!("very many metrics: from here on one row in {} is kept", 1u64 << (2 * self.level)));
        }
    }

    /// When that was, by the clock of who wrote it: not before the attempt began, nor after `now`.
    pub(crate) fn since(&self, when: Option<UnixMs>, now: Millis) -> Millis {
        when.map_or(now, |when| Millis(u64::try_from(when.0.saturating_sub(self.begun.0)).unwrap_or(0).min(now.0)))
    }

    pub(crate) fn waiting(&self) -> usize {
        self.writer.waiting()
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.writer.sync()
    }

    pub(crate) fn sealed(&self) -> Option<Segment> {
        self.writer.sealed()
    }

    /// What this attempt has come to.
    pub(crate) fn of_attempt(&self) -> Summary {
        if self.names_before.is_empty() {
            return self.summary.clone();
        }
        let before = self.earlier.of_last().summary(&self.firsts).unwrap_or_default();
        self.summary.clone().after(&before, |name| self.firsts.get(name) == Some(&None))
    }

    /// What the run has come to, earlier attempts included where this one goes on from them. Reading them again, when further
    /// metrics join, may take a hundredth of the time.
    pub(crate) fn of_run(&mut self, last: bool) -> Summary {
        if !self.launch.resumes && self.names_before.is_empty() {
            return self.summary.clone();
        }
        let due = last || self.before_at.is_none_or(|at| at.elapsed() >= self.before_cost * 100);
        if due && (self.before_at.is_none() || self.before.0 < self.firsts.len()) {
            let began = Instant::now();
            // Home folds the same from the spool: what cannot be read now costs a listing its early extremes.
            self.before = (self.firsts.len(), self.earlier.summary(&self.firsts).unwrap_or_default());
            self.before_cost = began.elapsed();
            self.before_at = Some(Instant::now());
        }
        self.summary.clone().after(&self.before.1, |name| self.firsts.get(name) == Some(&None))
    }

    /// Writes history.json when an epoch ended, for at most a hundredth of the time.
    pub(crate) fn write_history(&mut self, last: bool) {
        if last {
            self.earlier.history.finish();
        }
        let due = self.history_stale && self.history_at.is_none_or(|at| at.elapsed() >= self.history_cost * 100);
        if !(due || (last && !self.earlier.history.is_empty())) {
            return;
        }
        let began = Instant::now();
        // It is made again at the next epoch, and from the spool whenever somebody asks: a full disk costs nothing here.
        self.earlier.history.write(&self.run_folder, self.launch.run).ok();
        self.history_cost = began.elapsed();
        self.history_at = Some(Instant::now());
        self.history_stale = false;
    }
}
