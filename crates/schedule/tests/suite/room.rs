//! What fits where, and what is left to others.

use crate::kit;
use neronet_model::journal::{Entry, Submitted};
use neronet_model::queue::Quota;
use neronet_model::settings::Gpus;
use neronet_model::time::Millis;
use neronet_model::{RunId, UnixMs};
use neronet_schedule::{Needs, Place, Queue, Reason, World};

const GB: u64 = 1 << 30;

fn asking(mut submitted: Submitted, change: impl FnOnce(&mut neronet_model::settings::Resources)) -> Submitted {
    change(&mut kit::settings(&mut submitted).resources);
    submitted
}

fn local(cores: u32, gpus: u32, change: impl FnOnce(&mut Place)) -> World {
    let mut place = kit::place("local", cores, gpus);
    change(&mut place);
    kit::world([place])
}

fn started(submitted: Submitted, world: &World) -> (Queue, usize) {
    let mut queue = kit::queue([submitted]);
    let (runs, _) = kit::carry_out(&mut queue, world, 0);
    (queue, runs.len())
}

#[test]
fn shares_of_a_gpu() {
    let world = local(8, 1, |_| ());
    let share = |part| asking(kit::sweep(1, 1, 9), |resources| resources.gpus = Some(Gpus::Fraction(part)));
    for (part, many) in [(0.5, 2), (1.0 / 3.0, 3), (0.3333, 3), (0.26, 3), (0.25, 4), (0.001, 8)] {
        assert_eq!(started(share(part), &world).1, many, "{part}");
    }
    // Its part of the processors goes with it.
    let none_said = asking(share(0.5), |resources| resources.cpus = None);
    assert_eq!(started(none_said, &world).1, 2);
    let memory =
        |gb| asking(kit::sweep(1, 1, 9), |resources| (resources.gpus, resources.gpu_memory) = (Some(Gpus::Count(1)), Some(gb * GB)));
    for (gb, many) in [(8, 3), (12, 2), (13, 1), (24, 1), (25, 0)] {
        assert_eq!(started(memory(gb), &world).1, many, "{gb} GB");
    }
    // Where the driver does not say what there is, nobody shares it.
    let unknown = local(8, 1, |place| place.machine.gpus[0].memory = 0);
    assert_eq!(started(memory(8), &unknown).1, 1);
    // A whole one is left whole.
    let world = local(8, 2, |_| ());
    let mut queue = kit::queue([share(0.5), kit::with_gpus(kit::sweep(2, 10, 10), 1)]);
    queue.apply(&Entry::Moved { runs: kit::runs([10]), to: neronet_model::queue::Place::After(RunId(2)) });
    assert_eq!(kit::carry_out(&mut queue, &world, 0).0, [1, 2, 10]);
}

#[test]
fn what_is_left_to_others() {
    let world = local(8, 4, |place| place.limits.leave_gpus = 1);
    assert_eq!(started(kit::with_gpus(kit::sweep(1, 1, 9), 1), &world).1, 3);
    assert_eq!(started(kit::with_gpus(kit::sweep(1, 1, 9), 4), &world).1, 0);
    let all = asking(kit::sweep(1, 1, 1), |resources| resources.gpus = Some(Gpus::All));
    let (queue, _) = started(all, &world);
    assert_eq!(queue.grant(RunId(1)).and_then(|grant| grant.gpus.as_ref()).map(Vec::len), Some(3));
    let cores = local(8, 0, |place| place.limits.leave_cores = 2);
    let (queue, many) = started(asking(kit::sweep(1, 1, 9), |resources| resources.cpus = Some(3)), &cores);
    assert_eq!(many, 2);
    // Those with the lowest numbers are left.
    assert_eq!(queue.grant(RunId(2)).map(|grant| grant.cores.clone()), Some(vec![2, 3, 4]));
    let runs = local(8, 0, |place| place.limits.max_runs = Some(3));
    assert_eq!(started(kit::sweep(1, 1, 9), &runs).1, 3);
    let used = local(8, 2, |place| {
        place.gpus_elsewhere.insert("local-1".into(), "somebody".into());
        place.memory_elsewhere = 50 * GB;
    });
    let (queue, many) = started(kit::with_gpus(kit::sweep(1, 1, 9), 1), &used);
    assert_eq!(
        (many, queue.grant(RunId(1)).and_then(|grant| grant.gpus.clone()).map(|gpus| gpus[0].id.clone())),
        (1, Some("local-0".into()))
    );
    assert_eq!(started(asking(kit::sweep(1, 1, 9), |resources| resources.memory = Some(10 * GB)), &used).1, 1);
    let closed = local(8, 0, |place| place.closed = Some("on battery".into()));
    assert_eq!(started(kit::sweep(1, 1, 1), &closed).1, 0);
    let licences = local(8, 0, |place| place.limits.named = [("licence".into(), 3)].into());
    assert_eq!(started(asking(kit::sweep(1, 1, 9), |resources| resources.named = vec![("licence".into(), 2)]), &licences).1, 1);
}

