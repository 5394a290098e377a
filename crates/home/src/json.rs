//! What `--json` prints. Additions are fine; a name that was printed once keeps its meaning.

use crate::begin::Frozen;
use crate::context::Context;
use crate::inputs;
use crate::masked;
use crate::submit::{World, world_file};
use crate::view::View;
use neronet_model::event::Checkpoint;
use neronet_model::event::Extent;
use neronet_model::left::{Artifact, Left};
use neronet_model::queue::Wishes;
use neronet_model::step::Step;
use neronet_model::target::LOCAL;
use neronet_model::{Attempt, AttemptNo, Millis, UnixMs, number};
use neronet_store::series::Bucket;
use neronet_store::{files, spool};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// RFC 3339 in UTC, with milliseconds.
pub fn time(at: Option<UnixMs>) -> Value {
    let stamp = at.and_then(|at| jiff::Timestamp::from_millisecond(at.0).ok());
    stamp.map_or(Value::Null, |stamp| format!("{stamp:.3}").into())
}

/// The numbers that stand for a series.
pub fn extent(extent: &Extent) -> Value {
    let [last, min, max] = [extent.last, extent.min, extent.max].map(number::json);
    json!({"last": last, "min": min, "max": max, "step": number::json(extent.step), "points": extent.points})
}

/// What some neighbouring points come to, for a chart.
pub fn bucket(bucket: &Bucket) -> Value {
    let [first, last, min, max, mean] = [bucket.first, bucket.last, bucket.min, bucket.max, bucket.mean()].map(number::json);
    json!({
        "step": bucket.x.map(number::json),
        "time": bucket.t.map(|t| t as f64 / 1000.0),
        "first": first, "last": last, "min": min, "max": max, "mean": mean,
        "points": bucket.points(), "not_finite": bucket.others,
    })
}

/// One run of `ls --json`.
pub fn listed(view: &View<'_>) -> Value {
    listed_with(view, view.metrics().iter().map(|(name, found)| (name.clone(), extent(found))).collect())
}

fn listed_with(view: &View<'_>, metrics: Map<String, Value>) -> Value {
    json!({
        "id": view.id,
        "uid": view.run().uid,
        "project": view.sweep.project,
        "experiment": &*view.run().experiment,
        "sweep": view.run().sweep,
        "after": view.after(),
        "state": view.state(),
        "outcome": view.outcome(),
        "reason": view.reason(),
        "params": view.params(),
        "tags": view.run().tags,
        "target": view.target(),
        "created": time(Some(view.run().created)),
        "started": time(view.started()),
        "ended": time(view.ended()),
        "attempts": view.run().attempts,
        "metrics": metrics,
    })
}

/// The same limited to some keys, if there are any. Names of parameters and metrics limit `params` and `metrics` to themselves.
pub fn limited(view: &View<'_>, fields: &[String]) -> Value {
    if fields.is_empty() {
        return listed(view);
    }
    let is_asked_for = |field: &str| fields.iter().any(|known| known == field);
    let all = if is_asked_for("metrics") {
        listed(view)
    } else {
        // Of many runs a few metrics are far cheaper than all.
        listed_with(view, fields.iter().filter_map(|name| Some((name.clone(), extent(&*view.extent(name)?)))).collect())
    };
    let mut kept = Map::new();
    for field in fields {
        if let Some(value) = all.get(field) {
            kept.insert(field.clone(), value.clone());
            continue;
        }
        for group in ["params", "metrics"] {
            if let Some(value) = all.get(group).and_then(|group| group.get(field))
                && !is_asked_for(group)
            {
                let group = kept.entry(group).or_insert_with(|| Value::Object(Map::new()));
                group[field] = value.clone();
            }
        }
    }
    Value::Object(kept)
}

/// What was said of the place in the queue. `not_before` as people wrote it, or in UTC.
pub fn wishes(wishes: &Wishes, not_before: Value) -> Value {
    json!({
        "priority": wishes.priority,
        "not_before": not_before,
        "gpu_hours": wishes.gpu_time.map(|time| time.seconds() / 3600.0),
        "hold_after": wishes.hold_after,
        "after": wishes.after.iter().filter(|dependency| !dependency.ok).map(|dependency| dependency.run).collect::<Vec<_>>(),
        "after_ok": wishes.after.iter().filter(|dependency| dependency.ok).map(|dependency| dependency.run).collect::<Vec<_>>(),
    })
}

