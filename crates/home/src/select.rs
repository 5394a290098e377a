//! Which runs a command means: `42`, `40-50`, `1,3,5`, `last`, `sweep:7`, an experiment's name, `@tag`, or a filter expression.

use crate::columns;
use crate::error::HomeError;
use crate::nearest::some_of;
use crate::view::{Snapshot, View};
use neronet_model::{RunId, Uid, UnixMs};
use neronet_query::Filter;
use std::collections::BTreeSet;

/// The runs that the words name, in the order of their ids. Words that name nothing are an error.
///
/// Numbers, sweeps and uids are the same everywhere; names, tags, filters and `last` mean the runs of `project`, if one is given.
pub fn select<'v, 'a>(views: &'v [View<'a>], words: &[String], project: Option<&str>, now: UnixMs) -> Result<Vec<&'v View<'a>>, HomeError> {
    chosen(views, words, |word| {
        let found = one(views, word, project, now)?;
        if found.is_empty() { Err(HomeError::Absent(nothing(views, word, project, now))) } else { Ok(found) }
    })
}

/// The same, where to find nothing is an answer too.
pub fn matching<'v, 'a>(
    views: &'v [View<'a>],
    words: &[String],
    project: Option<&str>,
    now: UnixMs,
) -> Result<Vec<&'v View<'a>>, HomeError> {
    chosen(views, words, |word| one(views, word, project, now))
}

fn chosen<'v, 'a>(
    views: &'v [View<'a>],
    words: &[String],
    of_word: impl Fn(&str) -> Result<Vec<RunId>, HomeError>,
) -> Result<Vec<&'v View<'a>>, HomeError> {
    let mut chosen: BTreeSet<RunId> = BTreeSet::new();
    for word in words {
        chosen.extend(of_word(word)?);
    }
    Ok(views.iter().filter(|view| chosen.contains(&view.id)).collect())
}

/// The runs that a listing is asked for: where only filters are given, that nothing matches is an answer.
pub fn listed<'v, 'a>(
    snapshot: &Snapshot,
    views: &'v [View<'a>],
    words: &[String],
    project: Option<&str>,
    now: UnixMs,
) -> Result<Vec<&'v View<'a>>, HomeError> {
    if words.iter().all(|word| matches(word)) {
        return matching(views, words, project, now);
    }
    refuse_absent(snapshot, views, words)?;
    select(views, words, project, now)
}

