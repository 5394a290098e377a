//! Runs on other machines: handed over where there is room, kept waiting there for when home is away, taken back where another has room.

use crate::kit;
use neronet_model::journal::{Entry, Handed, Submitted};
use neronet_model::queue::Quota;
use neronet_model::run::{Again, Decision};
use neronet_model::settings::Gpus;
use neronet_model::time::Millis;
use neronet_model::{AttemptNo, Outcome, RunId, UnixMs};
use neronet_schedule::{Absent, Decided, Mine, Place, Queue, Reason, Stand, World};
use std::collections::BTreeSet;

fn on(targets: &[&str], mut submitted: Submitted) -> Submitted {
    submitted.sweep.targets = targets.iter().map(ToString::to_string).collect();
    submitted
}

fn far(name: &str, cores: u32, gpus: u32, ahead: u64) -> Place {
    Place { ahead: Some(ahead), ..kit::place(name, cores, gpus) }
}

/// What home does with a decision: hands over what is for others, starts the rest. Gives where each went; behind a `+` what waits.
fn carry_out(queue: &mut Queue, world: &World) -> (Vec<String>, Decided) {
    let decided = queue.decide(world, UnixMs(0), Mine::Detached);
    let mut went = Vec::new();
    for start in &decided.starts {
        let name = start.grant.machine.clone();
        went.push(format!("{} {name}", start.run));
        let there = world.places.iter().find(|place| place.machine.name == name).expect("a place");
        if there.ahead.is_none() {
            queue.apply(&kit::started(start, 0));
            continue;
        }
        let handed = Handed { run: start.run, attempt: start.attempt, grant: Some(Box::new(start.grant.clone())) };
        queue.apply(&Entry::Handed { at: UnixMs(0), target: name, epoch: queue.next_epoch(), runs: vec![handed] });
    }
    for ahead in &decided.ahead {
        went.push(format!("{} +{}", ahead.run, ahead.target));
        let handed = Handed { run: ahead.run, attempt: ahead.attempt, grant: None };
        queue.apply(&Entry::Handed { at: UnixMs(0), target: ahead.target.clone(), epoch: queue.next_epoch(), runs: vec![handed] });
    }
    (went, decided)
}

/// The target says that it has started a run, with what it had in mind itself.
fn starts(queue: &mut Queue, name: &str, run: u64, cores: u32) {
    let mut alone = kit::queue([kit::sweep(1, run, run)]);
    let decided = alone.decide(&kit::world([kit::place(name, cores, 0)]), UnixMs(0), Mine::Detached);
    queue.apply(&kit::started(&decided.starts[0], 0));
    alone.apply(&kit::started(&decided.starts[0], 0));
}

#[test]
fn a_run_goes_to_the_first_of_its_targets_that_has_room_and_waits_where_the_fewest_do() {
    let mut queue = kit::queue([on(&["b", "a"], kit::sweep(1, 1, 6)), kit::sweep(2, 7, 7)]);
    let world = kit::world([kit::place("local", 4, 0), far("a", 1, 0, 2), far("b", 1, 0, 1)]);
    // One each; of those that wait two on a, one on b, and the last nowhere: its reason is what is lacking.
    let (went, decided) = carry_out(&mut queue, &world);
    assert_eq!(went, ["1 b", "2 a", "7 local", "3 +a", "4 +b", "5 +a"]);
    assert!(decided.back.is_empty());
    // Nothing changes that, however often it is looked at.
    assert_eq!(carry_out(&mut queue, &world).0, Vec::<String>::new());
    assert_eq!(queue.away(RunId(3)).map(|away| (away.target.as_str(), away.started)), Some(("a", false)));
    assert_eq!(queue.stand(RunId(3)), Some(Stand::Queued));
}

