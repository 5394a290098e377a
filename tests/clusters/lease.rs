//! How long a target starts by itself what it was given: until home has not been heard of for two weeks, by no clock that people set.

use crate::hosts::clocks;
use crate::lab::Lab;
use crate::world::{text, wait_for, wait_until};

const DAY: i64 = 86_400;

#[test]
fn a_target_starts_nothing_more_when_home_is_not_heard_of_for_two_weeks_and_goes_on_when_it_is() {
    let Some(hosts) = clocks() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "doze")]);
    let ran = lab.note("ran");
    let script = format!("#!/bin/sh\necho run $NERONET_RUN >> {ran}\nuntil [ -e {ran}.$NERONET_RUN ]; do sleep 0.1; done\n");
    lab.script("work.sh", &script);
    lab.write("neronet.toml", "command = './work.sh {n}'\ntarget = 'gpu1'\nparams.n = [1, 2, 3]\n");
    lab.say(&["submit", "--quiet"]).with_code(0);
    lab.wait_listed(1, "runs", |run| run["state"] == "running");
    for run in [2, 3] {
        lab.wait_listed(run, "handed over", |run| text(&run["reason"]).starts_with("on gpu1"));
    }
    lab.down();
    let last = || wait_for("the last of them", || lab.told_there("gpu1", "ls -a").into_iter().find(|run| run["id"] == 3));
    // Whatever is made of the clock on the wall.
    for ahead in [400 * DAY, -400 * DAY] {
        hosts.clock("doze", ahead, 0);
    }
    lab.notes("doze", "ran.1");
    wait_until("the second without home", || lab.noted("doze", "ran") == "run 1\nrun 2\n");
    // It is looked at twice a minute.
    hosts.clock("doze", 0, 15 * DAY);
    wait_until("two weeks to be noticed", || text(&last()["reason"]).contains("home has not been heard of for 14 days"));
    lab.notes("doze", "ran.2");
    wait_until("the end of the second", || lab.told_there("gpu1", "ls -a")[1]["state"] == "ended");
    assert_eq!(lab.noted("doze", "ran"), "run 1\nrun 2\n", "{:#}", last());
    assert!(text(&last()["reason"]).contains("home has not been heard of for 14 days"), "{:#}", last());
    lab.notes("doze", "ran.3");
    lab.say(&["serve", "--background"]).with_code(0);
    for run in lab.all_ended() {
        assert_eq!((&run["outcome"], &run["attempts"]), (&"finished".into(), &1.into()), "{run:#}");
    }
    assert_eq!(lab.noted("doze", "ran"), "run 1\nrun 2\nrun 3\n");
}
