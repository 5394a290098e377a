//! What home knows of a target without asking it: whether it is reached, its machine as that was seen last, the runs that are there and
//! for it, and what is still to come from there.

use crate::bulletin;
use crate::contact::noted;
use crate::context::Context;
use crate::error::HomeError;
use crate::refused;
use crate::targets::folder_of;
use crate::travel::left;
use crate::view::Snapshot;
use crate::world;
use neronet_model::target::LOCAL;
use neronet_model::{Millis, RunId, UnixMs};
use neronet_schedule::{Absent, Place};
use neronet_store::files::{self, Durability};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Whether a target is reached, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// It is this machine.
    Here,
    Reached,
    Away(Absent),
    /// Nobody is in contact with it, and why.
    Unknown(&'static str),
}

/// The runs of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtTarget {
    pub reach: Reach,
    /// It has started them.
    pub running: Vec<RunId>,
    /// It was given them, and has not started them.
    pub waiting: Vec<RunId>,
    /// They wait at home and may execute there.
    pub queued: Vec<RunId>,
}

/// `targets/NAME/machine.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub at: UnixMs,
    pub place: Place,
}

pub fn of(context: &Context, snapshot: &Snapshot, name: &str) -> AtTarget {
    let queue = &snapshot.queue;
    let may_go = |run: &RunId| {
        let sweep = snapshot.state.runs.known(run).and_then(|run| snapshot.sweep_of(run));
        sweep.is_some_and(|sweep| sweep.targets.iter().any(|target| target == name) || (sweep.targets.is_empty() && name == LOCAL))
    };
    let queued = queue.queued().into_iter().filter(|run| queue.away(*run).is_none() && may_go(run)).collect();
    if name == LOCAL {
        let granted = queue.granted().map(|(run, _)| run).filter(|run| queue.away(*run).is_none());
        let running = snapshot.not_ended(context, granted);
        return AtTarget { reach: Reach::Here, running, waiting: Vec::new(), queued };
    }
    let there = |started: bool| queue.away_at(name).filter(move |(.., away)| away.started == started).map(|(run, ..)| run);
    let running = snapshot.not_ended(context, there(true));
    AtTarget { reach: reach(context, snapshot, name), running, waiting: there(false).collect(), queued }
}

fn reach(context: &Context, snapshot: &Snapshot, name: &str) -> Reach {
    if let Some(refused) = refused::of(context, name) {
        return Reach::Away(Absent { why: refused.words(name), since: Some(refused.at) });
    }
    let Some(world) = snapshot.world(|| bulletin::read(context).map(|told| told.world)) else {
        return Reach::Unknown("no daemon runs");
    };
    match world.absent.get(name) {
        Some(absent) => Reach::Away(absent.clone()),
        None if place(snapshot, context, name).is_some() => Reach::Reached,
        None => Reach::Unknown("nothing is wanted of it now"),
    }
}

fn place(snapshot: &Snapshot, context: &Context, name: &str) -> Option<Place> {
    let world = snapshot.world(|| bulletin::read(context).map(|told| told.world))?;
    world.places.iter().find(|place| place.ahead.is_some() && place.machine.name == name).cloned()
}

/// A target's machine: as the daemon sees it, else as it was seen last.
pub fn machine(context: &Context, snapshot: &Snapshot, name: &str) -> Option<Seen> {
    let now = |place| Seen { at: context.now(), place };
    if name == LOCAL {
        return world::local(context).places.into_iter().next().map(now);
    }
    place(snapshot, context, name).map(now).or_else(|| files::read_json(&seen(context, name)).ok().flatten())
}

fn seen(context: &Context, name: &str) -> PathBuf {
    folder_of(context, name).join("machine.json")
}

/// For those who look when nobody is in contact with it. Best effort.
pub fn saw(context: &Context, name: &str, place: &Place) {
    let path = seen(context, name);
    let seen = Seen { at: context.now(), place: place.clone() };
    files::make_folder(path.parent().unwrap_or(&path)).and_then(|()| files::replace_json(&path, &seen, Durability::Renamed)).ok();
}

/// Runs of which something is to come from a target by itself, and how many bytes that is, as far as records say.
///
/// # Errors
/// A record cannot be read.
pub fn coming(context: &Context, snapshot: &Snapshot, name: &str) -> Result<(Vec<RunId>, u64), HomeError> {
    let runs = noted(&folder_of(context, name));
    let mut bytes = 0;
    for run in runs.iter().filter_map(|run| snapshot.state.runs.get(run)) {
        bytes += left::missing(context, &snapshot.state, run, name)?;
    }
    Ok((runs, bytes))
}

/// What a target's folder takes: `targets/NAME/space.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    pub at: UnixMs,
    pub bytes: u64,
    pub files: u64,
    /// All binaries there, of whichever home.
    pub binaries: u64,
}

/// It is looked at so often.
const MEASURED: Millis = Millis(86_400_000);

fn space_file(context: &Context, name: &str) -> PathBuf {
    folder_of(context, name).join("space.json")
}

/// Whether it is time to look at it again.
pub(crate) fn is_due(context: &Context, name: &str) -> bool {
    let now = context.now();
    space(context, name).is_none_or(|space| space.at > now || space.at.plus(MEASURED) <= now)
}

/// Best effort.
pub(crate) fn measured(context: &Context, name: &str, space: &Space) {
    files::replace_json(&space_file(context, name), space, Durability::Renamed).ok();
}

/// As it was when it was looked at last.
pub fn space(context: &Context, name: &str) -> Option<Space> {
    files::read_json(&space_file(context, name)).ok().flatten()
}