#[test]
fn one_that_waits_goes_where_there_is_room_meanwhile() {
    let mut queue = kit::queue([on(&["a", "b"], kit::sweep(1, 1, 3))]);
    let world = kit::world([far("a", 1, 0, 9), far("b", 1, 0, 0)]);
    assert_eq!(carry_out(&mut queue, &world).0, ["1 a", "2 b", "3 +a"]);
    starts(&mut queue, "b", 2, 1);
    queue.apply(&kit::finished(2, 1, 1));
    let (went, decided) = carry_out(&mut queue, &world);
    assert_eq!((went, decided.back), (Vec::new(), kit::runs([3])));
    // Until the target has said so, it is there.
    assert_eq!(carry_out(&mut queue, &world).0, Vec::<String>::new());
    queue.apply(&Entry::HandedBack { target: "a".into(), runs: kit::runs([3]) });
    assert_eq!(carry_out(&mut queue, &world).0, ["3 b"]);
    // Nothing waits: who has something to say is still wanted.
    assert_eq!(queue.targets_wanted(), BTreeSet::from(["a", "b"]));
    queue.apply(&kit::finished(3, 1, 1));
    assert_eq!(queue.targets_wanted(), BTreeSet::from(["a"]));
    // What was started is not given back, whoever says so.
    starts(&mut queue, "a", 1, 1);
    queue.apply(&Entry::HandedBack { target: "a".into(), runs: kit::runs([1]) });
    assert_eq!(queue.stand(RunId(1)), Some(Stand::Granted));
}

#[test]
fn what_a_target_tries_again_stays_there_and_what_somebody_asks_for_does_not() {
    let mut queue = kit::queue([on(&["a"], kit::sweep(1, 1, 1))]);
    let world = kit::world([far("a", 1, 0, 9)]);
    carry_out(&mut queue, &world);
    starts(&mut queue, "a", 1, 1);
    queue.apply(&kit::failed(1, 1, 10));
    assert_eq!(queue.away_at("a").count(), 0);
    let mut decision = Decision::new(RunId(1), AttemptNo(2), Again::Retry, None);
    decision.because = Some("it crashed".into());
    queue.apply(&Entry::Decided { at: UnixMs(11), decision });
    assert_eq!(queue.away_at("a").map(|(run, n, _)| (run.0, n.0)).collect::<Vec<_>>(), [(1, 2)]);
    assert!(carry_out(&mut queue, &world).0.is_empty());
    // Held there, it is asked for all the same: whoever releases it says so to home.
    let mut held = queue.clone();
    held.apply(&Entry::Held { at: UnixMs(0), runs: kit::runs([1]), by: "neronet".into(), why: None });
    assert_eq!(held.decide(&world, UnixMs(11), Mine::Detached).back, kit::runs([1]));
    starts_again(&mut queue, 1, 2);
    queue.apply(&kit::failed(1, 2, 20));
    queue.apply(&Entry::Decided { at: UnixMs(21), decision: Decision::new(RunId(1), AttemptNo(3), Again::Retry, None) });
    assert_eq!(queue.away(RunId(1)), None);
    assert_eq!(carry_out(&mut queue, &world).0, ["1 a"]);
}

fn starts_again(queue: &mut Queue, run: u64, n: u64) {
    let Some(Stand::Queued) = queue.stand(RunId(run)) else { panic!("it is queued") };
    let mut alone = kit::queue([kit::sweep(1, run, run)]);
    let mut start = alone.decide(&kit::world([kit::place("a", 1, 0)]), UnixMs(0), Mine::Detached).starts.remove(0);
    start.attempt = AttemptNo(n);
    queue.apply(&kit::started(&start, 0));
    alone.apply(&kit::started(&start, 0));
    assert_eq!(queue.stand(RunId(run)), Some(Stand::Granted));
}

#[test]
fn so_many_at_a_time_holds_on_all_machines_together() {
    let mut two = on(&["a", "b"], kit::sweep(1, 1, 6));
    two.sweep.parallel = Some(2);
    let mut queue = kit::queue([two]);
    let world = kit::world([far("a", 1, 0, 9), far("b", 4, 0, 9)]);
    // On two machines: neither could know what the other starts.
    assert_eq!(carry_out(&mut queue, &world).0, ["1 a", "2 b"]);
    starts(&mut queue, "a", 1, 1);
    starts(&mut queue, "b", 2, 4);
    queue.apply(&kit::finished(1, 1, 1));
    queue.apply(&kit::finished(2, 1, 1));
    // All on one: it sees to that alone.
    let mut two = on(&["b"], kit::sweep(2, 7, 12));
    two.sweep.parallel = Some(2);
    let mut queue = kit::queue([two]);
    let (went, _) = carry_out(&mut queue, &world);
    assert_eq!(went, ["7 b", "8 b", "9 +b", "10 +b", "11 +b", "12 +b"]);
}

