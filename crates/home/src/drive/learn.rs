//! What is written down of runs once they have ended, or were not started after all, and what is decided together with that.

use super::{Drive, Whose, Wish};
use crate::error::HomeError;
use crate::{follow_up, live};
use neronet_model::journal::Entry;
use neronet_model::outcome::Cause;
use neronet_model::run::KnownEnd;
use neronet_model::{AttemptNo, Millis, Outcome, RunId, UnixMs};
use neronet_schedule::Stand;
use neronet_store::Locked;
use neronet_store::journal::Replayed;
use std::collections::BTreeMap;

/// What is to be written down of a run.
pub(super) enum Learned {
    Ended(KnownEnd),
    /// It will not be started, unless somebody else has begun it meanwhile.
    Never(KnownEnd),
    /// It was to be started and was not.
    Back(AttemptNo),
    /// The same, and not before somebody says so.
    Held(AttemptNo, String),
}

impl Drive<'_> {
    /// A queued run will not be started.
    pub(super) fn never(&mut self, known: &Replayed, run: RunId, outcome: Outcome, cause: Cause) {
        let n = AttemptNo(known.state.runs.get(&run).map_or(1, |run| run.attempts));
        self.unlearned.push((run, Learned::Never(live::never(n, outcome, cause, self.context.now()))));
    }

    pub(super) fn not_begun(&mut self, run: RunId, n: AttemptNo, outcome: Outcome, why: String) {
        self.unlearned.push((run, Learned::Ended(live::never(n, outcome, Cause::NotStarted(why), self.context.now()))));
    }

    /// What is decided together with the ends that are to be written down.
    pub(super) fn follow_ups(&self, known: &Replayed) -> Result<BTreeMap<RunId, Vec<Entry>>, HomeError> {
        let driver = if let Whose::These(_) = self.whose { Some(&self.me) } else { None };
        let mut all = BTreeMap::new();
        for (run, learned) in &self.unlearned {
            if let Learned::Ended(end) = learned
                && end.outcome != Outcome::Finished
                && self.asked == Wish::GoOn
            {
                let mut entries = follow_up::entries(self.context, (&known.state, &known.queue), *run, end, driver)?;
                let ended = end.attempt.end.as_ref().map_or(self.context.now(), |end| end.at);
                entries.iter_mut().for_each(|entry| self.wait_from_now(ended, entry));
                all.insert(*run, entries);
            }
        }
        let waits = |entry: &Entry| matches!(entry, Entry::Decided { decision, .. } if decision.not_before.is_some());
        if let Some(steady) = self.steady.filter(|_| all.values().flatten().any(waits)) {
            steady.keep(self.context)?;
        }
        Ok(all)
    }

    /// Of another attempt, which is not to begin at once: how much of that is left, by the clock that we wait by.
    fn wait_from_now(&self, ended: UnixMs, entry: &mut Entry) {
        if let Entry::Decided { decision, .. } = entry
            && let Some(due) = &mut decision.not_before
        {
            let wait = due.0.saturating_sub(ended.0);
            let since = self.context.now().0.saturating_sub(ended.0).clamp(0, wait.max(0));
            *due = self.now().plus(Millis((wait - since).max(0).unsigned_abs()));
        }
    }

    pub(super) fn learn_all(&mut self) -> Result<(), HomeError> {
        if self.unlearned.is_empty() {
            return Ok(());
        }
        let follow_ups = self.follow_ups(&self.context.home.read()?)?;
        let mut home = self.context.lock()?;
        self.learn(&mut home, follow_ups)
    }

    pub(super) fn learn(&mut self, home: &mut Locked, mut follow_ups: BTreeMap<RunId, Vec<Entry>>) -> Result<(), HomeError> {
        while let Some((run, learned)) = self.unlearned.pop() {
            let written = self.learn_one(home, run, &learned, follow_ups.remove(&run).unwrap_or_default());
            if let Err(e) = written {
                self.unlearned.push((run, learned));
                return Err(e);
            }
            self.at_work = true;
        }
        Ok(())
    }

    fn learn_one(&mut self, home: &mut Locked, run: RunId, learned: &Learned, follow_ups: Vec<Entry>) -> Result<(), HomeError> {
        let granted = |attempt: AttemptNo| Entry::Returned { run, attempt };
        match learned {
            Learned::Never(_) if home.queue().stand(run) != Some(Stand::Queued) => return Ok(()),
            Learned::Ended(end) => {
                let again = follow_ups.iter().any(|entry| matches!(entry, Entry::Decided { .. }));
                if follow_up::learn(home, run, end, follow_ups)? && again {
                    return Ok(());
                }
            }
            Learned::Never(end) => home.learn(Entry::Ended { run, end: Box::new(end.clone()) })?,
            Learned::Back(attempt) => return Ok(home.learn(granted(*attempt))?),
            Learned::Held(attempt, why) => {
                let held = Entry::Held { at: self.context.now(), runs: vec![run], by: "neronet".into(), why: Some(why.clone()) };
                return Ok(home.decide(Entry::Together(vec![granted(*attempt), held]))?);
            }
        }
        if let (Whose::These(_), Learned::Ended(end) | Learned::Never(end)) = (&self.whose, learned) {
            self.ended.insert(run, end.clone());
        }
        Ok(())
    }
}
