//! How much memory the processes of a run hold, and how much of GPUs, looked at now and then: the most of it is on record.

use super::Supervisor;
use crate::os::{clock, memory, process};
use crate::start;
use neronet_machine::{Gpus, Seen, uses_a_gpu};
use neronet_model::Millis;
use neronet_model::event::Event;
use neronet_model::launch::Launch;
use neronet_model::queue::WHOLE;
use std::time::Duration;

/// Runs shorter than this are not looked at: the kernel tells of their largest process.
const FIRST: Millis = Millis(1_000);
/// Between two looks, which come closer together in the beginning.
const PAUSE: Millis = Millis(5_000);
/// Looking may take so small a share of the time.
const SHARE: u64 = 500;
/// What is learned later is on record when it is so much more, as one part of what was.
const MORE: u64 = 10;
/// A driver that is awake answers faster.
const PATIENCE: Duration = Duration::from_millis(10);

pub(super) struct Usage {
    /// Loaded when the run has a GPU.
    gpus: Option<Gpus>,
    /// It may see GPUs.
    may_use: bool,
    /// Those that it has to itself.
    own: Vec<String>,
    given: bool,
    next: Millis,
    settled: bool,
    peak: Peak,
    told: Peak,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Peak {
    /// Bytes.
    memory: u64,
    gpu_memory: Option<u64>,
}

impl Usage {
    pub(super) fn of(launch: &Launch) -> Usage {
        let given = launch.grant.as_ref().and_then(|grant| grant.gpus.as_ref());
        let own = given.into_iter().flatten().filter(|gpu| gpu.share == WHOLE).map(|gpu| gpu.id.clone());
        Usage {
            gpus: None,
            may_use: given.is_none_or(|gpus| !gpus.is_empty()),
            own: own.collect(),
            given: given.is_some(),
            next: FIRST,
            settled: false,
            peak: Peak::default(),
            told: Peak::default(),
        }
    }

    fn add(&mut self, pids: &[i32]) {
        self.peak.memory = self.peak.memory.max(memory::held_by(pids));
        if self.may_use && self.gpus.is_none() && (self.given || pids.iter().any(|pid| uses_a_gpu(*pid))) {
            self.gpus = Some(Gpus::quiet());
        }
        let Some(gpus) = &mut self.gpus else { return };
        let held: u64 = gpus.look(PATIENCE).iter().map(|seen| held_of(seen, pids, &self.own)).sum();
        self.peak.gpu_memory = self.peak.gpu_memory.max(Some(held).filter(|held| *held > 0));
    }

    /// What is not on record yet: all of it in the end, before that only what is much more.
    fn untold(&mut self, last: bool) -> Option<Event> {
        let more = |now: u64, told: u64| now > told + told / MORE;
        let (now, told) = (self.peak, self.told);
        let much = more(now.memory, told.memory) || more(now.gpu_memory.unwrap_or(0), told.gpu_memory.unwrap_or(0));
        (much || (last && now != told)).then(|| {
            self.told = now;
            Event::Peak { memory_kb: now.memory / 1024, gpu_memory: now.gpu_memory }
        })
    }
}

/// What these processes hold of a GPU. Where the driver shows no process, all of it is the run's that has the GPU to itself.
fn held_of(Seen { gpu, now }: &Seen, pids: &[i32], own: &[String]) -> u64 {
    if now.processes.is_empty() && own.contains(&gpu.id) {
        return now.memory.saturating_sub(now.drawing);
    }
    now.processes.iter().filter(|holder| pids.contains(&holder.pid)).filter_map(|holder| holder.memory).sum()
}

impl Supervisor<'_> {
    /// Looks at the processes, when it is time to.
    pub(super) fn look_at_usage(&mut self) {
        let t = self.t();
        if t >= memory::SETTLES && !std::mem::replace(&mut self.usage.settled, true) {
            memory::let_go_of_code();
        }
        if t < self.usage.next {
            return;
        }
        let began = clock::boot_now();
        let pids = match &self.line {
            Some(_) => {
                let me = nix::unistd::getpid().as_raw();
                process::descendants_at_a_glance(nix::unistd::getppid().as_raw()).into_iter().filter(|pid| *pid != me).collect()
            }
            None => start::processes_of(&self.launch),
        };
        self.usage.add(&pids);
        let cost = clock::boot_now().0.saturating_sub(began.0);
        self.usage.next = Millis(t.0 + PAUSE.0.min(t.0 / 2).max(cost * SHARE));
        self.tell_usage(false);
    }

    pub(super) fn tell_usage(&mut self, last: bool) {
        if let Some(event) = self.usage.untold(last) {
            self.event(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neronet_machine::{Holder, Use};
    use neronet_model::queue::Gpu;

    #[test]
    fn gpu_memory_is_that_of_the_runs_processes_or_of_its_own_gpu_where_none_are_shown() {
        let seen = |pids: &[(i32, Option<u64>)]| {
            let processes = pids.iter().map(|(pid, memory)| Holder { pid: *pid, memory: *memory, word: String::new() }).collect();
            Seen { gpu: Gpu { id: "GPU-a".into(), ..Gpu::default() }, now: Use { memory: 500, drawing: 100, processes, ..Use::default() } }
        };
        let own = ["GPU-a".to_string()];
        assert_eq!(held_of(&seen(&[(1, Some(30)), (2, Some(7)), (3, None), (4, Some(300))]), &[1, 2, 3], &own), 37);
        assert_eq!(held_of(&seen(&[]), &[1], &own), 400);
        assert_eq!(held_of(&seen(&[]), &[1], &[]), 0);
    }
}