#[test]
fn a_target_that_is_not_there_is_named_with_the_reason() {
    let mut queue = kit::queue([on(&["a"], kit::sweep(1, 1, 2)), on(&["a", "local"], kit::sweep(2, 3, 3))]);
    let mut world = kit::world([kit::place("local", 1, 0)]);
    world.absent.insert("a".into(), Absent { why: "unreachable".into(), since: Some(UnixMs(-180_000)) });
    let (went, decided) = carry_out(&mut queue, &world);
    assert_eq!(went, ["3 local"]);
    let words = |queue: &Queue, decided: &Decided, run: u64| {
        let reason = queue.reason(RunId(run), decided, UnixMs(0)).expect("it is queued");
        reason.words(&|_| String::new(), &|since| format!("{} min", -since.0 / 60_000), &|_| String::new())
    };
    assert_eq!(words(&queue, &decided, 1), "target a unreachable for 3 min");
    // It was there, and took two.
    let there = kit::world([far("a", 1, 0, 9)]);
    let (went, decided) = carry_out(&mut queue, &there);
    assert_eq!(went, ["1 a", "2 +a"]);
    assert_eq!(words(&queue, &decided, 2), "on a: waits for all CPUs that runs may have: held by ");
    let (_, decided) = carry_out(&mut queue, &world);
    assert_eq!(words(&queue, &decided, 2), "on a: target a unreachable for 3 min");
    let bringing = World { bringing: [(RunId(2), "its inputs are being brought there: 40 %".to_string())].into(), ..there.clone() };
    let (_, decided) = carry_out(&mut queue, &bringing);
    assert_eq!(words(&queue, &decided, 2), "on a: its inputs are being brought there: 40 %");
    // Held, it is asked for.
    queue.apply(&Entry::Held { at: UnixMs(0), runs: kit::runs([2]), by: "me".into(), why: None });
    assert_eq!(queue.decide(&there, UnixMs(0), Mine::Detached).back, kit::runs([2]));
    queue.apply(&Entry::HandedBack { target: "a".into(), runs: kit::runs([2]) });
    assert!(carry_out(&mut queue, &there).0.is_empty());
}

#[test]
fn what_a_run_needs_comes_before_it_starts_and_keeps_no_other_waiting() {
    let mut queue = kit::queue([on(&["a", "local"], kit::sweep(1, 1, 3))]);
    let mut world = kit::world([far("a", 1, 0, 9), kit::place("local", 2, 0)]);
    world.bringing.insert(RunId(1), "its checkpoint is being brought here".into());
    let (went, decided) = carry_out(&mut queue, &world);
    assert_eq!(went, ["2 a", "3 local"]);
    assert_eq!(queue.reason(RunId(1), &decided, UnixMs(0)), Some(Reason::NotYet("its checkpoint is being brought here".into())));
    // It is here.
    world.bringing.clear();
    assert_eq!(carry_out(&mut queue, &world).0, ["1 local"]);
}

#[test]
fn a_target_is_given_the_runs_of_a_sweep_in_several_parts() {
    let mut queue = kit::queue([kit::sweep(1, 1, 2)]);
    let world = kit::world([kit::place("local", 2, 0)]);
    assert_eq!(kit::carry_out(&mut queue, &world, 0).0, [1, 2]);
    queue.apply(&Entry::Submitted(vec![kit::sweep(1, 3, 3)]));
    assert!(kit::carry_out(&mut queue, &world, 0).0.is_empty());
    queue.apply(&kit::finished(1, 1, 1));
    assert_eq!(kit::carry_out(&mut queue, &world, 2).0, [3]);
    // Given back, and given once more.
    queue.apply(&Entry::Submitted(vec![kit::sweep(1, 4, 4)]));
    queue.apply(&Entry::Purged { runs: kit::runs([4]) });
    queue.apply(&kit::finished(2, 3, 1));
    assert!(kit::carry_out(&mut queue, &world, 4).0.is_empty());
    queue.apply(&Entry::Submitted(vec![kit::sweep(1, 4, 4)]));
    assert_eq!(kit::carry_out(&mut queue, &world, 4).0, [4]);
    queue.apply(&kit::ended(4, kit::end(1, Outcome::Finished, None, UnixMs(9), 1)));
    assert_eq!(queue.counts(), (0, 1));
}

