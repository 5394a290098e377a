//! Whether the kernel killed for memory: counters before and after.

use super::kernel_file;

/// How often the kernel killed for lack of memory so far, as seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kills {
    /// In our own control group: the precise answer where there is one.
    group: Option<u64>,
    /// On the whole machine.
    machine: Option<u64>,
}

impl Kills {
    pub fn so_far() -> Kills {
        Kills { group: group_kills(), machine: counter("/proc/vmstat", "oom_kill") }
    }

    /// Somebody was killed between `self` and `later`. Only together with a death by KILL does it say who.
    pub fn more_in(self, later: Kills) -> bool {
        let grew = |before: Option<u64>, after: Option<u64>| matches!((before, after), (Some(a), Some(b)) if b > a);
        match (self.group, later.group) {
            (Some(_), Some(_)) => grew(self.group, later.group),
            _ => grew(self.machine, later.machine),
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

fn counter(path: &str, name: &str) -> Option<u64> {
    let text = kernel_file::read(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}
