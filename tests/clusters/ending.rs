//! Runs on targets that are asked to end: all of their processes, whatever became of those.

use crate::hosts::hosts;
use crate::lab::{Lab, processes};
use crate::world::{text, wait_for, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Children of several kinds: plain, in a session of its own, and one that nobody waits for. Each has the mark among its words.
const TREE: &str = r#"
import os, subprocess, sys, time, signal
mark, mind = sys.argv[1], sys.argv[2]
if mind == "ignores":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
sleep = ["python3", "-c", "import time; time.sleep(300)", mark]
subprocess.Popen(sleep)
subprocess.Popen(sleep, start_new_session=True)
subprocess.Popen(["sh", "-c", 'setsid "$@" & exit 0', "sh"] + sleep).wait()
print("all are there", flush=True)
time.sleep(300)
"#;

fn of_mark(mark: &str) -> usize {
    processes(|words, _| words.iter().any(|word| word == mark)).count()
}

#[test]
fn stop_and_kill_reach_the_whole_tree_there_and_what_waits_there() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "beta")]);
    lab.write("tree.py", TREE);
    for (run, word, mind) in [(1, "stop", "listens"), (4, "kill", "ignores")] {
        let mark = format!("{}-{word}", lab.uid());
        for _ in 0..3 {
            lab.say(&["submit", "--again", "--target", "gpu1", "--", "python3", "tree.py", &mark, mind]).with_code(0);
        }
        wait_until("the whole tree", || lab.output_so_far(run).contains("all are there"));
        wait_until("each of it", || of_mark(&mark) == 4);
        for id in [run + 1, run + 2] {
            lab.wait_listed(id, "handed over", |listed| text(&listed["reason"]).starts_with("on gpu1"));
        }
        // One that waits there first, so that it does not start meanwhile.
        for id in [run + 1, run + 2, run] {
            lab.say(&[word, &id.to_string()]).with_code(0);
        }
        for id in [run, run + 1, run + 2] {
            let ended = lab.ended(id);
            assert_eq!(ended["outcome"], "stopped", "{ended:#}");
            assert!(text(&ended["reason"]).contains("stopped") || text(&ended["reason"]).contains("asked"), "{ended:#}");
        }
        assert_eq!(of_mark(&mark), 0, "{word}: all of it has ended");
        for id in [run + 1, run + 2] {
            assert!(!lab.there("gpu1").join(format!("runs/{id}/attempts/1/keeper.jsonl")).exists(), "run {id} never began");
        }
    }
}

#[test]
fn what_was_stopped_where_it_waited_starts_when_somebody_wants_that() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "beta")]);
    lab.say(&["submit", "--target", "gpu1", "--", "sleep", "300"]).with_code(0);
    lab.say(&["submit", "--target", "gpu1", "--", "echo", "here I am"]).with_code(0);
    lab.wait_listed(2, "handed over", |listed| text(&listed["reason"]).starts_with("on gpu1"));
    lab.say(&["stop", "2"]).with_code(0);
    assert_eq!(lab.ended(2)["outcome"], "stopped");
    lab.say(&["retry", "2", "--detach"]).with_code(0);
    lab.say(&["kill", "1"]).with_code(0);
    let finished = wait_for("the end of run 2", || Some(lab.listed(2)).filter(|run| run["outcome"] == "finished"));
    assert_eq!(finished["attempts"], 2, "{finished:#}");
    assert_eq!(lab.output(2, 2), "here I am\n");
}

#[test]
fn what_came_home_before_a_folder_was_wiped_says_how_runs_ended() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "beta")]);
    let until = |name: &str| format!("until [ -e {} ]; do sleep 0.1; done", lab.note(name));
    lab.script("work.sh", &format!("#!/bin/sh\necho loss=$1\n{}\nexit $1\n", until("go")));
    lab.write("neronet.toml", "command = './work.sh {n}'\ntarget = 'gpu1'\nparams.n = [0, 3]\nsweep.parallel = 3\n");
    lab.say(&["submit"]).with_code(0);
    lab.say(&["submit", "--target", "gpu1", "--", "sleep", "300"]).with_code(0);
    for run in 1..=3 {
        lab.wait_listed(run, "started", |listed| listed["state"] == "running");
    }
    // Whoever would write down there how they end does not come to it.
    let uid = lab.uid();
    let is_runner = |words: &[String]| words.get(1).is_some_and(|word| word == "runner") && words.iter().any(|word| word.contains(&uid));
    let runner = processes(|words, _| is_runner(words)).next().expect("a runner");
    kill(Pid::from_raw(runner), Signal::SIGSTOP).expect("it is ours");
    lab.notes("beta", "go");
    let seen: Vec<_> = (1..=2).map(|run| lab.wait_listed(run, "ended", |listed| listed["state"] == "ended")).collect();
    lab.down();
    kill(Pid::from_raw(runner), Signal::SIGKILL).expect("it is ours");
    let there = lab.there("gpu1");
    // What is written meanwhile may be in the way.
    wait_until("it is gone", || std::fs::remove_dir_all(&there).is_ok() || !there.exists());
    lab.say(&["serve", "--background"]).with_code(0);
    let ended = wait_for("the target's word", || Some(lab.list()).filter(|runs| runs[2]["state"] == "ended"));
    for (run, seen) in ended.iter().zip(&seen) {
        for key in ["outcome", "reason", "started", "ended", "metrics", "attempts"] {
            assert_eq!(run[key], seen[key], "{key}: {run:#}");
        }
    }
    let outcomes: Vec<String> = ended.iter().map(|run| text(&run["outcome"])).collect();
    assert_eq!(outcomes, ["finished", "failed", "lost"], "{ended:#?}");
    assert!(text(&ended[2]["reason"]).starts_with("status unknown: gpu1 knows nothing of it any more"), "{ended:#?}");
    assert!(!ended[2]["started"].is_null(), "{ended:#?}");
}