#[test]
fn a_target_that_is_just_being_reached_is_waited_for() {
    let mut queue = kit::queue([on(&["a", "b"], kit::sweep(1, 1, 3)), on(&["b", "a"], kit::sweep(2, 4, 4))]);
    let mut world = kit::world([far("b", 1, 0, 9)]);
    world.absent.insert("a".into(), Absent { why: "is being connected".into(), since: None });
    // What prefers the other one goes there; nothing waits there ahead.
    assert_eq!(carry_out(&mut queue, &world).0, ["4 b"]);
    let world = kit::world([far("a", 1, 0, 9), far("b", 1, 0, 9)]);
    assert_eq!(carry_out(&mut queue, &world).0, ["1 a", "2 +b", "3 +a"]);
}

#[test]
fn what_a_run_needs_is_what_holds_on_each_target() {
    let mut two = on(&["a", "b"], kit::with_gpus(kit::sweep(1, 1, 2), 1));
    let mut there = kit::settings(&mut two).clone();
    there.resources.gpus = Some(Gpus::Count(2));
    there.time_limit = Some(Millis(5_000));
    kit::settings(&mut two).on = vec![("a".into(), there)];
    let queue = kit::queue([two.clone()]);
    // On the first it needs two, so that the second run finds none there.
    let world = kit::world([far("a", 4, 3, 9), far("b", 4, 1, 9)]);
    let (went, decided) = carry_out(&mut queue.clone(), &world);
    assert_eq!(went, ["1 a", "2 b"]);
    let gpus: Vec<usize> = decided.starts.iter().map(|start| start.grant.gpus.as_ref().map_or(0, Vec::len)).collect();
    assert_eq!(gpus, [2, 1]);
    // Where it can never have two it does not wait for its turn either.
    let (went, decided) = carry_out(&mut queue.clone(), &kit::world([far("a", 4, 1, 9)]));
    assert!(went.is_empty());
    let reason = queue.reason(RunId(1), &decided, UnixMs(0)).expect("it is queued");
    let words = reason.words(&|_| String::new(), &|_| String::new(), &|_| String::new());
    assert_eq!(words, "waits for another machine: it needs 2 GPUs; the machine has 1 for runs");
    // How long it takes at most is what holds there, too; and a quota counts what it has there.
    let mut queue = kit::queue([two]);
    let quota = Quota { runs: None, gpus: Some(1) };
    queue.apply(&Entry::Limited { project: "project".into(), quota: Some(quota) });
    assert_eq!(carry_out(&mut queue.clone(), &world).0, ["1 b"]);
    queue.apply(&Entry::Limited { project: "project".into(), quota: None });
    carry_out(&mut queue, &world);
    let forecast = queue.forecast(&world, UnixMs(1_000), 9, Mine::Detached);
    assert_eq!((forecast.end_of([RunId(1)].into_iter()), forecast.end_of([RunId(2)].into_iter())), (Some(UnixMs(5_000)), None));
}

