//! Makes anew what home stores of its own records, proves that it was right or says that it was not, and reads all records once, so that
//! what cannot be read of them is known.

use crate::context::Context;
use crate::error::HomeError;
use neronet_model::RunId;
use neronet_store::projection::{self, Was};
use neronet_store::recording::Recording;
use neronet_store::spool;
use serde_json::{Value, json};

/// What was found.
#[derive(Debug)]
pub struct Repaired {
    /// Runs in the journal.
    pub runs: usize,
    /// Bytes of the journal that cannot be read, in sentences.
    pub journal: Vec<String>,
    /// Of what is stored of the journal.
    pub state: Was,
    /// Runs whose stored curves were right.
    pub right: u64,
    /// Those of which they were not, and why.
    pub wrong: Vec<(RunId, String)>,
    pub attempts: u64,
    /// What cannot be read of the records of attempts.
    pub records: Vec<(RunId, String)>,
}

/// `tell` hears how many of how many runs were looked at.
///
/// # Errors
/// The journal cannot be read at all, or nothing can be stored.
pub fn repair(context: &Context, mut tell: impl FnMut(usize, usize)) -> Result<Repaired, HomeError> {
    let (known, state) = match context.home.projection() {
        Some(folder) => projection::rebuild(&context.home.journal(), &folder)?,
        None => (context.home.read()?, Was::Absent),
    };
    let runs = known.state.runs.len();
    let mut repaired =
        Repaired { runs, journal: known.damage.clone(), state, right: 0, wrong: Vec::new(), attempts: 0, records: Vec::new() };
    for (at, run) in known.state.runs.values().enumerate() {
        tell(at, runs);
        let folder = context.home.run(run.id);
        let rebuilt = context.stored_series(run).map_or(Ok(Was::Absent), |stored| Recording::rebuild(&folder, &stored));
        match rebuilt {
            Ok(Was::Absent) => {}
            Ok(Was::Right) => repaired.right += 1,
            Ok(Was::Wrong(why)) => repaired.wrong.push((run.id, why.to_string())),
            Err(e) => repaired.wrong.push((run.id, e.to_string())),
        }
        for n in spool::attempts_of(&folder)? {
            repaired.attempts += 1;
            let said = |what: String| (run.id, format!("attempt {n}: {what}"));
            match spool::damage(&context.home.attempt(run.id, n), u64::MAX) {
                Ok(damage) => repaired.records.extend(damage.into_iter().map(said)),
                Err(e) => repaired.records.push(said(e.to_string())),
            }
        }
    }
    Ok(repaired)
}

impl Repaired {
    /// Whether all records could be read.
    pub fn is_whole(&self) -> bool {
        self.journal.is_empty() && self.records.is_empty()
    }

    pub fn json(&self) -> Value {
        let of_runs = |all: &[(RunId, String)]| all.iter().map(|(run, what)| json!({"run": run, "what": what})).collect::<Vec<_>>();
        let (state, why) = match self.state {
            Was::Absent => ("absent", None),
            Was::Right => ("right", None),
            Was::Wrong(why) => ("wrong", Some(why)),
        };
        json!({
            "runs": self.runs,
            "attempts": self.attempts,
            "state": {"was": state, "why": why},
            "series": {"right": self.right, "wrong": of_runs(&self.wrong)},
            "damage": {"journal": self.journal, "records": of_runs(&self.records)},
        })
    }
}
