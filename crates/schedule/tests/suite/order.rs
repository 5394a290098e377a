//! Who comes first.

use crate::kit::{self, runs};
use neronet_model::journal::Entry;
use neronet_model::queue::Place;
use neronet_model::{Outcome, RunId};
use neronet_schedule::{Mine, Queue, Stand};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn order(queue: &Queue) -> Vec<u64> {
    queue.queued().into_iter().map(|run| run.0).collect()
}

fn moved(queue: &mut Queue, some: &[u64], to: Place) {
    queue.apply(&Entry::Moved { runs: runs(some.iter().copied()), to });
}

#[test]
fn as_submitted_by_priority_and_as_moved() {
    let mut queue = kit::queue([kit::sweep(1, 1, 6)]);
    moved(&mut queue, &[5, 2], Place::First);
    assert_eq!(order(&queue), [2, 5, 1, 3, 4, 6]);
    moved(&mut queue, &[2], Place::After(RunId(4)));
    moved(&mut queue, &[6], Place::Before(RunId(3)));
    moved(&mut queue, &[5], Place::Last);
    assert_eq!(order(&queue), [1, 6, 3, 4, 2, 5]);
    // Beside itself, or beside one that is not queued, nothing is moved.
    moved(&mut queue, &[3], Place::After(RunId(3)));
    moved(&mut queue, &[3], Place::After(RunId(99)));
    assert_eq!(order(&queue), [1, 6, 3, 4, 2, 5]);
    queue.apply(&Entry::Prioritised { runs: runs([4, 5]), priority: 1 });
    assert_eq!(order(&queue), [4, 5, 1, 6, 3, 2]);
    let world = kit::world([kit::place("local", 2, 0)]);
    assert_eq!(kit::carry_out(&mut queue, &world, 0).0, [4, 5]);
    assert_eq!(kit::carry_out(&mut queue, &world, 0).0, [0; 0]);
}

#[test]
fn between_the_same_two_without_end() {
    let mut queue = kit::queue([kit::sweep(1, 1, 3)]);
    queue.apply(&kit::finished(3, 0, 1));
    for _ in 0..100 {
        moved(&mut queue, &[2], Place::First);
        moved(&mut queue, &[1], Place::First);
    }
    let mut queue = kit::queue([kit::sweep(1, 1, 200)]);
    queue.apply(&kit::finished(200, 0, 1));
    for run in 3..200 {
        moved(&mut queue, &[run], Place::After(RunId(1)));
    }
    let expected: Vec<u64> = [1].into_iter().chain((3..200).rev()).chain([2]).collect();
    assert_eq!(order(&queue), expected);
    // One that has left the queue does not take another's place along when it is heard of again.
    queue.apply(&kit::failed(200, 1, 0));
    assert_eq!(order(&queue), expected);
}

#[test]
fn retries_that_nobody_asked_for_go_first_and_others_last() {
    let mut queue = kit::queue([kit::sweep(1, 1, 4)]);
    queue.apply(&kit::granted(1, "local", 1, 0));
    queue.apply(&kit::failed(1, 1, 0));
    queue.apply(&kit::retry(1, 2));
    assert_eq!(order(&queue), [2, 3, 4, 1]);
    let Entry::Decided { at, mut decision } = kit::retry(2, 2) else { unreachable!() };
    queue.apply(&kit::granted(2, "local", 1, 0));
    queue.apply(&kit::failed(2, 1, 0));
    decision.because = Some("exit code 1".into());
    let again = Entry::Decided { at, decision };
    queue.apply(&again);
    assert_eq!(order(&queue), [2, 3, 4, 1]);
    // The same word once more does not take away what it was given meanwhile.
    let world = kit::world([kit::place("local", 1, 0)]);
    assert_eq!(kit::carry_out(&mut queue, &world, 0).0, [2]);
    queue.apply(&again);
    assert!(queue.grant(RunId(2)).is_some());
    assert_eq!(queue.counts(), (3, 1));
}

