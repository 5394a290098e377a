//! The fold: rows of metrics, as they were recorded, to columns. The same for rows that are just read and for those of a block that
//! is to be stored. A `Block` holds some rows; what goes over from one to
//! the next stays in the `Fold`.

use crate::sparse::Sparse;
use crate::stored::Head;
use neronet_model::row::{Row, Steps};
use neronet_model::{AttemptNo, UnixMs};
use std::collections::HashMap;

/// A block is cut off at so many rows, or so many values of all metrics together: 12 MB while it is made.
const ROWS: usize = 1 << 16;
const VALUES: usize = 1 << 20;

/// What all points of a row have in common.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rows {
    /// Milliseconds since the Unix epoch.
    pub(crate) t: Vec<u64>,
    pub(crate) steps: Sparse<i64>,
    pub(crate) epochs: Sparse<f64>,
    /// The last step that was told before the first of these rows.
    pub(crate) passed: Option<i64>,
}

/// One metric in a block.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Metric {
    pub(crate) name: String,
    /// Where the first point of it stands that the attempt told, since the training began again; `None` where it is only counted.
    pub(crate) first: Option<f64>,
    /// Points since the last attempt from scratch, before this block.
    pub(crate) before: u64,
    /// No point of the block has a step or an epoch.
    pub(crate) counted: bool,
    pub(crate) values: Sparse<f64>,
    /// Where the last point stands, and the bits of its value.
    pub(crate) last: Option<(f64, u64)>,
    /// The attempt has told a point of it.
    told: bool,
}

/// Some neighbouring rows of one attempt, by columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    pub(crate) attempt: AttemptNo,
    /// How often the training had begun again within the attempt.
    pub(crate) section: u32,
    /// How steps are counted behind it.
    pub(crate) steps: Steps,
    pub(crate) rows: Rows,
    /// Those that it has points of.
    pub(crate) metrics: Vec<Metric>,
}

/// How far an attempt's rows are folded, and what must be known to go on.
#[derive(Debug, Clone)]
pub struct Fold {
    attempt: AttemptNo,
    section: u32,
    begun: UnixMs,
    steps: Steps,
    rows: Rows,
    metrics: Vec<Metric>,
    by_name: HashMap<String, usize>,
    /// The metrics of the last row: the next one mostly has the same.
    row_before: Vec<usize>,
    values: usize,
}

impl Default for Fold {
    fn default() -> Fold {
        Fold {
            attempt: AttemptNo(0),
            section: 0,
            begun: UnixMs(0),
            steps: Steps::default(),
            rows: Rows::default(),
            metrics: Vec::new(),
            by_name: HashMap::new(),
            row_before: Vec::new(),
            values: 0,
        }
    }
}

impl Fold {
    /// An attempt begins. What was not cut off before is gone.
    pub fn begin(&mut self, attempt: AttemptNo, resumes: bool, begun: UnixMs) {
        (self.attempt, self.section, self.begun) = (attempt, 0, begun);
        self.cut();
        self.tell_anew();
        if !resumes {
            self.metrics.iter_mut().for_each(|metric| metric.before = 0);
        }
        if !resumes {
            self.steps = Steps::default();
            self.rows.passed = None;
        }
    }

    fn tell_anew(&mut self) {
        self.metrics.iter_mut().for_each(|metric| (metric.first, metric.told, metric.last) = (None, false, None));
    }

    /// Whether a block is to be cut off before this row: it is time, or the training begins again.
    pub fn is_over_before(&self, row: &Row) -> bool {
        self.is_full() || (row.again && !self.is_empty())
    }

    pub fn add(&mut self, row: &Row) {
        if row.again {
            self.section += 1;
            self.tell_anew();
        }
        let step = self.steps.of(row);
        let at = self.rows.t.len() as u32;
        self.rows.t.push(self.begun.plus(row.t).0.max(0) as u64);
        if let Some(step) = step {
            self.rows.steps.push(at, step);
        }
        if let Some(epoch) = row.epoch {
            self.rows.epochs.push(at, epoch);
        }
        let given = step.map(|step| step as f64).or(row.epoch);
        for (i, (name, value)) in row.m.0.iter().enumerate() {
            let known = self.row_before.get(i).copied().filter(|known| self.metrics.get(*known).is_some_and(|metric| metric.name == *name));
            let index = known.unwrap_or_else(|| self.index(name));
            match self.row_before.get_mut(i) {
                Some(before) => *before = index,
                None => self.row_before.push(index),
            }
            let Some(metric) = self.metrics.get_mut(index) else { continue };
            self.values += usize::from(metric.add(at, given, *value));
        }
    }

    fn index(&mut self, name: &str) -> usize {
        if let Some(known) = self.by_name.get(name) {
            return *known;
        }
        let index = self.metrics.len();
        self.by_name.insert(name.to_string(), index);
        self.metrics.push(Metric { name: name.to_string(), counted: true, ..Metric::default() });
        index
    }

    /// Takes up what a block of this attempt that is stored leaves to those behind it.
    pub fn go_on(&mut self, behind: &Head) {
        self.steps = behind.steps.clone();
        self.rows.passed = behind.passed_after;
        if std::mem::replace(&mut self.section, behind.section) != behind.section {
            self.tell_anew();
        }
        for chunk in &behind.chunks {
            let index = self.index(&chunk.name);
            if let Some(metric) = self.metrics.get_mut(index) {
                (metric.first, metric.told, metric.last) = (chunk.first, true, Some(chunk.last));
                metric.before = chunk.before + chunk.whole.points();
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.rows.t.is_empty()
    }

    /// Whether it is time to cut off a block.
    pub fn is_full(&self) -> bool {
        self.rows.t.len() >= ROWS || self.values >= VALUES
    }

    /// The rows since the last cut, and begins the next block.
    pub fn cut(&mut self) -> Block {
        let passed = self.rows.steps.values.last().copied().or(self.rows.passed);
        let rows = std::mem::replace(&mut self.rows, Rows { passed, ..Rows::default() });
        let mut metrics = Vec::new();
        for metric in self.metrics.iter_mut().filter(|metric| metric.values.len() > 0) {
            let before = metric.before + metric.values.len() as u64;
            let next = Metric { name: metric.name.clone(), before, counted: true, values: Sparse::default(), ..*metric };
            metrics.push(std::mem::replace(metric, next));
        }
        self.values = 0;
        Block { attempt: self.attempt, section: self.section, steps: self.steps.clone(), rows, metrics }
    }
}

impl Metric {
    /// Whether the point counts: several ranks print the same one.
    fn add(&mut self, row: u32, given: Option<f64>, value: f64) -> bool {
        if !self.told {
            (self.told, self.first) = (true, given);
        }
        let x = given.unwrap_or((self.before + self.values.len() as u64 + 1) as f64);
        let point = (x, value.to_bits());
        let repeated = given.is_some() && self.last == Some(point);
        self.counted &= given.is_none();
        if !repeated {
            self.values.push(row, value);
            self.last = Some(point);
        }
        !repeated
    }
}
