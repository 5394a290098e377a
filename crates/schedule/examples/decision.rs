//! How long decisions, reasons and forecasts take with 100,000 queued runs and 100 machines: JSON on standard output, milliseconds.

#[path = "../tests/kit/mod.rs"]
mod kit;

use neronet_model::UnixMs;
use neronet_model::journal::Entry;
use neronet_schedule::{Mine, Queue, World};
use std::hint::black_box;
use std::time::Instant;

const RUNS: u64 = 100_000;
const ROUNDS: usize = 21;

fn milliseconds<T>(rounds: usize, mut what: impl FnMut() -> T) -> String {
    let mut took: Vec<f64> = Vec::new();
    for _ in 0..rounds {
        let began = Instant::now();
        black_box(what());
        took.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    took.sort_by(f64::total_cmp);
    format!("{:.3}", took[took.len() / 2])
}

fn submit(sweeps: u64, name: impl Fn(u64) -> String) -> Queue {
    let each = RUNS / sweeps;
    let all = (0..sweeps).map(|n| {
        let mut submitted = kit::with_gpus(kit::sweep(n + 1, n * each + 1, (n + 1) * each), 1);
        submitted.sweep.experiment = name(n);
        submitted
    });
    let mut queue = Queue::default();
    queue.apply(&Entry::Submitted(all.collect()));
    queue
}

/// 100 machines with 8 GPUs; `full`: with runs on all of them.
fn figures(name: &str, mut queue: Queue, world: &World) -> String {
    let start = milliseconds(ROUNDS, || queue.decide(world, UnixMs(0), Mine::Detached));
    let (runs, _) = kit::carry_out(&mut queue, world, 0);
    let wait = milliseconds(ROUNDS, || queue.decide(world, UnixMs(1_000), Mine::Detached));
    let first = runs[0];
    queue.apply(&kit::finished(first, 1_000, 1_000));
    let one = milliseconds(ROUNDS, || queue.decide(world, UnixMs(1_000), Mine::Detached));
    for run in &runs[1..100] {
        queue.apply(&kit::finished(*run, 1_000, 60_000));
    }
    let (_, decided) = kit::carry_out(&mut queue, world, 1_000);
    let queued = milliseconds(ROUNDS, || queue.queued());
    let all = queue.queued();
    let reasons = milliseconds(ROUNDS, || all.iter().take(1_000).filter_map(|run| queue.reason(*run, &decided, UnixMs(1_000))).count());
    let forecast = milliseconds(5, || queue.forecast(world, UnixMs(1_000), 1_000, Mine::Detached));
    format!(
        "{{\"name\": \"{name}\", \"starts\": {}, \"start\": {start}, \"wait\": {wait}, \"one\": {one}, \"queued\": {queued}, \
         \"reasons\": {reasons}, \"forecast\": {forecast}}}",
        runs.len()
    )
}

fn main() {
    let world = kit::world((0..100).map(|n| kit::place(&format!("machine-{n}"), 64, 8)));
    let same = |_| "experiment".to_string();
    let all = [
        figures("1 sweep", submit(1, same), &world),
        figures("1,000 sweeps", submit(1_000, same), &world),
        figures("100,000 sweeps", submit(RUNS, same), &world),
        figures("100,000 experiments", submit(RUNS, |n| format!("experiment-{n}")), &world),
    ];
    println!("[{}]", all.join(",\n "));
}