/// `show --json`: the listing and all else.
pub fn shown(context: &Context, view: &View<'_>) -> Value {
    let frozen = Frozen::of(context, view.id);
    let world: World = files::read_json(&world_file(context, view.run().sweep)).ok().flatten().unwrap_or_default();
    let attempts = examined(context, view);
    let left = left(context, view);
    let mut config = BTreeMap::new();
    attempts.iter().for_each(|attempt| config.extend(attempt.config.clone()));
    let mut all = listed(view);
    let more = json!({
        "command": frozen.as_ref().map(|frozen| frozen.command.clone()),
        "directory": frozen.as_ref().map(|frozen| frozen.directory.clone()),
        "host": view.sweep.host,
        "user": view.sweep.user,
        "note": view.run().note,
        "imported": view.sweep.imported.as_ref().map(|imported| json!({
            "from": imported.from, "path": imported.path, "name": imported.name, "at": time(Some(imported.at)),
        })),
        "wishes": wishes(&view.sweep.wishes, time(view.sweep.wishes.not_before)),
        "git": view.sweep.code.git.as_ref().map(|git| json!({"commit": git.commit, "branch": git.branch, "dirty": git.dirty})),
        "code": {"snapshot": view.sweep.code.snapshot, "in_place": view.sweep.code.in_place_because, "left_out": world.left_out, "large": world.large},
        "environment": world.environment,
        "devices": world.devices,
        "inputs": inputs::of_run(frozen.as_ref(), &world).into_iter().map(|input| json!({
            "name": input.name, "path": input.path, "files": input.data.files, "bytes": input.data.bytes, "fingerprint": input.data.fingerprint,
        })).collect::<Vec<_>>(),
        "config": config,
        "attempts": attempts.iter().map(attempt_json).collect::<Vec<_>>(),
        "checkpoints": checkpoints(&attempts).into_iter().map(|checkpoint| json!({
            "path": checkpoint.path, "bytes": checkpoint.bytes, "modified": time(Some(checkpoint.modified)),
            "step": checkpoint.step, "epoch": checkpoint.epoch,
        })).collect::<Vec<_>>(),
        "steps": steps(&attempts).into_iter().map(step_json).collect::<Vec<_>>(),
        "artifacts": left.artifacts.iter().map(|artifact| json!({
            "path": artifact.path, "bytes": artifact.bytes, "modified": time(Some(artifact.modified)), "sha256": artifact.sha256,
        })).collect::<Vec<_>>(),
        "other_files": {
            "files": left.files, "bytes": left.bytes, "at_least": left.at_least,
            "paths": left.others.iter().map(|(path, bytes)| json!({"path": path, "bytes": bytes})).collect::<Vec<_>>(),
        },
        "findings": [],
    });
    if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
        all.extend(more);
    }
    all
}

/// Every checkpoint, the oldest first. One that was written again counts as it is now.
pub fn checkpoints(attempts: &[Attempt]) -> Vec<&Checkpoint> {
    let mut all: BTreeMap<&str, &Checkpoint> = BTreeMap::new();
    all.extend(attempts.iter().flat_map(|attempt| &attempt.checkpoints).map(|checkpoint| (checkpoint.path.as_str(), checkpoint)));
    let mut all: Vec<&Checkpoint> = all.into_values().collect();
    all.sort_by_key(|checkpoint| checkpoint.modified);
    all
}

/// What a run left besides checkpoints.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LeftByRun {
    pub artifacts: Vec<Artifact>,
    /// Other files with their bytes, as far as they are named.
    pub others: Vec<(String, u64)>,
    /// All of them; `at_least` when there were more than were looked at.
    pub files: u64,
    pub bytes: u64,
    pub at_least: bool,
}

/// Of all attempts. What a later one wrote again counts as that left it.
pub fn left(context: &Context, view: &View<'_>) -> LeftByRun {
    let mut artifacts: BTreeMap<String, Artifact> = BTreeMap::new();
    let mut others: BTreeMap<String, u64> = BTreeMap::new();
    let mut all = LeftByRun::default();
    for n in (1..=view.run().attempts).map(AttemptNo) {
        for left in spool::left(&context.home.attempt(view.id, n)).unwrap_or_default() {
            match left {
                Left::Artifact(artifact) => {
                    others.remove(&artifact.path);
                    artifacts.insert(artifact.path.clone(), artifact);
                }
                Left::Other { path, bytes } => {
                    artifacts.remove(&path);
                    others.insert(path, bytes);
                }
                Left::More { files, bytes, at_least } => {
                    all.files += files;
                    all.bytes += bytes;
                    all.at_least |= at_least;
                }
            }
        }
    }
    all.files += others.len() as u64;
    all.bytes += others.values().sum::<u64>();
    LeftByRun { artifacts: artifacts.into_values().collect(), others: others.into_iter().collect(), ..all }
}

