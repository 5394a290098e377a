//! Why queued runs wait, in words: as whoever keeps the queue decided last, or as it would be decided now.

use crate::bulletin;
use crate::context::Context;
use crate::select::spans;
use crate::view::{Snapshot, View};
use crate::world;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use neronet_model::UnixMs;
use neronet_schedule::Mine;

pub(crate) fn reason(context: &Context, snapshot: &Snapshot, view: &View<'_>) -> String {
    let now = context.now();
    let decided = snapshot.decided(|| {
        bulletin::read(context).map_or_else(|| snapshot.queue.decide(&world::local(context), now, Mine::All), |told| told.decided)
    });
    let reason = snapshot.queue.reason(view.id, &decided, now);
    reason.map_or_else(|| "waits for its turn".into(), |reason| reason.words(&|at| clock(at, now), &|since| lasted(since, now), &spans))
}

/// Why a target is not there, if it is not: `gpu1 unreachable for 3 min`.
pub(crate) fn absent(context: &Context, snapshot: &Snapshot, target: &str) -> Option<String> {
    let Some(world) = snapshot.world(|| bulletin::read(context).map(|told| told.world)) else {
        return Some(format!("nobody is in contact with {target}: no daemon runs"));
    };
    let absent = world.absent.get(target)?;
    let since = absent.since.map(|since| format!(" for {}", lasted(since, context.now()))).unwrap_or_default();
    Some(format!("{target} {}{since}", absent.why))
}

/// `3 min`, `2 hours`.
pub fn lasted(since: UnixMs, now: UnixMs) -> String {
    let seconds = now.0.saturating_sub(since.0).max(0) / 1_000;
    let counted = |n: i64, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
    match seconds {
        0..60 => format!("{seconds} s"),
        60..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => counted(seconds / 3_600, "hour"),
        _ => counted(seconds / 86_400, "day"),
    }
}

/// Local time of day, with the date where that is not today.
pub fn clock(at: UnixMs, now: UnixMs) -> String {
    let local = |at: UnixMs| Some(Timestamp::from_millisecond(at.0).ok()?.to_zoned(TimeZone::system()));
    let Some((then, now)) = local(at).zip(local(now)) else { return "a time that no calendar has".into() };
    let form = if then.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    then.strftime(form).to_string()
}
