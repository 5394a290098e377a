//! Which runs a command means: `42`, `40-50`, `1,3,5`, `last`, `sweep:7`, an experiment's name, `@tag`, or a filter expression.

use crate::error::HomeError;
use crate::filter::Filter;
use crate::view::View;
use neronet_model::{RunId, UnixMs};
use std::collections::BTreeSet;

/// The runs that the words name, in the order of their ids. Words that name nothing are an error.
pub fn select<'v, 'a>(views: &'v [View<'a>], words: &[String], now: UnixMs) -> Result<Vec<&'v View<'a>>, HomeError> {
    let mut chosen: BTreeSet<RunId> = BTreeSet::new();
    for word in words {
        let found = one(views, word, now)?;
        if found.is_empty() {
            let what = if is_filter(word) || word.starts_with('@') { "matches" } else { "is called" };
            return Err(HomeError::Words(format!("no run {what} '{word}'; `neronet ls -a` lists all of them")));
        }
        chosen.extend(found);
    }
    Ok(views.iter().filter(|view| chosen.contains(&view.run.id)).collect())
}

/// Whether the word can only be a filter expression.
pub fn is_filter(word: &str) -> bool {
    word.contains(['=', '<', '>', ' ', '~'])
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

fn one(views: &[View<'_>], word: &str, now: UnixMs) -> Result<Vec<RunId>, HomeError> {
    let all = |keep: &dyn Fn(&View<'_>) -> bool| views.iter().filter(|view| keep(view)).map(|view| view.run.id).collect::<Vec<_>>();
    if word == "last" {
        return Ok(views.iter().map(|view| view.run.id).max().into_iter().collect());
    }
    if let Some(spans) = ids(word) {
        let there = |id: u64| views.iter().any(|view| view.run.id.0 == id);
        return match spans.iter().find(|(from, to)| from == to && spans.len() > 1 && !there(*from)) {
            Some((id, _)) => Err(HomeError::Words(format!("there is no run {id}; `neronet ls -a` lists all of them"))),
            None => Ok(all(&|view| spans.iter().any(|(from, to)| (from..=to).contains(&&view.run.id.0)))),
        };
    }
    if let Some(tag) = word.strip_prefix('@') {
        return Ok(all(&|view| view.run.tags.contains(tag)));
    }
    if let Some(sweep) = word.strip_prefix("sweep:") {
        let sweep: u64 = sweep.parse().map_err(|_| HomeError::Words(format!("'{word}' is no sweep; a sweep is written sweep:7")))?;
        return Ok(all(&|view| view.run.sweep.0 == sweep));
    }
    let named = all(&|view| view.run.experiment == word || view.run.uid.as_str() == word);
    if !named.is_empty() {
        return Ok(named);
    }
    if is_filter(word) {
        return Ok(Filter::parse(word)?.of(views, now)?.iter().map(|view| view.run.id).collect());
    }
    Ok(named)
}

/// Exactly one run.
pub fn one_run<'v, 'a>(views: &'v [View<'a>], word: &str, now: UnixMs) -> Result<&'v View<'a>, HomeError> {
    let found = select(views, &[word.to_string()], now)?;
    match found[..] {
        [view] => Ok(view),
        _ => Err(HomeError::Words(format!("'{word}' names {} runs; give one, such as {}", found.len(), found[0].run.id))),
    }
}
