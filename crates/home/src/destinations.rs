//! Where the runs of a plan are to execute: the words of a specification, a command line or `targets.toml` as names of targets, and
//! what keeps runs from going there that can be known before anybody asks the target.

use crate::context::Context;
use crate::error::HomeError;
use crate::nearest::{nearest, some_of};
use crate::targets::{self, FILE};
use neronet_capture::code::Survey;
use neronet_model::settings::Environment;
use neronet_model::target::{LOCAL, Scheduler, Targets};
use neronet_spec::{Experiment, Plan, Problem, Problems, Severity, Wanted, What, render};
use std::collections::BTreeSet;

/// What is said beside the specification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Named {
    /// Nothing: the specification's words hold, without any the default of `targets.toml`.
    #[default]
    AsSpecified,
    /// Targets and groups of them, whatever the specification says.
    These(Vec<String>),
    /// This machine, now.
    Here,
}

/// Names that a message has at most.
const NAMES: usize = 12;
const OPTION: &str = "--target";

/// Settles where the runs of each experiment may execute. From here on `settings.target` has names of targets, each once and in order, or
/// nothing where the runs simply execute on this machine; and `settings.on` has what holds on these, be it said of a group. What
/// `[targets.local]` says of the environment is in it: other targets' is put in when runs are handed over.
///
/// # Errors
/// What is named is no target, or none that runs are handed to.
pub fn settle(context: &Context, plan: &mut Plan, named: &Named) -> Result<(), HomeError> {
    let targets = targets::all(context)?;
    let file = file(context);
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    for experiment in &mut plan.experiments {
        let said = said(experiment, named, &targets, &file);
        match named {
            Named::Here => warnings.extend(said.iter().filter_map(stays)),
            _ => warnings.extend(experiment.wanted.iter().filter_map(|wanted| of_nowhere(wanted, &targets, &file))),
        }
        let said = if *named == Named::Here { Vec::new() } else { said };
        match each(&said, &targets) {
            Ok(each) => settled(experiment, each, &targets, &file),
            Err(wrong) => problems.extend(wrong),
        }
    }
    let told = |problems: Vec<Problem>| problems.into_iter().fold(Vec::new(), with);
    plan.warnings.extend(told(warnings));
    if problems.is_empty() { Ok(()) } else { Err(HomeError::Spec(Problems(told(problems)))) }
}

/// What several experiments inherit is said once.
fn with(mut told: Vec<Problem>, problem: Problem) -> Vec<Problem> {
    if !told.contains(&problem) {
        told.push(problem);
    }
    told
}

fn file(context: &Context) -> String {
    context.home.root().join(FILE).display().to_string()
}

/// The names that count, each with its place.
fn said(experiment: &Experiment, named: &Named, targets: &Targets, file: &str) -> Vec<Wanted> {
    if let Named::These(names) = named {
        return names.iter().map(|name| Wanted::of_file(What::Target(name.clone()), OPTION)).collect();
    }
    let own: Vec<Wanted> = experiment.wanted.iter().filter(|wanted| matches!(wanted.what, What::Target(_))).cloned().collect();
    match &targets.default {
        Some(name) if own.is_empty() && *named != Named::Here => vec![Wanted::of_file(What::Target(name.clone()), file)],
        _ => own,
    }
}

/// That the runs execute here although another target is named.
fn stays(wanted: &Wanted) -> Option<Problem> {
    let What::Target(name) = &wanted.what else { return None };
    let message = "`neronet run` executes its runs on this machine".to_string();
    let hint = "`neronet submit --wait` lets them execute where the specification says".to_string();
    (name != LOCAL).then(|| Problem { severity: Severity::Note, ..wanted.warning(message, Some(hint)) })
}

/// A word on an `[on.NAME]` that is for no machine.
fn of_nowhere(wanted: &Wanted, targets: &Targets, file: &str) -> Option<Problem> {
    let What::On(name) = &wanted.what else { return None };
    if name == LOCAL || targets.get(name).is_some() || targets.groups.contains_key(name) {
        return None;
    }
    let guess = nearest(name, names(targets)).map(|guess| format!("did you mean '{guess}'?"));
    let hint = guess.unwrap_or_else(|| format!("what stands below it holds nowhere; targets are named in {file}"));
    Some(wanted.warning(format!("there is no target '{}'", name.escape_debug()), Some(hint)))
}

