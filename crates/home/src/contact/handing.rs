//! What a target is given to start runs: their submission as it is there, with the settings that hold there, and their code.

use super::carrying::Sent;
use super::{Contact, learning, lost};
use crate::context::Context;
use crate::error::HomeError;
use crate::live;
use crate::parcel::Outgoing;
use crate::secrets;
use crate::there::settings_on;
use crate::travel::needed::{self, Hindrance};
use crate::travel::pushed;
use neronet_model::journal::{Code, Entry, Member, Submitted, Sweep};
use neronet_model::outcome::Cause;
use neronet_model::queue::Wishes;
use neronet_model::run::Decision;
use neronet_model::size::shown;
use neronet_model::target::Target;
use neronet_model::{AttemptNo, Outcome, Run, RunId, SweepId};
use neronet_schedule::Away;
use neronet_store::journal::Replayed;
use neronet_target::Trouble;
use neronet_target::channel::Channel;
use neronet_target::frame::MOST_BODY;
use neronet_target::parcel::Hash;
use neronet_target::wire::{Ask, Reply};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// Files are written and hashed, on a disk that others use as well.
const UNPACKED: Duration = Duration::from_secs(600);
/// Of so many runs at a time: what a frame takes is not reached.
const AT_A_TIME: usize = 32;

/// Runs of one sweep, and what they need.
pub(super) struct Parcel {
    pub(super) runs: Vec<RunId>,
    snapshot: Option<String>,
    entry: Entry,
}

/// Why runs cannot be given to a target.
pub(super) enum Unsent {
    /// It is not to be reached, or takes nothing.
    Trouble(Trouble),
    /// It is they who cannot be sent.
    Unfit(String),
}

impl From<Trouble> for Unsent {
    fn from(trouble: Trouble) -> Unsent {
        Unsent::Trouble(trouble)
    }
}

/// What is to be sent for these runs, in their order: as they come there they wait there.
pub(super) fn parcels(context: &Context, known: &Replayed, target: (&str, &Target), runs: &[RunId]) -> Result<Vec<Parcel>, HomeError> {
    let mut alike: Vec<((SweepId, i64), Vec<&Run>)> = Vec::new();
    for run in runs.iter().filter_map(|run| known.state.runs.get(run)) {
        let of = (run.sweep, known.queue.priority(run.id));
        match alike.last_mut().filter(|(last, some)| *last == of && some.len() < AT_A_TIME) {
            Some((_, some)) => some.push(run),
            None => alike.push((of, vec![run])),
        }
    }
    let mut parcels = Vec::new();
    for ((sweep, priority), runs) in alike {
        let Some(sweep) = known.state.sweeps.get(&sweep) else { continue };
        let mut there = there(context, sweep, target);
        there.wishes.priority = priority;
        let entry = entry(context, known, (&there, target.0), &runs);
        parcels.push(Parcel { runs: runs.iter().map(|run| run.id).collect(), snapshot: there.code.snapshot.clone(), entry });
    }
    Ok(parcels)
}

/// A sweep as the target knows it.
fn there(context: &Context, sweep: &Sweep, (name, target): (&str, &Target)) -> Sweep {
    let mut settings = settings_on(sweep, name);
    if let (Some(folder), Ok(Some(home))) = (&target.folder, context.home.uid()) {
        pushed::place(&mut settings, sweep, folder, home);
    }
    settings.environment.on_machine(&target.environment);
    Sweep {
        settings: Arc::new(settings),
        detached: true,
        targets: Vec::new(),
        best_of: Vec::new(),
        spec: None,
        wishes: Wishes { priority: sweep.wishes.priority, hold_after: sweep.wishes.hold_after, ..Wishes::default() },
        code: Code { in_place_because: None, ..sweep.code.clone() },
        ..sweep.clone()
    }
}