/// Every attempt of a run, read from its spool, as it may be shown.
pub fn attempts(context: &Context, view: &View<'_>) -> Vec<Attempt> {
    let read = |n: u64| spool::attempt(&context.home.attempt(view.id, AttemptNo(n)), AttemptNo(n)).ok();
    let begun = (1..=view.run().attempts).filter(|n| context.home.attempt(view.id, AttemptNo(*n)).exists());
    let mut attempts: Vec<Attempt> = begun.filter_map(read).collect();
    if view.target() != LOCAL {
        by_our_clock(view, &mut attempts);
    }
    // One that was never begun is known to the journal alone.
    if attempts.is_empty() {
        attempts.extend(context.home.end_of(view.run()).ok().flatten().map(|end| end.attempt));
    }
    attempts.iter_mut().for_each(masked::attempt);
    attempts
}

/// Attempts on a target are by its clock; when the last began is known by ours. Somebody may have set theirs between two of them: one
/// follows the other, and none was before the submission.
fn by_our_clock(view: &View<'_>, attempts: &mut [Attempt]) {
    let less = |one: Option<UnixMs>, other: Option<UnixMs>| one.zip(other).map_or(0, |(one, other)| one.0.saturating_sub(other.0));
    let last = attempts.last().filter(|last| last.n.0 == view.run().attempts);
    let off = last.map_or(0, |last| less(view.begun(), last.begun));
    let mut next = None;
    for attempt in attempts.iter_mut().rev() {
        attempt.shift(off);
        attempt.shift(less(next, attempt.end.as_ref().map(|end| end.at)).min(0));
        attempt.shift(less(Some(view.run().created), attempt.begun).max(0));
        next = attempt.begun.or(next);
    }
}

/// The same, with a word on what of their rows and output cannot be read; of very much only what is known without reading it.
pub fn examined(context: &Context, view: &View<'_>) -> Vec<Attempt> {
    let mut attempts = attempts(context, view);
    for attempt in attempts.iter_mut().filter(|attempt| attempt.end.is_some()) {
        let damage = spool::damage(&context.home.attempt(view.id, attempt.n), MOST_EXAMINED);
        attempt.notices.extend(damage.unwrap_or_default());
    }
    attempts
}

/// Takes a third of a second.
const MOST_EXAMINED: u64 = 64 << 20;

/// Every step of a run, with the attempt that carried it out: of each the last, as far as what is there goes on from that.
pub fn steps(attempts: &[Attempt]) -> Vec<(&Attempt, &Step)> {
    let mut all: Vec<(&Attempt, &Step)> = Vec::new();
    for attempt in attempts {
        if attempt.begun.is_some() && !attempt.resumes {
            all.clear();
        }
        for step in &attempt.steps {
            match all.iter_mut().find(|(_, known)| known.name == step.name) {
                Some(known) => *known = (attempt, step),
                None => all.push((attempt, step)),
            }
        }
    }
    all
}

fn step_json((attempt, step): (&Attempt, &Step)) -> Value {
    let at = |t: Option<Millis>| time(attempt.begun.zip(t).map(|(begun, t)| begun.plus(t)));
    json!({
        "name": step.name,
        "state": attempt.state_of(step),
        "attempt": step.begun.map(|_| attempt.n),
        "started": at(step.begun),
        "ended": at(step.ended),
        "exit_code": step.exit_code,
        "signal": step.signal,
        "checkpoint": step.checkpoint,
        "best_checkpoint": step.best,
    })
}

fn attempt_json(attempt: &Attempt) -> Value {
    json!({
        "n": attempt.n,
        "started": time(attempt.begun),
        "ended": time(attempt.end.as_ref().map(|end| end.at)),
        "outcome": attempt.end.as_ref().map(|end| end.outcome),
        "exit_code": attempt.exit_code,
        "signal": attempt.signal,
        "cause": attempt.reason(),
        "resumed_from": attempt.resumed_from,
        "last_lines": attempt.end.as_ref().map(|end| end.last_lines.clone()).unwrap_or_default(),
        "notices": attempt.notices,
        "tags": attempt.tags,
        "peak_memory_kb": attempt.peak_memory_kb,
        "peak_gpu_memory": attempt.peak_gpu_memory,
        "cpu_ms": attempt.cpu_ms,
    })
}
