//! A list of runs: which project, what varies, in which order, which fields.

use crate::columns::Columns;
use crate::context::Context;
use crate::error::HomeError;
use crate::nearest::did_you_mean;
use crate::objective::Telling;
use crate::varying::names;
use crate::view::{Snapshot, View, metric_names};
use neronet_model::settings::Goal;
use neronet_model::{Millis, RunId, UnixMs};
use neronet_query::{Key, Order, Page, Rows, Unknown, sort_keys};
use std::collections::BTreeSet;
use std::path::Path;

/// The project that a folder belongs to: what the specification there says, else the name of its git work tree, else its own.
pub fn project_of(folder: &Path) -> String {
    let top = folder.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(folder);
    // A file that has no project of its own belongs to the work tree, as its runs do.
    let named = |folder: &Path| neronet_spec::DEFAULT_NAMES.into_iter().map(|name| folder.join(name)).find(|file| file.exists());
    let file = [folder, top].into_iter().find_map(named);
    if let Some(project) = file.and_then(|file| neronet_spec::project_in(&std::fs::read_to_string(file).ok()?)) {
        return project;
    }
    top.file_name().map_or_else(|| "default".to_string(), |name| name.to_string_lossy().into_owned())
}

/// The project that a command is typed in.
pub fn current_project(context: &Context) -> String {
    context.project.as_ref().map_or_else(|| project_of(&context.folder), |project| project.name.clone())
}

/// The runs in the trash.
pub fn trashed<'a>(context: &Context, snapshot: &'a Snapshot) -> Vec<View<'a>> {
    let runs = snapshot.state.runs.all().filter(|run| run.brief().trashed.is_some());
    snapshot.views_of(context, runs)
}

/// `lr=0.1 act=relu` of the names given, those that the run has.
pub fn assignment(view: &View<'_>, names: &[String]) -> String {
    let pairs = names.iter().filter_map(|name| view.params().get(name).map(|value| format!("{name}={value}")));
    pairs.collect::<Vec<_>>().join(" ")
}

/// How long its attempts ran together, not the time between them; of one that runs, since it began.
pub fn duration(view: &View<'_>, now: UnixMs) -> Option<Millis> {
    let running = || {
        let until = view.ended().unwrap_or(now);
        view.begun().map(|begun| Millis(until.0.saturating_sub(begun.0).max(0) as u64))
    };
    let last = view.lasted().or_else(running);
    let all = Millis(view.brief().earlier.0.saturating_add(last.unwrap_or_default().0));
    (last.is_some() || all > Millis(0)).then_some(all)
}

/// Which part of a list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Part {
    pub limit: Option<usize>,
    /// So many are passed over.
    pub offset: usize,
    /// Only what comes behind this run.
    pub after: Option<RunId>,
}

/// Leaves so many of the runs, in order. `sort`: names with commas between them, `-NAME` turned round. A metric by its name alone, or
/// its `.best`, has the better first where that is known, all else the smaller. Without `sort` they are in the order of their
/// numbers, and where nothing else is said the newest are left. Gives the metric that counts most, if it is one.
pub fn arrange(views: &mut Vec<&View<'_>>, sort: Option<&str>, part: Part, now: UnixMs) -> Result<Option<Telling>, HomeError> {
    let Some(text) = sort else {
        views.retain(|view| part.after.is_none_or(|after| view.id > after));
        let limit = part.limit.unwrap_or(usize::MAX);
        if part.after.is_some() {
            views.drain(..part.offset.min(views.len()));
            views.truncate(limit);
        } else {
            views.truncate(views.len().saturating_sub(part.offset));
            views.drain(..views.len().saturating_sub(limit));
        }
        return Ok(None);
    };
    let written = sort_keys(text)?;
    let metric = written.first().and_then(|key| bare_metric(views, &key.name));
    let mut keys: Vec<Key> = written.iter().map(|key| sorted_by(views, key)).collect();
    // What is alike is in the order of the runs, turned round with the rest.
    let turned = written.first().is_some_and(|key| key.descending);
    keys.push(Key { name: "id".into(), descending: turned, at: 0 });
    let found: Vec<&View<'_>> = {
        let names = keys.iter().map(|key| key.name.as_str());
        let columns = Columns::of(views, names, now, "nothing that could be sorted by");
        let order = Order::by(&columns, &keys, text)?;
        let after = part.after.and_then(|after| views.iter().position(|view| view.id == after));
        let page = order.page(&Rows::all(views.len()), Page { after, offset: part.offset, limit: part.limit });
        page.rows.iter().filter_map(|row| views.get(*row).copied()).collect()
    };
    *views = found;
    Ok(metric)
}

/// A metric by its name alone, where that is no parameter.
pub(crate) fn bare_metric(views: &[&View<'_>], name: &str) -> Option<Telling> {
    let is_param = views.iter().any(|view| view.known.has_param(name));
    (!is_param && views.iter().any(|view| view.extent(name).is_some())).then(|| Telling::of(views, name))
}

/// The column that a key means, and which way round.
fn sorted_by(views: &[&View<'_>], key: &Key) -> Key {
    let best = key.name.strip_suffix(".best").map(|name| name.strip_prefix("metrics.").unwrap_or(name));
    let goal_of = |telling: &Telling| telling.goal == Some(Goal::Max);
    let (name, larger_first) = match bare_metric(views, &key.name) {
        Some(telling) => (telling.column(), goal_of(&telling)),
        None => (key.name.clone(), best.and_then(|name| bare_metric(views, name)).is_some_and(|telling| goal_of(&telling))),
    };
    Key { name, descending: key.descending != larger_first, at: key.at }
}

/// What every run has, beside its parameters and metrics: the names of `ls --json`, and the duration.
pub const FIELDS: [&str; 18] = [
    "id",
    "uid",
    "project",
    "experiment",
    "sweep",
    "after",
    "state",
    "outcome",
    "reason",
    "params",
    "tags",
    "target",
    "created",
    "started",
    "ended",
    "attempts",
    "metrics",
    "duration",
];

/// Refuses fields that none of the runs has.
pub fn check_fields(views: &[&View<'_>], fields: &[String]) -> Result<(), HomeError> {
    let known = |name: &str| FIELDS.contains(&name) || views.iter().any(|view| view.known.has_param(name) || view.extent(name).is_some());
    match fields.iter().find(|field| !known(field)) {
        Some(field) if !views.is_empty() => Err(unknown(views, "no field", field, &FIELDS)),
        _ => Ok(()),
    }
}

/// That no parameter and no metric of these runs is called so, none of `fields` either, and what there is.
pub(crate) fn unknown(views: &[&View<'_>], what: &str, name: &str, fields: &[&str]) -> HomeError {
    let Unknown { what, more } = unknown_name(views, what, name, fields);
    HomeError::Words(format!("{what}\n{more}"))
}

pub(crate) fn unknown_name(views: &[&View<'_>], what: &str, name: &str, fields: &[&str]) -> Unknown {
    let params: BTreeSet<&str> = names(views).into_iter().collect();
    let metrics = metric_names(views);
    let metrics: BTreeSet<&str> = metrics.keys().map(String::as_str).collect();
    let guess = did_you_mean(name, params.iter().chain(&metrics).copied().chain(fields.iter().copied()));
    let some = |names: &BTreeSet<&str>| match names.len() {
        0 => "none".to_string(),
        _ => crate::nearest::some_of(names.iter().copied(), 12),
    };
    Unknown {
        what: format!("{what} is called '{name}'{guess}"),
        more: format!("parameters: {}\nmetrics: {}\nothers: {}", some(&params), some(&metrics), fields.join(", ")),
    }
}
