//! Makes home's word agree with what happened while nobody looked: takes up abandoned attempts, learns of ends. Where somebody keeps
//! the queue, that is done there.

use crate::context::Context;
use crate::error::HomeError;
use crate::follow_up;
use crate::live::Gone;
use crate::recover::{self, Found};
use crate::seat;
use crate::starter::Starter;
use neronet_model::journal::Entry;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::BTreeSet;
use std::os::fd::AsFd;

/// Looks after every run that was started by somebody who is gone. Gives the number of those of which something was learned.
pub fn reconcile(context: &Context) -> Result<usize, HomeError> {
    let known = context.home.read()?;
    if known.queue.granted().next().is_none() || seat::is_taken(&context.home) {
        return Ok(0);
    }
    let (mut ends, mut back) = (Vec::new(), Vec::new());
    for (run, found) in recover::look(context, &known, &BTreeSet::new()) {
        let end = match found {
            Found::NotBegun(attempt) => {
                back.push(Entry::Returned { run, attempt });
                continue;
            }
            Found::Ended(end) => *end,
            Found::Lives(live) => {
                let mut fds = [PollFd::new(live.started.gone.as_fd(), PollFlags::POLLIN)];
                if !matches!(poll(&mut fds, PollTimeout::ZERO), Ok(n) if n > 0) {
                    continue;
                }
                // A supervisor is put in the place of those who saw to it.
                match live.gone(context, &Starter::new(context, None)) {
                    Gone::Ended(end) => *end,
                    Gone::NotYet(_) | Gone::NeverBegan(..) => continue,
                }
            }
        };
        let follow_ups = follow_up::entries(context, (&known.state, &known.queue), run, &end, None)?;
        ends.push((run, end, follow_ups));
    }
    drop(known);
    let count = ends.len() + back.len();
    if count > 0 {
        let mut home = context.lock()?;
        for (run, end, follow_ups) in ends {
            follow_up::learn(&mut home, run, &end, follow_ups)?;
        }
        for entry in back {
            home.learn(entry)?;
        }
    }
    Ok(count)
}
