//! Machines that take runs at some hours, and are worked on at others.

use crate::kit;
use neronet_model::time::Millis;
use neronet_model::{RunId, UnixMs};
use neronet_schedule::{Closing, Decided, Mine, Place, Queue, Shut, World};

const HOUR: i64 = 3_600_000;

fn hours(from: i64, until: i64) -> Shut {
    Shut { from: UnixMs(from * HOUR), until: Some(UnixMs(until * HOUR)), why: Closing::Hours }
}

fn maintenance(from: i64, until: Option<i64>) -> Shut {
    Shut { from: UnixMs(from * HOUR), until: until.map(|until| UnixMs(until * HOUR)), why: Closing::Maintenance(Some("new disks".into())) }
}

fn closed(name: &str, cores: u32, shut: impl Into<Vec<Shut>>) -> Place {
    Place { shut: shut.into(), ..kit::place(name, cores, 0) }
}

/// One run, which takes so many hours at most.
fn lasting(id: u64, hours: Option<i64>) -> neronet_model::journal::Submitted {
    let mut one = kit::sweep(id, id, id);
    kit::settings(&mut one).time_limit = hours.map(|hours| Millis((hours * HOUR) as u64));
    one.sweep.experiment = format!("experiment {id}");
    one
}

fn starts(queue: &Queue, world: &World, hour: i64) -> (Vec<u64>, Decided) {
    let decided = queue.decide(world, UnixMs(hour * HOUR), Mine::Detached);
    (decided.starts.iter().map(|start| start.run.0).collect(), decided)
}

fn reason(queue: &Queue, decided: &Decided, run: u64, hour: i64) -> String {
    let reason = queue.reason(RunId(run), decided, UnixMs(hour * HOUR)).expect("it is queued");
    reason.words(&|at| format!("{}:00", at.0 / HOUR), &|_| String::new(), &|_| String::new())
}

#[test]
fn nothing_starts_outside_of_a_machines_hours_and_what_runs_goes_on() {
    let mut queue = kit::queue([kit::sweep(1, 1, 2)]);
    let world = kit::world([closed("gpu1", 1, [hours(8, 18)])]);
    assert_eq!(starts(&queue, &world, 7).0, [1]);
    let (none, decided) = starts(&queue, &world, 8);
    assert_eq!((none, decided.look_again), (vec![], Some(UnixMs(18 * HOUR))));
    assert_eq!(reason(&queue, &decided, 1, 8), "gpu1 takes runs from 18:00");
    // It is by the moment of the decision, not by what was seen.
    assert_eq!(kit::carry_out(&mut queue, &world, 18 * HOUR).0, [1]);
    let decided = starts(&queue, &world, 18).1;
    assert_eq!((reason(&queue, &decided, 2, 18), decided.look_again), ("waits for all CPUs that runs may have: held by ".into(), None));
    assert_eq!(queue.counts(), (1, 1));
}

#[test]
fn another_target_has_them_meanwhile_and_this_machine_is_called_so() {
    let mut both = kit::sweep(1, 1, 2);
    both.sweep.targets = vec!["gpu1".into(), "local".into()];
    let queue = kit::queue([both]);
    let mut world = kit::world([closed("gpu1", 4, [hours(8, 18)]), closed("local", 1, [])]);
    let (some, decided) = starts(&queue, &world, 9);
    assert_eq!((some, decided.starts[0].grant.machine.as_str()), (vec![1], "local"));
    world.places.remove(0);
    world.places[0].shut = vec![hours(8, 18), hours(18, 20)];
    let (none, decided) = starts(&queue, &world, 9);
    assert_eq!((none, reason(&queue, &decided, 2, 9)), (vec![], "this machine takes runs from 20:00".into()));
}

