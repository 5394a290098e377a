//! What follows when a run has failed.

use crate::kit;
use neronet_model::journal::Entry;
use neronet_model::outcome::Cause;
use neronet_model::run::KnownEnd;
use neronet_model::settings::{Retry, RetryOn};
use neronet_model::time::Millis;
use neronet_model::{AttemptNo, Outcome, RunId, UnixMs};
use neronet_schedule::{FollowUp, Policy, Queue};

fn follow_up(queue: &Queue, run: u64, end: &KnownEnd, retry: &Retry, hold_after: Option<u32>) -> Vec<FollowUp> {
    queue.follow_up(RunId(run), end, Policy { retry, hold_after })
}

fn of(n: u64, cause: Cause) -> KnownEnd {
    kit::end(n, Outcome::Failed, Some(cause), UnixMs(1_000), 10)
}

fn waits(follow_ups: &[FollowUp]) -> Vec<Option<i64>> {
    let again = |follow_up: &FollowUp| match follow_up {
        FollowUp::Again { not_before, .. } => Some(not_before.map(|at| at.0)),
        FollowUp::Hold { .. } => None,
    };
    follow_ups.iter().filter_map(again).collect()
}

#[test]
fn so_many_retries_each_later_than_the_last() {
    let retry = Retry { times: 3, backoff: Some(Millis(100)), ..Retry::default() };
    let mut queue = kit::queue([kit::sweep(1, 1, 2)]);
    for (n, at) in [(1, 1_100), (2, 1_200), (3, 1_400)] {
        queue.apply(&kit::granted_as(1, n));
        let end = of(n, Cause::ExitCode(1));
        assert_eq!(waits(&follow_up(&queue, 1, &end, &retry, None)), [Some(at)]);
        queue.apply(&kit::ended(1, end.clone()));
        // Whoever learns it too decides nothing.
        assert!(!queue.awaits(RunId(1), AttemptNo(n)));
        assert_eq!(follow_up(&queue, 1, &end, &retry, None), []);
        queue.apply(&kit::retry_by_itself(1, n + 1));
    }
    queue.apply(&kit::granted_as(1, 4));
    assert_eq!(follow_up(&queue, 1, &of(4, Cause::ExitCode(1)), &retry, None), []);
    // Somebody asks for another one: all are counted anew.
    queue.apply(&kit::ended(1, of(4, Cause::ExitCode(1))));
    queue.apply(&kit::retry(1, 5));
    assert_eq!(waits(&follow_up(&queue, 1, &of(5, Cause::ExitCode(1)), &retry, None)), [Some(1_100)]);
}

#[test]
fn by_cause() {
    let queue = kit::queue([kit::sweep(1, 1, 2)]);
    let on = |on: &[RetryOn], end: &KnownEnd| {
        !follow_up(&queue, 1, end, &Retry { times: 1, on: on.to_vec(), ..Retry::default() }, None).is_empty()
    };
    let lost = kit::end(1, Outcome::Lost, Some(Cause::KeeperLost), UnixMs(0), 0);
    let stopped = kit::end(1, Outcome::Stopped, Some(Cause::Asked("somebody".into())), UnixMs(0), 0);
    assert!(on(&[], &lost) && on(&[RetryOn::Lost], &lost) && !on(&[RetryOn::Crash, RetryOn::Oom, RetryOn::Time], &lost));
    assert!(on(&[RetryOn::Oom], &of(1, Cause::OutOfMemory)) && !on(&[RetryOn::Crash], &of(1, Cause::OutOfMemory)));
    assert!(on(&[RetryOn::Time], &of(1, Cause::TimeLimit)) && on(&[RetryOn::Crash], &of(1, Cause::Signal(11))));
    assert!(!on(&[], &of(1, Cause::NotFound("python".into()))) && !on(&[], &stopped));
    let smaller = Retry { times: 1, on_oom: vec![("batch_size".into(), "batch_size / 2".into())], ..Retry::default() };
    assert!(matches!(follow_up(&queue, 1, &of(1, Cause::OutOfMemory), &smaller, None)[..], [FollowUp::Again { smaller: true, .. }]));
    assert!(matches!(follow_up(&queue, 1, &of(1, Cause::Signal(11)), &smaller, None)[..], [FollowUp::Again { smaller: false, .. }]));
}

#[test]
fn a_sweep_is_held_after_so_many_failures_of_the_same_cause() {
    let cause = |n: u64| Cause::Exception { line: format!("ValueError: {n} is too much"), code: 1 };
    let mut queue = kit::queue([kit::sweep(1, 1, 6), kit::sweep(2, 7, 7)]);
    let retry = Retry { times: 1, ..Retry::default() };
    let held = |queue: &Queue, run, cause, retry: &Retry| {
        follow_up(queue, run, &of(1, cause), retry, Some(2)).into_iter().find_map(|follow_up| match follow_up {
            FollowUp::Hold { runs, why, .. } => Some((runs.iter().map(|run| run.0).collect::<Vec<_>>(), why)),
            FollowUp::Again { .. } => None,
        })
    };
    assert_eq!(held(&queue, 1, cause(1), &Retry::default()), None);
    queue.apply(&kit::granted_as(1, 1));
    queue.apply(&kit::ended(1, of(1, cause(1))));
    assert_eq!(held(&queue, 2, Cause::ExitCode(2), &Retry::default()), None);
    queue.apply(&kit::granted_as(2, 1));
    // The one that failed is held with the others, where it would be tried again.
    let (runs, why) = held(&queue, 2, cause(2), &retry).expect("two failed of the same");
    assert_eq!((runs.as_slice(), why.as_str()), ([3, 4, 5, 6, 2].as_slice(), "2 of its runs failed: ValueError"));
    queue.apply(&kit::ended(2, of(1, cause(2))));
    queue.apply(&Entry::Held { at: UnixMs(0), runs: kit::runs([3, 4, 5, 6]), by: "neronet".into(), why: Some(why) });
    // Held ones are not held again; those who are released are given two more.
    assert_eq!(held(&queue, 3, cause(3), &Retry::default()), None);
    queue.apply(&Entry::Released { runs: kit::runs([3, 4, 5, 6]) });
    assert_eq!(held(&queue, 3, cause(3), &Retry::default()), None);
}
