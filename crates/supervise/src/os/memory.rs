//! Memory: whether the kernel killed for it, by counters before and after, how much processes hold, and giving some back.

#![expect(unsafe_code, reason = "madvise on mappings that the kernel's own list names, and a word to the allocator")]

use super::kernel_file;
use neronet_model::Millis;

/// How often the kernel killed for lack of memory so far, as seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kills {
    /// In our own control group: the precise answer where there is one.
    Group(u64),
    /// On the whole machine. To count there takes the kernel longer.
    Machine(Option<u64>),
}

impl Kills {
    pub fn so_far() -> Kills {
        group_kills().map_or_else(|| Kills::Machine(counter("/proc/vmstat", "oom_kill")), Kills::Group)
    }

    /// Somebody was killed between `self` and `later`. Only together with a death by KILL does it say who.
    pub fn more_in(self, later: Kills) -> bool {
        match (self, later) {
            (Kills::Group(before), Kills::Group(after)) | (Kills::Machine(Some(before)), Kills::Machine(Some(after))) => after > before,
            _ => false,
        }
    }
}

/// cgroup v2: `memory.events`; v1: `memory.oom_control`; both have a line `oom_kill N`.
fn group_kills() -> Option<u64> {
    let groups = kernel_file::read("/proc/self/cgroup").ok()?;
    groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        match controllers {
            "" => counter(&format!("/sys/fs/cgroup{path}/memory.events"), "oom_kill"),
            list if list.split(',').any(|name| name == "memory") => {
                counter(&format!("/sys/fs/cgroup/memory{path}/memory.oom_control"), "oom_kill")
            }
            _ => None,
        }
    })
}

/// Bytes that these processes hold together. What several of them share counts once, where the kernel tells their shares.
pub fn held_by(pids: &[i32]) -> u64 {
    let kilobytes = |path: String, name: &str| {
        let text = kernel_file::read(&path).ok()?;
        text.lines().find_map(|line| line.strip_prefix(name)?.split_ascii_whitespace().next()?.parse::<u64>().ok())
    };
    let held = |pid: &i32| {
        // To tell the shares costs the kernel a walk through all pages: only where there is something to share.
        let share = if pids.len() > 1 { kilobytes(format!("/proc/{pid}/smaps_rollup"), "Pss:") } else { None };
        share.or_else(|| kilobytes(format!("/proc/{pid}/status"), "VmRSS:")).unwrap_or(0) * 1024
    };
    pids.iter().map(held).sum()
}

/// Who has lived for so long probably goes on to; what is short gives nothing back before its end.
pub(crate) const SETTLES: Millis = Millis(100);

/// Lets go of the pages of code that the beginning used and that the rest of a long life does not: what is needed comes back
/// from the page cache.
pub(crate) fn let_go_of_code() {
    for line in kernel_file::read("/proc/self/maps").unwrap_or_default().lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(range), Some("r-xp"), Some(path)) = (words.next(), words.next(), words.nth(3)) else { continue };
        let Some((from, to)) = range.split_once('-') else { continue };
        let (Ok(from), Ok(to)) = (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16)) else { continue };
        if path.starts_with('/') {
            // SAFETY: a private mapping of a file that nobody can have written to: its pages are read from the file again.
            unsafe { libc::madvise(from as *mut libc::c_void, to - from, libc::MADV_DONTNEED) };
        }
    }
}

/// Has all threads take their memory from few places: of many threads that each do little, what one has let go is there for the next.
pub fn shared_by_threads() {
    // SAFETY: it changes a number of the allocator's, before other threads are there.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 2) };
}

fn counter(path: &str, name: &str) -> Option<u64> {
    let text = kernel_file::read(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}
