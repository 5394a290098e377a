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
    let mut entries = Vec::new();
    for (run, found) in recover::look(context, &known, &BTreeSet::new()) {
        let end = match found {
            Found::NotBegun(attempt) => {
                entries.push(Entry::Returned { run, attempt });
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
                    Gone::Ended(end) => end,
                    Gone::NotYet(_) | Gone::NeverBegan(..) => continue,
                }
            }
        };
        let follow_ups = follow_up::entries(context, (&known.state, &known.queue), run, &end, None)?;
        let ended = Entry::Ended { run, end: Box::new(end) };
        entries.push(if follow_ups.is_empty() { ended } else { Entry::Together([vec![ended], follow_ups].concat()) });
    }
    drop(known);
    let count = entries.len();
    if count > 0 {
        let mut home = context.lock()?;
        for entry in entries {
            match entry {
                Entry::Together(_) => home.decide(entry)?,
                _ => home.learn(entry)?,
            }
        }
    }
    Ok(count)
}
