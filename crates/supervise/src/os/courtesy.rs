//! How a process shares the machine: which processors it may use, and when it stands back for others.
#![expect(
    unsafe_code,
    reason = "sched_setaffinity and ioprio_set have no safe form that knows every processor; each use says why it is sound"
)]

use super::fork;
use neronet_model::launch::{Courtesy, DiskTurn};

/// Binds this process, and all that it starts, to these processors; none: as it is. Where they are not ours any more it may go on
/// as it is, rather than not at all.
pub(crate) fn bind(cores: &[u32]) {
    const BITS: usize = libc::c_ulong::BITS as usize;
    let Some(last) = cores.iter().max() else { return };
    let mut mask: Vec<libc::c_ulong> = vec![0; *last as usize / BITS + 1];
    for core in cores {
        mask[*core as usize / BITS] |= 1 << (*core as usize % BITS);
    }
    // SAFETY: the kernel reads so many bytes of the mask, which outlives the call.
    unsafe { libc::sched_setaffinity(0, size_of_val(mask.as_slice()), mask.as_ptr().cast()) };
}

/// For this thread, and all that it starts. A refusal changes nothing.
pub fn stand_back(courtesy: Courtesy) {
    // linux/ioprio.h: a class, and where it has some a level in it.
    const PROCESS: libc::c_int = 1;
    const CLASS: libc::c_int = 13;
    if courtesy.nice != 0 {
        fork::be_nice(courtesy.nice);
    }
    let turn = courtesy.disk.map(|turn| match turn {
        DiskTurn::Last => 2 << CLASS | 7,
        DiskTurn::Idle => 3 << CLASS,
    });
    if let Some(turn) = turn {
        // SAFETY: plain values only.
        unsafe { libc::syscall(libc::SYS_ioprio_set, PROCESS, 0, turn) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_bound_and_stands_back_as_a_process_is() {
        let own = || {
            let status = std::fs::read_to_string("/proc/thread-self/status").expect("there");
            let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).expect("told").trim().to_string();
            let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("there");
            // Field 19 of proc(5), counted behind the name.
            let nice = stat[stat.rfind(')').expect("a name") + 1..].split_ascii_whitespace().nth(16).expect("told").to_string();
            // SAFETY: plain values only.
            (list, nice, unsafe { libc::syscall(libc::SYS_ioprio_get, 1, 0) })
        };
        // What a thread is told says nothing to the others.
        std::thread::spawn(move || {
            let before = own();
            bind(&[]);
            stand_back(Courtesy::default());
            assert_eq!(own(), before);
            let first: u32 = before.0.split(['-', ',']).next().and_then(|core| core.parse().ok()).expect("a number");
            bind(&[first, 5_000]);
            stand_back(Courtesy { nice: 3, disk: Some(DiskTurn::Last) });
            assert_eq!(own(), (first.to_string(), (before.1.parse::<i32>().expect("a number") + 3).min(19).to_string(), 2 << 13 | 7));
            stand_back(Courtesy { nice: 0, disk: Some(DiskTurn::Idle) });
            assert_eq!(own().2, 3 << 13);
            bind(&[5_000]);
            assert_eq!(own().0, first.to_string(), "no such processor: it stays as it is");
        })
        .join()
        .expect("holds");
    }
}
