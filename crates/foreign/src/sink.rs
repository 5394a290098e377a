//! What is found in the files of another tracker, and whoever takes it: a stream, so that a run with a billion points needs no more
//! memory than one with ten.

use crate::error::Refusal;
use neronet_model::{Outcome, Params, UnixMs};
use std::path::Path;

/// A metric of the run that is being read: small numbers from 0, in the order in which they appear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Metric(pub u32);

impl Metric {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Values that were recorded together.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    pub at: Option<UnixMs>,
    pub step: Option<i64>,
    pub values: &'a [(Metric, f64)],
}

/// A text that was recorded under a name, as of TensorBoard's text plugin.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    pub at: Option<UnixMs>,
    pub step: Option<i64>,
    pub name: &'a str,
    pub text: &'a str,
}

/// A piece of what the command printed. Pieces follow one another; one need not be a line.
#[derive(Debug, Clone, Copy)]
pub struct Output<'a> {
    pub at: Option<UnixMs>,
    pub error: bool,
    pub text: &'a str,
}

/// A file that the run left, which lies where `path` says. It is a regular file below the folder of its run.
#[derive(Debug, Clone, Copy)]
pub struct Artifact<'a> {
    /// Relative and without `..`; bytes that are no UTF-8 and control characters are replaced.
    pub name: &'a str,
    pub path: &'a Path,
    pub bytes: u64,
}

/// Whether the points of a run are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    All,
    /// It is known already: nothing but `end` follows.
    Nothing,
}

/// Takes one run after the other. The order of calls: `begin`, then any of the others, then `end`.
///
/// `metric` comes before the first row that has it. Rows come in the order of the files; MLflow and Sacred keep a file or list
/// for each metric, so that all rows of one metric come before those of the next.
pub trait Sink {
    /// What is known of the run before its first row.
    fn begin(&mut self, run: &Run) -> Result<Wanted, Refusal>;
    fn metric(&mut self, metric: Metric, name: &str) -> Result<(), Refusal>;
    /// What follows is of a record of an event file that ends at this byte: for whoever follows a file while it grows.
    fn record(&mut self, _end: u64) {}
    fn row(&mut self, row: Row<'_>) -> Result<(), Refusal>;
    /// The training began again at this step: what came before with this step or a later one is superseded.
    fn restarted(&mut self, step: i64) -> Result<(), Refusal>;
    fn text(&mut self, text: Text<'_>) -> Result<(), Refusal>;
    fn output(&mut self, output: Output<'_>) -> Result<(), Refusal>;
    fn artifact(&mut self, artifact: Artifact<'_>) -> Result<(), Refusal>;
    /// All that is known of the run. Where it says other things than `begin`, this holds.
    fn end(&mut self, run: &Run) -> Result<(), Refusal>;
}

/// A run of another tracker, without its points.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    /// The same whenever this run is read, also when it has grown, and of no other run.
    pub key: String,
    pub name: String,
    /// Its project or experiment.
    pub project: Option<String>,
    /// The run that it is a part of or goes on from, by the id that its tracker gives it.
    pub parent: Option<String>,
    /// Names are dotted where there were tables.
    pub params: Params,
    /// Names with their values; the value is empty where a tag is a single word.
    pub tags: Vec<(String, String)>,
    pub note: Option<String>,
    /// Single values that stand for the whole run: a summary, a result.
    pub results: Params,
    pub started: Option<UnixMs>,
    pub ended: Option<UnixMs>,
    /// Nothing while it runs, or where nobody wrote down how it ended.
    pub outcome: Option<Outcome>,
    pub exit_code: Option<i32>,
    pub host: Option<String>,
    pub user: Option<String>,
    pub command: Vec<String>,
    pub repository: Option<String>,
    pub commit: Option<String>,
    /// Somebody deleted it there.
    pub deleted: bool,
}

/// Takes all and keeps nothing: for a first look at a run.
pub(crate) struct Nobody;

impl Sink for Nobody {
    fn begin(&mut self, _: &Run) -> Result<Wanted, Refusal> {
        Ok(Wanted::All)
    }
    fn metric(&mut self, _: Metric, _: &str) -> Result<(), Refusal> {
        Ok(())
    }
    fn row(&mut self, _: Row<'_>) -> Result<(), Refusal> {
        Ok(())
    }
    fn restarted(&mut self, _: i64) -> Result<(), Refusal> {
        Ok(())
    }
    fn text(&mut self, _: Text<'_>) -> Result<(), Refusal> {
        Ok(())
    }
    fn output(&mut self, _: Output<'_>) -> Result<(), Refusal> {
        Ok(())
    }
    fn artifact(&mut self, _: Artifact<'_>) -> Result<(), Refusal> {
        Ok(())
    }
    fn end(&mut self, _: &Run) -> Result<(), Refusal> {
        Ok(())
    }
}
