//! How runs differ: parameters, configuration, metrics, code, packages, machine.

use crate::begin::Frozen;
use crate::context::Context;
use crate::error::HomeError;
use crate::inputs;
use crate::json;
use crate::masked;
use crate::submit::{World, world_file};
use crate::view::{Snapshot, View};
use neronet_capture::code::{self, Change};
use neronet_model::RunId;
use neronet_model::event::Extent;
use neronet_model::settings::Goal;
use neronet_store::files;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A name, and what each run has of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub name: String,
    pub values: Vec<Option<String>>,
}

impl Row {
    pub fn differs(&self) -> bool {
        self.values.windows(2).any(|pair| pair[0] != pair[1])
    }
}

/// The code of one run beside that of the first.
#[derive(Debug, Clone, PartialEq)]
pub struct CodeChange {
    pub from: RunId,
    pub to: RunId,
    pub same: bool,
    pub changes: Vec<Change>,
    /// Why it cannot be told.
    pub unknown: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    pub runs: Vec<RunId>,
    /// What each is and where it ran: experiment, what it goes on from, outcome, commit, host, Python, GPUs.
    pub facts: Vec<Row>,
    pub params: Vec<Row>,
    pub config: Vec<Row>,
    pub packages: Vec<Row>,
    pub metrics: Vec<(String, Vec<Option<Extent>>)>,
    /// What is better, of the metrics that are objectives.
    pub goals: BTreeMap<String, Goal>,
    pub code: Vec<CodeChange>,
}

