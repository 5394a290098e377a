//! `[inputs]`: whether the data that runs read is there and whole, and whether it is what earlier runs read.

use crate::begin::Frozen;
use crate::context::Context;
use crate::error::HomeError;
use crate::filling::Filling;
use crate::submit::{World, world_file};
use neronet_capture::code::Survey;
use neronet_capture::data::{self, Closely, Data};
use neronet_capture::space::shown;
use neronet_model::journal::HomeState;
use neronet_model::settings::{Fingerprint, Input, Needs};
use neronet_model::{RunId, SweepId};
use neronet_spec::{Experiment, Plan, Problem, Problems, Wanted, What, render};
use neronet_store::files;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// What was found of an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub name: String,
    pub path: String,
    #[serde(flatten)]
    pub data: Data,
}

/// All that was found, each place once, and what deserves a word.
#[derive(Debug, Default)]
pub struct Found {
    pub seen: Vec<Seen>,
    pub warnings: Vec<Problem>,
}

/// Runs whose paths are looked at: parameters may name the data set.
const MOST_RUNS: usize = 10_000;
/// Places that are looked at.
const MOST_PLACES: usize = 100;
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes take longer than names, and whoever asks for them knows.
const PATIENCE_FOR_BYTES: Duration = Duration::from_secs(600);
/// A start does not wait for longer, and there may be hundreds.
const A_MOMENT: Duration = Duration::from_millis(50);
/// Earlier sweeps in which the same input is looked for.
const LOOK_BACK: usize = 20;

