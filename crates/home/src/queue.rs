//! What people say to the queue: hold, release, move, give priority, limit; and how it stands.

use crate::bulletin;
use crate::context::Context;
use crate::error::HomeError;
use crate::json;
use crate::select::spans;
use crate::view::{Snapshot, View};
use crate::world;
use neronet_model::journal::Entry;
use neronet_model::queue::{Place, Quota};
use neronet_model::{RunId, State, UnixMs};
use neronet_schedule::{Mine, Stand, World};
use neronet_store::journal::Replayed;
use serde_json::Value;

/// Runs that are looked ahead at when it is said when runs will start.
const AHEAD: usize = 1_000;
/// And when it is said when all will have ended, which is asked for less often.
const FAR_AHEAD: usize = 10_000;

/// Keeps queued runs from starting until they are released.
pub fn hold(context: &Context, views: &[&View<'_>], why: Option<String>) -> Result<(), HomeError> {
    let runs = queued(views, "hold keeps queued runs from starting")?;
    Ok(context.lock()?.decide(context.keyed(Entry::Held { at: context.now(), runs, by: context.user.clone(), why }))?)
}

/// Lets held runs start, and those that wait before another attempt at once.
pub fn release(context: &Context, views: &[&View<'_>]) -> Result<(), HomeError> {
    let runs = queued(views, "release is for queued runs")?;
    Ok(context.lock()?.decide(context.keyed(Entry::Released { runs }))?)
}

/// Changes the order among runs of the same priority.
pub fn place(context: &Context, views: &[&View<'_>], to: Place) -> Result<(), HomeError> {
    let runs = queued(views, "move changes the order of queued runs")?;
    if let Place::Before(anchor) | Place::After(anchor) = to
        && runs.contains(&anchor)
    {
        return Err(HomeError::Words(format!("run {anchor} cannot be moved before or behind itself")));
    }
    let mut home = context.lock()?;
    if let Place::Before(anchor) | Place::After(anchor) = to
        && !home.queue().queued().contains(&anchor)
    {
        return Err(HomeError::Failed(format!("run {anchor} is not queued; `neronet queue` shows what is")));
    }
    Ok(home.decide(context.keyed(Entry::Moved { runs, to }))?)
}

pub fn prioritise(context: &Context, views: &[&View<'_>], priority: i64) -> Result<(), HomeError> {
    let runs = queued(views, "priority is for queued runs")?;
    Ok(context.lock()?.decide(context.keyed(Entry::Prioritised { runs, priority }))?)
}

/// What the runs of a project may have at a time; nothing lifts the limit.
pub fn limit(context: &Context, project: &str, quota: Option<Quota>) -> Result<(), HomeError> {
    Ok(context.lock()?.decide(context.keyed(Entry::Limited { project: project.to_string(), quota }))?)
}

fn queued(views: &[&View<'_>], what: &str) -> Result<Vec<RunId>, HomeError> {
    let others: Vec<&&View<'_>> = views.iter().filter(|view| view.state() != State::Queued).collect();
    match others.first() {
        None => Ok(views.iter().map(|view| view.id).collect()),
        Some(first) if others.len() == 1 => Err(HomeError::Failed(format!("run {} is {}: {what}", first.id, first.status()))),
        Some(_) => {
            let runs: Vec<RunId> = others.iter().map(|view| view.id).collect();
            Err(HomeError::Failed(format!("runs {} are not queued: {what}", spans(&runs))))
        }
    }
}

/// How the queue stands.
#[derive(Debug, Default)]
pub struct Standing {
    /// Given what they need and not ended, in the order of ids.
    pub running: Vec<RunId>,
    /// In the order in which they would start if everything fitted, with when that will probably be.
    pub queued: Vec<(RunId, Option<UnixMs>)>,
    /// When all will have ended, where that can be said.
    pub done: Option<UnixMs>,
}

pub fn standing(context: &Context, snapshot: &Snapshot) -> Standing {
    let world = bulletin::read(context).map_or_else(|| world::local(context), |told| told.world);
    let forecast = snapshot.queue.forecast(&world, context.now(), AHEAD, Mine::All);
    let queued = snapshot.queue.queued().into_iter().map(|run| (run, forecast.starts.get(&run).copied())).collect();
    let running = snapshot.not_ended(context, snapshot.queue.granted().map(|(run, _)| run));
    Standing { running, queued, done: forecast.done }
}

/// When the last of these runs will probably have ended, in a world as it is known; nothing where that cannot be said of all.
pub(crate) fn done<'r>(
    context: &Context,
    known: &Replayed,
    world: &World,
    mine: Mine<'_>,
    runs: impl IntoIterator<Item = &'r RunId>,
) -> Option<UnixMs> {
    let left = runs.into_iter().filter(|run| matches!(known.queue.stand(**run), Some(Stand::Queued | Stand::Granted)));
    known.queue.forecast(world, context.now(), FAR_AHEAD, mine).end_of(left.copied())
}

/// `queue --json`: started runs, then so many queued ones, as listings have them, with when each will probably start.
pub fn listed(context: &Context, snapshot: &Snapshot, limit: usize) -> Vec<Value> {
    let Standing { running, queued, .. } = standing(context, snapshot);
    let all = running.into_iter().map(|run| (run, None)).chain(queued.into_iter().take(limit));
    let one = |(run, at)| {
        let mut listed = json::listed(&snapshot.view_of(context, run)?);
        listed["starts"] = json::time(at);
        Some(listed)
    };
    all.filter_map(one).collect()
}