#[test]
fn what_goes_on_from_a_checkpoint_goes_first_to_where_that_is() {
    let resume = |run: u64, n: u64| {
        let again = Again::Resume { checkpoint: Some("runs/1/work/ck/1.pt".into()), best: None, step: None };
        Entry::Decided { at: UnixMs(9), decision: Decision::new(RunId(run), AttemptNo(n), again, None) }
    };
    let mut queue = kit::queue([on(&["a", "b", "c"], kit::sweep(1, 1, 2))]);
    assert_eq!(carry_out(&mut queue, &kit::world([far("b", 1, 0, 9), far("c", 1, 0, 0)])).0, ["1 b", "2 c"]);
    for (name, run) in [("b", 1), ("c", 2)] {
        starts(&mut queue, name, run, 1);
        queue.apply(&kit::failed(run, 1, 5));
        queue.apply(&resume(run, 2));
    }
    let all = kit::world([far("a", 2, 0, 9), far("b", 1, 0, 9), far("c", 1, 0, 9)]);
    assert_eq!(carry_out(&mut queue.clone(), &all).0, ["1 b", "2 c"]);
    // Where that is not there, the order of the targets holds.
    assert_eq!(carry_out(&mut queue.clone(), &kit::world([far("a", 2, 0, 9)])).0, ["1 a", "2 a"]);
    // Tried again from the start it has nothing there.
    queue.apply(&Entry::Decided { at: UnixMs(9), decision: Decision::new(RunId(2), AttemptNo(3), Again::Retry, None) });
    assert_eq!(carry_out(&mut queue, &all).0, ["1 b", "2 a"]);
    // What executed here goes on here.
    let mut queue = kit::queue([on(&["a", "local"], kit::sweep(1, 1, 1))]);
    assert_eq!(kit::carry_out(&mut queue, &kit::world([kit::place("local", 1, 0)]), 0).0, [1]);
    queue.apply(&kit::failed(1, 1, 5));
    queue.apply(&resume(1, 2));
    let decided = queue.decide(&kit::world([far("a", 1, 0, 9), kit::place("local", 1, 0)]), UnixMs(9), Mine::Detached);
    assert_eq!(decided.starts[0].grant.machine, "local");
    // So does what goes on from another run.
    let mut next = on(&["a", "b"], kit::sweep(2, 2, 3));
    next.members[0].after = Some(RunId(1));
    let mut queue = kit::queue([on(&["b"], kit::sweep(1, 1, 1)), next]);
    assert_eq!(carry_out(&mut queue, &kit::world([far("b", 1, 0, 0)])).0, ["1 b"]);
    starts(&mut queue, "b", 1, 1);
    queue.apply(&kit::finished(1, 1, 5));
    let all = kit::world([far("a", 2, 0, 9), far("b", 1, 0, 9)]);
    assert_eq!(carry_out(&mut queue, &all).0, ["2 b", "3 a"]);
}

#[test]
fn one_that_goes_on_from_another_waits_where_that_one_is_and_comes_back_if_it_fails_there() {
    let mut next = on(&["a", "b"], kit::sweep(2, 3, 4));
    for (member, after) in next.members.iter_mut().zip([1, 2]) {
        member.after = Some(RunId(after));
    }
    let mut queue = kit::queue([on(&["a", "b"], kit::sweep(1, 1, 2)), next]);
    let world = kit::world([far("a", 1, 0, 9), far("b", 1, 0, 9)]);
    assert_eq!(carry_out(&mut queue, &world).0, ["1 a", "2 b"]);
    assert_eq!(carry_out(&mut queue, &world).0, ["3 +a", "4 +b"]);
    let why = |queue: &Queue, run| queue.reason(RunId(run), &Decided::default(), UnixMs(0)).expect("it waits");
    assert!(matches!(why(&queue, 3), Reason::Away { target, why: Some(why) } if target == "a" && matches!(*why, Reason::After { .. })));
    starts(&mut queue, "a", 1, 1);
    starts(&mut queue, "b", 2, 1);
    // What has finished there is gone on from there; of what has failed there nothing is to be expected.
    queue.apply(&kit::finished(1, 1, 1));
    queue.apply(&kit::failed(2, 1, 1));
    let (went, decided) = carry_out(&mut queue, &world);
    assert_eq!((went, decided.back), (Vec::new(), kit::runs([4])));
    queue.apply(&Entry::HandedBack { target: "b".into(), runs: kit::runs([4]) });
    assert_eq!(carry_out(&mut queue, &world).0, Vec::<String>::new());
    assert_eq!(queue.away(RunId(3)).map(|away| away.target.as_str()), Some("a"));
}

