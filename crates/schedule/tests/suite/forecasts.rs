//! When what is queued will start.

use crate::kit;
use neronet_model::journal::Entry;
use neronet_model::time::Millis;
use neronet_model::{RunId, UnixMs};
use neronet_schedule::Mine;

#[test]
fn from_time_limits_and_from_what_was_learned() {
    let mut submitted = kit::sweep(1, 1, 5);
    submitted.sweep.wishes.not_before = Some(UnixMs(500));
    let world = kit::world([kit::place("local", 1, 0)]);
    let mut queue = kit::queue([submitted]);
    // Nobody knows how long they take: the first alone can be told.
    let forecast = queue.forecast(&world, UnixMs(0), 100, Mine::Detached);
    assert_eq!(forecast.starts.into_iter().map(|(run, at)| (run.0, at.0)).collect::<Vec<_>>(), [(1, 500)]);
    assert_eq!(forecast.done, None);
    for run in 1..=3 {
        assert_eq!(kit::carry_out(&mut queue, &world, 1_000 * run).0, [run as u64]);
        queue.apply(&kit::finished(run as u64, 1_000 * run + 900, 900));
    }
    let forecast = queue.forecast(&world, UnixMs(10_000), 100, Mine::Detached);
    assert_eq!(forecast.starts.into_iter().map(|(run, at)| (run.0, at.0)).collect::<Vec<_>>(), [(4, 10_000), (5, 10_900)]);
    assert_eq!(forecast.done, Some(UnixMs(11_800)));
    let end = |runs: &[u64], most| queue.forecast(&world, UnixMs(10_000), most, Mine::Detached).end_of(runs.iter().map(|run| RunId(*run)));
    assert_eq!((end(&[4], 100), end(&[5, 4], 100)), (Some(UnixMs(10_900)), Some(UnixMs(11_800))));
    assert_eq!((end(&[4, 5], 1), end(&[77], 100), end(&[], 100)), (None, None, None));
    // What is held does not start, and what runs without an end known of it does not end.
    queue.apply(&Entry::Held { at: UnixMs(0), runs: kit::runs([5]), by: "somebody".into(), why: None });
    assert_eq!(queue.forecast(&world, UnixMs(10_000), 100, Mine::Detached).done, None);
}

#[test]
fn none_where_one_may_run_for_ever() {
    let mut limited = kit::sweep(1, 1, 1);
    kit::settings(&mut limited).time_limit = Some(Millis(1_000));
    limited.sweep.experiment = "other".into();
    let mut queue = kit::queue([limited, kit::sweep(2, 2, 2)]);
    let world = kit::world([kit::place("local", 4, 0)]);
    assert_eq!(kit::carry_out(&mut queue, &world, 0).0, [1, 2]);
    assert_eq!(queue.forecast(&world, UnixMs(0), 100, Mine::Detached).done, None);
}
