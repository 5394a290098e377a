//! Experiments that come after others: whether the others are there, in which order they come, and which runs belong together.

use crate::plan::include_self;
use crate::problem::quoted;
use crate::source::{Found, Span};
use crate::suggest::did_you_mean;
use crate::{Experiment, Plan};
use neronet_model::settings::{Match, Stage};
use neronet_model::{Params, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Runs of an experiment that another one comes after, and combinations of that one: they are looked at pair by pair.
const MOST: u64 = 100_000;

/// Where an experiment says that it comes after another one.
pub(crate) struct Place {
    pub(crate) experiment: String,
    pub(crate) after: Span,
    pub(crate) matched: Span,
}

/// What a file has besides the experiments that are to run.
pub(crate) struct File<'d> {
    /// The names of the parameters of every experiment, those included that are not to run.
    pub(crate) params: BTreeMap<String, Vec<String>>,
    /// Names of what is only shared by experiments.
    pub(crate) shared: &'d BTreeSet<String>,
}

/// A run that is to be: its parameters, and which of the runs of the experiment before it goes on from.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    pub params: Params,
    pub after: Option<usize>,
}

/// Checks the stages of a plan, puts those that come after others behind them, and counts their runs.
pub(crate) fn arrange(plan: &mut Plan, places: &[Place], file: &File<'_>, found: &mut Found<'_>) {
    let place = |name: &str| places.iter().find(|place| place.experiment == name);
    let mut good = true;
    for experiment in &plan.experiments {
        if let (Some(stage), Some(place)) = (&experiment.settings.stage, place(&experiment.name)) {
            good &= names_are_there(experiment, stage, place, file, found);
        }
    }
    if !good {
        return;
    }
    let mut waiting: Vec<Experiment> = std::mem::take(&mut plan.experiments);
    let mut done: BTreeSet<String> = BTreeSet::new();
    while !waiting.is_empty() {
        let names: BTreeSet<&str> = waiting.iter().map(|experiment| experiment.name.as_str()).collect();
        let free = |experiment: &Experiment| experiment.settings.stage.as_ref().is_none_or(|stage| !names.contains(stage.after.as_str()));
        let Some(at) = waiting.iter().position(free) else {
            return circle(&waiting, place, found);
        };
        let mut next = waiting.remove(at);
        let of = place(&next.name);
        if let (Some(stage), Some(place)) = (&next.settings.stage, of)
            && done.contains(&stage.after)
            && stage.match_on != Match::Best
        {
            match count(plan, &next, stage) {
                Ok(0) if next.space.count() > 0 => {
                    let message = format!("no run of {} matches a run of {}", quoted(&next.name), quoted(&stage.after));
                    found.error(place.matched, message, "the parameters in 'match' have the same values in both".to_string());
                }
                Ok(count) => next.count = count,
                Err(many) => {
                    let message = format!("{many} runs are more than can be matched with those of another experiment ({MOST})");
                    found.error(place.after, message, "vary fewer parameters at once, or match = \"best\"".to_string());
                }
            }
        }
        done.insert(next.name.clone());
        plan.experiments.push(next);
    }
}

/// All that wait wait for another one of them: who follows that comes round.
fn circle<'p>(waiting: &[Experiment], place: impl Fn(&str) -> Option<&'p Place>, found: &mut Found<'_>) {
    let mut names: Vec<&str> = waiting.first().map(|first| first.name.as_str()).into_iter().collect();
    let after = |name: &str| waiting.iter().find(|known| known.name == name)?.settings.stage.as_ref().map(|stage| stage.after.as_str());
    while let Some(next) = names.last().and_then(|last| after(last)) {
        if let Some(at) = names.iter().position(|known| *known == next) {
            names.drain(..at);
            break;
        }
        names.push(next);
    }
    let span = names.first().and_then(|first| place(first)).map_or(Span::START, |place| place.after);
    let message = match names.as_slice() {
        [_] => "an experiment cannot come after itself".to_string(),
        names => {
            let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
            format!("these experiments come after one another in a circle: {}", names.join(", "))
        }
    };
    found.error(span, message, "take one after out: what comes first waits for nothing".to_string());
}

