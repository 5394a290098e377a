//! What becomes of a run that failed: another attempt, later, or its whole sweep is held.

use crate::queue::{Queue, Stand};
use neronet_model::outcome::Cause;
use neronet_model::run::KnownEnd;
use neronet_model::settings::{Retry, RetryOn};
use neronet_model::time::Millis;
use neronet_model::{Outcome, RunId, SweepId, UnixMs};

/// What an experiment says of failures.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'s> {
    pub retry: &'s Retry,
    pub hold_after: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FollowUp {
    /// Another attempt, from its latest checkpoint where it has one.
    Again {
        not_before: Option<UnixMs>,
        because: String,
        /// With parameters that need less memory.
        smaller: bool,
    },
    /// What is queued of the sweep is not started: so many failed of this.
    Hold { sweep: SweepId, runs: Vec<RunId>, why: String },
}

/// Waits are doubled so often at most.
const DOUBLED: u32 = 10;

/// How long is waited after the last of so many failures in a row.
pub fn wait_after(retry: &Retry, failures: u32) -> Option<Millis> {
    let doubled = failures.saturating_sub(1).min(DOUBLED);
    retry.backoff.filter(|wait| wait.0 > 0).map(|wait| Millis(wait.0.saturating_mul(1 << doubled)))
}

impl Queue {
    /// What is to be decided together with the end of a run that is not on record yet.
    pub fn follow_up(&self, run: RunId, end: &KnownEnd, policy: Policy<'_>) -> Vec<FollowUp> {
        let Some(item) = self.runs.get(&run).filter(|_| self.awaits(run, end.attempt.n)) else { return Vec::new() };
        let failures = item.failures + 1;
        let mut all = Vec::new();
        if let Some(on) = matching(end, policy.retry)
            && failures <= policy.retry.times
        {
            let times = policy.retry.times;
            let wait = wait_after(policy.retry, failures);
            let ended = end.attempt.end.as_ref().map(|end| end.at);
            let because = format!("{}, retry {failures} of {times}", kind_of(end));
            let smaller = on == RetryOn::Oom && !policy.retry.on_oom.is_empty();
            all.push(FollowUp::Again { not_before: ended.zip(wait).map(|(at, wait)| at.plus(wait)), because, smaller });
        }
        let lane = self.lanes.get(&item.lane).filter(|_| end.outcome == Outcome::Failed);
        if let Some((lane, most)) = lane.zip(policy.hold_after) {
            let kind = kind_of(end);
            let before = lane.causes.get(&kind);
            let failed = 1 + before.map_or(0, |runs| runs.iter().filter(|other| **other != run).count()) as u32;
            let mut queued: Vec<RunId> = if failed >= most { self.may_be_held(item.lane).collect() } else { Vec::new() };
            if !all.is_empty() && failed >= most {
                queued.push(run);
            }
            if !queued.is_empty() {
                all.push(FollowUp::Hold { sweep: item.lane, runs: queued, why: format!("{failed} of its runs failed: {kind}") });
            }
        }
        all
    }

    /// The runs of a sweep that are queued and that nobody holds.
    fn may_be_held(&self, sweep: SweepId) -> impl Iterator<Item = RunId> {
        let all = self.order.values().filter_map(|run| Some((*run, self.runs.get(run)?)));
        all.filter(move |(_, item)| item.lane == sweep && item.stand == Stand::Queued && item.held.is_none()).map(|(run, _)| run)
    }
}

/// Which of the causes that ask for another attempt it was.
fn matching(end: &KnownEnd, retry: &Retry) -> Option<RetryOn> {
    let cause = end.attempt.end.as_ref().and_then(|end| end.cause.as_ref());
    let on = match (end.outcome, cause) {
        (Outcome::Lost | Outcome::Unknown, _) => RetryOn::Lost,
        (Outcome::Failed, Some(Cause::OutOfMemory | Cause::FrameworkOutOfMemory(_))) => RetryOn::Oom,
        (Outcome::Failed, Some(Cause::TimeLimit)) => RetryOn::Time,
        // What is not there is not there the next time either.
        (Outcome::Failed, Some(Cause::NotFound(_) | Cause::NotExecutable(_) | Cause::MissingModule(_) | Cause::NotStarted(_))) => {
            return None;
        }
        (Outcome::Failed, _) => RetryOn::Crash,
        _ => return None,
    };
    (retry.times > 0 && (retry.on.is_empty() || retry.on.contains(&on))).then_some(on)
}

/// Failures of the same kind, in words: without numbers and addresses that differ from run to run.
pub(crate) fn kind_of(end: &KnownEnd) -> String {
    let cause = end.attempt.end.as_ref().and_then(|end| end.cause.as_ref());
    let Some(cause) = cause else { return end.outcome.to_string() };
    match cause {
        Cause::FrameworkOutOfMemory(_) => "out of memory".into(),
        Cause::Exception { line, .. } => line.split([':', '(']).next().unwrap_or_default().trim().to_string(),
        Cause::Said { line, code } => format!("exit code {code}: {}", without_numbers(line)),
        other => other.to_string(),
    }
}

fn without_numbers(line: &str) -> String {
    let mut text = String::new();
    for c in line.chars().take(200) {
        match c {
            '0'..='9' if text.ends_with('#') => {}
            '0'..='9' => text.push('#'),
            other => text.push(other),
        }
    }
    text
}
