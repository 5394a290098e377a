//! Processes that can be told apart for ever, and the trees that they make.

use super::kernel_file;
use neronet_model::event::Process;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

/// Whether a recorded process still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alive {
    Yes,
    No,
    /// It ran on another host, or in a pid namespace that cannot be seen from here: only that place can tell.
    ElsewhereUnknown,
}

/// This host, boot and pid namespace, in which pids have their meaning.
fn place() -> (String, String, u64) {
    let host = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (boot, namespace) = boot_and_namespace();
    (host, boot.clone(), *namespace)
}

/// They cannot change while we live, nor for those forked from us: asked for once.
fn boot_and_namespace() -> &'static (String, u64) {
    static KNOWN: OnceLock<(String, u64)> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let boot = kernel_file::read("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_string();
        let namespace = fs::read_link("/proc/self/ns/pid")
            .ok()
            .and_then(|link| link.to_string_lossy().trim_start_matches("pid:[").trim_end_matches(']').parse().ok())
            .unwrap_or(0);
        (boot, namespace)
    })
}

/// The process with this pid now; `None` when there is none, or only a zombie.
pub fn identify(pid: i32) -> Option<Process> {
    let stat = stat(pid)?;
    let (host, boot, pid_namespace) = place();
    (stat.state != 'Z').then_some(Process { host, boot, pid_namespace, pid, start: stat.start })
}

/// As `identify`, for a child of ours that may already be a zombie.
pub fn identify_child(pid: i32) -> Process {
    let (host, boot, pid_namespace) = place();
    Process { host, boot, pid_namespace, pid, start: stat(pid).map_or(0, |stat| stat.start) }
}

pub fn myself() -> Process {
    identify_child(nix::unistd::getpid().as_raw())
}

pub fn alive(process: &Process) -> Alive {
    let (host, boot, namespace) = place();
    // The boot tells the machine, whatever that is called now.
    if process.boot != boot {
        return if process.host == host { Alive::No } else { Alive::ElsewhereUnknown };
    }
    if process.pid_namespace != namespace {
        return Alive::ElsewhereUnknown;
    }
    match stat(process.pid) {
        Some(stat) if stat.start == process.start && stat.state != 'Z' => Alive::Yes,
        _ => Alive::No,
    }
}

/// It was started since this machine came up, perhaps in another container.
pub fn same_boot(process: &Process) -> bool {
    process.boot == place().1
}

/// The machine went down since the process was started.
pub fn rebooted_since(process: &Process) -> bool {
    let (host, boot, _) = place();
    process.host == host && process.boot != boot
}

/// Sends a signal to a recorded process, if it is still that process.
pub fn signal(process: &Process, signal: Signal) -> bool {
    alive(process) == Alive::Yes && kill(Pid::from_raw(process.pid), signal).is_ok()
}

/// Becomes readable when the process ends. Nothing where it has ended, or the kernel cannot say so (before 5.3).
#[expect(unsafe_code, reason = "pidfd_open has no safe wrapper; it takes numbers and gives a new descriptor")]
pub fn end_of(process: &Process) -> Option<OwnedFd> {
    // SAFETY: no memory of ours is touched, and what is given is ours alone.
    let fd = unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, process.pid, 0);
        (fd >= 0).then(|| OwnedFd::from_raw_fd(fd as RawFd))
    };
    // Opened first: from now on the number cannot become another process's.
    fd.filter(|_| alive(process) == Alive::Yes)
}

struct Stat {
    state: char,
    parent: i32,
    start: u64,
}

/// Fields 3, 4 and 22 of /proc/PID/stat (proc(5)); the name in field 2 may hold spaces and parentheses.
fn stat(pid: i32) -> Option<Stat> {
    let text = kernel_file::read(&format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text[text.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let start = fields.nth(17)?.parse().ok()?;
    Some(Stat { state, parent, start })
}

/// A sweep that was detached from within a run, or the daemon: it goes on without whoever started it.
fn is_detached(pid: i32) -> bool {
    let binary = |pid: &str| fs::metadata(format!("/proc/{pid}/exe")).ok().map(|meta| (meta.dev(), meta.ino()));
    let words = || kernel_file::read(&format!("/proc/{pid}/cmdline")).unwrap_or_default();
    words().starts_with("neronet\0serve\0") && binary("self").is_some_and(|own| binary(&pid.to_string()) == Some(own))
}

/// Every living descendant of `root`, those that changed session or group included, but for detached sweeps and what they run.
pub fn descendants(root: i32) -> Vec<i32> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    for pid in entries.flatten().filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok())) {
        if let Some(stat) = stat(pid).filter(|stat| stat.state != 'Z') {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        for child in children.remove(&pid).unwrap_or_default().into_iter().filter(|child| !is_detached(*child)) {
            found.push(child);
            next.push(child);
        }
    }
    found
}

/// The same from what the kernel knows of each process's children, where it tells: without a look at all others. Children that
/// come and go meanwhile may be missed.
pub fn descendants_at_a_glance(root: i32) -> Vec<i32> {
    let children = |pid: i32| {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
        lists.flat_map(|list| list.split_ascii_whitespace().filter_map(|child| child.parse().ok()).collect::<Vec<i32>>())
    };
    if fs::metadata(format!("/proc/{root}/task/{root}/children")).is_err() {
        return descendants(root);
    }
    let mut found = Vec::new();
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        for child in children(pid).filter(|child| !is_detached(*child)) {
            found.push(child);
            next.push(child);
        }
    }
    found
}

/// Every living process that was started with this variable.
pub fn with_variable(name: &str, value: &str) -> Vec<i32> {
    let wanted = format!("{name}={value}");
    started_with(|variable| variable == wanted.as_bytes())
}

/// The same of all whose variable begins so.
pub fn with_variable_below(name: &str, value: &str) -> Vec<i32> {
    let wanted = format!("{name}={value}");
    started_with(|variable| variable.starts_with(wanted.as_bytes()))
}

fn started_with(wanted: impl Fn(&[u8]) -> bool) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()));
    let has = |pid: &i32| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|b| *b == 0).any(&wanted) && stat(*pid).is_some_and(|stat| stat.state != 'Z')
    };
    pids.filter(has).collect()
}

/// Whether a process has a child besides `except` and detached sweeps. A quick answer where the kernel gives one, else by looking at all.
pub fn has_children_besides(pid: i32, except: i32) -> bool {
    match kernel_file::read(&format!("/proc/{pid}/task/{pid}/children")) {
        Ok(list) => {
            list.split_ascii_whitespace().filter_map(|child| child.parse().ok()).any(|child| child != except && !is_detached(child))
        }
        Err(_) => descendants(pid).iter().any(|child| *child != except),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_until_it_ends_and_its_pid_is_not_enough() {
        let me = myself();
        assert_eq!(alive(&me), Alive::Yes);
        assert_eq!(alive(&Process { start: me.start + 1, ..me.clone() }), Alive::No);
        assert_eq!(alive(&Process { boot: "another".into(), ..me.clone() }), Alive::No);
        assert_eq!(alive(&Process { host: "another".into(), ..me.clone() }), Alive::Yes);
        assert_eq!(alive(&Process { host: "another".into(), boot: "another".into(), ..me }), Alive::ElsewhereUnknown);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep is everywhere");
        let process = identify(child.id() as i32).expect("it runs");
        assert!(descendants(me.pid).contains(&process.pid));
        assert!(descendants_at_a_glance(me.pid).contains(&process.pid));
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        assert_eq!(alive(&process), Alive::No);
    }
}
