//! Why a run waits, in words.

use crate::kit;
use neronet_model::journal::{Entry, Submitted};
use neronet_model::queue::{Dependency, Quota};
use neronet_model::{RunId, UnixMs};
use neronet_schedule::{Decided, Mine, Queue, World};

fn words(queue: &Queue, decided: &Decided, run: u64, now: i64) -> String {
    let ids = |runs: &[RunId]| runs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let reason = queue.reason(RunId(run), decided, UnixMs(now)).expect("it is queued");
    reason.words(&|at| format!("{} s", at.0 / 1_000), &|since| format!("{} ms", since.0), &ids)
}

/// What is said of a run when everything was decided that can be.
fn said(queue: &mut Queue, world: &World, run: u64) -> String {
    let decided = kit::carry_out(queue, world, 0).1;
    // Other processes read it from a file.
    let text = serde_json::to_string(&decided).expect("it can be written");
    words(queue, &serde_json::from_str(&text).expect("and read"), run, 0)
}

fn changed(mut submitted: Submitted, change: impl FnOnce(&mut Submitted)) -> Submitted {
    change(&mut submitted);
    submitted
}

#[test]
fn what_is_lacking_and_who_has_it() {
    let mut queue = kit::queue([
        changed(kit::with_gpus(kit::sweep(1, 1, 2), 1), |one| {
            kit::settings(one).time_limit = Some(neronet_model::time::Millis(60_000));
        }),
        kit::with_gpus(kit::sweep(2, 3, 3), 2),
        kit::with_gpus(kit::sweep(3, 4, 4), 3),
        kit::with_gpus(kit::sweep(4, 5, 5), 1),
    ]);
    let mut place = kit::place("local", 8, 2);
    let world = kit::world([place.clone()]);
    assert_eq!(said(&mut queue, &world, 3), "waits for 2 GPUs: held by 1, 2 until about 60 s");
    assert_eq!(said(&mut queue, &world, 4), "waits for another machine: it needs 3 GPUs; the machine has 2 for runs");
    assert_eq!(said(&mut queue, &world, 5), "waits for 1 GPU: held by 1, 2 until about 60 s");
    // Run 1 is late: nobody knows for how long.
    let late = queue.decide(&world, UnixMs(70_000), Mine::Detached);
    assert_eq!(words(&queue, &late, 3, 70_000), "waits for 2 GPUs: held by 1, 2");
    queue.apply(&kit::finished(1, 0, 5));
    assert_eq!(said(&mut queue, &world, 5), "waits for run 3 to start first, which needs what it would take");
    place.gpus_elsewhere.insert("local-1".into(), "python of anna".into());
    let mut queue = kit::queue([kit::with_gpus(kit::sweep(1, 1, 1), 2)]);
    assert_eq!(said(&mut queue, &kit::world([place.clone()]), 1), "waits for 2 GPUs: python of anna uses one");
    place.closed = Some("waits until the battery is charged".into());
    assert_eq!(said(&mut queue, &kit::world([place]), 1), "waits until the battery is charged");
    assert_eq!(said(&mut queue, &World::default(), 1), "there is no machine to start it on");
    // Of several machines, the one that could.
    let mut queue = kit::queue([kit::with_gpus(kit::sweep(1, 1, 2), 2)]);
    let world = kit::world([kit::place("small", 8, 0), kit::place("large", 8, 2)]);
    assert_eq!(said(&mut queue, &world, 2), "waits for 2 GPUs: held by 1");
}

#[test]
fn what_somebody_said_of_it() {
    let world = kit::world([kit::place("local", 64, 0)]);
    let all = [
        changed(kit::sweep(1, 1, 4), |one| one.sweep.parallel = Some(1)),
        changed(kit::sweep(2, 5, 5), |one| one.sweep.wishes.not_before = Some(UnixMs(9_000))),
        changed(kit::sweep(3, 6, 6), |one| one.sweep.wishes.after = vec![Dependency { run: RunId(1), ok: true }]),
        changed(kit::sweep(4, 7, 7), |one| one.sweep.best_of = kit::runs([1, 2])),
        changed(kit::sweep(5, 8, 9), |one| one.sweep.project = "other".into()),
        changed(kit::sweep(6, 10, 10), |one| one.members[0].after = Some(RunId(1))),
    ];
    let mut queue = kit::queue(all);
    queue.apply(&Entry::Held { at: UnixMs(0), runs: kit::runs([3]), by: "anna".into(), why: None });
    queue.apply(&Entry::Trashed { at: UnixMs(0), runs: kit::runs([4]) });
    queue.apply(&Entry::Limited { project: "other".into(), quota: Some(Quota { runs: Some(1), gpus: None }) });
    for (run, why) in [
        (2, "waits for its turn: one at a time in sweep 1"),
        (3, "held by anna"),
        (4, "in the trash"),
        (5, "not before 9 s"),
        (6, "after run 1"),
        (7, "after the best of runs 1, 2"),
        (9, "waits for its turn: project other may have 1 run at a time"),
        (10, "after run 1"),
    ] {
        assert_eq!(said(&mut queue, &world, run), why, "run {run}");
    }
    assert_eq!(kit::carry_out(&mut queue, &world, 9_000).0, [5]);
    queue.apply(&kit::failed(1, 1, 0));
    assert_eq!(said(&mut queue, &world, 6), "held: run 1, which it goes on from, failed; `neronet retry 1` releases it");
    queue.apply(&Entry::Purged { runs: kit::runs([1]) });
    assert_eq!(said(&mut queue, &world, 10), "held: run 1, which it goes on from, was removed");
}

#[test]
fn a_release_lets_go_of_what_was_not_to_start_before() {
    let world = kit::world([kit::place("local", 64, 0)]);
    let mut queue = kit::queue([changed(kit::sweep(1, 1, 2), |one| one.sweep.wishes.not_before = Some(UnixMs(9_000)))]);
    let (started, decided) = kit::carry_out(&mut queue, &world, 0);
    assert_eq!((started.len(), decided.look_again), (0, Some(UnixMs(9_000))));
    queue.apply(&Entry::Released { runs: kit::runs([2]) });
    assert_eq!(kit::carry_out(&mut queue, &world, 0).0, [2]);
}

#[test]
fn what_a_decision_did_not_look_at_has_a_reason_too() {
    let mut queue = kit::queue([kit::sweep(1, 1, 1)]);
    assert_eq!(words(&queue, &Decided::default(), 1, 0), "waits for its turn");
    let world = kit::world([kit::place("local", 1, 0)]);
    let decided = queue.decide(&world, UnixMs(0), Mine::Detached);
    assert_eq!(words(&queue, &decided, 1, 0), "is being started");
    kit::carry_out(&mut queue, &world, 0);
    assert_eq!(queue.reason(RunId(1), &decided, UnixMs(0)), None);
}
