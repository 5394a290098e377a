//! How much GPU memory processes hold while they run, as `nvidia-smi` tells it. Where that is absent there is nothing to tell.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(500);

/// Asks until it is dropped. It asks in a thread of its own, for which nobody waits: `nvidia-smi` may take seconds, and hangs
/// where a GPU does.
pub struct GpuMemory {
    /// Bytes by process, of the last answer.
    held: Arc<Mutex<BTreeMap<i32, u64>>>,
    done: Arc<AtomicBool>,
}

impl GpuMemory {
    pub fn watch() -> GpuMemory {
        let watched = GpuMemory { held: Arc::default(), done: Arc::default() };
        let (held, done) = (Arc::clone(&watched.held), Arc::clone(&watched.done));
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed)
                && let Some(answer) = ask()
            {
                *held.lock().unwrap_or_else(PoisonError::into_inner) = read(&answer);
                std::thread::sleep(PAUSE);
            }
        });
        watched
    }

    /// Bytes that these processes held together when it was last asked; nothing where they held none.
    pub fn of(&self, pids: &[i32]) -> Option<u64> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        Some(pids.iter().filter_map(|pid| held.get(pid)).sum()).filter(|bytes| *bytes > 0)
    }
}

impl Drop for GpuMemory {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
    }
}

fn ask() -> Option<String> {
    let words = ["--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"];
    let answer = Command::new("nvidia-smi").args(words).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    answer.status.success().then(|| String::from_utf8_lossy(&answer.stdout).into_owned())
}

/// `PID, MEBIBYTES` for each process on each GPU; where the driver does not know, a word stands instead.
fn read(answer: &str) -> BTreeMap<i32, u64> {
    let mut held = BTreeMap::new();
    for line in answer.lines() {
        let pair = line.split_once(',').and_then(|(pid, memory)| Some((pid.trim().parse().ok()?, memory.trim().parse::<u64>().ok()?)));
        if let Some((pid, memory)) = pair {
            *held.entry(pid).or_default() += memory << 20;
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_process_is_summed_over_gpus() {
        let held = read("12, 512\n12, 256\n13, [N/A]\nNo devices were found\n14, 1\n");
        assert_eq!(held, BTreeMap::from([(12, 768 << 20), (14, 1 << 20)]));
    }
}
