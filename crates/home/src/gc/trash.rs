//! The trash empties by itself: what has lain there for long, and where the disk is nearly full the oldest first. By `gc --apply`, and
//! by the daemon now and then.

use super::{Collected, Found, Item, Kind, needed};
use crate::config::{self, Trash};
use crate::context::Context;
use crate::error::HomeError;
use crate::parcel::Outgoing;
use crate::steer;
use crate::view::Snapshot;
use neronet_capture::space;
use neronet_model::journal::HomeState;
use neronet_model::{Millis, RunId, UnixMs, size};
use neronet_store::walk::{Counted, Walk};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

/// Who removed something may want it back: so long it stays also where the disk is full.
const SECOND_THOUGHTS: Millis = Millis(3_600_000);
const DAY: i64 = 24 * 3_600_000;

/// Runs in the trash that may go, the oldest first, without those that others go on from. `now` decides which have lain there long enough.
fn oldest_first(state: &HomeState, needed: &BTreeSet<RunId>) -> Vec<(RunId, UnixMs)> {
    let mut all: Vec<(RunId, UnixMs)> =
        state.runs.briefs().filter_map(|(id, run)| Some((id, run.trashed?))).filter(|(run, _)| !needed.contains(run)).collect();
    all.sort_by_key(|(run, at)| (*at, *run));
    all
}

fn is_over(trashed: UnixMs, after: Millis, now: UnixMs) -> bool {
    trashed.plus(after) <= now
}

pub(super) fn find(context: &Context, snapshot: &Snapshot, walk: &mut Walk<'_>, found: &mut Found) -> Result<(), HomeError> {
    let trash = config::trash(context)?;
    let state = &snapshot.state;
    let oldest = oldest_first(state, &needed::by_others(context, state));
    let mut sizes = BTreeMap::new();
    let size_of = |run: RunId| {
        let size = walk.size(&context.home.run(run));
        sizes.insert(run, size);
        size.disk
    };
    for (run, mut why) in due(trash, &oldest, context.now(), lacking(context, trash), size_of) {
        if state.runs.get(&run).is_some_and(|run| !run.tags.is_empty() || run.note.is_some()) {
            why.push_str("; it has a tag or a note");
        }
        let size = sizes.get(&run).copied().unwrap_or_default();
        found.items.push(Item { kind: Kind::Trash, run: Some(run), path: context.home.run(run), size, why });
    }
    Ok(())
}

/// Which of these leave the trash now, and why. `lacking`: so many bytes more should be free.
fn due(
    trash: Trash,
    oldest: &[(RunId, UnixMs)],
    now: UnixMs,
    mut lacking: u64,
    mut size_of: impl FnMut(RunId) -> u64,
) -> Vec<(RunId, String)> {
    let mut all = Vec::new();
    for (run, trashed) in oldest {
        let Some(why) = why(trash, *trashed, now, lacking > 0) else { continue };
        lacking = lacking.saturating_sub(size_of(*run));
        all.push((*run, why));
    }
    all
}

/// Bytes by which the disk where home lies has too little room.
fn lacking(context: &Context, trash: Trash) -> u64 {
    space::disk(context.home.root()).map_or(0, |disk| trash.least_free.of(disk.total).saturating_sub(disk.free))
}

/// Why a run leaves the trash now, if it does.
fn why(trash: Trash, trashed: UnixMs, now: UnixMs, full: bool) -> Option<String> {
    if trash.keep.is_some_and(|keep| is_over(trashed, keep, now)) {
        let days = (now.0 - trashed.0) / DAY;
        return Some(format!("in the trash for {days} {}", if days == 1 { "day" } else { "days" }));
    }
    (full && is_over(trashed, SECOND_THOUGHTS, now)).then(|| "in the trash, and the disk is nearly full".into())
}