fn names_are_there(experiment: &Experiment, stage: &Stage, place: &Place, file: &File<'_>, found: &mut Found<'_>) -> bool {
    let Some(theirs) = file.params.get(&stage.after) else {
        let others = file.params.keys().map(String::as_str).filter(|name| *name != experiment.name);
        let shared = file.shared.contains(&stage.after).then(|| include_self(&stage.after));
        let near = shared.or_else(|| did_you_mean(&stage.after, others.clone()));
        let hint = near.unwrap_or_else(|| match others.collect::<Vec<_>>().as_slice() {
            [] => "an [[experiment]] of that name is needed in this file".to_string(),
            others => format!("it may come after {}", others.join(", ")),
        });
        found.error(place.after, format!("there is no experiment {} in this file", quoted(&stage.after)), hint);
        return false;
    };
    let Match::Params(names) = &stage.match_on else { return true };
    let mut good = true;
    for name in names {
        let lacking = [(&experiment.name, experiment.params().any(|own| own == name)), (&stage.after, theirs.contains(name))];
        for (whose, _) in lacking.into_iter().filter(|(_, has)| !has) {
            let hint = "runs are matched by parameters of both".to_string();
            found.error(place.matched, format!("{} has no parameter {}", quoted(whose), quoted(name)), hint);
            good = false;
        }
    }
    good
}

/// How many runs there are with those that they go on from; the number that is too large where one is.
fn count(plan: &Plan, experiment: &Experiment, stage: &Stage) -> Result<u64, u64> {
    let Some(before) = plan.experiments.iter().find(|known| known.name == stage.after) else { return Ok(experiment.space.count()) };
    let (own, theirs) = (experiment.space.count(), before.count());
    if own.max(theirs) > MOST {
        return Err(own.max(theirs));
    }
    let Match::Params(names) = &stage.match_on else { return Ok(own.saturating_mul(theirs)) };
    let mut groups: HashMap<String, u64> = HashMap::new();
    for params in experiment.runs() {
        *groups.entry(key(&params, names)).or_default() += 1;
    }
    Ok(plan.runs(before).map(|run| groups.get(&key(&run.params, names)).copied().unwrap_or(0)).sum())
}

impl Plan {
    /// The runs of one of its experiments, in order. Those of an experiment that comes after one that is not in the plan lack what
    /// they go on from.
    pub fn runs<'p>(&'p self, experiment: &'p Experiment) -> Box<dyn Iterator<Item = Planned> + 'p> {
        let before = experiment.settings.stage.as_ref().filter(|stage| stage.match_on != Match::Best);
        let before = before.and_then(|stage| self.experiments.iter().find(|known| known.name == stage.after));
        match before {
            Some(before) => Box::new(experiment.after(self.runs(before).map(|run| run.params))),
            None => Box::new(experiment.runs().map(|params| Planned { params, after: None })),
        }
    }
}

impl Experiment {
    /// Its runs, for each of these runs of the experiment before it.
    pub fn after<'p>(&'p self, before: impl Iterator<Item = Params> + 'p) -> impl Iterator<Item = Planned> + 'p {
        let names: &[String] = match self.settings.stage.as_ref().map(|stage| &stage.match_on) {
            Some(Match::Params(names)) => names,
            _ => &[],
        };
        let mut groups: HashMap<String, Vec<Params>> = HashMap::new();
        if !names.is_empty() {
            self.runs().for_each(|params| groups.entry(key(&params, names)).or_default().push(params));
        }
        before.enumerate().flat_map(move |(at, theirs)| {
            let own: Box<dyn Iterator<Item = Params> + 'p> = match groups.get(&key(&theirs, names)) {
                Some(group) => Box::new(group.clone().into_iter()),
                None if names.is_empty() => Box::new(self.runs()),
                None => Box::new(std::iter::empty()),
            };
            own.map(move |params| Planned { params, after: Some(at) })
        })
    }
}

/// The values of these parameters: the same where they are equal.
fn key(params: &Params, names: &[String]) -> String {
    names.iter().map(|name| format!("{}\n", params.get(name).map(canonical).unwrap_or_default())).collect()
}

fn canonical(value: &Value) -> String {
    match (&*value.meaning(), value.number()) {
        (_, Some(number)) => format!("n{number}"),
        (Value::List(items), _) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        (Value::Bool(truth), _) => format!("b{truth}"),
        (other, _) => format!("s{:?}", other.to_string()),
    }
}
