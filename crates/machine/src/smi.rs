//! `nvidia-smi`, where its library cannot be loaded. It may hang: nobody waits for it longer than `LIMIT`.

use crate::gpus::{Holder, Seen, Use};
use neronet_model::queue::{Gpu, GpuVendor};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::ffi::OsStr;
use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(10);
/// More than this is no answer.
const LONGEST: usize = 1 << 20;

/// Nothing where it is not, or tells of no driver.
pub(crate) fn look(program: &OsStr) -> Option<Vec<Seen>> {
    let gpus = ask(program, "--query-gpu=index,uuid,name,memory.total,memory.used,utilization.gpu")?;
    let processes = ask(program, "--query-compute-apps=gpu_uuid,pid,used_memory").unwrap_or_default();
    Some(read(&gpus, &processes))
}

fn ask(program: &OsStr, query: &str) -> Option<String> {
    let words = [query, "--format=csv,noheader,nounits"];
    let mut child = Command::new(program).args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let answer = answer(&mut child);
    if answer.is_none() {
        // What hangs in the kernel ends later: it is not waited for.
        child.kill().ok();
        std::thread::spawn(move || child.wait());
    }
    answer
}

/// What it printed, once it has ended well.
fn answer(child: &mut Child) -> Option<String> {
    let deadline = Instant::now() + LIMIT;
    let mut output = child.stdout.take()?;
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::try_from(left).ok()?).ok()? == 0 || text.len() > LONGEST {
            return None;
        }
        match output.read(&mut buffer).ok()? {
            0 => break,
            read => text.extend(&buffer[..read]),
        }
    }
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().ok()? {
            return status.success().then(|| String::from_utf8_lossy(&text).into_owned());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    None
}

/// Lines of values with a comma between. What the driver does not know is a word in brackets.
fn read(gpus: &str, processes: &str) -> Vec<Seen> {
    let fields = |line: &str| line.split(',').map(|field| field.trim().to_string()).collect::<Vec<_>>();
    let mebibytes = |field: &String| Some(field.parse::<u64>().ok()? << 20);
    let processes: Vec<(String, Holder)> = processes
        .lines()
        .filter_map(|line| match fields(line).as_slice() {
            [gpu, pid, memory] => Some((gpu.clone(), Holder { pid: pid.parse().ok()?, memory: mebibytes(memory), word: String::new() })),
            _ => None,
        })
        .collect();
    let gpu = |line: &str| match fields(line).as_slice() {
        [index, id, name, total, used, utilisation] => {
            let of_it = processes.iter().filter(|(gpu, _)| gpu == id).map(|(_, holder)| holder.clone());
            let now =
                Use { memory: mebibytes(used).unwrap_or(0), utilisation: utilisation.parse().ok(), processes: of_it.collect(), drawing: 0 };
            let (id, name, memory) = (id.clone(), name.clone(), mebibytes(total).unwrap_or(0));
            Some(Seen { gpu: Gpu { id, index: index.parse().ok()?, name, vendor: GpuVendor::Nvidia, memory }, now })
        }
        _ => None,
    };
    gpus.lines().filter_map(gpu).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stand_in::StandIn;

    #[test]
    fn what_it_prints_is_read_and_what_it_does_not_know_is_left_open() {
        let stand_in = StandIn::new();
        let program = stand_in.path("nvidia-smi");
        assert_eq!(look(program.as_os_str()), None, "it is not there");
        stand_in.smi(
            "case $1 in\n--query-gpu=*) echo '0, GPU-1, NVIDIA A100, 40960, 512, 99'; echo '1, GPU-2, GB10, [N/A], [N/A], [N/A]';;\n\
             *apps=*) echo 'GPU-1, 12, 500'; echo 'GPU-2, 13, [N/A]'; echo 'GPU-2, 14, 1';;\nesac",
        );
        let seen = look(program.as_os_str()).expect("gpus");
        let holder = |pid, memory| Holder { pid, memory, word: String::new() };
        let gpu = |id: &str, index, name: &str, memory| Gpu { id: id.into(), index, name: name.into(), vendor: GpuVendor::Nvidia, memory };
        let used = Use { memory: 512 << 20, utilisation: Some(99), processes: vec![holder(12, Some(500 << 20))], drawing: 0 };
        assert_eq!(seen[0], Seen { gpu: gpu("GPU-1", 0, "NVIDIA A100", 40 << 30), now: used });
        let unknown = Use { processes: vec![holder(13, None), holder(14, Some(1 << 20))], ..Use::default() };
        assert_eq!(seen[1], Seen { gpu: gpu("GPU-2", 1, "GB10", 0), now: unknown });
        stand_in.smi("echo 'NVIDIA-SMI has failed because it could not communicate with the driver.'; exit 9");
        assert_eq!(look(program.as_os_str()), None);
        stand_in.smi("echo 'No devices were found'");
        assert_eq!(look(program.as_os_str()), Some(Vec::new()));
    }
}