/// Looks at the inputs of all experiments. Fails where one is not there or not whole.
pub fn look(context: &Context, plan: &Plan, survey: &Survey, project: &str) -> Result<Found, HomeError> {
    let mut found = Found::default();
    let mut errors = Vec::new();
    let wanted = |experiment: &Experiment| experiment.wanted.iter().any(|wanted| matches!(wanted.what, What::Input(_)));
    if !plan.experiments.iter().any(wanted) {
        return Ok(found);
    }
    let earlier = earlier(context, project)?;
    let start = survey.top.join(&survey.below);
    let code = survey.place().join(&survey.below);
    let mut places: BTreeMap<(String, String), Option<Data>> = BTreeMap::new();
    for experiment in plan.experiments.iter().filter(|experiment| wanted(experiment)) {
        let inputs: Vec<(&Wanted, &Input)> = experiment
            .wanted
            .iter()
            .filter_map(|wanted| match &wanted.what {
                What::Input(input) => Some((wanted, input)),
                _ => None,
            })
            .collect();
        for params in experiment.runs().take(MOST_RUNS) {
            let filling = match Filling::of(context, &experiment.settings, &params, RunId(0), &[&code], &start) {
                Ok(filling) => filling,
                // A template that cannot be read is told at its own place.
                Err(why) if why.starts_with("[inputs.") => {
                    let (wanted, _) =
                        inputs.iter().find(|(_, input)| why.starts_with(&format!("[inputs.{}]", input.name))).unwrap_or(&inputs[0]);
                    let hint = format!(
                        "variables of this machine stand in {}: [targets.local] vars = {{ data = \"/data\" }}",
                        context.home.root().join(crate::targets::FILE).display()
                    );
                    push(&mut errors, wanted.error(why, Some(hint)));
                    break;
                }
                Err(_) => break,
            };
            for (name, path) in &filling.inputs {
                let key = (name.clone(), path.clone());
                let Some((wanted, input)) = inputs.iter().find(|(_, input)| input.name == *name) else { continue };
                if places.contains_key(&key) || places.len() >= MOST_PLACES {
                    continue;
                }
                match whole(input, Path::new(path)) {
                    Err((what, hint)) => {
                        push(&mut errors, wanted.error(what, Some(hint)));
                        places.insert(key, None);
                    }
                    Ok(data) => {
                        let seen = Seen { name: name.clone(), path: path.clone(), data: data.clone() };
                        if let Some(changed) = changed(&earlier, &seen, &experiment.settings.inputs) {
                            let hint = "if that is meant, go on; `fingerprint = \"none\"` stops the comparison".to_string();
                            push(&mut found.warnings, wanted.warning(changed, Some(hint)));
                        }
                        found.seen.push(seen);
                        places.insert(key, Some(data));
                    }
                }
            }
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(HomeError::Spec(Problems(errors))) }
}

fn push(list: &mut Vec<Problem>, problem: Problem) {
    if !list.contains(&problem) {
        list.push(problem);
    }
}

/// Whether an input is there with all that it needs: what was found, or what is wrong and what to do.
fn whole(input: &Input, path: &Path) -> Result<Data, (String, String)> {
    let there = |message: String| (message, "put the data there, or mend the path".to_string());
    if let Err(e) = std::fs::metadata(path) {
        let what = if e.kind() == std::io::ErrorKind::NotFound { "is not there".to_string() } else { format!("cannot be read: {e}") };
        return Err(there(format!("input '{}': {} {what}", input.name, path.display())));
    }
    for file in &input.files {
        if std::fs::metadata(path.join(file)).is_err() {
            return Err(there(format!("input '{}': {file} is not in {}", input.name, path.display())));
        }
    }
    let (closely, patience) = match input.fingerprint {
        Fingerprint::Listing => (Closely::Listing, PATIENCE),
        Fingerprint::Hash => (Closely::Bytes, PATIENCE_FOR_BYTES),
        Fingerprint::None => (Closely::Amount, PATIENCE),
    };
    if input.fingerprint == Fingerprint::None && input.needs.is_none() {
        return Ok(Data::default());
    }
    let (data, all) = data::look(path, closely, patience)
        .map_err(|e| there(format!("input '{}': {} cannot be read: {e}", input.name, path.display())))?;
    let lacks = match input.needs.filter(|_| all) {
        Some(Needs::Bytes(bytes)) if data.bytes < bytes => Some(format!("has {}, and {} are needed", shown(data.bytes), shown(bytes))),
        Some(Needs::Files(files)) if data.files < files => Some(format!("has {} files, and {files} are needed", data.files)),
        _ => None,
    };
    match lacks {
        Some(lacks) => Err((format!("input '{}': {} {lacks}", input.name, path.display()), "is the download complete?".to_string())),
        None => Ok(data),
    }
}

/// What an earlier sweep found, and the first of its runs.
struct Earlier {
    run: RunId,
    seen: Vec<Seen>,
}

/// What earlier sweeps of the project found, the newest first.
fn earlier(context: &Context, project: &str) -> Result<Vec<Earlier>, HomeError> {
    let state = context.home.read()?.state;
    let sweeps = state
        .sweeps
        .values()
        .rev()
        .filter(|sweep| sweep.project == project && sweep.imported.is_none() && !sweep.settings.inputs.is_empty())
        .take(LOOK_BACK);
    let worlds = sweeps.filter_map(|sweep| Some(Earlier { run: first_run(&state, sweep.id)?, seen: of_sweep(context, sweep.id)? }));
    Ok(worlds.collect())
}

fn first_run(state: &HomeState, sweep: SweepId) -> Option<RunId> {
    state.runs.briefs().find(|(_, run)| run.sweep == sweep).map(|(id, _)| id)
}

/// What was found when a sweep was submitted.
pub(crate) fn of_sweep(context: &Context, sweep: SweepId) -> Option<Vec<Seen>> {
    let world: World = files::read_json(&world_file(context, sweep)).ok()??;
    Some(world.inputs)
}

/// What a run reads, as it was found when the run was submitted. Nothing is known before it has begun, or of runs from before that
/// was recorded.
pub fn of_run<'w>(frozen: Option<&Frozen>, world: &'w World) -> Vec<&'w Seen> {
    let reads = frozen.map(|frozen| frozen.inputs.as_slice()).unwrap_or_default();
    world.inputs.iter().filter(|seen| reads.iter().any(|(name, path)| *name == seen.name && *path == seen.path)).collect()
}