pub(super) fn collect<'f>(context: &Context, items: impl Iterator<Item = &'f Item>, done: &mut Collected) {
    for item in items {
        let Some(run) = item.run else { continue };
        match steer::purge(context, vec![run]) {
            Ok(gone) if gone.is_empty() => {}
            gone => done.take(item, gone.map(drop)),
        }
    }
}

/// The same by itself, beside everything else that home does.
#[derive(Debug, Default)]
pub struct Emptier {
    looked: bool,
}

/// The trash is looked at so often; first when whoever does it has settled down.
const EVERY: Duration = Duration::from_secs(3_600);
const FIRST: Duration = Duration::from_secs(2);
const UNSENT: Duration = Duration::from_secs(7 * 86_400);

impl Emptier {
    /// How long to wait before looking.
    pub fn patience(&self) -> Duration {
        if self.looked { EVERY } else { FIRST }
    }

    /// Takes out of the trash what is to go by now, one run after the other. Gives a sentence on each.
    pub fn empty(&mut self, context: &Context, go_on: &dyn Fn() -> bool) -> Result<Vec<String>, HomeError> {
        self.looked = true;
        // What was packed for targets is packed again when one of them lacks it.
        Outgoing::sweep(&context.home, SystemTime::now() - UNSENT);
        let snapshot = Snapshot::read(context)?;
        if snapshot.state.runs.briefs().all(|(_, run)| run.trashed.is_none()) {
            return Ok(Vec::new());
        }
        let quiet = |_| {};
        let mut found = Found::default();
        find(context, &snapshot, &mut Walk::new(Counted::WhenLast, &quiet), &mut found)?;
        drop(snapshot);
        let mut said = Vec::new();
        for item in found.items.iter().take_while(|_| go_on()) {
            let mut done = Collected::default();
            collect(context, std::iter::once(item), &mut done);
            let run = item.run.unwrap_or(RunId(0));
            said.extend(
                done.items.iter().map(|item| format!("run {run} is gone for good: {} ({} freed)", item.why, size::shown(item.size.disk))),
            );
            said.extend(done.failed.iter().map(|failed| format!("run {run} stays in the trash: {failed}")));
        }
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LeastFree;

    #[test]
    fn what_has_lain_in_the_trash_for_long_goes_and_on_a_full_disk_what_was_not_put_there_just_now() {
        let trash = Trash { keep: Some(Millis(30 * DAY as u64)), least_free: LeastFree::Usual };
        let now = UnixMs(100 * DAY);
        let ago = |ms: i64| UnixMs(now.0 - ms);
        assert_eq!(why(trash, ago(30 * DAY), now, false).as_deref(), Some("in the trash for 30 days"));
        assert_eq!(why(trash, ago(30 * DAY - 1), now, false), None);
        assert!(why(trash, ago(DAY), now, true).is_some_and(|why| why.contains("nearly full")));
        assert_eq!(why(trash, ago(1_000), now, true), None);
        let forever = Trash { keep: None, ..trash };
        assert_eq!(why(forever, ago(90 * DAY), now, false), None);
        assert_eq!(why(trash, UnixMs(now.0 + DAY), now, true), None, "a clock that was set back deletes nothing");
    }

    #[test]
    fn for_want_of_room_no_more_goes_than_is_needed() {
        let trash = Trash { keep: Some(Millis(30 * DAY as u64)), least_free: LeastFree::Usual };
        let now = UnixMs(100 * DAY);
        let oldest = [(5, 40), (3, 20), (9, 10), (1, 2)].map(|(run, days)| (RunId(run), UnixMs(now.0 - days * DAY)));
        let gone = |lacking: u64| due(trash, &oldest, now, lacking, |_| 100).iter().map(|(run, _)| run.0).collect::<Vec<_>>();
        assert_eq!(gone(0), [5]);
        assert_eq!(gone(100), [5], "what goes by its age makes room as well");
        assert_eq!(gone(250), [5, 3, 9]);
        assert_eq!(gone(10_000), [5, 3, 9, 1]);
    }
}