#[test]
fn each_process_starts_its_own() {
    let mut here = kit::sweep(2, 4, 6);
    here.sweep.detached = false;
    let mut queue = kit::queue([kit::sweep(1, 1, 3), here]);
    let world = kit::world([kit::place("local", 8, 0)]);
    let (these, last) = (BTreeSet::from([RunId(4), RunId(6)]), BTreeSet::from([RunId(6)]));
    let starts = |queue: &Queue, mine| {
        queue.decide(&world, neronet_model::UnixMs(0), mine).starts.iter().map(|start| start.run.0).collect::<Vec<_>>()
    };
    assert_eq!(starts(&queue, Mine::Detached), [1, 2, 3]);
    // One at a time where nobody says how many.
    assert_eq!(starts(&queue, Mine::These { runs: &these, at_once: 2 }), [4]);
    assert_eq!(starts(&queue, Mine::These { runs: &last, at_once: 1 }), [6]);
    // Handed over.
    queue.apply(&kit::retry(5, 1));
    assert_eq!(starts(&queue, Mine::Detached), [1, 2, 3, 5]);
    assert_eq!(queue.stand(RunId(5)), Some(Stand::Queued));
}

#[test]
fn what_waits_for_others_starts_when_they_have_ended() {
    use neronet_model::queue::Dependency;
    let mut after = kit::sweep(2, 3, 3);
    after.sweep.wishes.after = vec![Dependency { run: RunId(1), ok: true }, Dependency { run: RunId(2), ok: false }];
    let mut best = kit::sweep(3, 4, 4);
    best.sweep.best_of = runs([1, 2]);
    let mut one = kit::sweep(4, 5, 5);
    one.members[0].after = Some(RunId(1));
    let mut queue = kit::queue([kit::sweep(1, 1, 2), after, best, one]);
    let world = kit::world([kit::place("local", 8, 0)]);
    assert_eq!(kit::carry_out(&mut queue, &world, 0).0, [1, 2]);
    queue.apply(&kit::failed(2, 1, 0));
    assert_eq!(kit::carry_out(&mut queue, &world, 0).0, [0; 0]);
    queue.apply(&kit::failed(1, 1, 0));
    assert_eq!(kit::carry_out(&mut queue, &world, 0).0, [0; 0]);
    // A retry releases them.
    queue.apply(&kit::retry(1, 2));
    assert_eq!(kit::carry_out(&mut queue, &world, 0).0, [1]);
    queue.apply(&kit::ended(1, kit::end(2, Outcome::Finished, None, neronet_model::UnixMs(5), 5)));
    assert_eq!(kit::carry_out(&mut queue, &world, 0).0, [3, 4, 5]);
}

proptest! {
    #[test]
    fn moves_keep_every_run_once_and_the_others_in_order(
        moves in prop::collection::vec((prop::collection::vec(1_u64..12, 1..5), 0_u8..4, 1_u64..12), 1..40)
    ) {
        let mut queue = kit::queue([kit::sweep(1, 1, 10)]);
        queue.apply(&kit::finished(7, 0, 1));
        let mut expected: Vec<u64> = (1..=10).filter(|run| *run != 7).collect();
        for (some, to, anchor) in moves {
            let to = [Place::First, Place::Last, Place::Before(RunId(anchor)), Place::After(RunId(anchor))][usize::from(to)];
            let (chosen, mut others): (Vec<u64>, Vec<u64>) = expected.iter().partition(|run| some.contains(run));
            let beside = others.iter().position(|run| *run == anchor);
            let at = match to {
                Place::First => Some(0),
                Place::Last => Some(others.len()),
                Place::Before(_) => beside,
                Place::After(_) => beside.map(|at| at + 1),
            };
            if let Some(at) = at {
                others.splice(at..at, chosen);
                expected = others;
            }
            moved(&mut queue, &some, to);
            prop_assert_eq!(order(&queue), expected.clone());
        }
    }
}