pub fn compare(context: &Context, snapshot: &Snapshot, views: &[&View<'_>]) -> Result<Comparison, HomeError> {
    let worlds: Vec<World> = views.iter().map(|view| world(context, view)).collect();
    let attempts: Vec<_> = views.iter().map(|view| json::attempts(context, view)).collect();
    let config = attempts.iter().map(|attempts| {
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        attempts.iter().for_each(|attempt| all.extend(attempt.config.clone()));
        all.into_iter().collect::<Vec<_>>()
    });
    let params = views.iter().map(|view| view.params().iter().map(|(name, value)| (name.to_string(), value.to_string())).collect());
    let facts = views.iter().zip(&worlds).map(|(view, world)| facts(context, view, world));
    let mut names: Vec<&String> = views.iter().flat_map(|view| view.metrics().keys()).collect();
    names.sort_unstable();
    names.dedup();
    let metrics = names.into_iter().map(|name| (name.clone(), views.iter().map(|view| view.metrics().get(name).cloned()).collect()));
    let goals = views.iter().flat_map(|view| &view.sweep.settings.objectives);
    Ok(Comparison {
        runs: views.iter().map(|view| view.id).collect(),
        facts: rows(facts.collect()),
        params: rows(params.collect()).into_iter().chain(params_before(context, snapshot, views)).collect(),
        config: rows(config.collect()),
        packages: rows(worlds.iter().map(|world| world.environment.packages.clone()).collect()),
        metrics: metrics.collect(),
        goals: goals.map(|objective| (objective.metric.clone(), objective.goal)).collect(),
        code: views.iter().skip(1).map(|view| code_change(context, views[0], view)).collect(),
    })
}

/// What was recorded of the machine and its software when the run was submitted.
pub fn world(context: &Context, view: &View<'_>) -> World {
    files::read_json(&world_file(context, view.run().sweep)).ok().flatten().unwrap_or_default()
}

/// The parameters in which the runs differ that these go on from, called `pretrain.lr`.
fn params_before(context: &Context, snapshot: &Snapshot, views: &[&View<'_>]) -> Vec<Row> {
    let each = views.iter().map(|view| {
        let mut pairs = Vec::new();
        let mut next = view.after();
        while let Some(before) = next.and_then(|run| snapshot.view_of(context, run)) {
            let named = |(name, value): (&str, &neronet_model::Value)| (format!("{}.{name}", before.sweep.experiment), value.to_string());
            pairs.extend(before.params().iter().map(named));
            // What a run goes on from has a smaller number.
            next = before.after().filter(|run| *run < before.id);
        }
        pairs
    });
    let differ = |row: &Row| {
        let mut known = row.values.iter().flatten();
        let first = known.next();
        known.any(|value| Some(value) != first)
    };
    rows(each.collect()).into_iter().filter(differ).collect()
}

/// Every name that any has, in the order in which they come up.
fn rows(each: Vec<Vec<(String, String)>>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let count = each.len();
    for (at, pairs) in each.into_iter().enumerate() {
        for (name, value) in pairs {
            let place = *places.entry(name).or_insert_with_key(|name| {
                rows.push(Row { name: name.clone(), values: vec![None; count] });
                rows.len() - 1
            });
            rows[place].values[at] = Some(value);
        }
    }
    rows
}

fn facts(context: &Context, view: &View<'_>, world: &World) -> Vec<(String, String)> {
    let system = &world.environment.system;
    let mut facts = vec![
        ("experiment", view.run().experiment.to_string()),
        ("project", view.sweep.project.clone()),
        ("goes on from", view.after().map(|run| format!("run {run}")).unwrap_or_default()),
        ("state", view.status()),
        ("reason", view.reason().unwrap_or_default().to_string()),
        ("attempts", view.run().attempts.to_string()),
        // With its placeholders: the values are compared as parameters.
        ("command", masked::template(context, view.sweep)),
        ("host", view.sweep.host.clone()),
        ("os", system.os.clone()),
        ("kernel", system.kernel.clone()),
        ("cpu", system.cpu.clone().unwrap_or_default()),
        ("python", world.environment.python.as_ref().and_then(|python| python.version.clone()).unwrap_or_default()),
        ("gpus", gpus(world)),
        ("driver", world.devices.drivers.join(", ")),
        ("modules", world.environment.modules.join(", ")),
    ];
    let frozen = Frozen::of(context, view.id);
    let inputs =
        inputs::of_run(frozen.as_ref(), world).into_iter().map(|input| (format!("input {}", input.name), inputs::described(input)));
    if let Some(git) = &view.sweep.code.git {
        facts.push(("commit", commit(&git.commit, git.dirty)));
        facts.push(("branch", git.branch.clone()));
    }
    facts.retain(|(_, value)| !value.is_empty());
    facts.into_iter().map(|(name, value)| (name.to_string(), value)).chain(inputs).collect()
}

/// `3f2c1a0b9d8e`, with a word when that commit alone does not hold what ran.
pub fn commit(commit: &str, dirty: bool) -> String {
    let short = commit.get(..12).unwrap_or(commit);
    match (short, dirty) {
        ("", _) => "no commit yet".to_string(),
        (short, true) => format!("{short} with uncommitted changes"),
        (short, false) => short.to_string(),
    }
}

/// `2 × NVIDIA A100`.
pub fn gpus(world: &World) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for gpu in &world.devices.gpus {
        match kinds.iter_mut().find(|(name, _)| *name == gpu.name) {
            Some((_, count)) => *count += 1,
            None => kinds.push((&gpu.name, 1)),
        }
    }
    let named = kinds.into_iter().map(|(name, count)| if count > 1 { format!("{count} × {name}") } else { name.to_string() });
    named.collect::<Vec<_>>().join(", ")
}

fn code_change(context: &Context, first: &View<'_>, other: &View<'_>) -> CodeChange {
    let mut change = CodeChange { from: first.id, to: other.id, same: false, changes: Vec::new(), unknown: None };
    if first.sweep.project != other.sweep.project {
        change.same = first.sweep.code.snapshot.is_some() && first.sweep.code.snapshot == other.sweep.code.snapshot;
        change.unknown = (!change.same).then(|| format!("they are of two projects, {} and {}", first.sweep.project, other.sweep.project));
        return change;
    }
    match (&first.sweep.code.snapshot, &other.sweep.code.snapshot) {
        (Some(a), Some(b)) if a == b => change.same = true,
        (Some(a), Some(b)) => match code::changed_files(&context.home.snapshots(), a, b) {
            Ok(mut changes) => {
                change.same = changes.is_empty();
                changes.iter_mut().for_each(masked::change);
                change.changes = changes;
            }
            Err(e) => change.unknown = Some(e.to_string()),
        },
        (a, _) => {
            let id = if a.is_none() { first.id } else { other.id };
            change.unknown = Some(format!("run {id} executed in place: its code was not frozen"));
        }
    }
    change
}

impl Comparison {
    /// Only what differs, unless `all`.
    pub fn json(&self, all: bool) -> Value {
        let table = |rows: &[Row]| -> Map<String, Value> {
            rows.iter().filter(|row| all || row.differs()).map(|row| (row.name.clone(), json!(row.values))).collect()
        };
        let metrics: Map<String, Value> = self
            .metrics
            .iter()
            .filter(|(_, extents)| all || metric_differs(extents))
            .map(|(name, extents)| (name.clone(), extents.iter().map(|extent| extent.as_ref().map(json::extent)).collect()))
            .collect();
        let code: Vec<Value> = self
            .code
            .iter()
            .map(|change| json!({"from": change.from, "to": change.to, "same": change.same, "unknown": change.unknown, "changes": change.changes}))
            .collect();
        json!({
            "runs": self.runs,
            "facts": table(&self.facts),
            "params": table(&self.params),
            "config": table(&self.config),
            "packages": table(&self.packages),
            "metrics": metrics,
            "code": code,
        })
    }
}

/// NaN is the same as NaN here.
pub fn metric_differs(extents: &[Option<Extent>]) -> bool {
    let bits = |extent: &Option<Extent>| extent.as_ref().map(|e| [e.last.to_bits(), e.min.to_bits(), e.max.to_bits()]);
    extents.windows(2).any(|pair| bits(&pair[0]) != bits(&pair[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_gets_a_row_with_gaps_where_a_run_lacks_it() {
        let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
        let rows = rows(vec![vec![pair("b", "1"), pair("a", "2")], vec![pair("a", "2"), pair("c", "3")]]);
        let shown: Vec<(&str, bool)> = rows.iter().map(|row| (row.name.as_str(), row.differs())).collect();
        assert_eq!(shown, [("b", true), ("a", false), ("c", true)]);
        assert_eq!(rows[2].values, [None, Some("3".to_string())]);
    }
}
