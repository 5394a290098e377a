//! Which parameters runs have, and in which they differ. Runs that are not unpacked stay so.

use crate::view::View;
use neronet_model::Value;
use neronet_model::runs::Known;
use std::collections::BTreeSet;

/// The parameters that differ between these runs, in the order of the first that has them.
pub fn varying(views: &[&View<'_>]) -> Vec<String> {
    varying_of(&views.iter().map(|view| view.known).collect::<Vec<_>>())
}

pub fn varying_of(runs: &[Known<'_>]) -> Vec<String> {
    let names = names_of(runs.iter().copied());
    names.into_iter().filter(|name| differs(runs, name)).map(str::to_string).collect()
}

/// The names of the parameters of these runs, in the order of the first that has them.
pub(crate) fn names<'v>(views: &[&'v View<'_>]) -> Vec<&'v str> {
    names_of(views.iter().map(|view| view.known))
}

fn names_of<'r>(runs: impl Iterator<Item = Known<'r>>) -> Vec<&'r str> {
    let mut names: Vec<&str> = Vec::new();
    let (mut known, mut shapes) = (BTreeSet::new(), BTreeSet::new());
    for run in runs {
        match run {
            Known::Whole(run) => names.extend(run.params.iter().map(|(name, _)| name).filter(|name| known.insert(*name))),
            Known::Shelved(shelf, at) => {
                let (shape, of_it) = shelf.names(at);
                if shapes.insert(shape) {
                    names.extend(of_it.iter().map(|name| &**name).filter(|name| known.insert(*name)));
                }
            }
        }
    }
    names
}

fn differs(runs: &[Known<'_>], name: &str) -> bool {
    let (mut first, mut before): (Option<Option<Value>>, Option<u32>) = (None, None);
    runs.iter().any(|run| {
        let value = match run {
            Known::Whole(run) => run.params.get(name).cloned(),
            Known::Shelved(shelf, at) => {
                let code = shelf.code(*at, name);
                if code.is_some() && code == before {
                    return false;
                }
                before = code;
                code.and_then(|code| shelf.value(name, code))
            }
        };
        match &first {
            Some(first) => *first != value,
            None => {
                first = Some(value);
                false
            }
        }
    })
}