/// That a word names no run, and which runs of other projects it would name.
pub fn nothing(views: &[View<'_>], word: &str, project: Option<&str>, now: UnixMs) -> String {
    let matches = is_filter(word) || word.starts_with('@');
    let elsewhere = one(views, word, None, now).unwrap_or_default();
    let (Some(project), false) = (project, elsewhere.is_empty()) else {
        let what = if matches { "matches" } else { "is called" };
        return format!("no run {what} '{word}'; `neronet ls -a` lists all of them");
    };
    let projects: BTreeSet<&str> =
        views.iter().filter(|view| elsewhere.contains(&view.id)).map(|view| view.sweep.project.as_str()).collect();
    let projects = some_of(projects, 5);
    let (runs, them) = match elsewhere[..] {
        [id] => (format!("run {id}"), "it"),
        _ => (format!("{} runs", elsewhere.len()), "them"),
    };
    match word {
        "last" => format!("project {project} has no runs; the last of all is {runs} of {projects}: -a takes it"),
        _ => {
            let (is, do_) = match (matches, elsewhere.len()) {
                (true, 1) => ("matches", "does"),
                (true, _) => ("matches", "do"),
                (false, 1) => ("is called", "is"),
                (false, _) => ("is called", "are"),
            };
            format!("no run of project {project} {is} '{word}'; {runs} of {projects} {do_}: -a takes {them}")
        }
    }
}

/// Whether the word can only be a filter expression.
pub fn is_filter(word: &str) -> bool {
    let reads = || !word.starts_with("sweep:") && word.contains([':', '(']) && Filter::parse(word).is_ok();
    word.contains(['=', '<', '>', ' ', '~', '≤', '≥', '≠']) || reads()
}

/// Whether the word asks for what runs have, so that nothing is an answer too.
pub fn matches(word: &str) -> bool {
    (word.starts_with('@') || is_filter(word)) && Filter::parse(word).is_ok()
}

/// `42`, `40-50`, `1,3,40-50` as spans of ids.
pub fn ids(word: &str) -> Option<Vec<(u64, u64)>> {
    let span = |part: &str| match part.split_once('-') {
        Some((from, to)) => Some((from.parse().ok()?, to.parse().ok()?)),
        None => part.parse().ok().map(|id| (id, id)),
    };
    word.split(',').map(span).collect()
}

/// `3,5-7`: the ids as one word of a command. They are in order.
pub fn spans(ids: &[RunId]) -> String {
    let span = |span: &[RunId]| match span {
        [id] => id.to_string(),
        span => format!("{}-{}", span[0], span[span.len() - 1]),
    };
    ids.chunk_by(|a, b| a.0 + 1 == b.0).map(span).collect::<Vec<_>>().join(",")
}

fn one(views: &[View<'_>], word: &str, project: Option<&str>, now: UnixMs) -> Result<Vec<RunId>, HomeError> {
    let all = |keep: &dyn Fn(&View<'_>) -> bool| views.iter().filter(|view| keep(view)).map(|view| view.id).collect::<Vec<_>>();
    let here = |view: &View<'_>| project.is_none_or(|project| view.sweep.project == project);
    if word == "last" {
        return Ok(views.iter().filter(|view| here(view)).map(|view| view.id).max().into_iter().collect());
    }
    if let Some(spans) = ids(word) {
        let there = |id: u64| views.iter().any(|view| view.id.0 == id);
        return match spans.iter().find(|(from, to)| from == to && spans.len() > 1 && !there(*from)) {
            Some((id, _)) => Err(HomeError::Absent(format!("there is no run {id}; `neronet ls -a` lists all of them"))),
            None => Ok(all(&|view| spans.iter().any(|(from, to)| (from..=to).contains(&&view.id.0)))),
        };
    }
    // A tag has no blanks: with them it is a filter that begins with one.
    if let Some(tag) = word.strip_prefix('@').filter(|tag| !tag.contains(char::is_whitespace)) {
        return Ok(all(&|view| here(view) && view.brief().is_tagged && view.run().tags.contains(tag)));
    }
    if let Some(sweep) = word.strip_prefix("sweep:") {
        let sweep: u64 = sweep.parse().map_err(|_| HomeError::Words(format!("'{word}' is no sweep; a sweep is written sweep:7")))?;
        return Ok(all(&|view| view.sweep.id.0 == sweep));
    }
    let uid = Uid::parse(word);
    let named = all(&|view| (here(view) && view.sweep.experiment == *word) || uid.is_some_and(|uid| view.run().uid == uid));
    if !named.is_empty() {
        return Ok(named);
    }
    if is_filter(word) {
        let filter = Filter::parse(word)?;
        // One that asks for projects says itself which it means.
        let names_project = filter.names().contains(&"project");
        let reaches = |view: &&&View<'_>| names_project || here(view);
        return Ok(columns::matching(&filter, views, now)?.iter().filter(reaches).map(|view| view.id).collect());
    }
    Ok(named)
}

/// Exactly one run.
pub fn one_run<'v, 'a>(views: &'v [View<'a>], word: &str, project: Option<&str>, now: UnixMs) -> Result<&'v View<'a>, HomeError> {
    let found = select(views, &[word.to_string()], project, now)?;
    match found[..] {
        [view] => Ok(view),
        _ => Err(HomeError::Words(format!("'{word}' names {} runs; give one, such as {}", found.len(), found[0].id))),
    }
}

/// The cases in which there is more to say than that no run is called so.
pub fn refuse_absent(snapshot: &Snapshot, views: &[View<'_>], words: &[String]) -> Result<(), HomeError> {
    words.iter().try_for_each(|word| refuse_word(snapshot, views, word))
}

fn refuse_word(snapshot: &Snapshot, views: &[View<'_>], word: &str) -> Result<(), HomeError> {
    if snapshot.state.runs.is_empty() {
        return Err(HomeError::Absent("there are no runs yet; `neronet run -- CMD` makes one".into()));
    }
    if views.is_empty() && snapshot.runs().next().is_none() {
        return Err(HomeError::Absent(
            "all runs are in the trash; `neronet ls --trash` lists them, `neronet restore` takes them out".into(),
        ));
    }
    let there = |id: u64| views.iter().any(|view| view.id == RunId(id));
    let single = ids(word).into_iter().flatten().filter(|(from, to)| from == to);
    let Some((id, _)) = single.into_iter().find(|(id, _)| !there(*id)) else { return Ok(()) };
    Err(HomeError::Absent(match snapshot.state.runs.get(&RunId(id)) {
        Some(run) if run.trashed.is_some() => format!("run {id} is in the trash; `neronet restore {id}` takes it out"),
        Some(_) => format!("run {id} is not in the trash"),
        None if id > 0 && id <= snapshot.state.last_run => format!("run {id} was removed for good"),
        None => format!("there is no run {id}; `neronet ls -a` lists all of them"),
    }))
}