#[test]
fn what_is_said_of_runs_that_wait_there_brings_them_back_to_go_there_anew() {
    let mut queue = kit::queue([on(&["a"], kit::sweep(1, 1, 4))]);
    let world = kit::world([far("a", 1, 0, 9)]);
    assert_eq!(carry_out(&mut queue, &world).0, ["1 a", "2 +a", "3 +a", "4 +a"]);
    let back = |queue: &Queue| queue.decide(&world, UnixMs(0), Mine::Detached).back.into_iter().collect::<BTreeSet<_>>();
    let said = |entry: Entry| {
        let mut queue = queue.clone();
        queue.apply(&entry);
        (back(&queue), queue)
    };
    let of = |runs: &[u64]| runs.iter().copied().map(RunId).collect::<BTreeSet<_>>();
    assert_eq!(said(Entry::Released { runs: kit::runs([2]) }).0, of(&[2]));
    let quota = Some(Quota { runs: Some(1), gpus: None });
    assert_eq!(said(Entry::Limited { project: "project".into(), quota }).0, of(&[2, 3, 4]));
    // Whose order is another now, all of them.
    assert_eq!(said(Entry::Moved { runs: kit::runs([3]), to: neronet_model::queue::Place::First }).0, of(&[2, 3, 4]));
    let (asked, mut queue) = said(Entry::Prioritised { runs: kit::runs([4]), priority: 5 });
    assert_eq!((asked, queue.priority(RunId(4))), (of(&[4]), 5));
    queue.apply(&Entry::HandedBack { target: "a".into(), runs: kit::runs([4]) });
    assert_eq!(carry_out(&mut queue, &world).0, ["4 +a"]);
    assert_eq!(back(&queue), of(&[]));
}

#[test]
fn one_that_was_given_room_and_has_not_got_it_goes_elsewhere_after_a_while() {
    let mut queue = kit::queue([on(&["a", "local"], kit::sweep(1, 1, 1))]);
    let world = kit::world([kit::place("local", 1, 0), far("a", 1, 0, 9)]);
    assert_eq!(carry_out(&mut queue, &world).0, ["1 a"]);
    let back = |queue: &Queue, world: &World, ms: i64| queue.decide(world, UnixMs(ms), Mine::Detached).back;
    // While there is room for it, what it needs is being made there: anywhere else that would begin anew.
    assert_eq!(back(&queue, &world, 3_600_000), Vec::new());
    let full = Place { closed: Some("its disk is full".into()), ..far("a", 1, 0, 9) };
    let others = kit::world([kit::place("local", 1, 0), full]);
    assert_eq!(back(&queue, &others, 59_000), Vec::new());
    let decided = queue.decide(&world, UnixMs(59_000), Mine::Detached);
    let why = Reason::Away { target: "a".into(), why: Some(Box::new(Reason::Now)) };
    assert_eq!(queue.reason(RunId(1), &decided, UnixMs(59_000)), Some(why));
    assert_eq!(back(&queue, &others, 60_000), kit::runs([1]));
    let mut returned = queue.clone();
    returned.apply(&Entry::HandedBack { target: "a".into(), runs: kit::runs([1]) });
    assert_eq!(carry_out(&mut returned, &others).0, ["1 local"]);
    // Held, it comes back at once.
    queue.apply(&Entry::Held { at: UnixMs(0), runs: kit::runs([1]), by: "me".into(), why: None });
    assert_eq!(back(&queue, &world, 1), kit::runs([1]));
    // And released before it is back, it comes all the same: the target may hold it.
    queue.apply(&Entry::Released { runs: kit::runs([1]) });
    assert_eq!(back(&queue, &world, 1), kit::runs([1]));
}

#[test]
fn what_waits_there_says_what_is_lacking_there_though_nothing_waits_here() {
    let mut queue = kit::queue([on(&["a"], kit::sweep(1, 1, 2))]);
    let world = kit::world([kit::place("local", 4, 0), far("a", 1, 0, 2)]);
    assert_eq!(carry_out(&mut queue, &world).0, ["1 a", "2 +a"]);
    let decided = queue.decide(&world, UnixMs(0), Mine::Detached);
    let Some(Reason::Away { target, why: Some(why) }) = queue.reason(RunId(2), &decided, UnixMs(0)) else { panic!("no reason") };
    assert!(target == "a" && matches!(&*why, Reason::Lacks { held_by, .. } if held_by[..] == kit::runs([1])), "{why:?}");
}

