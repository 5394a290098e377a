//! Attempts on their way: begun, taken up after whoever began them is gone, seen to end.

use super::decide::Todo;
use super::learn::Learned;
use super::{AGAIN, Drive, Whose, Wish};
use crate::live::{self, Gone, Live};
use crate::recover::{self, Found};
use crate::stages::{self, From};
use crate::starter;
use neronet_model::outcome::Cause;
use neronet_model::{Outcome, RunId};
use neronet_supervise::start;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::AsFd;
use std::time::Instant;

impl Drive<'_> {
    /// Has an attempt begun whose start is on record.
    pub(super) fn start(&mut self, Todo { mut attempt, sweep }: Todo) {
        let (id, n) = (attempt.run.id, attempt.n);
        match stages::goes_on_from(self.context, &attempt.run, &sweep) {
            Ok(From::Run(after)) => attempt.after = after,
            Ok(From::Never(why)) if matches!(self.whose, Whose::Detached) => {
                self.unlearned.push((id, Learned::Held(n, why)));
                return;
            }
            Ok(From::Never(why)) => return self.not_begun(id, n, Outcome::Stopped, why),
            Err(e) => return self.not_begun(id, n, Outcome::Failed, e.to_string()),
        }
        match self.starter.start(&sweep, &attempt) {
            Ok(started) => {
                self.running.push(Live::new(self.context, attempt.run, n, started));
            }
            Err(e) if !self.running.is_empty() && starter::is_shortage(&e) => {
                self.pause = Some(Instant::now() + AGAIN);
                self.unlearned.push((id, Learned::Back(n)));
            }
            // Somebody was there before us: had it end before it began, or began it when our record of that was lost.
            Err(_) if self.context.home.attempt(id, n).exists() => match recover::one(self.context, &attempt.run, n) {
                Some(found) => self.take_up(id, found),
                None => self.unlearned.push((id, Learned::Back(n))),
            },
            Err(e) => self.not_begun(id, n, Outcome::Failed, e.to_string()),
        }
    }

    pub(super) fn collect(&mut self) {
        let mut still = Vec::new();
        for mut live in std::mem::take(&mut self.running) {
            if live.look_at.is_some_and(|at| Instant::now() < at) {
                still.push(live);
                continue;
            }
            live.look_at = None;
            let mut fds = [PollFd::new(live.started.gone.as_fd(), PollFlags::POLLIN)];
            if !matches!(poll(&mut fds, PollTimeout::ZERO), Ok(n) if n > 0) {
                still.push(live);
                continue;
            }
            let id = live.run.id;
            match live.gone(self.context, &self.starter) {
                Gone::NotYet(live) => still.push(live),
                Gone::Ended(end) => self.unlearned.push((id, Learned::Ended(*end))),
                Gone::NeverBegan(live, why) => self.never_began(live, why),
            }
        }
        self.running = still;
    }

    /// Its nursery was killed before it had a keeper: nobody has begun it.
    fn never_began(&mut self, live: Live, why: Option<String>) {
        let (id, n, sweep) = (live.run.id, live.attempt, live.sweep);
        live.started.reap();
        let asked = start::asked_by(&live.folder).or_else(|| (self.asked != Wish::GoOn).then(|| self.context.user.clone()));
        if asked.is_none() && why.is_none() && self.tried_again.insert(id) && std::fs::remove_dir_all(&live.folder).is_ok() {
            self.starter.forget_nursery(sweep);
            self.unlearned.push((id, Learned::Back(n)));
            return;
        }
        let end = match asked {
            Some(who) => live::stopped_before_start(n, &who, self.context.now()),
            None => {
                let why = Cause::NotStarted(why.unwrap_or_else(|| "its keeper did not begin".into()));
                live::never(n, Outcome::Failed, why, self.context.now())
            }
        };
        self.unlearned.push((id, Learned::Ended(end)));
    }

    /// Takes up what was started by somebody who is gone.
    pub(super) fn recover(&mut self) {
        let Ok(known) = self.context.home.read() else { return };
        let ours = self.running.iter().map(|live| live.run.id).chain(self.unlearned.iter().map(|(run, _)| *run)).collect();
        let found = recover::look(self.context, &known, &ours);
        drop(known);
        found.into_iter().for_each(|(run, found)| self.take_up(run, found));
    }

    fn take_up(&mut self, run: RunId, found: Found) {
        match found {
            Found::Lives(live) => self.running.push(*live),
            Found::Ended(end) => self.unlearned.push((run, Learned::Ended(*end))),
            Found::NotBegun(n) => self.unlearned.push((run, Learned::Back(n))),
        }
    }
}
