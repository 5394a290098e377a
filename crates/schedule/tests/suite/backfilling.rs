//! What comes later goes before where that delays nobody.

use crate::kit;
use neronet_model::journal::Submitted;
use neronet_model::time::Millis;
use neronet_model::{RunId, UnixMs};
use neronet_schedule::{Mine, Place, Queue, Reason, World};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn limited(mut submitted: Submitted, milliseconds: u64) -> Submitted {
    kit::settings(&mut submitted).time_limit = Some(Millis(milliseconds));
    submitted
}

fn runs(started: &[u64]) -> Vec<u64> {
    started.to_vec()
}

#[test]
fn a_short_run_goes_into_the_gap_and_a_long_one_does_not() {
    let world = kit::world([kit::place("local", 64, 4)]);
    let submitted = |short, long| {
        let running = limited(kit::with_gpus(kit::sweep(1, 1, 1), 2), 10_000);
        let first = limited(kit::with_gpus(kit::sweep(2, 2, 2), 4), 10_000);
        let long = limited(kit::with_gpus(kit::sweep(3, 3, 3), 1), long);
        [running, first, long, limited(kit::with_gpus(kit::sweep(4, 4, 4), 1), short)]
    };
    let mut queue = kit::queue(submitted(10_000, 10_001));
    let (started, decided) = kit::carry_out(&mut queue, &world, 0);
    assert_eq!(runs(&started), [1, 4]);
    assert_eq!(queue.reason(RunId(3), &decided, UnixMs(0)), Some(Reason::Before(RunId(2))));
    // In a second it would end too late.
    let mut queue = kit::queue(submitted(10_001, 10_001));
    assert_eq!(kit::carry_out(&mut queue, &world, 1).0, [1]);
    // What the first cannot use is given away.
    let mut other = kit::sweep(5, 5, 5);
    kit::settings(&mut other).time_limit = None;
    queue.apply(&neronet_model::journal::Entry::Submitted(vec![other]));
    assert_eq!(kit::carry_out(&mut queue, &world, 2).0, [5]);
}

#[test]
fn what_others_use_keeps_nothing_else_idle() {
    let mut place = kit::place("local", 64, 2);
    place.gpus_elsewhere.insert("local-0".into(), "somebody".into());
    let mut queue = kit::queue([kit::with_gpus(kit::sweep(1, 1, 1), 2), kit::with_gpus(kit::sweep(2, 2, 2), 1)]);
    assert_eq!(kit::carry_out(&mut queue, &kit::world([place]), 0).0, [2]);
}

#[test]
fn the_first_waits_for_the_machine_that_is_free_soonest() {
    let world = kit::world([kit::place("a", 8, 2), kit::place("b", 8, 2)]);
    let long = limited(kit::with_gpus(kit::sweep(1, 1, 1), 2), 90_000);
    let short = limited(kit::with_gpus(kit::sweep(2, 2, 2), 1), 10_000);
    let first = limited(kit::with_gpus(kit::sweep(3, 3, 3), 2), 10_000);
    let small = limited(kit::with_gpus(kit::sweep(4, 4, 4), 1), 20_000);
    let mut queue = kit::queue([long, short, first, small]);
    let (started, decided) = kit::carry_out(&mut queue, &world, 0);
    assert_eq!(started, [1, 2]);
    let Some(Reason::Lacks { until, .. }) = queue.reason(RunId(3), &decided, UnixMs(0)) else { panic!("it lacks GPUs") };
    assert_eq!(until, Some(UnixMs(10_000)));
    assert_eq!(queue.reason(RunId(4), &decided, UnixMs(0)), Some(Reason::Before(RunId(3))));
}

/// Lets everything run as long as it may. Gives when each run started, and when the first that waited was promised a place.
fn carried_on(mut queue: Queue, world: &World) -> (BTreeMap<u64, i64>, Vec<(RunId, UnixMs)>) {
    let (mut started, mut promised) = (BTreeMap::new(), Vec::new());
    let mut ends: BTreeMap<(i64, u64), u64> = BTreeMap::new();
    let mut now = 0;
    loop {
        let (runs, decided) = kit::carry_out(&mut queue, world, now);
        for run in runs {
            started.insert(run, now);
            // The length of a run is its number of seconds.
            let lasts = length(run);
            ends.insert((now + lasts, run), run);
        }
        let waits = queue.queued().into_iter().find_map(|run| match queue.reason(run, &decided, UnixMs(now))? {
            Reason::Lacks { until, .. } => Some((run, until)),
            _ => None,
        });
        promised.extend(waits.and_then(|(run, until)| Some((run, until?))));
        let Some((at, _)) = ends.first_key_value().map(|(first, _)| *first) else { return (started, promised) };
        now = at;
        while let Some(((_, run), _)) = ends.first_entry().filter(|first| first.key().0 == now).map(|first| first.remove_entry()) {
            queue.apply(&kit::finished(run, now, u64::try_from(length(run)).unwrap_or(0)));
        }
    }
}

fn length(run: u64) -> i64 {
    1_000 * (1 + i64::try_from(run * 7 % 13).unwrap_or(0))
}

fn some_queue(gpus: &[u32]) -> Queue {
    let one = |(n, gpus): (usize, &u32)| {
        let n = n as u64 + 1;
        let mut one = limited(kit::with_gpus(kit::sweep(n, n, n), *gpus), u64::try_from(length(n)).unwrap_or(0));
        // Of its own, so that nothing is learned from others.
        one.sweep.experiment = format!("experiment-{n}");
        one
    };
    kit::queue(gpus.iter().enumerate().map(one))
}

fn some_world(machines: &[u32]) -> World {
    let place = |(n, gpus): (usize, &u32)| -> Place { kit::place(&format!("machine-{n}"), 64, *gpus) };
    kit::world(machines.iter().enumerate().map(place))
}

proptest! {
    /// With lengths that are known: what the first that waits is promised is kept, whatever goes before it.
    #[test]
    fn the_first_is_never_delayed(gpus in prop::collection::vec(0_u32..=4, 1..30), machines in prop::collection::vec(1_u32..=4, 1..4)) {
        let (started, promised) = carried_on(some_queue(&gpus), &some_world(&machines));
        for (run, until) in promised {
            prop_assert!(started.get(&run.0).is_some_and(|at| *at <= until.0), "run {run} was to start by {until:?}: {started:?}");
        }
    }

    #[test]
    fn forecasts_are_what_then_happens(gpus in prop::collection::vec(0_u32..=4, 1..30), machines in prop::collection::vec(1_u32..=4, 1..4)) {
        let (queue, world) = (some_queue(&gpus), some_world(&machines));
        let forecast = queue.forecast(&world, UnixMs(0), 100, Mine::Detached);
        let (started, _) = carried_on(queue, &world);
        let forecast: BTreeMap<u64, i64> = forecast.starts.into_iter().map(|(run, at)| (run.0, at.0)).collect();
        prop_assert_eq!(forecast, started);
    }
}
