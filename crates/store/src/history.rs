//! `history.json`: a row an epoch (else a step) with the last value of each variable of interest, joined over attempts.
//! At most `MOST` rows, thinned evenly with the last kept.

use crate::error::StoreError;
use crate::files::{self, Durability};
use neronet_model::number::Num;
use neronet_model::{Row, RunId, UnixMs};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::path::Path;

pub const MOST: usize = 10_000;
/// Values in all of them: with very many names fewer rows are kept, so that memory and file stay small.
const MOST_VALUES: usize = 1_000_000;
/// How many rows back a second source of metrics may lag.
const RECENT: usize = 256;

#[derive(Debug, Default)]
pub struct History {
    /// By epoch, else step, else count.
    rows: Vec<HistoryRow>,
    /// Only every `stride`-th row is kept, besides the last.
    stride: u64,
    /// Rows that were begun, kept or not.
    begun: u64,
    /// The current attempt has added nothing yet, and goes on after some of the rows.
    joins: bool,
    /// Each name's number, by which the rows know it: ten thousand rows must fit into little memory.
    names: BTreeMap<String, u32>,
    /// The greatest key so far.
    highest: Option<f64>,
    /// The last epoch has told its results.
    closed: bool,
    /// What steps have told since, for the epoch that they belong to.
    coming: HistoryRow,
}

#[derive(Debug, Clone, Default)]
struct HistoryRow {
    key: f64,
    epoch: Option<f64>,
    step: Option<i64>,
    at: f64,
    /// By the number of the name.
    values: Vec<(u32, f64)>,
}

impl HistoryRow {
    fn set(&mut self, name: u32, value: f64) {
        match self.values.binary_search_by_key(&name, |(known, _)| *known) {
            Ok(at) => self.values[at].1 = value,
            Err(at) => self.values.insert(at, (name, value)),
        }
    }
}

/// A row with its names, which are in the order of their numbers.
struct Named<'a>(&'a HistoryRow, &'a [&'a str]);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let Named(row, names) = self;
        let mut map = out.serialize_map(None)?;
        if let Some(epoch) = row.epoch {
            map.serialize_entry("epoch", &epoch)?;
        }
        if let Some(step) = row.step {
            map.serialize_entry("step", &step)?;
        }
        map.serialize_entry("time", &row.at)?;
        let mut values: Vec<(&str, f64)> = row.values.iter().map(|(name, value)| (names[*name as usize], *value)).collect();
        values.sort_unstable_by_key(|(name, _)| *name);
        for (name, value) in values {
            map.serialize_entry(name, &Num(value))?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    run: RunId,
    history: Vec<Named<'a>>,
}