/// `/data/cifar, 50000 files, 170 MB, 3f2c1a0b9d8e`: place, amount, the beginning of the fingerprint.
pub fn described(seen: &Seen) -> String {
    let Data { files, bytes, fingerprint } = &seen.data;
    let amount = (*files > 0).then(|| format!(", {files} file{}, {}", if *files == 1 { "" } else { "s" }, shown(*bytes)));
    let known_by = fingerprint.as_ref().and_then(|all| all.get(..12)).map(|short| format!(", {short}"));
    format!("{}{}{}", seen.path, amount.unwrap_or_default(), known_by.unwrap_or_default())
}

/// How an input differs from what the newest earlier run with it found.
fn changed(earlier: &[Earlier], now: &Seen, inputs: &[Input]) -> Option<String> {
    let (run, before) = earlier.iter().find_map(|earlier| Some((earlier.run, the_same(&earlier.seen, now, inputs)?)))?;
    differs(before, now).map(|how| format!("input '{}' is not what run {run} read: {how}", now.name))
}

/// What was seen then of the same input. One that no parameter moves is the same wherever the target has it.
pub(crate) fn the_same<'t>(then: &'t [Seen], now: &Seen, inputs: &[Input]) -> Option<&'t Seen> {
    let mut named = then.iter().filter(|then| then.name == now.name);
    if let Some(there) = named.clone().find(|then| then.path == now.path) {
        return Some(there);
    }
    let path = inputs.iter().find(|input| input.name == now.name).map(|input| &input.path)?;
    named.next().filter(|_| render::named_in(path).all(|name| name.starts_with("target.")))
}

/// In words. What no fingerprint tells is known by its place.
pub(crate) fn differs(before: &Seen, now: &Seen) -> Option<String> {
    let (then, here) = (&before.data, &now.data);
    match (&then.fingerprint, &here.fingerprint) {
        (Some(a), Some(b)) if a != b => Some(match (then.files == here.files, then.bytes == here.bytes) {
            (true, true) => "as many files and bytes, other contents or times".to_string(),
            (true, false) => format!("{} then, {} now", shown(then.bytes), shown(here.bytes)),
            (false, _) => format!("{} files with {} then, {} with {} now", then.files, shown(then.bytes), here.files, shown(here.bytes)),
        }),
        (Some(_), Some(_)) => None,
        _ => (before.path != now.path).then(|| format!("{} then, {} now", before.path, now.path)),
    }
}

/// Before each start: fails where something is gone that an experiment reads, and says where it is not what it was at submission.
/// Only what is looked at in a moment is compared; of all bytes their amount alone.
pub(crate) fn still_there(inputs: &[Input], filling: &Filling, then: &[Seen]) -> Result<Vec<String>, HomeError> {
    let mut changed = Vec::new();
    for (name, place) in &filling.inputs {
        let Some(input) = inputs.iter().find(|input| input.name == *name) else { continue };
        let path = Path::new(place);
        let missing = std::iter::once(path.to_path_buf())
            .chain(input.files.iter().map(|file| path.join(file)))
            .find(|path| std::fs::metadata(path).is_err());
        if let Some(missing) = missing {
            return Err(HomeError::Failed(format!("input '{name}': {} is not there any more", missing.display())));
        }
        // What took too long to look at then is not known well enough.
        let known = |then: &&Seen| then.name == *name && then.path == *place && then.data.fingerprint.is_some();
        let Some(before) = then.iter().find(known) else { continue };
        let closely = match input.fingerprint {
            Fingerprint::Listing => Closely::Listing,
            Fingerprint::Hash => Closely::Amount,
            Fingerprint::None => continue,
        };
        let Ok((now, true)) = data::look(path, closely, A_MOMENT) else { continue };
        let other_listing = closely == Closely::Listing && now.fingerprint != before.data.fingerprint;
        let differ = other_listing || (now.files, now.bytes) != (before.data.files, before.data.bytes);
        if differ {
            changed.push(format!("input '{name}' changed after the run was submitted: {place}"));
        }
    }
    Ok(changed)
}