fn names(targets: &Targets) -> impl Iterator<Item = &str> {
    let all = targets.targets.iter().map(|(name, _)| name.as_str()).filter(|name| *name != LOCAL);
    all.chain(targets.groups.keys().map(String::as_str)).chain([LOCAL])
}

/// The targets that are meant, each once, with the place where it was named.
fn each(said: &[Wanted], targets: &Targets) -> Result<Vec<(String, Wanted)>, Vec<Problem>> {
    let (mut all, mut problems): (Vec<(String, Wanted)>, Vec<Problem>) = (Vec::new(), Vec::new());
    for wanted in said {
        let What::Target(name) = &wanted.what else { continue };
        match members(name, targets) {
            Ok(members) => {
                let new: Vec<String> = members.into_iter().filter(|member| all.iter().all(|(known, _)| known != member)).collect();
                problems.extend(new.iter().filter_map(|member| of_cluster(member, wanted, targets)));
                all.extend(new.into_iter().map(|member| (member, wanted.clone())));
            }
            Err((message, hint)) => problems.push(wanted.error(message, Some(hint))),
        }
    }
    if problems.is_empty() { Ok(all) } else { Err(problems) }
}

/// The targets of a name, or why there are none.
fn members(name: &str, targets: &Targets) -> Result<Vec<String>, (String, String)> {
    let shown = name.escape_debug();
    match targets.groups.get(name) {
        Some(members) if members.is_empty() => Err((format!("the group '{shown}' has no targets"), format!("put some into it in {FILE}"))),
        Some(members) => Ok(members.clone()),
        None if name == LOCAL || targets.get(name).is_some() => Ok(vec![name.to_string()]),
        None => {
            let hint = match nearest(name, names(targets)) {
                Some(guess) => format!("did you mean '{guess}'?"),
                None if names(targets).count() == 1 => {
                    "there is only this machine, local; another one is named by neronet target add NAME ssh://HOST".to_string()
                }
                None => format!("there is {}", some_of(names(targets), NAMES)),
            };
            Err((format!("there is no target '{shown}'"), hint))
        }
    }
}

/// That runs are not handed to a scheduler.
fn of_cluster(name: &str, wanted: &Wanted, targets: &Targets) -> Option<Problem> {
    let scheduler = targets.get(name)?.address.scheduler;
    if scheduler == Scheduler::Direct {
        return None;
    }
    let message = format!("'{name}' has a scheduler ({}), and this version hands no runs to one", scheduler.word());
    Some(wanted.error(message, Some("that comes with a later version; name targets that have none".to_string())))
}

/// Writes down in an experiment where its runs may execute, and what holds there.
fn settled(experiment: &mut Experiment, each: Vec<(String, Wanted)>, targets: &Targets, file: &str) {
    let simply_here = each.iter().all(|(name, _)| name == LOCAL);
    let places: Vec<&str> = if simply_here { vec![LOCAL] } else { each.iter().map(|(name, _)| name.as_str()).collect() };
    let said = std::mem::take(&mut experiment.settings.on);
    let wanted = std::mem::take(&mut experiment.wanted_on);
    for place in places {
        let own = said.iter().position(|(name, _)| name == place);
        let of_group =
            || said.iter().position(|(name, _)| targets.groups.get(name).is_some_and(|group| group.iter().any(|own| own == place)));
        if let Some(at) = own.or_else(of_group) {
            experiment.settings.on.push((place.to_string(), said[at].1.clone()));
            experiment.wanted_on.push(wanted.get(at).cloned().unwrap_or_default());
        }
    }
    let own = targets.get(LOCAL).map(|local| &local.environment).filter(|own| **own != Environment::default());
    if simply_here {
        *experiment = experiment.on(LOCAL);
        own.into_iter().for_each(|own| with_own(experiment, own, file));
        return;
    }
    experiment.settings.target.clear();
    experiment.wanted.retain(|wanted| !matches!(wanted.what, What::Target(_) | What::On(_)));
    if let Some(own) = own.filter(|_| each.iter().any(|(name, _)| name == LOCAL)) {
        let mut here = experiment.on(LOCAL);
        with_own(&mut here, own, file);
        if let Some(at) = experiment.settings.on.iter().position(|(name, _)| name == LOCAL) {
            experiment.settings.on.remove(at);
            experiment.wanted_on.remove(at);
        }
        experiment.settings.on.push((LOCAL.to_string(), here.settings));
        experiment.wanted_on.push(here.wanted);
    }
    for (name, mut wanted) in each {
        wanted.what = What::Target(name.clone());
        experiment.wanted.push(wanted);
        experiment.settings.target.push(name);
    }
}

