//! A list of runs: which project, what varies, in which order, which fields.

use crate::context::Context;
use crate::error::HomeError;
use crate::nearest::did_you_mean;
use crate::objective::Telling;
use crate::view::{Snapshot, View};
use neronet_model::{Millis, Params, UnixMs, Value};
use std::cmp::Ordering;
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

/// The runs in the trash.
pub fn trashed<'a>(context: &Context, snapshot: &'a Snapshot) -> Vec<View<'a>> {
    let runs = snapshot.state.runs.values().filter(|run| run.trashed.is_some());
    runs.filter_map(|run| snapshot.view_of(context, run.id)).collect()
}

/// The parameters that differ between these runs, in the order of the first that has them.
pub fn varying(views: &[&View<'_>]) -> Vec<String> {
    varying_of(views.iter().map(|view| &*view.params))
}

pub fn varying_of<'p>(all: impl Iterator<Item = &'p Params> + Clone) -> Vec<String> {
    let mut names: Vec<&str> = Vec::new();
    let mut known = BTreeSet::new();
    for (name, _) in all.clone().flat_map(Params::iter) {
        if known.insert(name) {
            names.push(name);
        }
    }
    let differs = |name: &&str| {
        let mut values = all.clone().map(|params| params.get(name));
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    names.into_iter().filter(differs).map(str::to_string).collect()
}

/// `lr=0.1 act=relu` of the names given, those that the run has.
pub fn assignment(view: &View<'_>, names: &[String]) -> String {
    let pairs = names.iter().filter_map(|name| view.params.get(name).map(|value| format!("{name}={value}")));
    pairs.collect::<Vec<_>>().join(" ")
}

/// How long its attempts ran together, not the time between them; of one that runs, since it began.
pub fn duration(view: &View<'_>, now: UnixMs) -> Option<Millis> {
    let attempt = view.attempt.as_ref();
    let running = || {
        let until = view.ended.unwrap_or(now);
        attempt?.begun.map(|begun| Millis(until.0.saturating_sub(begun.0).max(0) as u64))
    };
    let last = attempt.and_then(|attempt| attempt.lasted).or_else(running);
    let all = Millis(view.run.earlier.0.saturating_add(last.unwrap_or_default().0));
    (last.is_some() || all > Millis(0)).then_some(all)
}

/// Sorts by a metric (better first where that is known), a parameter, or `id`, `created`, `started`, `ended`, `duration`, `state`.
/// Gives the metric, if it was one.
pub fn sort(views: &mut [&View<'_>], name: &str, now: UnixMs) -> Result<Option<Telling>, HomeError> {
    let known_metric = views.iter().any(|view| view.metrics.contains_key(name));
    let known_param = views.iter().any(|view| view.params.get(name).is_some());
    let mut metric = None;
    match name {
        _ if known_metric && !known_param => {
            let telling = Telling::of(views, name);
            views.sort_by(|a, b| telling.order(telling.value(a), telling.value(b)));
            metric = Some(telling);
        }
        _ if known_param => views.sort_by(|a, b| order(a.params.get(name), b.params.get(name))),
        "id" | "created" => views.sort_by_key(|view| view.run.id),
        "started" => views.sort_by_key(|view| (view.started.is_none(), view.started)),
        "ended" => views.sort_by_key(|view| (view.ended.is_none(), view.ended)),
        "duration" => views.sort_by_key(|view| duration(view, now).map_or((true, Millis(0)), |duration| (false, duration))),
        "state" => views.sort_by_key(|view| view.status()),
        _ if views.is_empty() => {}
        _ => return Err(unknown(views, "nothing that could be sorted by", name, &FIELDS)),
    }
    Ok(metric)
}

/// Sorts by what `sort` says (`-NAME` turns the order round) and leaves so many: of a sorted list the first, of one by age the
/// newest. Gives the metric that it is sorted by.
pub fn arrange(views: &mut Vec<&View<'_>>, sort: Option<&str>, limit: Option<usize>, now: UnixMs) -> Result<Option<Telling>, HomeError> {
    let (name, turned) = sort.map_or((None, false), |name| name.strip_prefix('-').map_or((Some(name), false), |name| (Some(name), true)));
    let metric = name.map_or(Ok(None), |name| self::sort(views, name, now))?;
    if let Some(name) = name.filter(|_| turned) {
        views.reverse();
        // What has no value stays behind.
        let has = |view: &View<'_>| view.params.get(name).is_some() || view.metrics.contains_key(name);
        if views.iter().any(|view| has(view)) {
            views.sort_by_key(|view| !has(view));
        }
    }
    if let Some(limit) = limit {
        let skip = if sort.is_some() { 0 } else { views.len().saturating_sub(limit) };
        views.drain(..skip);
        views.truncate(limit);
    }
    Ok(metric)
}

/// Numbers by size, texts by letters; what is not there comes last.
fn order(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => match (a.number(), b.number()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => a.to_string().cmp(&b.to_string()),
        },
        (a, b) => a.is_none().cmp(&b.is_none()),
    }
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
    let known =
        |name: &str| FIELDS.contains(&name) || views.iter().any(|view| view.params.get(name).is_some() || view.metrics.contains_key(name));
    match fields.iter().find(|field| !known(field)) {
        Some(field) if !views.is_empty() => Err(unknown(views, "no field", field, &FIELDS)),
        _ => Ok(()),
    }
}

/// That no parameter and no metric of these runs is called so, none of `fields` either, and what there is.
pub(crate) fn unknown(views: &[&View<'_>], what: &str, name: &str, fields: &[&str]) -> HomeError {
    let params: BTreeSet<&str> = views.iter().flat_map(|view| view.params.iter().map(|(name, _)| name)).collect();
    let metrics: BTreeSet<&str> = views.iter().flat_map(|view| view.metrics.keys().map(String::as_str)).collect();
    let guess = did_you_mean(name, params.iter().chain(&metrics).copied().chain(fields.iter().copied()));
    let some = |names: &BTreeSet<&str>| match names.len() {
        0 => "none".to_string(),
        _ => crate::nearest::some_of(names.iter().copied(), 12),
    };
    HomeError::Words(format!(
        "{what} is called '{name}'{guess}\nparameters: {}\nmetrics: {}\nothers: {}",
        some(&params),
        some(&metrics),
        fields.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_ordered_as_numbers_where_they_are_numbers() {
        let word = Value::from_word;
        let mut values = [Some(word("10")), None, Some(word("9")), Some(word("1e-3"))];
        values.sort_by(|a, b| order(a.as_ref(), b.as_ref()));
        let shown: Vec<String> = values.iter().map(|value| value.as_ref().map_or("-".into(), ToString::to_string)).collect();
        assert_eq!(shown, ["1e-3", "9", "10", "-"]);
    }
}