fn entry(context: &Context, known: &Replayed, (sweep, target): (&Sweep, &str), runs: &[&Run]) -> Entry {
    let state = &known.state;
    let member = |run: &&Run| Member {
        id: run.id,
        uid: run.uid,
        params: run.params.clone(),
        // It goes on from one that is there when that has ended; any other's checkpoint was sent.
        after: run.after.filter(|after| known.queue.has(target, *after)),
        gpus: neronet_spec::gpus(&sweep.settings, &run.params).ok().flatten(),
        tags: Vec::new(),
        note: None,
    };
    let mut parts = vec![Entry::Submitted(vec![Submitted { sweep: sweep.clone(), members: runs.iter().map(member).collect() }])];
    for run in runs {
        let Some(decision) = state.decisions.get(&run.id).filter(|decision| decision.attempt.0 == run.attempts) else { continue };
        // What earlier decisions changed holds still, what failed before counts there. That it may start by now was told by home's clock.
        let (changes, failures) = (run.changes.clone(), known.queue.failures(run.id));
        let decision = Decision { changes, failures, not_before: None, ..needed::handed_over(context, decision) };
        parts.push(Entry::Decided { at: context.now(), decision });
        // The target may know it from before.
        parts.push(Entry::Prioritised { runs: vec![run.id], priority: known.queue.priority(run.id) });
    }
    Entry::Together(parts)
}

impl Parcel {
    /// Sends their code where it is not there.
    pub(super) fn send_code(&self, context: &Context, channel: &Channel) -> Result<(), Unsent> {
        let Some(snapshot) = &self.snapshot else { return Ok(()) };
        let hash = Hash::try_from(snapshot.clone()).map_err(Unsent::Unfit)?;
        Ok(send_snapshot(context, channel, &hash, &|_, _| {}).map(drop)?)
    }

    pub(super) fn hand_over(&self, channel: &Channel) -> Result<(), Unsent> {
        let body = serde_json::to_vec(&self.entry).map_err(|e| Unsent::Unfit(format!("it cannot be written as JSON: {e}")))?;
        if body.len() > MOST_BODY {
            return Err(Unsent::Unfit(format!("its specification of {} is more than can be sent at once", shown(body.len() as u64))));
        }
        match channel.ask_with(Ask::Hand, &body, PATIENCE)? {
            (Reply::Done, _) => Ok(()),
            _ => Err(Trouble::odd().into()),
        }
    }
}

/// Finds out the secrets of a sweep and sends them.
pub(super) fn send_secrets(context: &Context, channel: &Channel, sweep: &Sweep, target: (&str, &Target)) -> Result<(), Unsent> {
    let there = there(context, sweep, target);
    let secrets = secrets::resolve(context, &there).map_err(Unsent::Unfit)?;
    let mut message = Vec::new();
    secrets.write(&mut message);
    let sent = channel.ask_with(Ask::Secrets { sweep: sweep.id }, &message, PATIENCE);
    message.fill(0);
    Ok(sent.map(drop)?)
}

/// Runs that a target has not started come back. Nothing of what it says is written down meanwhile.
pub(super) fn take_back(context: &Context, target: &str, runs: Vec<RunId>) -> Result<(), HomeError> {
    come_back(context, target, runs, |_| None)
}

fn forget_unbegun(context: &Context, target: &str, runs: &[RunId]) -> Result<(), HomeError> {
    let known = context.home.read()?;
    let mut back = known.queue.away_at(target).filter(|(run, _, away)| runs.contains(run) && !away.started);
    back.try_for_each(|(run, n, _)| learning::forget(context, run, n))
}

/// Runs that cannot be sent come back, and wait for somebody to see to that.
pub(super) fn hold(context: &Context, target: &str, runs: Vec<RunId>, why: &str) -> Result<(), HomeError> {
    let why = Some(format!("it cannot go to {target}: {why}"));
    come_back(context, target, runs, |runs| Some(Entry::Held { at: context.now(), runs, by: "neronet".into(), why }))
}

/// With what else becomes of them. Those that somebody wants an end to meanwhile have it: nobody else would hear of that any more.
fn come_back(context: &Context, target: &str, runs: Vec<RunId>, also: impl FnOnce(Vec<RunId>) -> Option<Entry>) -> Result<(), HomeError> {
    forget_unbegun(context, target, &runs)?;
    let mut home = context.lock()?;
    let there = home.queue().away_at(target).filter(|(run, ..)| runs.contains(run));
    let asked = |(run, n, away): (RunId, AttemptNo, &Away)| Some((run, n, away.asked.as_ref()?.0.clone()));
    let asked: Vec<(RunId, AttemptNo, String)> = there.filter_map(asked).collect();
    let runs: Vec<RunId> = runs.into_iter().filter(|run| !asked.iter().any(|(known, ..)| known == run)).collect();
    if !runs.is_empty() {
        let back = Entry::HandedBack { target: target.to_string(), runs: runs.clone() };
        home.decide(Entry::Together([back].into_iter().chain(also(runs)).collect()))?;
    }
    drop(home);
    let ends = asked.into_iter().map(|(run, n, by)| (run, live::stopped_before_start(n, &by, context.now())));
    lost::write_down(context, ends.collect())
}

