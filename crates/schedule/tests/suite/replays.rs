//! Any entries in any order: what is replayed is what was lived, and nothing is counted wrongly.

use crate::kit;
use neronet_model::journal::Entry;
use neronet_model::queue::{Dependency, Place};
use neronet_model::{AttemptNo, Outcome, RunId, UnixMs};
use neronet_schedule::{Mine, Queue, Stand};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn entries() -> impl Strategy<Value = Entry> {
    let run = 1_u64..9;
    let some = prop::collection::vec(run.clone(), 1..4).prop_map(kit::runs);
    prop_oneof![
        4 => (run.clone(), 1_u64..3, 0_i64..9).prop_map(|(run, n, at)| kit::granted_at(run, n, at)),
        2 => (run.clone(), 1_u64..3).prop_map(|(run, n)| Entry::Returned { run: RunId(run), attempt: AttemptNo(n) }),
        3 => (run.clone(), 1_u64..4, any::<bool>()).prop_map(|(run, n, well)| {
            let outcome = if well { Outcome::Finished } else { Outcome::Failed };
            kit::ended(run, kit::end(n, outcome, None, UnixMs(9), 5))
        }),
        2 => (run.clone(), 1_u64..4).prop_map(|(run, n)| kit::retry(run, n)),
        1 => (run.clone(), 1_u64..4).prop_map(|(run, n)| kit::retry_by_itself(run, n)),
        1 => some.clone().prop_map(|runs| Entry::Held { at: UnixMs(0), runs, by: "somebody".into(), why: None }),
        1 => some.clone().prop_map(|runs| Entry::Released { runs }),
        1 => (some.clone(), -1_i64..2).prop_map(|(runs, priority)| Entry::Prioritised { runs, priority }),
        1 => some.clone().prop_map(|runs| Entry::Trashed { at: UnixMs(0), runs }),
        1 => some.clone().prop_map(|runs| Entry::Restored { runs }),
        1 => run.clone().prop_map(|run| Entry::Purged { runs: kit::runs([run]) }),
        3 => (run.clone(), 1_u64..3, any::<bool>()).prop_map(|(run, n, granted)| kit::handed(run, n, granted)),
        1 => some.clone().prop_map(|runs| Entry::HandedBack { target: "far".into(), runs }),
        1 => some.clone().prop_map(|runs| Entry::Asked { at: UnixMs(0), runs, by: "somebody".into(), kill: false }),
        2 => (some, run).prop_map(|(runs, anchor)| Entry::Moved { runs, to: Place::After(RunId(anchor)) }),
    ]
}

fn submitted() -> Queue {
    let mut second = kit::sweep(2, 5, 8);
    second.sweep.parallel = Some(2);
    second.sweep.wishes.after = vec![Dependency { run: RunId(1), ok: true }];
    second.members[3].after = Some(RunId(2));
    kit::queue([kit::sweep(1, 1, 4), second])
}

proptest! {
    #[test]
    fn whatever_is_on_record(all in prop::collection::vec(entries(), 1..60)) {
        let mut queue = submitted();
        let mut again = submitted();
        for entry in &all {
            queue.apply(entry);
        }
        again.apply(&Entry::Together(all));
        prop_assert!(queue == again);
        let stands: Vec<(u64, Stand)> = (1..9).filter_map(|run| Some((run, queue.stand(RunId(run))?))).collect();
        let granted = stands.iter().filter(|(_, stand)| *stand == Stand::Granted).count();
        prop_assert_eq!(queue.counts().1, granted);
        prop_assert_eq!(queue.granted().count(), granted);
        // A target has what it was given until it has ended or was given back.
        prop_assert!(queue.away_at("far").all(|(run, _, _)| queue.awaits_end(run)));
        prop_assert_eq!(queue.away_at("far").count(), (1..99).filter(|run| queue.awaits_end(RunId(*run)) && queue.away(RunId(*run)).is_some()).count());
        let order = queue.queued();
        prop_assert_eq!(queue.counts().0, order.len());
        let each: BTreeSet<RunId> = order.iter().copied().collect();
        prop_assert_eq!(each.len(), order.len());
        prop_assert!(order.iter().all(|run| queue.stand(*run) == Some(Stand::Queued)));
        // With room for all, everything starts that has no reason of its own not to; and all is given back in the end.
        let world = kit::world([kit::place("local", 64, 0)]);
        let decided = queue.decide(&world, UnixMs(0), Mine::Detached);
        for run in &order {
            let own = queue.own_reason_of(*run, UnixMs(0)).is_some();
            let starts = decided.starts.iter().any(|start| start.run == *run);
            let turn = matches!(queue.reason(*run, &decided, UnixMs(0)), Some(neronet_schedule::Reason::Parallel { .. }));
            let away = queue.away(*run).is_some();
            prop_assert!(starts != (own || turn || away), "run {}: own {own}, turn {turn}, away {away}", run);
        }
        for start in &decided.starts {
            queue.apply(&kit::started(start, 0));
        }
        let granted: Vec<(RunId, AttemptNo)> = queue.granted().collect();
        for (run, n) in granted {
            queue.apply(&kit::ended(run.0, kit::end(n.0, Outcome::Stopped, None, UnixMs(9), 5)));
        }
        queue.apply(&Entry::Submitted(vec![kit::sweep(3, 20, 90)]));
        queue.apply(&Entry::Moved { runs: kit::runs(20..=90), to: Place::First });
        queue.apply(&Entry::Prioritised { runs: kit::runs(20..=90), priority: 9 });
        prop_assert_eq!(queue.decide(&world, UnixMs(0), Mine::Detached).starts.len(), 64, "all 64 processors are free again");
    }
}
