//! The steps behind a command, as their keeper starts them: with the checkpoints that are known by then.

use crate::found;
use neronet_model::launch::{Awaited, Launch, Step};
use neronet_model::outcome::Cause;
use std::path::Path;

/// The checkpoints of the run when a step starts.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    pub(crate) latest: Option<String>,
    pub(crate) best: Option<String>,
}

/// Those that the step awaits, of this attempt and of those that it goes on from.
pub(crate) fn checkpoints(launch: &Launch, step: &Step) -> Result<Checkpoints, Cause> {
    if step.awaits.is_empty() {
        return Ok(Checkpoints::default());
    }
    let goal = launch.objectives.first().map(|objective| objective.goal);
    let run_folder = Path::new(&launch.run_directory);
    let found = found::joined(run_folder, launch.attempt).and_then(|attempts| found::checkpoints(run_folder, &attempts, goal));
    let found = found.map_err(|e| Cause::NotStarted(format!("its checkpoints cannot be looked up: {e}")))?;
    let Some(latest) = &found.latest else {
        let passed_over = found.passed_over.first().map(|why| format!(" ({why})")).unwrap_or_default();
        return Err(Cause::NotStarted(format!("there is no complete checkpoint{passed_over}")));
    };
    let text = |path: &Path| path.to_str().map(str::to_string).ok_or_else(|| Cause::NotStarted(format!("{} is no text", path.display())));
    let best = found.best_or_latest().unwrap_or(latest);
    let awaited = |one: Awaited, path: &Path| step.awaits.contains(&one).then(|| text(path)).transpose();
    Ok(Checkpoints { latest: awaited(Awaited::Latest, latest)?, best: awaited(Awaited::Best, best)? })
}

/// What is executed: the launch with the step's command in place of its own.
pub(crate) fn launch_of(launch: &Launch, step: &Step, checkpoints: &Checkpoints) -> Launch {
    let mut filled = Launch { argv: step.argv.clone(), ..launch.clone() };
    for (awaited, path) in [(Awaited::Latest, &checkpoints.latest), (Awaited::Best, &checkpoints.best)] {
        let Some(path) = path else { continue };
        filled.argv.iter_mut().for_each(|word| *word = word.replace(awaited.mark(), path));
        filled.env.push((awaited.variable().to_string(), Some(path.clone())));
    }
    filled
}
