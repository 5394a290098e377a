//! Targets whose clocks are hours off, or are set while runs execute there. When anything was is told by home's clock; how long it took,
//! and what is waited for, by one that nobody sets.

use crate::hosts::clocks;
use crate::lab::Lab;
use crate::world::{text, wait_until};
use serde_json::Value;
use std::time::SystemTime;

const HOUR: i64 = 3600;
const HOURS: i64 = 3 * HOUR;

fn now() -> f64 {
    SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs_f64()
}

/// Whoever asks is told nothing of these runs that is hours off, by a listing or a page.
fn is_by_our_clock(lab: &Lab, runs: &[u64], since: f64) {
    for run in runs {
        let (listed, shown) = (lab.listed(*run), lab.show(*run));
        let attempts = shown["attempts"].as_array().expect("an array");
        for one in [&listed].into_iter().chain(attempts) {
            let moment =
                |key: &str| one[key].as_str().map(|at| at.parse::<jiff::Timestamp>().expect("RFC 3339").as_millisecond() as f64 / 1e3);
            let (started, ended) = (moment("started"), moment("ended"));
            let is_now = |at: &f64| *at >= since - 3.0 && *at <= now() + 3.0;
            assert!(started.iter().chain(&ended).all(is_now) && started.zip(ended).is_none_or(|(from, to)| from <= to), "{since}: {one:#}");
        }
        let page = lab.say(&["show", &run.to_string()]).with_code(0).out;
        assert!(!page.contains(" h ") && !page.contains(" d "), "{page}");
    }
    let long = lab.say(&["ls", "-a", "--json", "duration > 1000 or duration < 0"]).with_code(0).json();
    assert_eq!(long, Value::Array(Vec::new()));
}

#[test]
fn a_clock_that_is_hours_off_is_said_to_be_so_and_nothing_is_told_by_it() {
    let Some(hosts) = clocks() else { return };
    // Something more: what is said is rounded, and its answer takes its time.
    hosts.clock("dawn", HOURS + 30, 0);
    hosts.clock("dusk", -HOURS, 0);
    let lab = Lab::new(hosts, &[("ahead", "dawn"), ("behind", "dusk")]);
    for (name, said) in [("ahead", "its clock is 3 h 00 min ahead of ours"), ("behind", "behind of ours")] {
        let checked = lab.say(&["target", "check", name]).with_code(0).out;
        assert!(checked.contains("warning: its clock is ") && checked.contains(said), "{checked}");
    }
    let since = now();
    let script = format!("#!/bin/sh\n[ $NERONET_ATTEMPT = 2 ] && exit 0\nuntil [ -e {} ]; do sleep 0.1; done\nexit 3\n", lab.note("go"));
    lab.script("work.sh", &script);
    let spec = "command = './work.sh'\nretry = { times = 1, backoff = '1s' }\n";
    for target in ["ahead", "behind"] {
        lab.write("neronet.toml", format!("{spec}target = '{target}'\n"));
        lab.say(&["submit", "--quiet", "--again"]).with_code(0);
    }
    wait_until("both to run", || lab.list().iter().all(|run| run["state"] == "running"));
    is_by_our_clock(&lab, &[1, 2], since);
    ["dawn", "dusk"].iter().for_each(|host| lab.notes(host, "go"));
    for run in lab.all_ended() {
        assert_eq!((&run["outcome"], &run["attempts"]), (&"finished".into(), &2.into()), "{run:#}");
    }
    is_by_our_clock(&lab, &[1, 2], since);
}

