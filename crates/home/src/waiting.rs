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
    reason.map_or_else(|| "waits for its turn".into(), |reason| reason.words(|at| clock(at, now), spans))
}

/// Local time of day, with the date where that is not today.
pub fn clock(at: UnixMs, now: UnixMs) -> String {
    let local = |at: UnixMs| Some(Timestamp::from_millisecond(at.0).ok()?.to_zoned(TimeZone::system()));
    let Some((then, now)) = local(at).zip(local(now)) else { return "a time that no calendar has".into() };
    let form = if then.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    then.strftime(form).to_string()
}
