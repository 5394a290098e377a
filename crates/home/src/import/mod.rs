//! `import`: runs that were recorded elsewhere, by other trackers or by another home, become runs of this one. A run is known again by
//! what it is called where it comes from: a second time only what is new there is added (`grown`).

mod arrival;
mod bundle;
mod checked;
mod dressed;
mod foreign;
mod grown;
mod lines;
mod points;
mod tables;
mod told;

use crate::context::Context;
use crate::error::HomeError;
use crate::listing::current_project;
use crate::masked;
use crate::steer;
use arrival::Landing;
use neronet_model::RunId;
use std::path::{Path, PathBuf};

/// What is said of the runs that come.
#[derive(Debug, Default)]
pub struct Words {
    /// Instead of the current project.
    pub project: Option<String>,
    /// Instead of what they are called where they come from.
    pub experiment: Option<String>,
    pub tags: Vec<String>,
    /// Only look what would come.
    pub dry: bool,
}

/// How far it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    pub sources: usize,
    pub done: usize,
    /// Points of the run that is being read.
    pub points: u64,
}

/// One run that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Who recorded it.
    pub from: String,
    pub path: PathBuf,
    pub name: String,
    pub project: String,
    pub experiment: String,
    pub became: Became,
    pub points: u64,
    /// What was passed over or damaged, in sentences.
    pub notices: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Became {
    /// A run of home.
    New(RunId),
    /// It would become one.
    Would,
    There(RunId),
    /// It was there, and so many points came to it.
    Grown(RunId, u64),
    /// It is there, and its source is not as it was.
    Changed(RunId),
    /// Nothing of it was imported.
    Failed(String),
}

/// What an import came to.
#[derive(Debug, Default)]
pub struct Result {
    pub found: Vec<Found>,
    /// Of no run: what was passed over while runs were looked for.
    pub notices: Vec<String>,
}

/// All that one import needs at hand.
struct Importing<'i> {
    context: &'i Context,
    words: &'i Words,
    /// The project of runs that come without one of their own.
    project: String,
    /// Values of our own environment that must be in no record.
    secrets: Vec<String>,
    known: std::collections::HashMap<String, RunId>,
    landing: Option<Landing>,
    progress: &'i mut dyn FnMut(Progress),
    at: Progress,
}

impl Importing<'_> {
    /// Where a file lies for whoever brought it along: what is read here is a copy that goes.
    fn origin(&self, path: &Path) -> PathBuf {
        let origin = || {
            let mut below = path.strip_prefix(&self.context.folder).ok()?.components();
            let brought = &self.context.project.as_ref()?.brought;
            let mut place = PathBuf::from(brought.get(below.next()?.as_os_str().to_str()?)?);
            place.extend(below);
            Some(place)
        };
        origin().unwrap_or_else(|| path.to_path_buf())
    }
}

/// Imports what lies at these paths. What cannot be read of one run keeps none of the others away; a disk that is full does.
pub fn import(
    context: &Context,
    paths: &[PathBuf],
    words: &Words,
    progress: &mut dyn FnMut(Progress),
) -> std::result::Result<Result, HomeError> {
    for tag in &words.tags {
        steer::may_be_tag(tag)?;
    }
    let landing = if words.dry { None } else { Some(Landing::open(context)?) };
    let mut importing = Importing {
        context,
        words,
        project: words.project.clone().unwrap_or_else(|| current_project(context)),
        secrets: masked::in_environment(context.environment.clone()),
        // With the landing ours no other import adds any.
        known: arrival::known(context)?,
        landing,
        progress,
        at: Progress::default(),
    };
    let mut result = Result::default();
    for path in paths {
        let place = context.folder.join(path);
        if bundle::is_one(&place) {
            bundle::import(&mut importing, path, &place, &mut result)?;
        } else if points::is_one(&place) {
            points::import(&mut importing, path, &place, &mut result)?;
        } else {
            foreign::import(&mut importing, path, &place, &mut result)?;
        }
    }
    Ok(result)
}

/// That there is nothing to import at a path.
fn nothing_at(path: &Path) -> HomeError {
    HomeError::Failed(format!(
        "{}: there is nothing that import knows: no event files of TensorBoard, no mlruns/ of MLflow, no run-ID.wandb of W&B, no run of \
         Sacred's FileStorageObserver, no bundle and no points that `neronet export` wrote",
        path.display()
    ))
}
