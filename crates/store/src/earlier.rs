//! What the attempts before one leave to it: rows of history, how steps are counted, and, as soon as it is known where it joins
//! each series, what the points before that came to. The same joins as in `series`, in memory that does not grow with points.

use crate::error::StoreError;
use crate::history::History;
use crate::spool;
use neronet_model::event::Summary;
use neronet_model::row::{Steps, Values};
use neronet_model::{AttemptNo, Row, UnixMs};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The first step (else epoch) that an attempt told of each metric; `None` where it told neither.
pub type Firsts = BTreeMap<String, Option<f64>>;

#[derive(Debug, Default)]
pub struct Earlier {
    pub history: History,
    pub steps: Steps,
    /// Those that are gone on from, in order: after the last that began from scratch. Of each what it told first, and what it told
    /// first whenever the training began again within it.
    attempts: Vec<(PathBuf, Vec<Firsts>)>,
}

impl Earlier {
    /// Reads the attempts before `n`, which resumes or begins from scratch.
    pub fn read(run_folder: &Path, n: AttemptNo, resumes: bool) -> Result<Earlier, StoreError> {
        let mut earlier = Earlier::default();
        for before in spool::attempts_of(run_folder)?.into_iter().filter(|before| *before < n) {
            let folder = run_folder.join("attempts").join(before.to_string());
            let attempt = spool::attempt(&folder, before)?;
            earlier.begin(attempt.resumes);
            let begun = attempt.begun.unwrap_or(UnixMs(0));
            let mut firsts = Firsts::new();
            let mut is_first = true;
            spool::rows(&folder, |row| {
                if row.again && !is_first {
                    earlier.again(&folder, std::mem::take(&mut firsts));
                }
                is_first = false;
                let step = earlier.steps.of(&row);
                earlier.history.add(&row, step, begun.plus(row.t));
                note_firsts(&mut firsts, &row, given(&row, step));
            })?;
            earlier.again(&folder, firsts);
        }
        earlier.begin(resumes);
        Ok(earlier)
    }

    /// The history of all that a run has on record, as the supervisor of its last attempt makes it.
    pub fn history(run_folder: &Path) -> Result<History, StoreError> {
        let Some(last) = spool::attempts_of(run_folder)?.pop() else { return Ok(History::default()) };
        let folder = run_folder.join("attempts").join(last.to_string());
        let attempt = spool::attempt(&folder, last)?;
        let Earlier { mut history, mut steps, .. } = Earlier::read(run_folder, last, attempt.resumes)?;
        let begun = attempt.begun.unwrap_or(UnixMs(0));
        let mut is_first = true;
        spool::rows(&folder, |row| {
            if row.again && !is_first {
                history.begin(true);
            }
            is_first = false;
            let step = steps.of(&row);
            history.add(&row, step, begun.plus(row.t));
        })?;
        history.finish();
        Ok(history)
    }

    /// What was told in this attempt, first of each metric so, is gone on from: the training begins again, in it or in another.
    pub fn again(&mut self, folder: &Path, firsts: Firsts) {
        self.history.begin(true);
        match self.attempts.last_mut().filter(|(known, _)| known == folder) {
            Some((_, sections)) => sections.push(firsts),
            None => self.attempts.push((folder.to_path_buf(), vec![firsts])),
        }
    }

    /// The last attempt alone, of which the rows since the training began again in it do not count.
    pub fn of_last(&self) -> Earlier {
        Earlier { attempts: self.attempts.last().cloned().into_iter().collect(), ..Earlier::default() }
    }

    fn begin(&mut self, resumes: bool) {
        self.history.begin(resumes);
        if !resumes {
            self.steps = Steps::default();
            self.attempts.clear();
        }
    }

    /// What became of each metric before the attempt that joins at `firsts`.
    pub fn summary(&self, firsts: &Firsts) -> Result<Summary, StoreError> {
        let mut summary = Summary::default();
        let mut steps = Steps::default();
        for (i, (folder, sections)) in self.attempts.iter().enumerate() {
            let behind = || self.attempts.iter().skip(i + 1).flat_map(|(_, sections)| sections).chain([firsts]);
            let (mut section, mut is_first) = (0, true);
            spool::rows(folder, |mut row| {
                section += usize::from(row.again && !is_first);
                is_first = false;
                if section >= sections.len() {
                    return;
                }
                let later = || sections.iter().skip(section + 1).chain(behind());
                let superseded = |name: &str, at: f64| later().filter_map(|firsts| *firsts.get(name)?).any(|first| at >= first);
                let step = steps.of(&row);
                let at = given(&row, step);
                let values = std::mem::take(&mut row.m.0).into_iter();
                row.m = Values(values.filter(|(name, _)| !at.is_some_and(|at| superseded(name, at))).collect());
                summary.steps = step.or(summary.steps);
                summary.add(&row.m, step, row.epoch);
            })?;
        }
        Ok(summary)
    }
}

/// Where a row stands: at its step, else its epoch.
pub fn given(row: &Row, step: Option<i64>) -> Option<f64> {
    step.map(|step| step as f64).or(row.epoch)
}

