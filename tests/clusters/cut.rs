//! A cut that lasts longer than a connection is kept that nobody wants, and one while code is sent.

use crate::hosts::{clocks, hosts};
use crate::lab::{Lab, processes};
use crate::world::{text, wait_for, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// Longer than the two minutes after which a target is let go that has nothing.
const LONG: Duration = Duration::from_secs(135);

#[test]
fn what_runs_on_a_target_is_heard_of_again_however_long_that_was_away() {
    let Some(hosts) = clocks() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "ebb")]);
    lab.script("work.sh", &format!("#!/bin/sh\necho begun\nuntil [ -e {} ]; do sleep 0.2; done\necho done\n", lab.note("go")));
    lab.say(&["submit", "--target", "gpu1", "--", "./work.sh"]).with_code(0);
    lab.wait_listed(1, "runs", |run| run["state"] == "running");
    hosts.tell("cut", "ebb");
    let since = Instant::now();
    lab.wait_listed(1, "is away", |run| text(&run["reason"]).contains("gpu1 unreachable for "));
    // What happens there meanwhile is heard of in the end.
    lab.notes("ebb", "go");
    while since.elapsed() < LONG {
        let run = lab.listed(1);
        assert!(run["state"] == "running" && text(&run["reason"]).contains("gpu1 unreachable for "), "{run:#}");
        std::thread::sleep(Duration::from_secs(2));
    }
    hosts.tell("mend", "ebb");
    let run = wait_for("the end of the run", || Some(lab.listed(1)).filter(|run| run["state"] == "ended"));
    assert_eq!((&run["outcome"], &run["attempts"]), (&"finished".into(), &1.into()), "{run:#}");
    assert_eq!(lab.output(1, 1), "begun\ndone\n");
}

/// How much each ssh of this home has read: what it was to send, above all.
fn read_by_ssh(lab: &Lab) -> BTreeMap<i32, u64> {
    let read = |pid: i32| {
        let all = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
        Some((pid, all.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok())?))
    };
    lab.connections().into_iter().filter_map(read).collect()
}

#[test]
fn code_that_is_cut_on_its_way_goes_on_where_it_was() {
    const BYTES: u64 = 4 * (20 << 20);
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "alpha")]);
    fs::write(lab.path("ssh_config"), hosts.stalling(&lab.world, 12 << 20)).expect("written");
    lab.script("weights.sh", "#!/bin/sh\ncat weights.? | wc -c\n");
    // Of a size that is taken for code.
    let make = format!("for n in 1 2 3 4; do head -c {} /dev/urandom > weights.$n; done", BYTES / 4);
    let made = Command::new("sh").args(["-c", &make]).current_dir(lab.project()).status().expect("sh");
    assert!(made.success());
    lab.say(&["submit", "--target", "gpu1", "--quiet", "--", "./weights.sh"]).with_code(0);
    let incoming = lab.there("gpu1").join("incoming");
    let part = wait_for("some of it", || {
        let part = fs::read_dir(&incoming).ok()?.flatten().find(|entry| entry.path().extension().is_some_and(|end| end == "part"))?;
        Some(part.path()).filter(|_| part.metadata().is_ok_and(|meta| meta.len() > 4 << 20))
    });
    let here = lab.path("").display().to_string();
    let daemon = processes(|words, environment| words.get(1).is_some_and(|word| word == "serve") && environment.contains(&here));
    daemon.chain(lab.connections()).for_each(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap_or_default());
    wait_until("nobody is there", || read_by_ssh(&lab).is_empty() && !lab.daemon_is_there());
    let some = part.metadata().expect("it is still there").len();
    assert!(some < BYTES, "it was not cut");
    lab.tell("flows");
    lab.say(&["serve", "--background"]).with_code(0);
    let run = lab.ended(1);
    assert_eq!((&run["outcome"], lab.output(1, 1)), (&"finished".into(), format!("{BYTES}\n")), "{run:#}");
    let sent: u64 = read_by_ssh(&lab).values().sum();
    assert!(sent > (BYTES - some) / 2 && sent < BYTES - some / 2, "{sent} were sent after {some} of {BYTES}");
}
