//! `neronet resume` and `neronet retry`: another attempt of runs that ended; of several only those that did not finish.

use crate::args::Again as Words;
use crate::commands::page::count;
use crate::commands::{read, run};
use crate::output;
use crate::session::Session;
use neronet_home::HomeError;
use neronet_home::select::select;
use neronet_home::steer;
use neronet_home::view::{Snapshot, View};
use neronet_model::run::Again;
use neronet_model::settings::Resume;
use neronet_model::{Outcome, RunId};
use std::process::ExitCode;

pub(crate) fn resume(session: &Session, words: &Words) -> Result<ExitCode, HomeError> {
    begin_again(session, words, |view| match &view.sweep.settings.resume {
        None => Err(HomeError::Failed(format!(
            "run {}: its specification has no [resume], so neronet does not know how it goes on.\n\
             Add for instance [resume] arguments = \"--resume {{checkpoint}}\"; `neronet retry {}` starts it from scratch",
            view.run.id, view.run.id
        ))),
        // The script finds its own; what is known is told nevertheless.
        Some(Resume::Automatic) => {
            let found = steer::find_checkpoints(&session.context, view)?;
            let text = |path: std::path::PathBuf| path.display().to_string();
            Ok(Again::Resume { checkpoint: found.latest.map(text), best: found.best.map(text), step: None })
        }
        Some(resume) => {
            let found = steer::find_checkpoints(&session.context, view)?;
            for word in &found.passed_over {
                output::notice(&format!("run {}: checkpoint passed over: {word}", view.run.id));
            }
            let path = steer::handed_over(&found, resume).map(|path| path.display().to_string()).ok_or_else(|| {
                HomeError::Failed(format!(
                    "run {} has no complete checkpoint to go on from (looked for {}); `neronet retry {}` starts it from scratch",
                    view.run.id,
                    view.sweep.settings.checkpoints.paths.join(", "),
                    view.run.id
                ))
            })?;
            output::notice(&format!("run {} goes on from {path}", view.run.id));
            Ok(Again::Resume { checkpoint: Some(path), best: found.best.map(|path| path.display().to_string()), step: None })
        }
    })
}

pub(crate) fn retry(session: &Session, words: &Words) -> Result<ExitCode, HomeError> {
    begin_again(session, words, |view| {
        let Some(step) = steer::step_left(&session.context, view)? else { return Ok(Again::Retry) };
        output::notice(&format!("run {} goes on with step {step}: what came before it ended well", view.run.id));
        Ok(Again::Resume { checkpoint: None, best: None, step: Some(step) })
    })
}

fn begin_again(session: &Session, words: &Words, how: impl Fn(&View<'_>) -> Result<Again, HomeError>) -> Result<ExitCode, HomeError> {
    neronet_home::reconcile::reconcile(&session.context)?;
    let snapshot = Snapshot::read(&session.context)?;
    let views = snapshot.views(&session.context);
    let chosen = select(&views, &words.which, read::project(session, &words.reach).as_deref(), session.now())?;
    // Of one that is named alone it is meant, of many it would be a surprise.
    let (finished, again): (Vec<_>, Vec<_>) =
        chosen.iter().copied().partition(|view| chosen.len() > 1 && view.outcome == Some(Outcome::Finished));
    if !finished.is_empty() {
        let (runs, example) = (count(finished.len(), "finished run"), finished[0].run.id);
        output::notice(&format!("{runs} left out; one named alone is begun again, such as {example}"));
    }
    again.iter().try_for_each(|view| steer::may_begin_again(view))?;
    if again.is_empty() {
        return Err(HomeError::Failed("none of them is left to begin again".into()));
    }
    // All are looked at before the first is decided on: of a wrong list nothing is started.
    let decisions = again.iter().map(|view| Ok((view.run.id, how(view)?))).collect::<Result<Vec<_>, HomeError>>()?;
    let runs: Vec<RunId> = decisions.iter().map(|(run, _)| *run).collect();
    steer::again(&session.context, decisions, !words.detach)?;
    run::carry_out(session, &runs, &run::Manner { detach: words.detach, wait: false, quiet: words.quiet, json: false })
}