/// Puts in what this machine's table says of the environment; the specification says more, and its words win.
fn with_own(experiment: &mut Experiment, own: &Environment, file: &str) {
    let environment = &mut experiment.settings.environment;
    let python = own.python.clone().filter(|_| environment.python.is_none()).map(What::Python);
    let shell = own.shell.clone().filter(|_| environment.shell.is_none()).map(What::Shell);
    environment.on_machine(own);
    experiment.wanted.extend(python.into_iter().chain(shell).map(|what| Wanted::of_file(what, file)));
}

/// What keeps runs from going where they are to go, or deserves a word before they do. `plan` is settled.
///
/// # Errors
/// `targets.toml` cannot be read.
pub(crate) fn look(context: &Context, plan: &Plan, survey: &Survey) -> Result<Vec<Problem>, HomeError> {
    let mut told = Vec::new();
    if plan.experiments.iter().all(|experiment| experiment.settings.target.is_empty()) {
        return Ok(told);
    }
    let targets = targets::all(context)?;
    let file = file(context);
    for experiment in &plan.experiments {
        for wanted in &experiment.wanted {
            let What::Target(name) = &wanted.what else { continue };
            if !experiment.settings.target.contains(name) {
                continue;
            }
            let there = experiment.on(name);
            let found = lacking(&there, (name, wanted), &targets, &file).into_iter().chain(other_code(experiment, &there, (name, wanted)));
            let code = (name != LOCAL).then(|| [in_place(&there, survey, (name, wanted)), left_behind(&there, survey, (name, wanted))]);
            told = found.chain(code.into_iter().flatten().flatten()).fold(told, with);
        }
    }
    Ok(told)
}

/// Variables that the runs name, and that the target does not have.
fn lacking(there: &Experiment, (name, wanted): (&str, &Wanted), targets: &Targets, file: &str) -> Vec<Problem> {
    let vars = targets.get(name).map(|target| target.vars.as_slice()).unwrap_or_default();
    let named: BTreeSet<String> = render::named(&there.settings);
    let variables = named.iter().filter(|name| !there.params().any(|param| param == name.as_str()));
    let lacking = variables.filter_map(|name| name.strip_prefix("target.")).filter(|name| vars.iter().all(|(known, _)| known != name));
    let told = |variable: &str| {
        let message = format!("[targets.{name}] has no variable '{variable}', which {{target.{variable}}} stands for");
        wanted.error(message, Some(format!("write it into {file}: [targets.{name}] vars = {{ {variable} = \"…\" }}")))
    };
    lacking.map(told).collect()
}

fn in_place(there: &Experiment, survey: &Survey, (name, wanted): (&str, &Wanted)) -> Option<Problem> {
    let why = match there.settings.code.in_place {
        true => "in_place = true",
        false => survey.in_place_because.as_deref()?,
    };
    let message = format!("runs that execute in the work tree itself cannot go to '{name}': {why}");
    Some(wanted.error(message, Some("let the code be frozen (what is no code belongs into [inputs]), or name local alone".to_string())))
}

/// What a run's copy of the code has as a link alone.
fn left_behind(there: &Experiment, survey: &Survey, (name, wanted): (&str, &Wanted)) -> Option<Problem> {
    let links = there.settings.code.link.iter().map(String::as_str);
    let all: Vec<&str> = links.chain(survey.large.iter().map(|large| large.path.as_str())).collect();
    let (lie, come) =
        if all.len() == 1 { ("is linked to where it lies", "does not come") } else { ("are linked to where they lie", "do not come") };
    let message = format!("{} {lie} on this machine, and {come} to '{name}'", some_of(all.iter().copied(), NAMES));
    (!all.is_empty())
        .then(|| wanted.warning(message, Some("data that is there already is named by [inputs] and {target.NAME}".to_string())))
}

/// The runs of an experiment have one code, wherever they go.
fn other_code(experiment: &Experiment, there: &Experiment, (name, wanted): (&str, &Wanted)) -> Option<Problem> {
    let message = format!("[on.{name}] asks for another commit, and the runs of an experiment have one code");
    let hint = || "write an [[experiment]] of its own for it".to_string();
    (experiment.settings.code.commit != there.settings.code.commit).then(|| wanted.error(message, Some(hint())))
}