#[test]
fn nothing_starts_that_could_not_be_over_when_a_maintenance_begins() {
    let queue = kit::queue([lasting(1, Some(5)), lasting(2, Some(4)), lasting(3, None)]);
    let world = kit::world([closed("gpu1", 8, [maintenance(12, Some(14))])]);
    let (some, decided) = starts(&queue, &world, 8);
    // Of the third nobody knows.
    assert_eq!((some, decided.look_again), (vec![2, 3], Some(UnixMs(14 * HOUR))));
    assert_eq!(reason(&queue, &decided, 1, 8), "gpu1 is in maintenance from 12:00 (new disks), when the run might not be over");
    let (none, decided) = starts(&queue, &world, 12);
    assert_eq!((none, reason(&queue, &decided, 3, 12)), (vec![], "gpu1 is in maintenance until 14:00 (new disks)".into()));
    assert_eq!(starts(&queue, &world, 14).0, [1, 2, 3]);
    let world = kit::world([closed("gpu1", 8, [maintenance(12, None)])]);
    assert_eq!(starts(&queue, &world, 8).0, [2, 3]);
    let (none, decided) = starts(&queue, &world, 13);
    assert_eq!((none, decided.look_again), (vec![], None));
    assert_eq!(reason(&queue, &decided, 1, 13), "gpu1 is in maintenance until further notice (new disks)");
}

#[test]
fn how_long_runs_take_is_learned_where_nobody_says() {
    let submitted = |id, first, last| {
        let mut one = kit::sweep(id, first, last);
        one.sweep.experiment = "same".into();
        one
    };
    let mut queue = kit::queue([submitted(1, 1, 3), submitted(2, 4, 4)]);
    let world = kit::world([closed("gpu1", 3, [maintenance(12, Some(14))])]);
    assert_eq!(kit::carry_out(&mut queue, &world, 0).0, [1, 2, 3]);
    for run in 1..=3 {
        queue.apply(&kit::finished(run, 3 * HOUR, (3 * HOUR) as u64));
    }
    assert_eq!((starts(&queue, &world, 9).0, starts(&queue, &world, 10).0), (vec![4], vec![]));
}

#[test]
fn what_waits_for_the_end_of_a_maintenance_keeps_its_place() {
    let mut long = lasting(1, Some(6));
    kit::settings(&mut long).resources.cpus = Some(4);
    let mut wide = lasting(2, Some(100));
    kit::settings(&mut wide).resources.cpus = Some(1);
    let queue = kit::queue([long, wide, lasting(3, Some(2))]);
    // The second would be over in time for no maintenance, and is kept by that; the third ends before it.
    let world = kit::world([closed("gpu1", 4, [maintenance(12, Some(14))])]);
    assert_eq!(starts(&queue, &world, 8).0, [3]);
    // Nothing is set aside on a machine that is closed, so that those behind have the other one.
    let mut first = lasting(1, None);
    first.sweep.targets = vec!["gpu1".into()];
    let queue = kit::queue([first, lasting(2, None)]);
    let local = kit::place("local", 1, 0);
    let world = kit::world([Place { ahead: Some(9), ..closed("gpu1", 1, [hours(8, 18)]) }, local]);
    let (some, decided) = starts(&queue, &world, 9);
    assert_eq!((some, decided.ahead.len()), (vec![2], 1));
}

#[test]
fn runs_wait_on_a_target_for_its_hours_but_not_for_an_end_that_nobody_knows() {
    let mut three = kit::sweep(1, 1, 3);
    three.sweep.targets = vec!["gpu1".into()];
    let queue = kit::queue([three]);
    let world = |shut: Shut| kit::world([Place { ahead: Some(2), ..closed("gpu1", 1, [shut]) }]);
    assert_eq!(starts(&queue, &world(hours(8, 18)), 9).1.ahead.len(), 2);
    assert_eq!(starts(&queue, &world(maintenance(8, Some(18))), 9).1.ahead.len(), 2);
    assert!(starts(&queue, &world(maintenance(8, None)), 9).1.ahead.is_empty());
}

#[test]
fn a_forecast_minds_the_hours() {
    let queue = kit::queue([lasting(1, Some(3)), lasting(2, Some(3)), lasting(3, Some(3))]);
    let world = kit::world([closed("gpu1", 1, [hours(8, 18), maintenance(23, Some(30))])]);
    let forecast = queue.forecast(&world, UnixMs(6 * HOUR), 100, Mine::Detached);
    assert_eq!(forecast.starts.into_iter().map(|(run, at)| (run.0, at.0 / HOUR)).collect::<Vec<_>>(), [(1, 6), (2, 18), (3, 30)]);
    assert_eq!(forecast.done, Some(UnixMs(33 * HOUR)));
}