pub fn note_firsts(firsts: &mut Firsts, row: &Row, given: Option<f64>) {
    for (name, _) in &row.m.0 {
        if !firsts.contains_key(name) {
            firsts.insert(name.clone(), given);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Series;
    use neronet_model::launch::{Launch, Limits};
    use neronet_model::{FORMAT, Millis, RunId, Uid};
    use neronet_series::{Fold, Recorded};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Whether it resumes; of each row how it says where it stands, where that is, whether it is told twice, and whether the training
    /// begins again before it.
    type Told = (bool, Vec<(u8, i64, bool, bool)>);

    fn attempts() -> impl Strategy<Value = Vec<Told>> {
        let row = (0..5u8, 0..6i64, proptest::bool::weighted(0.2), proptest::bool::weighted(0.1));
        proptest::collection::vec((proptest::bool::weighted(0.8), proptest::collection::vec(row, 0..12)), 1..5)
    }

    /// Of one of two metrics, with a value that no other row has.
    fn row(kind: u8, at: i64, count: usize) -> Row {
        let name = if at % 2 == 0 { "loss" } else { "acc" };
        let (step, epoch) = match kind {
            0 => (Some(at), None),
            1 => (None, Some(at as f64)),
            2 | 3 => (Some(at), Some((at / 3) as f64)),
            _ => (None, None),
        };
        let value = if count == 3 { f64::NAN } else { (count * 7_919 % 101) as f64 };
        let steps = (kind == 3).then_some(6);
        Row { t: Millis(1), src: "o".into(), step, steps, epoch, m: Values(vec![(name.into(), value)]), ..Row::default() }
    }

    fn launch(attempt: AttemptNo, resumes: bool) -> String {
        let launch = Launch {
            version: FORMAT,
            run: RunId(1),
            uid: Uid::parse("01M7Z06T5D7XPCVQFXDMK59AFG").expect("a ULID"),
            attempt,
            argv: Vec::new(),
            setup: Vec::new(),
            shown: String::new(),
            hides_ends: false,
            steps: Vec::new(),
            steps_only: false,
            directory: String::new(),
            run_directory: String::new(),
            env: Vec::new(),
            secrets: Vec::new(),
            time_limit: None,
            stop: Default::default(),
            metrics: Default::default(),
            checkpoints: Default::default(),
            outputs: Default::default(),
            code: None,
            objectives: Vec::new(),
            resumes,
            resumed_from: None,
            files_found: BTreeMap::new(),
            limits: Limits::default(),
            grant: None,
            courtesy: Default::default(),
            notices: Vec::new(),
        };
        serde_json::to_string(&launch).expect("serialises")
    }

    /// All series of the attempts told until now.
    fn joined(told: &[(bool, Vec<Row>)]) -> BTreeMap<String, Series> {
        let (mut fold, mut attempts, mut rest) = (Fold::default(), Vec::new(), Vec::new());
        for (n, (resumes, rows)) in (1..).map(AttemptNo).zip(told) {
            attempts.push((n, *resumes));
            fold.begin(n, *resumes, UnixMs(0));
            for row in rows {
                if fold.is_over_before(row) {
                    rest.push(fold.cut());
                }
                fold.add(row);
            }
            rest.push(fold.cut());
        }
        let recorded = Recorded { attempts: &attempts, file: &[][..], heads: &[], rest: &rest };
        let series = |name: &str| {
            let mut series = Series::default();
            recorded.series(name).points(|point| series.points.push(point)).expect("in memory");
            series
        };
        recorded.names().map(|name| (name.to_string(), series(name))).collect()
    }

    /// After each row of each attempt, what the attempt says of itself put behind what was before it, and the joined series.
    fn agree(attempts: &[Told]) {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut told, mut count) = (Vec::new(), 0);
        // Whether a metric stands at steps or is counted: what does both has no right numbers.
        let mut kinds: BTreeMap<String, BTreeSet<bool>> = BTreeMap::new();
        for (n, (resumes, rows)) in (1..).map(AttemptNo).zip(attempts) {
            let resumes = *resumes && n.0 > 1;
            let attempt = folder.path().join("attempts").join(n.to_string());
            std::fs::create_dir_all(&attempt).expect("made");
            let mut earlier = Earlier::read(folder.path(), n, resumes).expect("reads");
            told.push((resumes, Vec::new()));
            let (mut steps, mut summary, mut firsts) = (earlier.steps.clone(), Summary::default(), Firsts::new());
            let mut lines = String::new();
            for (kind, at, twice, again) in rows {
                count += 1;
                let mut row = row(*kind, *at, count);
                for second in 0..=u8::from(*twice) {
                    row.again = *again && second == 0;
                    if row.again && !lines.is_empty() {
                        earlier.again(&attempt, std::mem::take(&mut firsts));
                        summary = Summary::default();
                        std::fs::write(attempt.join("metrics.1.jsonl"), &lines).expect("written");
                    }
                    told.last_mut().expect("begun").1.push(row.clone());
                    let step = steps.of(&row);
                    let given = given(&row, step);
                    note_firsts(&mut firsts, &row, given);
                    summary.add(&row.m, step, row.epoch);
                    let (name, _) = &row.m.0[0];
                    kinds.entry(name.clone()).or_default().insert(given.is_some());
                    lines += &format!("{}\n", serde_json::to_string(&row).expect("serialises"));
                }
                let before = earlier.summary(&firsts).expect("reads");
                let whole = summary.clone().after(&before, |name| firsts.get(name) == Some(&None));
                for (name, series) in joined(&told).iter().filter(|(name, _)| kinds[*name].len() == 1) {
                    // As text, so that NaN equals NaN.
                    let (found, expected) = (whole.metrics.get(name).cloned(), series.extent());
                    assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{name} in attempt {n}");
                }
            }
            std::fs::write(attempt.join("metrics.1.jsonl"), lines).expect("written");
            std::fs::write(attempt.join("launch.json"), launch(n, resumes)).expect("written");
        }
    }

    proptest! {
        #[test]
        fn a_summary_that_goes_on_is_that_of_the_joined_series(attempts in attempts()) {
            agree(&attempts);
        }
    }
}