#[test]
fn quotas_count_what_starts_at_the_same_time() {
    let world = local(64, 8, |_| ());
    let limited = |submitted, runs, gpus| {
        let mut queue = kit::queue([submitted, kit::sweep(2, 100, 100)]);
        queue.apply(&Entry::Limited { project: "project".into(), quota: Some(Quota { runs, gpus }) });
        let decided = kit::carry_out(&mut queue, &world, 0).1;
        (queue, decided)
    };
    assert_eq!(limited(kit::sweep(1, 1, 9), Some(3), None).0.counts().1, 3);
    // Who needs no GPU is not kept by a quota of GPUs.
    assert_eq!(limited(kit::with_gpus(kit::sweep(1, 1, 9), 2), None, Some(5)).0.counts().1, 3);
    let range = asking(kit::sweep(1, 1, 1), |resources| resources.gpus = Some(Gpus::Range(2, 8)));
    let (queue, _) = limited(range, None, Some(5));
    assert_eq!(queue.grant(RunId(1)).and_then(|grant| grant.gpus.as_ref()).map(Vec::len), Some(5));
    let all = asking(kit::sweep(1, 1, 1), |resources| resources.gpus = Some(Gpus::All));
    let (queue, decided) = limited(all, None, Some(5));
    assert!(matches!(queue.reason(RunId(1), &decided, UnixMs(0)), Some(Reason::Quota { most: 5, .. })));
}

#[test]
fn so_many_of_a_sweep_and_for_so_long() {
    let world = local(64, 8, |_| ());
    let mut submitted = kit::with_gpus(kit::sweep(1, 1, 9), 2);
    submitted.sweep.parallel = Some(2);
    submitted.sweep.wishes.gpu_time = Some(Millis(10_000));
    let mut queue = kit::queue([submitted]);
    assert_eq!(kit::carry_out(&mut queue, &world, 0).0, [1, 2]);
    queue.apply(&kit::finished(1, 2_000, 2_000));
    assert_eq!(kit::carry_out(&mut queue, &world, 2_000).0, [3]);
    // 4 s are over, and 2 more runs have had 2 GPUs each.
    queue.apply(&kit::finished(3, 2_100, 0));
    assert!(kit::carry_out(&mut queue, &world, 2_900).0.len() == 1);
    let decided = {
        queue.apply(&kit::finished(2, 3_100, 3_100));
        kit::carry_out(&mut queue, &world, 3_100).1
    };
    assert!(matches!(queue.reason(RunId(5), &decided, UnixMs(3_100)), Some(Reason::GpuTime { .. })));
}

fn took(run: u64, memory: u64, gpu_memory: u64) -> Entry {
    let Entry::Ended { run, mut end } = kit::finished(run, 0, 1_000) else { unreachable!() };
    end.attempt.peak_memory_kb = Some(memory / 1024);
    end.attempt.peak_gpu_memory = Some(gpu_memory);
    Entry::Ended { run, end }
}

#[test]
fn what_earlier_runs_took_counts_where_nobody_says() {
    let world = local(64, 2, |_| ());
    let submitted = asking(kit::sweep(1, 1, 20), |resources| resources.gpus = Some(Gpus::Fraction(0.1)));
    let needs = Needs::of(&submitted.sweep, None);
    let mut queue = kit::queue([submitted]);
    for run in 1..=2 {
        queue.apply(&took(run, 20 * GB, 5 * GB));
    }
    assert_eq!(queue.needs("project", "experiment", &needs), needs, "two are not enough");
    queue.apply(&took(3, 20 * GB, 10 * GB));
    // The same end learned again is not a fourth.
    queue.apply(&took(3, 60 * GB, 20 * GB));
    // 22 GB of 64, and 11 of 24 on a GPU.
    assert_eq!(kit::carry_out(&mut queue, &world, 0).0, [4, 5]);
    assert_eq!(
        queue.grant(RunId(4)).map(|grant| (grant.memory / GB, grant.gpus.as_ref().map(|gpus| gpus[0].share))),
        Some((22, Some(458)))
    );
    // Where it is said, that counts.
    let mut said = asking(kit::sweep(2, 21, 30), |resources| resources.memory = Some(GB));
    said.sweep.wishes.priority = 1;
    queue.apply(&Entry::Submitted(vec![said]));
    assert_eq!(kit::carry_out(&mut queue, &world, 0).0.len(), 10);
}

#[test]
fn what_earlier_runs_took_keeps_none_from_a_machine_of_its_own() {
    let world = local(64, 0, |place| place.memory_elsewhere = 30 * GB);
    let mut queue = kit::queue([kit::sweep(1, 1, 9)]);
    for run in 1..=3 {
        queue.apply(&took(run, 62 * GB, 0));
    }
    assert_eq!(kit::carry_out(&mut queue, &world, 0).0, [4]);
    assert_eq!(Queue::never_fits(&world, &queue.needs("project", "experiment", &Needs::of(&kit::sweep(1, 1, 1).sweep, None))), None);
}