#[test]
fn of_so_many_at_a_time_what_waits_there_comes_back_before_another_machine_starts_one() {
    let mut two = on(&["a", "local"], kit::sweep(1, 2, 6));
    two.sweep.parallel = Some(2);
    let mut queue = kit::queue([kit::sweep(2, 1, 1), two]);
    let world = kit::world([kit::place("local", 1, 0), far("a", 1, 0, 2)]);
    assert_eq!(carry_out(&mut queue, &world).0, ["1 local", "2 a", "3 +a", "4 +a"]);
    queue.apply(&kit::finished(1, 1, 1));
    let (went, decided) = carry_out(&mut queue, &world);
    assert_eq!((went, &decided.back), (Vec::new(), &kit::runs([3, 4])));
    assert_eq!(queue.reason(RunId(5), &decided, UnixMs(0)), Some(Reason::Before(RunId(3))));
    queue.apply(&Entry::HandedBack { target: "a".into(), runs: kit::runs([3, 4]) });
    assert_eq!(carry_out(&mut queue, &world).0, ["3 local"]);
}

#[test]
fn of_so_many_at_a_time_nothing_comes_back_for_room_that_another_run_waits_for() {
    let mut large = kit::sweep(2, 2, 2);
    kit::settings(&mut large).resources.cpus = Some(2);
    let mut three = on(&["a", "local"], kit::sweep(3, 3, 9));
    three.sweep.parallel = Some(3);
    let mut queue = kit::queue([kit::sweep(1, 1, 1), large, three]);
    let world = kit::world([kit::place("local", 2, 0), far("a", 1, 0, 2)]);
    assert_eq!(carry_out(&mut queue, &world).0, ["1 local", "3 a", "4 +a", "5 +a"]);
    // Here one has room beside run 1, but run 2 comes before it.
    let (went, decided) = carry_out(&mut queue, &world);
    assert_eq!((went, &decided.back), (Vec::new(), &Vec::new()));
    assert_eq!(queue.reason(RunId(6), &decided, UnixMs(0)), Some(Reason::Before(RunId(2))));
}

#[test]
fn what_is_moved_before_those_that_wait_on_a_target_goes_there_before_them() {
    let mut queue = kit::queue([on(&["a"], kit::sweep(1, 1, 4))]);
    let world = kit::world([far("a", 1, 0, 2)]);
    assert_eq!(carry_out(&mut queue, &world).0, ["1 a", "2 +a", "3 +a"]);
    let moved = |to| Entry::Moved { runs: kit::runs([4]), to };
    let back = |queue: &Queue| queue.decide(&world, UnixMs(0), Mine::Detached).back.into_iter().collect::<BTreeSet<_>>();
    queue.apply(&moved(neronet_model::queue::Place::Last));
    assert_eq!(back(&queue), BTreeSet::new());
    queue.apply(&moved(neronet_model::queue::Place::First));
    assert_eq!(back(&queue), [2, 3].map(RunId).into());
    queue.apply(&Entry::HandedBack { target: "a".into(), runs: kit::runs([2, 3]) });
    assert_eq!(carry_out(&mut queue, &world).0, ["4 +a", "2 +a"]);
}

#[test]
fn failures_count_wherever_they_were() {
    let mut queue = kit::queue([kit::sweep(1, 1, 1)]);
    let decision = Decision::new(RunId(1), AttemptNo(3), Again::Retry, None);
    queue.apply(&Entry::Decided { at: UnixMs(0), decision: Decision { because: Some("it crashed".into()), failures: 2, ..decision } });
    assert_eq!(queue.failures(RunId(1)), 2);
    // However many somebody says that there were.
    let decision = Decision::new(RunId(1), AttemptNo(4), Again::Retry, None);
    queue.apply(&Entry::Decided {
        at: UnixMs(0),
        decision: Decision { because: Some("it crashed".into()), failures: u32::MAX, ..decision },
    });
    queue.apply(&kit::failed(1, 4, 10));
    assert_eq!(queue.failures(RunId(1)), u32::MAX);
}
