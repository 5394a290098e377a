//! Submissions, machines and ends in few words, for the tests and the benchmark.
#![allow(dead_code, unreachable_pub, reason = "each of those who share it uses some of it")]

use neronet_model::attempt::End;
use neronet_model::event::Process;
use neronet_model::journal::{Code, Entry, Handed, Member, Submitted, Sweep};
use neronet_model::outcome::Cause;
use neronet_model::queue::{Gpu, GpuVendor, Grant, Machine, Wishes};
use neronet_model::run::{Again, Decision, KnownEnd};
use neronet_model::settings::{Command, Gpus, Resources, Settings};
use neronet_model::time::Millis;
use neronet_model::{Attempt, AttemptNo, Outcome, Params, RunId, SweepId, Uid, UnixMs};
use neronet_schedule::{Decided, Limits, Mine, Place, Queue, Start, World};
use std::collections::BTreeMap;
use std::sync::Arc;

pub fn process(pid: i32) -> Process {
    Process { host: "here".into(), boot: "boot".into(), pid_namespace: 1, pid, start: 1 }
}

/// A submission to whoever keeps the queue: sweep `id` with the runs `first..=last`, each without a GPU and of a whole machine's
/// processors only where that is said.
pub fn sweep(id: u64, first: u64, last: u64) -> Submitted {
    let mut settings = Settings::of(Command::Argv(vec!["true".into()]));
    settings.resources = Resources { cpus: Some(1), gpus: Some(Gpus::Count(0)), ..Resources::default() };
    let sweep = Sweep {
        id: SweepId(id),
        at: UnixMs(0),
        project: "project".into(),
        experiment: "experiment".into(),
        settings: settings.into(),
        varying: Vec::new(),
        parallel: None,
        driver: process(1),
        detached: true,
        code: Code::default(),
        host: "here".into(),
        user: "somebody".into(),
        spec: None,
        best_of: Vec::new(),
        wishes: Wishes::default(),
        targets: Vec::new(),
        imported: None,
    };
    let member = |run| Member {
        id: RunId(run),
        uid: Uid::new(run, [0; 10]),
        params: Params::new(),
        after: None,
        gpus: None,
        tags: Vec::new(),
        note: None,
    };
    Submitted { sweep, members: (first..=last).map(member).collect() }
}

/// The same with so many GPUs for each run.
pub fn with_gpus(mut submitted: Submitted, gpus: u32) -> Submitted {
    settings(&mut submitted).resources.gpus = Some(Gpus::Count(gpus));
    submitted
}

/// To be changed.
pub fn settings(submitted: &mut Submitted) -> &mut Settings {
    Arc::make_mut(&mut submitted.sweep.settings)
}

pub fn queue(submitted: impl IntoIterator<Item = Submitted>) -> Queue {
    let mut queue = Queue::default();
    submitted.into_iter().for_each(|one| queue.apply(&Entry::Submitted(vec![one])));
    queue
}

pub fn place(name: &str, cores: u32, gpus: u32) -> Place {
    const GB: u64 = 1 << 30;
    let gpu = |index| Gpu { id: format!("{name}-{index}"), index, name: "a GPU".into(), vendor: GpuVendor::Nvidia, memory: 24 * GB };
    let machine = Machine { name: name.into(), cores: (0..cores).collect(), memory: 64 * GB, gpus: (0..gpus).map(gpu).collect() };
    Place { machine, limits: Limits::default(), ..Place::default() }
}

pub fn world(places: impl IntoIterator<Item = Place>) -> World {
    World { places: places.into_iter().collect(), ..World::default() }
}

pub fn runs(runs: impl IntoIterator<Item = u64>) -> Vec<RunId> {
    runs.into_iter().map(RunId).collect()
}

/// The attempt ended so, after so many milliseconds.
pub fn end(n: u64, outcome: Outcome, cause: Option<Cause>, at: UnixMs, lasted: u64) -> KnownEnd {
    let mut attempt = Attempt::new(AttemptNo(n));
    attempt.lasted = Some(Millis(lasted));
    attempt.end = Some(End { outcome, cause, at, last_lines: Vec::new(), summary: Default::default() });
    KnownEnd { attempt, outcome, started: None, metrics: BTreeMap::new() }
}

pub fn ended(run: u64, end: KnownEnd) -> Entry {
    Entry::Ended { run: RunId(run), end: Box::new(end) }
}

/// The first attempt finished.
pub fn finished(run: u64, at: i64, lasted: u64) -> Entry {
    ended(run, end(1, Outcome::Finished, None, UnixMs(at), lasted))
}

pub fn failed(run: u64, n: u64, at: i64) -> Entry {
    ended(run, end(n, Outcome::Failed, Some(Cause::ExitCode(1)), UnixMs(at), 1_000))
}

/// What the queue decides now, in the words of the journal.
pub fn carry_out(queue: &mut Queue, world: &World, now: i64) -> (Vec<u64>, Decided) {
    let decided = queue.decide(world, UnixMs(now), Mine::Detached);
    for start in &decided.starts {
        queue.apply(&started(start, now));
    }
    (decided.starts.iter().map(|start| start.run.0).collect(), decided)
}

pub fn started(Start { run, attempt, grant }: &Start, now: i64) -> Entry {
    Entry::Started { at: UnixMs(now), run: *run, attempt: *attempt, grant: Box::new(grant.clone()), driver: process(1) }
}

/// Given all processors of a machine without deciding.
pub fn granted(run: u64, machine: &str, cpus: u32, now: i64) -> Entry {
    let grant = Grant { machine: machine.into(), cpus, ..Grant::default() };
    Entry::Started { at: UnixMs(now), run: RunId(run), attempt: AttemptNo(1), grant: Box::new(grant), driver: process(1) }
}

/// Somebody asks for another attempt, started by whoever keeps the queue.
pub fn retry(run: u64, attempt: u64) -> Entry {
    let decision = Decision::new(RunId(run), AttemptNo(attempt), Again::Retry, None);
    Entry::Decided { at: UnixMs(0), decision }
}

/// The same, because neronet decided on it.
pub fn retry_by_itself(run: u64, attempt: u64) -> Entry {
    let mut decision = Decision::new(RunId(run), AttemptNo(attempt), Again::Retry, None);
    decision.because = Some("exit code 1".into());
    Entry::Decided { at: UnixMs(0), decision }
}

/// Given nothing, but begun.
pub fn granted_as(run: u64, attempt: u64) -> Entry {
    granted_at(run, attempt, 0)
}

pub fn granted_at(run: u64, attempt: u64, at: i64) -> Entry {
    let grant = Grant { machine: "local".into(), cpus: 1, ..Grant::default() };
    Entry::Started { at: UnixMs(at), run: RunId(run), attempt: AttemptNo(attempt), grant: Box::new(grant), driver: process(1) }
}

/// A target is given the run, with room for it or not.
pub fn handed(run: u64, n: u64, granted: bool) -> Entry {
    let grant = Grant { machine: "far".into(), cpus: 1, memory: 5, ..Grant::default() };
    let handed = Handed { run: RunId(run), attempt: AttemptNo(n), grant: granted.then(|| Box::new(grant)) };
    Entry::Handed { at: UnixMs(3), target: "far".into(), epoch: run, runs: vec![handed] }
}