/// Code goes once to a target, whatever was sent of it before a connection was lost. Whether it was not there.
/// `tick`: how much of it is there, of how much.
pub(crate) fn send_snapshot(context: &Context, channel: &Channel, hash: &Hash, tick: &dyn Fn(u64, u64)) -> Result<bool, Trouble> {
    let failed = |e: HomeError| Trouble::Failed(e.to_string());
    let is_there = || Ok::<_, Trouble>(matches!(channel.ask(Ask::Snapshot { hash: hash.clone() }, PATIENCE)?, (Reply::Done, _)));
    if is_there()? {
        return Ok(false);
    }
    let outgoing = Outgoing::of_snapshot(&context.home, hash).map_err(failed)?;
    let parcel = outgoing.parcel().clone();
    match send(&outgoing, channel, tick) {
        // Somebody else sent the same, and what had come of it has its place by now, or was given up.
        Err(Trouble::Failed(_)) if is_there()? => return Ok(false),
        Err(Trouble::Failed(_)) => send(&outgoing, channel, tick)?,
        sent => sent?,
    }
    let unpacked = channel.ask(Ask::Unpack { parcel, snapshot: hash.clone() }, UNPACKED);
    if let Err(Trouble::Failed(_)) = &unpacked {
        // What was packed here may be damaged: it is packed anew the next time.
        Outgoing::discard(&context.home, hash).map_err(failed)?;
    }
    unpacked.map(|_| true)
}

fn send(outgoing: &Outgoing, channel: &Channel, tick: &dyn Fn(u64, u64)) -> Result<(), Trouble> {
    let parcel = outgoing.parcel();
    let (Reply::At(mut at), _) = channel.ask(Ask::Begin { parcel: parcel.clone() }, PATIENCE)? else { return Err(Trouble::odd()) };
    while at < parcel.bytes {
        let bytes = outgoing.read(at, MOST_BODY).map_err(|e| Trouble::Failed(format!("what is to be sent cannot be read: {e}")))?;
        let (Reply::At(next), _) = channel.ask_with(Ask::Append { parcel: parcel.clone(), at }, &bytes, PATIENCE)? else {
            return Err(Trouble::odd());
        };
        if next <= at {
            return Err(Trouble::Failed("it does not take what it is sent".into()));
        }
        at = next;
        tick(at, parcel.bytes);
    }
    Ok(())
}

/// Those of these runs that may be handed over now: what they go on from and what they read is there. What can never start ends, and
/// what somebody has to see to is held.
pub(super) fn ready(
    context: &Context,
    known: &Replayed,
    (contact, target): (&Contact, &Target),
    runs: Vec<RunId>,
) -> Result<Vec<RunId>, HomeError> {
    let (mut ready, mut never) = (Vec::new(), Vec::new());
    let mut unfit: BTreeMap<String, Vec<RunId>> = BTreeMap::new();
    for run in runs {
        let n = AttemptNo(known.state.runs.get(&run).map_or(1, |run| run.attempts));
        let sent = match needed::by(context, known, run, (&contact.name, target))? {
            Ok(needed) if needed.is_empty() => Sent::Yes,
            Ok(needed) => contact.carrier.sent(context, run, n, needed),
            Err(hindrance) => Sent::No(hindrance),
        };
        match sent {
            Sent::Yes => ready.push(run),
            Sent::NotYet => {}
            Sent::No(Hindrance::Never(why)) => never.push((run, n, why)),
            Sent::No(Hindrance::Unfit(why)) => unfit.entry(why).or_default().push(run),
        }
    }
    unfit.into_iter().try_for_each(|(why, runs)| hold(context, &contact.name, runs, &why))?;
    never.iter().try_for_each(|(run, n, _)| learning::forget(context, *run, *n))?;
    let never = never.into_iter().map(|(run, n, why)| (run, live::never(n, Outcome::Failed, Cause::NotStarted(why), context.now())));
    lost::write_down(context, never.collect())?;
    Ok(ready)
}
