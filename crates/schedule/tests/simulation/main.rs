//! Many days of a queue in a second: the real queue, with a clock, machines, a disk, keepers and processes that are simulated and
//! fail in every way they can. `SIM_SEEDS=n` tries so many seeds, `SIM_SEED=x` repeats one.

mod actors;
mod chance;
mod checks;
mod far;
mod home;
#[path = "../kit/mod.rs"]
mod kit;
mod simulation;

use simulation::Simulation;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn nothing_is_lost_and_nothing_runs_twice() {
    if let Some(seed) = number("SIM_SEED") {
        let told = Simulation::new(seed, true).carry_out();
        println!("seed {seed}: {told:?}");
        return;
    }
    let seeds = number("SIM_SEEDS").unwrap_or(500);
    let next = AtomicU64::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut failed = Vec::new();
        let mut sum = simulation::Told::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return (failed, sum);
            }
            match catch_unwind(AssertUnwindSafe(|| Simulation::new(seed, false).carry_out())) {
                Ok(told) => sum.add(&told),
                Err(_) => failed.push(seed),
            }
        }
    };
    let (mut failed, mut sum) = (Vec::new(), simulation::Told::default());
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for worker in all {
            let (some, told) = worker.join().unwrap_or_default();
            failed.extend(some);
            sum.add(&told);
        }
    });
    failed.sort_unstable();
    println!("{seeds} seeds: {sum:?}");
    let again: Vec<String> =
        failed.iter().map(|seed| format!("SIM_SEED={seed} cargo test -p neronet-schedule --test simulation -- --nocapture")).collect();
    assert!(failed.is_empty(), "{} of {seeds} seeds failed; again:\n{}", failed.len(), again.join("\n"));
    // What never happens is not tested either.
    assert!(seeds < 100 || sum.all_happened(), "{sum:?}");
}
