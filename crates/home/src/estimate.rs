//! What a run of an experiment is likely to take, from those that ran before.

use crate::context::Context;
use crate::length::{self, Lengths};
use neronet_model::runs::Known;
use neronet_model::{Millis, Outcome, Run, RunId};
use neronet_spec::Experiment;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// How far is looked.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Runs whose times count, the newest first.
    pub runs: usize,
    /// Runs whose folders are measured, and the files that are looked at in all of them together.
    pub folders: usize,
    pub files: usize,
}

/// The middle of what earlier runs took.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Estimate {
    /// So many were looked at.
    pub runs: usize,
    pub duration: Option<Millis>,
    /// On disk, their copies of the code included.
    pub bytes: Option<u64>,
    /// Those were of another length, as `epochs=12` says, and the duration is reckoned from theirs.
    pub scaled_from: BTreeSet<String>,
}

/// Runs in the journal that are passed on the way back.
const PASSED: usize = 10_000;

/// Runs of a plan whose lengths are looked at, and lengths that are told apart.
const PLANNED: usize = 1_000;
const LENGTHS: usize = 20;

/// Of the runs of one experiment that finished, and that were as long; else of longer or shorter ones.
pub fn of(context: &Context, project: &str, experiment: &Experiment, bounds: Bounds) -> Option<Estimate> {
    let mut planned: Vec<(Lengths, u64)> = Vec::new();
    for params in experiment.runs().take(PLANNED) {
        let lengths = length::all(&params);
        match planned.iter().position(|(known, _)| *known == lengths) {
            Some(at) => planned[at].1 += 1,
            None if planned.len() == LENGTHS => return None,
            None => planned.push((lengths, 1)),
        }
    }
    let state = context.home.read().ok()?.state;
    let same = |run: &&Run| {
        *run.experiment == experiment.name
            && run.ending.as_ref().is_some_and(|end| end.outcome == Outcome::Finished)
            && state.sweeps.get(&run.sweep).is_some_and(|sweep| sweep.project == project && sweep.imported.is_none())
    };
    let newest = state.runs.all().skip(state.runs.len().saturating_sub(PASSED)).collect::<Vec<_>>().into_iter().rev();
    let earlier: Vec<(&Run, Lengths)> = newest.map(Known::whole).filter(same).map(|run| (run, length::all(&run.params))).collect();
    let mut all = Estimate::default();
    let (mut used, mut millis, mut runs) = (BTreeMap::new(), Some(0.0), 0_u64);
    for (lengths, count) in &planned {
        let (of_these, scale) = like(&earlier, lengths)?;
        let of_these: Vec<&Run> = of_these.into_iter().take(bounds.runs).collect();
        let factor = scale.as_ref().map_or(1.0, |(factor, _)| *factor);
        all.scaled_from.extend(scale.map(|(_, named)| named));
        let one = middle(of_these.iter().filter_map(|run| lasted(run)).collect());
        millis = millis.zip(one).map(|(all, one)| all + one as f64 * factor * *count as f64);
        runs += count;
        used.extend(of_these.into_iter().map(|run| (run.id, run)));
    }
    let mut left = bounds.files;
    let bytes = used.keys().rev().take(bounds.folders).map_while(|run| size(context, *run, &mut left)).collect();
    (all.runs, all.bytes) = (used.len(), middle(bytes));
    all.duration = millis.map(|all| Millis((all / runs.max(1) as f64) as u64));
    (all.runs > 0).then_some(all)
}

/// By how much a duration is to be multiplied, and what the runs have that it is of.
type Scale = (f64, String);

/// The newest runs of these lengths. Where there are none, those that differ in one length alone, with what that does.
fn like<'r>(earlier: &[(&'r Run, Lengths)], wanted: &Lengths) -> Option<(Vec<&'r Run>, Option<Scale>)> {
    let of = |lengths: &Lengths| earlier.iter().filter(|(_, known)| known == lengths).map(|(run, _)| *run).collect::<Vec<_>>();
    let same = of(wanted);
    if !same.is_empty() {
        return Some((same, None));
    }
    let differing = |known: &Lengths| {
        let mut others = wanted.iter().zip(known).filter(|(wanted, known)| wanted != known);
        let (wanted, known) = others.next()?;
        (known.0 == wanted.0 && others.next().is_none()).then_some((wanted.1 / known.1, format!("{}={}", known.0, known.1)))
    };
    let near = earlier.iter().filter(|(_, known)| known.len() == wanted.len());
    near.into_iter().find_map(|(_, known)| Some((of(known), Some(differing(known)?))))
}

fn lasted(run: &Run) -> Option<u64> {
    let last = run.ending.as_ref()?.lasted?;
    Some(run.earlier.0.saturating_add(last.0))
}

fn middle(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

/// What a run's folder takes on disk. Nothing where that would take too long to find out.
fn size(context: &Context, run: RunId, left: &mut usize) -> Option<u64> {
    let mut folders: Vec<PathBuf> = vec![context.home.run(run)];
    let mut bytes = 0u64;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            *left = left.checked_sub(1)?;
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                folders.push(entry.path());
            }
            bytes = bytes.saturating_add(meta.blocks().saturating_mul(512));
        }
    }
    // A folder that is gone tells nothing.
    (bytes > 0).then_some(bytes)
}

/// How long `runs` of them take, so many at a time.
pub fn together(one: Millis, runs: u64, at_a_time: u64) -> Millis {
    Millis(one.0.saturating_mul(runs.div_ceil(at_a_time.max(1))))
}