impl History {
    /// The rows that follow are of another attempt, which goes on after some of these or begins anew.
    pub fn begin(&mut self, resumes: bool) {
        self.joins = resumes;
        self.closed = false;
        self.coming = HistoryRow::default();
        if !resumes {
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.begun = 0;
        self.stride = 1;
        self.highest = None;
    }

    /// Takes one row of metrics, with its step since the start of the training; true when it began a new row of history.
    pub fn add(&mut self, row: &Row, step: Option<i64>, at: UnixMs) -> bool {
        let by_epoch = self.rows.last().is_some_and(|last| last.epoch.is_some());
        if row.epoch.is_none() && by_epoch && (self.joins || (self.closed && step.is_some())) {
            // Steps behind the results of an epoch are of the next. Which rows an attempt goes on after is known when it tells its
            // first epoch.
            fill(&mut self.names, &mut self.coming, row, step, at);
            return false;
        }
        if row.epoch.is_some() && !by_epoch {
            self.gather_steps();
        }
        // Where there are epochs, a row without one belongs to the epoch that is there.
        let key = row.epoch.or(step.map(|step| step as f64).filter(|_| !by_epoch));
        if std::mem::take(&mut self.joins)
            && let Some(key) = key
        {
            self.rows.retain(|row| row.key < key);
        }
        // Values without an axis (a summary at the end) belong to the row that is there.
        let known = key.map_or_else(|| self.rows.len().checked_sub(1), |key| self.place_of(key));
        if known.is_none() {
            self.open(key.unwrap_or(1.0));
        }
        let last = self.rows.len().saturating_sub(1);
        let place = known.unwrap_or(last);
        let Some(into) = self.rows.get_mut(place) else { return false };
        // What a second source says late of an earlier epoch is nothing of the steps since.
        if row.epoch.is_some() && place == last {
            if known.is_none() || !self.closed {
                let coming = std::mem::take(&mut self.coming);
                into.step = coming.step.or(into.step);
                coming.values.into_iter().for_each(|(name, value)| into.set(name, value));
            }
            self.closed = row.ends_epoch() || (known.is_some() && self.closed);
        }
        fill(&mut self.names, into, row, step, at);
        known.is_none()
    }

    /// The steps so far turn out to be those of the first epoch.
    fn gather_steps(&mut self) {
        for row in std::mem::take(&mut self.rows) {
            self.coming.step = row.step;
            row.values.into_iter().for_each(|(name, value)| self.coming.set(name, value));
        }
        self.clear();
    }

    /// No epoch follows: what steps alone have told since belongs to the last.
    pub fn finish(&mut self) {
        let Some(last) = self.rows.last_mut() else { return };
        for (name, value) in std::mem::take(&mut self.coming.values) {
            if last.values.iter().all(|(known, _)| *known != name) {
                last.set(name, value);
            }
        }
    }

    /// Puts rows of the same place together, which came apart as one metric was told after the other.
    pub fn join(&mut self) {
        self.rows.sort_by(|a, b| a.key.total_cmp(&b.key));
        self.rows.dedup_by(|later, earlier| {
            let same = later.key.total_cmp(&earlier.key).is_eq();
            if same {
                std::mem::take(&mut later.values).into_iter().for_each(|(name, value)| earlier.set(name, value));
            }
            same
        });
    }

    /// The row with this key, if it is a recent one: a second source may say of an epoch what the first said rows ago.
    fn place_of(&self, key: f64) -> Option<usize> {
        if self.highest.is_none_or(|highest| key > highest) {
            return None;
        }
        let recent = self.rows.len().saturating_sub(RECENT);
        self.rows[recent..].iter().rposition(|row| row.key == key).map(|at| recent + at)
    }

    fn open(&mut self, key: f64) {
        self.stride = self.stride.max(1);
        // The row that was last so far stays only if it is one of the evenly spaced; else the new one takes its memory.
        let surplus = if self.begun > 0 && !(self.begun - 1).is_multiple_of(self.stride) { self.rows.pop() } else { None };
        let mut values = surplus.map(|row| row.values).unwrap_or_default();
        values.clear();
        self.begun += 1;
        self.highest = Some(self.highest.map_or(key, |highest| highest.max(key)));
        self.rows.push(HistoryRow { key, values, ..HistoryRow::default() });
        if self.rows.len() > MOST.min(MOST_VALUES / self.names.len().max(1)).max(100) {
            self.stride *= 2;
            let last = self.rows.pop();
            let mut i = 0;
            self.rows.retain(|_| {
                i += 1;
                i % 2 == 1
            });
            self.rows.extend(last);
        }
    }

    pub fn write(&self, run_folder: &Path, run: RunId) -> Result<(), StoreError> {
        let mut names = vec![""; self.names.len()];
        for (name, number) in &self.names {
            names[*number as usize] = name;
        }
        // What a second source said late stands late.
        let mut rows: Vec<&HistoryRow> = self.rows.iter().collect();
        rows.sort_by(|a, b| a.key.total_cmp(&b.key));
        let history = rows.into_iter().map(|row| Named(row, &names)).collect();
        let document = Document { version: neronet_model::FORMAT, run, history };
        files::replace_json(&run_folder.join("history.json"), &document, Durability::Renamed)
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

fn fill(names: &mut BTreeMap<String, u32>, into: &mut HistoryRow, row: &Row, step: Option<i64>, at: UnixMs) {
    into.epoch = row.epoch.or(into.epoch);
    into.step = step.or(into.step);
    into.at = at.seconds();
    if into.values.is_empty() {
        into.values.reserve_exact(row.m.0.len());
    }
    for (name, value) in &row.m.0 {
        let next = names.len() as u32;
        let name = names.get(name).copied().unwrap_or_else(|| *names.entry(name.clone()).or_insert(next));
        into.set(name, *value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neronet_model::row::Values;

    fn row(epoch: f64, step: i64, value: f64) -> Row {
        Row { epoch: Some(epoch), step: Some(step), m: Values(vec![("loss".into(), value)]), ..Row::default() }
    }

    fn add(history: &mut History, row: Row, at: UnixMs) -> bool {
        history.add(&row, row.step, at)
    }

    fn values(history: &History, name: &str) -> Vec<f64> {
        let number = history.names[name];
        history.rows.iter().filter_map(|row| row.values.iter().find(|(known, _)| *known == number)).map(|(_, value)| *value).collect()
    }

    #[test]
    fn a_row_an_epoch_holds_the_last_value() {
        let mut history = History::default();
        history.begin(false);
        for step in 0..30 {
            add(&mut history, row((step / 10) as f64, step, step as f64), UnixMs(step * 1000));
        }
        assert_eq!(values(&history, "loss"), [9.0, 19.0, 29.0]);
    }

    #[test]
    fn a_step_without_an_epoch_belongs_to_the_epoch_that_is_there() {
        let mut history = History::default();
        history.begin(true);
        let step = |step: i64, value: f64| Row { step: Some(step), m: Values(vec![("grad".into(), value)]), ..Row::default() };
        for epoch in 1..=3 {
            add(&mut history, row(f64::from(epoch), 0, 1.0), UnixMs(0));
            add(&mut history, step(10 * i64::from(epoch), f64::from(epoch)), UnixMs(0));
        }
        assert_eq!(values(&history, "grad"), [1.0, 2.0, 3.0]);
        // A resumed attempt that first tells a step.
        history.begin(true);
        add(&mut history, step(25, 9.0), UnixMs(0));
        add(&mut history, row(3.0, 0, 2.0), UnixMs(0));
        assert_eq!(history.rows.iter().map(|row| row.key).collect::<Vec<_>>(), [1.0, 2.0, 3.0]);
        assert_eq!(values(&history, "loss"), [1.0, 1.0, 2.0]);
    }

    #[test]
    fn steps_before_the_results_of_an_epoch_belong_to_it() {
        let mut history = History::default();
        for epoch in 1..=3 {
            for step in 1..=10 {
                let step = (epoch - 1) * 10 + step;
                let m = Values(vec![("loss".into(), 1.0 / step as f64)]);
                add(&mut history, Row { step: Some(step), m, ..Row::default() }, UnixMs(0));
            }
            let m = Values(vec![("val_loss".into(), 0.5 / epoch as f64)]);
            add(&mut history, Row { epoch: Some(epoch as f64), m, ..Row::default() }, UnixMs(0));
        }
        add(&mut history, Row { m: Values(vec![("test_acc".into(), 0.9)]), ..Row::default() }, UnixMs(0));
        let axes: Vec<_> = history.rows.iter().map(|row| (row.epoch, row.step)).collect();
        assert_eq!(axes, [(Some(1.0), Some(10)), (Some(2.0), Some(20)), (Some(3.0), Some(30))]);
        assert_eq!(values(&history, "loss"), [1.0 / 10.0, 1.0 / 20.0, 1.0 / 30.0]);
        assert_eq!(values(&history, "test_acc"), [0.9]);
    }

    #[test]
    fn what_is_said_late_of_an_epoch_is_nothing_of_the_steps_since() {
        let mut history = History::default();
        let step = |step: i64| Row { step: Some(step), m: Values(vec![("loss".into(), step as f64)]), ..Row::default() };
        let result = |epoch: f64, name: &str| Row { epoch: Some(epoch), m: Values(vec![(name.into(), 0.5)]), ..Row::default() };
        let told = [step(1), step(2), result(1.0, "val"), step(3), result(1.0, "csv"), step(4), result(2.0, "val")];
        let opened: Vec<bool> = told.into_iter().map(|row| add(&mut history, row, UnixMs(0))).collect();
        assert_eq!(opened, [true, true, true, false, false, false, true]);
        assert_eq!(history.rows.iter().map(|row| row.step).collect::<Vec<_>>(), [Some(2), Some(4)]);
        assert_eq!(values(&history, "loss"), [2.0, 4.0]);
        // An attempt from scratch that ends within its first epoch has nothing of the one before.
        history.begin(false);
        add(&mut history, step(1), UnixMs(0));
        history.finish();
        assert_eq!((history.len(), history.rows[0].step, history.rows[0].epoch), (1, Some(1), None));
    }

    #[test]
    fn a_second_source_adds_to_the_rows_of_the_first() {
        let mut history = History::default();
        history.begin(false);
        for epoch in 1..=3 {
            add(&mut history, row(f64::from(epoch), 0, 1.0), UnixMs(0));
        }
        for epoch in 1..=3 {
            let other = Row { epoch: Some(f64::from(epoch)), m: Values(vec![("acc".into(), 0.5)]), ..Row::default() };
            assert!(!add(&mut history, other, UnixMs(0)));
        }
        assert_eq!(history.len(), 3);
        assert!(history.rows.iter().all(|row| row.values.len() == 2));
    }

    #[test]
    fn many_rows_are_thinned_evenly_and_the_last_is_kept() {
        let mut history = History::default();
        history.begin(false);
        for epoch in 0..45_678 {
            add(&mut history, row(f64::from(epoch), i64::from(epoch), f64::from(epoch)), UnixMs(0));
        }
        assert!(history.len() <= MOST && history.len() > MOST / 2 - 2, "{}", history.len());
        assert_eq!(history.rows.last().map(|row| row.key), Some(45_677.0));
        let gaps: Vec<f64> = history.rows[..history.len() - 1].windows(2).map(|pair| pair[1].key - pair[0].key).collect();
        assert!(gaps.iter().all(|gap| *gap == gaps[0]), "uneven");
    }

    #[test]
    fn a_resumed_attempt_replaces_the_rows_from_its_first_on() {
        let mut history = History::default();
        history.begin(false);
        for epoch in 1..=5 {
            add(&mut history, row(f64::from(epoch), 0, 1.0), UnixMs(0));
        }
        history.begin(true);
        add(&mut history, row(4.0, 0, 2.0), UnixMs(0));
        let keys: Vec<f64> = history.rows.iter().map(|row| row.key).collect();
        assert_eq!(keys, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(values(&history, "loss"), [1.0, 1.0, 1.0, 2.0]);
    }
}
