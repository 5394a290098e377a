//! The calls that Rust cannot check: fork, exec, wait. The keeper that makes them has one thread, always.
#![expect(unsafe_code, reason = "fork, execve, wait4 and prctl have no safe form; each use says why it is sound")]

use super::kernel_file;
use nix::errno::Errno;
use nix::unistd::{ForkResult, Pid, fork};
use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// Forks; `child` runs in the new process and its result is that process's exit status.
/// Call only from a process with one thread.
pub fn fork_into(child: impl FnOnce() -> i32) -> nix::Result<Pid> {
    // SAFETY: the caller has one thread, so the child may do anything that the parent could.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let status = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(101);
            // SAFETY: _exit never returns and runs none of the parent's exit handlers.
            unsafe { libc::_exit(status) }
        }
    }
}

/// Everything that exec needs, made before the fork.
pub struct Exec {
    /// Candidates for the program's path, tried in order.
    pub programs: Vec<CString>,
    pub argv: Vec<CString>,
    pub env: Vec<CString>,
}

impl Exec {
    /// Replaces this process. Returns only when it cannot, with the most telling error: a program that is there and may
    /// not be executed says more than the folders where it is not.
    pub fn replace_me(&self) -> Errno {
        let argv = pointers(&self.argv);
        let env = pointers(&self.env);
        let mut telling = Errno::ENOENT;
        for program in &self.programs {
            // SAFETY: the pointer lists end with null and point into strings that outlive the call.
            unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
            match Errno::last() {
                Errno::ENOENT | Errno::ENOTDIR => {}
                errno => telling = errno,
            }
        }
        telling
    }
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

/// How a child ended, and what it used.
#[derive(Debug, Clone, Copy)]
pub struct Reaped {
    pub pid: i32,
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub user_ms: u64,
    pub system_ms: u64,
    pub peak_memory_kb: u64,
}

/// Takes the next child that has ended, if one has.
pub fn reap() -> Option<Reaped> {
    let mut status = 0;
    // SAFETY: an all-zero rusage is a valid one, and wait4 fills both in.
    let (pid, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::wait4(-1, &raw mut status, libc::WNOHANG, &raw mut usage), usage)
    };
    if pid <= 0 {
        return None;
    }
    let ms = |time: libc::timeval| time.tv_sec as u64 * 1000 + time.tv_usec as u64 / 1000;
    let exited = libc::WIFEXITED(status);
    Some(Reaped {
        pid,
        code: exited.then(|| libc::WEXITSTATUS(status)),
        signal: (!exited).then(|| libc::WTERMSIG(status)),
        user_ms: ms(usage.ru_utime),
        system_ms: ms(usage.ru_stime),
        peak_memory_kb: usage.ru_maxrss as u64,
    })
}

/// From now on orphaned descendants become our children.
pub fn become_subreaper() -> nix::Result<()> {
    // SAFETY: plain values only.
    Errno::result(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(drop)
}

/// The name that `ps` and `top` show.
pub fn set_name(name: &std::ffi::CStr) {
    // SAFETY: the string ends with NUL; the kernel copies at most 16 bytes.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
}

/// Makes `to` the same open file as `from`, inherited over exec.
pub fn install(from: BorrowedFd<'_>, to: RawFd) -> nix::Result<()> {
    // SAFETY: `from` is open for the length of the call; `to` is a standard stream, which nothing here owns.
    Errno::result(unsafe { libc::dup2(from.as_raw_fd(), to) }).map(drop)
}

/// Drops every descriptor from 3 on, besides those given: what the parent had open is not the supervisor's.
pub fn close_all_but(keep: &[RawFd]) {
    let mut keep: Vec<RawFd> = keep.iter().copied().filter(|fd| *fd > 2).collect();
    keep.sort_unstable();
    let mut from = 3;
    let closed = keep.iter().all(|fd| close_range(std::mem::replace(&mut from, fd + 1), fd - 1, 0)) && close_range(from, RawFd::MAX, 0);
    if !closed {
        for fd in open_from_3().into_iter().filter(|fd| !keep.contains(fd)) {
            // SAFETY: called right after a fork, before anything in this process owns these descriptors.
            unsafe { libc::close(fd) };
        }
    }
}

/// What our caller had open from 3 on goes to no process that we start: the daemon and the nursery live on when the caller's `flock` or
/// pipe must not. We keep it ourselves, for as long as we live. To be called first of all, as everything that we open says this itself.
pub fn pass_nothing_on() {
    if close_range(3, RawFd::MAX, libc::CLOSE_RANGE_CLOEXEC) {
        return;
    }
    for fd in open_from_3() {
        // SAFETY: plain values only; one that was closed meanwhile is refused.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// False where the kernel is older: 5.9, and 5.11 for the flag.
fn close_range(first: RawFd, last: RawFd, flags: libc::c_uint) -> bool {
    // SAFETY: as where this is done one by one.
    first > last || unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) } == 0
}

fn open_from_3() -> Vec<RawFd> {
    let open = std::fs::read_dir("/proc/self/fd");
    let numbers = open.into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(|fd| *fd > 2).collect()
}

/// Sets what a signal does.
pub fn set_handler(signal: nix::sys::signal::Signal, action: &nix::sys::signal::SigAction) {
    // SAFETY: only default and ignore are ever installed, so no handler code can run at a bad time.
    unsafe { nix::sys::signal::sigaction(signal, action) }.ok();
}

/// Yields to others on a busy machine.
pub fn be_nice(by: i32) {
    // SAFETY: plain values only; a refusal changes nothing.
    unsafe { libc::nice(by) };
}

/// Takes charge of a descriptor that the kernel has just given us.
pub fn own(fd: RawFd) -> std::os::fd::OwnedFd {
    // SAFETY: it came with a message and is open, ours, and known to nobody else.
    unsafe { std::os::fd::FromRawFd::from_raw_fd(fd) }
}

/// What `ps` shows of this process, in place of the words that it was executed with and within their room.
pub fn set_title(words: &[&[u8]]) {
    let Some((start, end)) = words_in_memory() else { return };
    let mut title = words.join(&0);
    title.resize(end - start, 0);
    if let Some(last) = title.last_mut() {
        *last = 0;
    }
    // SAFETY: the kernel says that our own words lie there, and they are writable memory of this process. Rust copied them
    // when it started; nothing refers to them any more.
    unsafe { std::ptr::copy_nonoverlapping(title.as_ptr(), std::ptr::with_exposed_provenance_mut(start), title.len()) };
}

/// Fields 48 and 49 of /proc/self/stat (proc(5)).
fn words_in_memory() -> Option<(usize, usize)> {
    let stat = kernel_file::read("/proc/self/stat").ok()?;
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace().skip(45);
    let (start, end) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    (start < end).then_some((start, end))
}
