//! A cut that lasts longer than a connection is kept that nobody wants.

use crate::hosts::clocks;
use crate::lab::Lab;
use crate::world::{text, wait_for};
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
