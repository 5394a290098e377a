//! Runs that others still go on from: nothing goes of these.

use crate::context::Context;
use crate::stages;
use neronet_model::journal::HomeState;
use neronet_model::run::Again;
use neronet_model::runs::Known;
use neronet_model::{RunId, SweepId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// All runs that one which has not ended goes on from, or names the folder of.
pub(super) fn by_others(context: &Context, state: &HomeState) -> BTreeSet<RunId> {
    let mut needed = BTreeSet::new();
    let mut named: BTreeMap<SweepId, BTreeSet<RunId>> = BTreeMap::new();
    let runs = context.home.runs();
    for run in state.runs.all().filter(|run| !run.has_ended()).map(Known::whole) {
        needed.extend(run.after);
        let Some(sweep) = state.sweeps.get(&run.sweep) else { continue };
        if !sweep.best_of.is_empty() {
            // Which of them it is may not be known yet.
            needed.extend(stages::chosen(context, run.id).map_or_else(|| sweep.best_of.clone(), |chosen| vec![chosen]));
        }
        if let Some(Again::Resume { checkpoint, best, .. }) = state.decisions.get(&run.id).map(|decision| &decision.again) {
            needed.extend(checkpoint.iter().chain(best).flat_map(|path| named_in(path, &runs)));
        }
        let of_sweep = named.entry(run.sweep).or_insert_with(|| {
            let text = serde_json::to_string(&(&sweep.settings, &sweep.spec)).unwrap_or_default();
            named_in(&text, &runs).collect()
        });
        needed.extend(of_sweep.iter());
        needed.extend(run.as_changed().iter().flat_map(|(_, value)| named_in(&value.to_string(), &runs).collect::<Vec<_>>()));
    }
    needed
}

/// The runs whose folders a text names.
fn named_in(text: &str, runs: &Path) -> impl Iterator<Item = RunId> {
    let prefix = format!("{}/", runs.display());
    let numbers: Vec<RunId> = text
        .split(prefix.as_str())
        .skip(1)
        .filter_map(|rest| rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse().ok())
        .collect();
    numbers.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_known_by_their_folders_in_a_text() {
        let named = |text: &str| named_in(text, Path::new("/home/runs")).map(|run| run.0).collect::<Vec<_>>();
        assert_eq!(named(r#"["--init", "/home/runs/42/work/a.pt", "/home/runs/7"]"#), [42, 7]);
        assert_eq!(named("/home/runs/x/1 /other/runs/3 /home/runs"), [0u64; 0]);
    }
}
