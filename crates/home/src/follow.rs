//! Waits for runs that whoever keeps the queue carries out, by what the journal says of them.

use crate::bulletin;
use crate::context::Context;
use crate::drive::{Progress, Wish};
use crate::error::HomeError;
use crate::queue;
use crate::steer;
use crate::view::Snapshot;
use neronet_model::run::KnownEnd;
use neronet_model::{AttemptNo, RunId};
use neronet_schedule::{Mine, Stand};
use neronet_store::follow::Watch;
use neronet_supervise::start::How;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Whoever watches is asked so often in any case.
const TICK: Duration = Duration::from_millis(250);
/// Of what runs here we only look on: after each look we rest so many times as long as it took.
const REST: u32 = 100;

/// Until all have ended, or `watch` wishes to leave. `wake` becomes readable when it should be asked at once.
pub fn follow(
    context: &Context,
    runs: &[RunId],
    wake: BorrowedFd<'_>,
    mut watch: impl FnMut(&Progress<'_>) -> Wish,
) -> Result<BTreeMap<RunId, KnownEnd>, HomeError> {
    // Without it the journal is read at each tick.
    let journal = Watch::of(&context.home.journal()).ok();
    let mut ended: BTreeMap<RunId, KnownEnd> = BTreeMap::new();
    let mut asked = Wish::GoOn;
    loop {
        let began = Instant::now();
        let known = context.home.read()?;
        let (mut queued, mut gone, mut running) = (0, 0, Vec::new());
        for run in runs {
            match known.queue.stand(*run) {
                Some(Stand::Queued) => queued += 1,
                Some(Stand::Granted) => running.push((*run, AttemptNo(known.state.runs.get(run).map_or(1, |run| run.attempts)))),
                Some(Stand::Ended(_)) if ended.contains_key(run) => {}
                Some(Stand::Ended(_)) => {
                    let end = known.state.runs.get(run).map(|run| context.home.end_of(run)).transpose()?.flatten();
                    ended.extend(end.map(|end| (*run, end)));
                }
                None => gone += 1,
            }
        }
        // What was tried again has not ended.
        ended.retain(|run, _| matches!(known.queue.stand(*run), Some(Stand::Ended(_))));
        drop(known);
        // In the world as whoever keeps the queue told of it.
        let done = || queue::done(context, &context.home.read().ok()?, &bulletin::read(context)?.world, Mine::Detached, runs);
        let wish = watch(&Progress { queued, elsewhere: 0, running, ended: &ended, done: &done });
        if wish == Wish::Leave || ended.len() + gone == runs.len() {
            return Ok(ended);
        }
        if wish > asked {
            asked = wish;
            let snapshot = Snapshot::read(context)?;
            let views: Vec<_> =
                runs.iter().filter(|run| !ended.contains_key(run)).filter_map(|run| snapshot.view_of(context, *run)).collect();
            steer::ask(context, &views.iter().collect::<Vec<_>>(), if wish == Wish::Kill { How::Kill } else { How::Stop })?;
        }
        let rest = (began.elapsed() * REST).min(TICK);
        if !wait_for(&[wake], rest) {
            let journal = journal.as_ref().map(AsFd::as_fd);
            wait_for(&[wake].into_iter().chain(journal).collect::<Vec<_>>(), TICK - rest);
        }
        journal.iter().for_each(Watch::drain);
    }
}

/// Whether one of them became readable in time.
fn wait_for(fds: &[BorrowedFd<'_>], time: Duration) -> bool {
    let mut fds: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    poll(&mut fds, PollTimeout::try_from(time).unwrap_or(PollTimeout::ZERO)).is_ok_and(|ready| ready > 0)
}
