//! Which runs a command means: `42`, `40-50`, `last`, `sweep:7`, an experiment's name, `@tag`, or a filter expression.

use crate::error::HomeError;
use crate::filter::Filter;
use crate::view::View;
use neronet_model::RunId;
use std::collections::BTreeSet;

/// The runs that the words name, in the order of their ids. Words that name nothing are an error.
pub fn select<'v, 'a>(views: &'v [View<'a>], words: &[String]) -> Result<Vec<&'v View<'a>>, HomeError> {
    let mut chosen: BTreeSet<RunId> = BTreeSet::new();
    for word in words {
        let found = one(views, word)?;
        if found.is_empty() {
            return Err(HomeError::Words(format!("no run is called '{word}'; `neronet ls -a` lists all of them")));
        }
        chosen.extend(found);
    }
    Ok(views.iter().filter(|view| chosen.contains(&view.run.id)).collect())
}

fn one(views: &[View<'_>], word: &str) -> Result<Vec<RunId>, HomeError> {
    let all = |keep: &dyn Fn(&View<'_>) -> bool| views.iter().filter(|view| keep(view)).map(|view| view.run.id).collect::<Vec<_>>();
    if word == "last" {
        return Ok(views.iter().map(|view| view.run.id).max().into_iter().collect());
    }
    if let Ok(id) = word.parse::<u64>() {
        return Ok(all(&|view| view.run.id == RunId(id)));
    }
    if let Some((from, to)) = word.split_once('-').and_then(|(from, to)| Some((from.parse::<u64>().ok()?, to.parse::<u64>().ok()?))) {
        return Ok(all(&|view| (from..=to).contains(&view.run.id.0)));
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
    if word.contains(['=', '<', '>', ' ', '~']) {
        let filter = Filter::parse(word)?;
        return Ok(all(&|view| filter.matches(view)));
    }
    Ok(named)
}

/// Exactly one run.
pub fn one_run<'v, 'a>(views: &'v [View<'a>], word: &str) -> Result<&'v View<'a>, HomeError> {
    let found = select(views, &[word.to_string()])?;
    match found[..] {
        [view] => Ok(view),
        _ => Err(HomeError::Words(format!("'{word}' names {} runs; give one, such as {}", found.len(), found[0].run.id))),
    }
}
