//! The runs that a submission is to make: their parameters, the runs that they go on from, and by what each is known again.

use crate::context::Context;
use crate::error::HomeError;
use crate::reconcile::reconcile;
use crate::same::{Key, Keys, keys_of};
use neronet_model::journal::{Git, HomeState};
use neronet_model::runs::Known;
use neronet_model::settings::{Match, Stage};
use neronet_model::{Outcome, Params, RunId, SweepId};
use neronet_spec::{Experiment, Plan};
use std::collections::BTreeMap;

pub(crate) struct Planned {
    pub(crate) params: Params,
    /// Where runs are looked for that are the same.
    pub(crate) key: Option<Key>,
    pub(crate) after: Option<Before>,
}

/// The runs of one experiment.
#[derive(Default)]
pub(crate) struct Runs {
    pub(crate) all: Vec<Planned>,
    /// Each goes on from the best of these.
    pub(crate) best_of: Vec<Before>,
}

/// A run that another one goes on from.
#[derive(Clone, Copy)]
pub(crate) enum Before {
    /// Of the same submission: the number of its experiment, and its own.
    Planned(usize, usize),
    There(RunId),
}

/// All runs of a plan, by experiment.
pub(crate) fn runs<'g>(
    context: &Context,
    plan: &Plan,
    project: &str,
    as_set: bool,
    git_of: impl Fn(usize) -> Option<&'g Git>,
) -> Result<Vec<Runs>, HomeError> {
    let mut planned: Vec<Runs> = Vec::new();
    let mut known: BTreeMap<RunId, Key> = BTreeMap::new();
    for (at, experiment) in plan.experiments.iter().enumerate() {
        let keys = as_set.then(|| Keys::of(&experiment.settings, git_of(at)));
        let Some(stage) = &experiment.settings.stage else {
            let all = experiment.runs().map(|params| Planned { params, key: None, after: None }).collect();
            planned.push(keyed(Runs { all, best_of: Vec::new() }, keys.as_ref(), &planned, &known));
            continue;
        };
        let before: Vec<(Before, Params)> = match plan.experiments.iter().position(|known| known.name == stage.after) {
            Some(at) => {
                let all = planned.get(at).map(|runs| &runs.all[..]).unwrap_or_default().iter().enumerate();
                all.map(|(n, run)| (Before::Planned(at, n), run.params.clone())).collect()
            }
            None => {
                reconcile(context)?;
                let state = context.home.read()?.state;
                if as_set && known.is_empty() {
                    known = keys_of(&state, project);
                }
                let there = finished(&state, project, stage, plan)?;
                there.into_iter().map(|(run, params)| (Before::There(run), params)).collect()
            }
        };
        planned.push(keyed(joined(experiment, stage, before)?, keys.as_ref(), &planned, &known));
    }
    Ok(planned)
}

fn joined(experiment: &Experiment, stage: &Stage, before: Vec<(Before, Params)>) -> Result<Runs, HomeError> {
    let (before, params): (Vec<Before>, Vec<Params>) = before.into_iter().unzip();
    if stage.match_on == Match::Best {
        let all = experiment.runs().map(|params| Planned { params, key: None, after: None }).collect();
        return Ok(Runs { all, best_of: before });
    }
    let runs = experiment.after(params.into_iter());
    let all: Vec<Planned> =
        runs.map(|run| Planned { params: run.params, key: None, after: run.after.and_then(|at| before.get(at)).copied() }).collect();
    match (&stage.match_on, all.is_empty()) {
        (Match::Params(names), true) => Err(HomeError::Failed(format!(
            "no run of '{}' has the same {} as a finished run of '{}'",
            experiment.name,
            names.join(", "),
            stage.after
        ))),
        _ => Ok(Runs { all, best_of: Vec::new() }),
    }
}

/// The finished runs of an experiment, of those with the same parameters the newest.
fn finished(state: &HomeState, project: &str, stage: &Stage, plan: &Plan) -> Result<Vec<(RunId, Params)>, HomeError> {
    let of_project =
        |run: &neronet_model::Run| state.sweeps.get(&run.sweep).is_some_and(|sweep| sweep.project == project && sweep.imported.is_none());
    let has_finished = |run: &neronet_model::Run| run.ending.as_ref().is_some_and(|end| end.outcome == Outcome::Finished);
    let is_of = |sweep: SweepId| state.sweeps.get(&sweep).is_some_and(|sweep| sweep.experiment == stage.after);
    let runs = state.runs.all().filter(|run| is_of(run.brief().sweep)).map(Known::whole).filter(|run| run.trashed.is_none());
    let mut newest: BTreeMap<String, (RunId, Params)> = BTreeMap::new();
    for run in runs.filter(|run| of_project(run) && has_finished(run)) {
        newest.insert(Keys::default().key(&run.params, None).text().to_string(), (run.id, run.params.clone()));
    }
    if newest.is_empty() {
        let file = plan.source.as_ref().map_or("neronet.toml", |source| &source.path);
        return Err(HomeError::Failed(format!(
            "there is no finished run of '{}' to go on from: `neronet run {file}:{}` first",
            stage.after, stage.after
        )));
    }
    let mut all: Vec<(RunId, Params)> = newest.into_values().collect();
    all.sort_by_key(|(run, _)| *run);
    Ok(all)
}

/// With the keys of all runs, where they are asked for.
fn keyed(mut runs: Runs, keys: Option<&Keys>, planned: &[Runs], known: &BTreeMap<RunId, Key>) -> Runs {
    let Some(keys) = keys else { return runs };
    let key_of = |before: &Before| match before {
        Before::Planned(experiment, n) => planned.get(*experiment)?.all.get(*n)?.key.as_ref(),
        Before::There(run) => known.get(run),
    };
    let best_of = (!runs.best_of.is_empty()).then(|| Key::of_best(runs.best_of.iter().filter_map(key_of)));
    for run in &mut runs.all {
        let before = run.after.as_ref().and_then(key_of).or(best_of.as_ref());
        run.key = Some(keys.key(&run.params, before));
    }
    runs
}