#[test]
fn a_clock_that_is_set_while_runs_execute_disturbs_none_of_them() {
    let Some(hosts) = clocks() else { return };
    hosts.clock("noon", 0, 0);
    let lab = Lab::new(hosts, &[("gpu1", "noon")]);
    let (beats, until) = (lab.note("beats"), |name: &str| format!("until [ -e {} ]; do sleep 0.1; done", lab.note(name)));
    let beat = |word: &str| format!("echo {word} $(cut -d ' ' -f 1 /proc/uptime) >> {beats}");
    lab.script("plain.sh", &format!("#!/bin/sh\n{}\n", until("go")));
    let again = [beat("again"), "[ $NERONET_ATTEMPT = 3 ] && exit 0".into(), until("fail"), beat("failed"), "exit 3".into()].join("\n");
    lab.script("again.sh", &format!("#!/bin/sh\n{again}\n"));
    let specs = [
        "command = './plain.sh'\n",
        "command = './plain.sh'\nresources.time = '1h'\n",
        "command = 'sleep 600'\nresources.time = '20s'\n",
        "command = './again.sh'\nretry = { times = 2, backoff = '8s' }\n",
    ];
    let since = now();
    for spec in specs {
        lab.write("neronet.toml", format!("target = 'gpu1'\nsweep.parallel = 8\n{spec}"));
        lab.say(&["submit", "--quiet", "--again"]).with_code(0);
    }
    // One of them has a limit of 20 s, which may be over.
    wait_until("all to have begun", || lab.list().iter().all(|run| !run["started"].is_null()));
    // Before one fails, while it is waited for, and back.
    hosts.clock("noon", HOURS, 0);
    hosts.clock("noon", -HOURS, 0);
    is_by_our_clock(&lab, &[1, 2, 3, 4], since);
    lab.notes("noon", "fail");
    wait_until("the first to fail", || lab.noted("noon", "beats").contains("failed"));
    hosts.clock("noon", 0, 0);
    wait_until("the second to fail", || lab.noted("noon", "beats").matches("failed").count() == 2);
    hosts.clock("noon", -HOURS, 0);
    // The next runner knows by which clock it is to wait.
    let runner = lab.runner("gpu1").expect("a runner");
    hosts.exec("noon", &["kill", "-KILL", &runner.to_string()]).with_code(0);
    wait_until("another runner", || lab.runner("gpu1").is_some_and(|pid| pid != runner));
    lab.notes("noon", "go");
    let ended = lab.all_ended();
    let outcomes: Vec<(String, String)> = ended.iter().map(|run| (text(&run["outcome"]), text(&run["attempts"]))).collect();
    let expected = [("finished", "1"), ("finished", "1"), ("failed", "1"), ("finished", "3")];
    assert_eq!(outcomes, expected.map(|(outcome, attempts)| (outcome.to_string(), attempts.to_string())), "{ended:#?}");
    assert!(text(&ended[2]["reason"]).contains("time limit"), "{:#}", ended[2]);
    is_by_our_clock(&lab, &[1, 2, 3, 4], since);
    // Each waited as long as it should, and not for hours.
    let noted = lab.noted("noon", "beats");
    let beats: Vec<(&str, f64)> =
        noted.lines().filter_map(|line| line.split_once(' ')).map(|(word, at)| (word, at.parse().expect("a number"))).collect();
    for (failed, again) in [(1, 2), (3, 4)] {
        let wait = 8.0 * if failed == 1 { 1.0 } else { 2.0 };
        assert!(beats[failed].0 == "failed" && beats[again].0 == "again" && beats[again].1 - beats[failed].1 >= wait - 1.0, "{beats:?}");
    }
}

#[test]
fn a_target_keeps_its_hours_and_its_maintenance_while_home_is_away() {
    let Some(hosts) = clocks() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "night")]);
    // Its day begins now; hosts live by the clock of UTC.
    let began = now() as i64;
    let midnight = jiff::Timestamp::from_second((began / (24 * HOUR) + 2) * 24 * HOUR).expect("a day");
    let shows = |hours: i64| hosts.clock("night", midnight.as_second() + hours * HOUR - began, 0);
    let date = |hours: i64| midnight.checked_add(jiff::SignedDuration::from_hours(hours)).expect("a time").strftime("%F %R").to_string();
    let disks = format!("{{ from = '{}', until = '{}', why = 'new disks' }}", date(48), date(71));
    lab.keys("gpu1", &format!("max_runs = 1\nhours = '22:00-06:00'\nmaintenance = [{disks}]"));
    shows(20);
    let ran = lab.note("ran");
    lab.script("work.sh", &format!("#!/bin/sh\necho run $NERONET_RUN >> {ran}\nuntil [ -e {ran}.$NERONET_RUN ]; do sleep 0.1; done\n"));
    lab.write("neronet.toml", "command = './work.sh {n}'\ntarget = 'gpu1'\nresources.time = '3h'\nparams.n = [1, 2, 3]\n");
    lab.say(&["submit", "--quiet"]).with_code(0);
    for run in [1, 2, 3] {
        lab.wait_listed(run, "waits there", |run| {
            text(&run["reason"]).starts_with("on gpu1") && text(&run["reason"]).contains("takes runs from")
        });
    }
    lab.down();
    let (there, ran) = (|run: usize| lab.told_there("gpu1", "ls -a")[run - 1].clone(), || lab.noted("night", "ran"));
    let waits = |run: usize, why: &str| wait_until(why, || text(&there(run)["reason"]).contains(why));
    assert_eq!(ran(), "");
    shows(23);
    wait_until("the first, at night", || ran() == "run 1\n");
    waits(2, "its turn");
    // What runs goes on after hours; nothing else begins.
    shows(24 + 7);
    waits(2, "takes runs from");
    assert_eq!(there(1)["state"], "running");
    lab.notes("night", "ran.1");
    wait_until("the end of the first", || there(1)["state"] == "ended");
    waits(2, "takes runs from");
    // It would not be over when the maintenance begins.
    shows(24 + 22);
    waits(2, "is in maintenance from");
    shows(48 + 22);
    waits(2, "is in maintenance until");
    assert_eq!(ran(), "run 1\n");
    shows(48 + 23);
    wait_until("the second, after the maintenance", || ran() == "run 1\nrun 2\n");
    ["ran.2", "ran.3"].iter().for_each(|name| lab.notes("night", name));
    wait_until("the end of the last", || there(3)["state"] == "ended");
    lab.say(&["serve", "--background"]).with_code(0);
    for run in lab.all_ended() {
        assert_eq!((&run["outcome"], &run["attempts"]), (&"finished".into(), &1.into()), "{run:#}");
    }
    assert_eq!(ran(), "run 1\nrun 2\nrun 3\n");
}
