//! The queue through the command line: order, holds, dependencies, retries, resources, and a daemon that is killed.

use crate::world::{World, process_named, runs, signal, text, wait_until};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

/// Notes its number, then waits until told to go.
const PATIENT: &str = "command = 'echo {n} >> \"$WORLD/order\"; until [ -e \"$WORLD/go\" ]; do sleep 0.02; done'\n";

fn queued(world: &World) -> Vec<u64> {
    let listed: Value = serde_json::from_str(&world.say(&["queue", "--json"]).with_code(0).out).expect("JSON");
    let waits = |run: &&Value| run["state"] == "queued";
    listed.as_array().expect("a list").iter().filter(waits).filter_map(|run| run["id"].as_u64()).collect()
}

fn reason(world: &World, run: u64) -> String {
    text(&world.show(run)["reason"])
}

#[test]
fn runs_start_in_the_order_that_is_given_to_them() {
    let world = World::new();
    world.write("neronet.toml", format!("{PATIENT}params.n = [1, 2, 3, 4, 5, 6]\nsweep.parallel = 1\n"));
    world.say(&["submit"]).with_code(0);
    world.wait_told("order");
    assert_eq!(queued(&world), [2, 3, 4, 5, 6]);
    world.say(&["move", "5", "--first"]).with_code(0);
    world.say(&["move", "2-3", "--last"]).with_code(0);
    world.say(&["move", "6", "--before", "4"]).with_code(0);
    assert_eq!(queued(&world), [5, 6, 4, 2, 3]);
    world.say(&["priority", "3", "7"]).with_code(0);
    world.say(&["hold", "2", "--because", "wrong data"]).with_code(0);
    assert_eq!((queued(&world), reason(&world, 2)), (vec![3, 5, 6, 4, 2], "held: wrong data".into()));
    let table = world.say(&["queue"]).with_code(0).out;
    assert!(table.contains("held: wrong data") && table.contains("1 run started, 5 queued"), "{table}");
    world.tell("go");
    wait_until("all but the one that is held", || world.list().iter().filter(|run| run["outcome"] == "finished").count() == 5);
    assert_eq!(world.told("order").as_deref(), Some("1\n3\n5\n6\n4\n"));
    world.say(&["release", "2"]).with_code(0);
    assert_eq!(world.ended(2)["outcome"], "finished");
}

#[test]
fn whoever_waits_is_told_when_all_will_have_ended_where_that_is_known() {
    let world = World::new();
    let spec = |runs| world.write("neronet.toml", format!("{PATIENT}params.n = {runs}\nsweep.parallel = 2\nresources.time = '10h'\n"));
    // Until the word comes they say how far it is; whoever waits in vain for it is ended with the world.
    let until = |words: &[&str], what: &str| {
        let mut child = world.neronet(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("neronet starts");
        let (out, err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let both: Box<dyn Read> = if what.starts_with("done") { Box::new(err) } else { Box::new(out) };
        let said = BufReader::new(both).lines().map_while(Result::ok).find(|line| line.contains(what));
        world.tell("go");
        assert_eq!(child.wait().expect("it is ours").code(), Some(0));
        std::fs::remove_file(world.path("go")).expect("there");
        said.unwrap_or_else(|| panic!("{words:?} never said: {what}"))
    };
    spec("[1]");
    until(&["submit", "--wait"], "done about ");
    spec("[1, 2, 3]");
    for words in [&["submit", "--wait", "--again"][..], &["run"]] {
        let said = until(words, "0 of 3 ended, 2 running, 1 queued, all done about ");
        assert!(said.ends_with(|c: char| c.is_ascii_digit()), "{said}");
    }
}

#[test]
fn words_that_make_no_sense_change_nothing() {
    let world = World::new();
    world.write("neronet.toml", format!("{PATIENT}params.n = [1, 2, 3]\nsweep.parallel = 1\n"));
    world.say(&["submit"]).with_code(0);
    world.wait_told("order");
    for (words, code, says) in [
        (&["hold", "1"][..], 1, "run 1 is running"),
        (&["retry", "1"], 1, "run 1 is running"),
        (&["move", "2"], 2, "say where to"),
        (&["move", "2", "--before", "2"], 2, "itself"),
        (&["move", "2", "--before", "77"], 1, "77"),
        (&["hold", "99"], 2, "there is no run 99"),
        (&["release", "99"], 2, "there is no run 99"),
        (&["move", "99", "--first"], 2, "there is no run 99"),
        (&["priority", "99", "1"], 2, "there is no run 99"),
        (&["stop", "99"], 2, "there is no run 99"),
        (&["kill", "2,99"], 2, "there is no run 99"),
        (&["retry", "99"], 2, "there is no run 99"),
        (&["resume", "99"], 2, "there is no run 99"),
        (&["quota", "work"], 2, "--runs N"),
        (&["submit", "--after", "99", "--", "true"], 2, "there is no run 99"),
        (&["submit", "--after-ok", "99", "--", "true"], 2, "there is no run 99"),
    ] {
        let said = world.say(words);
        assert!(said.code == Some(code) && said.err.contains(says), "{words:?} {code}: {said:#?}");
    }
    assert_eq!(queued(&world), [2, 3]);
}

#[test]
fn what_comes_after_waits_and_a_failure_holds_it_until_a_retry() {
    let world = World::new();
    world.say(&["submit", "--", "sh", "-c", "test -e \"$WORLD/mended\""]).with_code(0);
    assert_eq!(world.ended(1)["outcome"], "failed");
    world.say(&["submit", "--after-ok", "1", "--", "true"]).with_code(0);
    world.say(&["submit", "--after", "1", "--", "true"]).with_code(0);
    assert_eq!(world.ended(3)["outcome"], "finished", "it had ended");
    assert!(reason(&world, 2).starts_with("held: run 1"), "{}", reason(&world, 2));
    world.tell("mended");
    world.say(&["retry", "1"]).with_code(0);
    assert_eq!(world.ended(2)["outcome"], "finished");
}

#[test]
fn what_crashes_is_tried_again_and_a_sweep_that_keeps_failing_is_held() {
    let world = World::new();
    world.write("neronet.toml", "command = 'echo x >> \"$WORLD/tries\"; test $(wc -l < \"$WORLD/tries\") = 3'\nretry.times = 2\n");
    world.say(&["submit", "--wait", "--quiet"]).with_code(0);
    let run = world.show(1);
    assert_eq!((&run["outcome"], &run["attempts"].as_array().map(Vec::len)), (&"finished".into(), &Some(3)));
    world.write("sweep.toml", "command = 'exit 7'\nparams.n = [1, 2, 3, 4, 5]\nsweep.parallel = 1\nsweep.hold_after = 2\n");
    world.say(&["submit", "sweep.toml", "--no-preflight"]).with_code(0);
    wait_until("the sweep is held", || reason(&world, 6).contains("2 of its runs failed"));
    assert_eq!(queued(&world), [4, 5, 6]);
    assert!(world.list()[1..3].iter().all(|run| run["outcome"] == "failed"));
}

#[test]
fn what_somebody_stopped_is_not_begun_again_by_itself() {
    let world = World::new();
    let script = "command = 'echo {n} >> \"$WORLD/tries\"; until [ -e \"$WORLD/go\" ]; do sleep 0.02; done'\n";
    world.write("neronet.toml", format!("{script}params.n = 1\nretry.times = 3\n"));
    world.say(&["submit"]).with_code(0);
    world.wait_told("tries");
    // Nobody sees how it ends then, which is otherwise a reason to try again.
    let keeper = world.pid(1, "begun", "keeper");
    signal(keeper, Signal::SIGKILL);
    wait_until("its keeper is gone", || !runs(keeper));
    world.say(&["stop", "1"]).with_code(0);
    let run = world.ended(1);
    assert_eq!((&run["outcome"], run["attempts"].as_array().map(Vec::len)), (&"lost".into(), Some(1)), "{run:#}");
    assert_eq!(world.told("tries").as_deref(), Some("1\n"));
}

#[test]
fn what_is_stopped_while_it_is_being_started_is_not_started_once_more() {
    let world = World::new();
    world.write("neronet.toml", format!("{PATIENT}params.n = [1, 2]\nsweep.parallel = 1\n"));
    world.say(&["submit"]).with_code(0);
    world.wait_told("order");
    // It is told to start the second run, and does not come to it.
    let nursery = process_named("neronet-nursery", &world);
    signal(nursery, Signal::SIGSTOP);
    world.tell("go");
    wait_until("the second is being started", || world.attempt(2, 1).join("launch.json").exists());
    world.say(&["stop", "2"]).with_code(0);
    signal(nursery, Signal::SIGKILL);
    let run = world.ended(2);
    assert_eq!((&run["outcome"], text(&run["reason"]).ends_with("before it started")), (&"stopped".into(), true), "{run:#}");
    assert_eq!(world.told("order").as_deref(), Some("1\n"));
}

#[test]
fn what_runs_out_of_memory_is_tried_with_less() {
    let world = World::new();
    let script = "import sys\nbatch = int(sys.argv[1])\nif batch > 16: raise MemoryError('no room')\nprint('epoch 1 loss 0.5')\n";
    world.write("train.py", script);
    world.write(
        "neronet.toml",
        "command = 'python3 train.py {batch_size}'\nparams.batch_size = 64\n[retry]\ntimes = 4\non = ['oom']\non_oom = { batch_size = 'batch_size / 2' }\n",
    );
    world.say(&["run", "--quiet"]).with_code(0);
    let run = world.show(1);
    assert_eq!((&run["outcome"], run["attempts"].as_array().map(Vec::len)), (&"finished".into(), Some(3)), "{run:#}");
    assert!(world.say(&["show", "1"]).out.contains("train.py 16"), "{}", world.say(&["show", "1"]).out);
}

#[test]
fn a_daemon_that_is_killed_leaves_what_runs_and_its_successor_goes_on() {
    let world = World::new();
    world.write("neronet.toml", format!("{PATIENT}params.n = [1, 2, 3]\nsweep.parallel = 1\n"));
    world.say(&["submit"]).with_code(0);
    world.wait_told("order");
    signal(process_named("neronet", &world), Signal::SIGKILL);
    assert_eq!(world.show(1)["state"], "running");
    // The next command that needs one starts another.
    world.say(&["submit", "--", "true"]).with_code(0);
    world.tell("go");
    for run in 1..=4 {
        assert_eq!(world.ended(run)["outcome"], "finished");
    }
    let mut order: Vec<String> = world.told("order").unwrap_or_default().lines().map(str::to_string).collect();
    order.sort();
    assert_eq!(order, ["1", "2", "3"], "each once");
}

#[test]
fn a_quota_holds_for_all_runs_of_a_project_and_what_is_asked_for_is_shared_out() {
    let world = World::new();
    world.write("neronet.toml", format!("{PATIENT}params.n = [1, 2]\nsweep.parallel = 2\nresources.named = {{ licence = 1 }}\n"));
    let refused = world.say(&["submit"]).with_code(2);
    assert!(refused.err.contains("licence"), "{refused:#?}");
    std::fs::write(world.home().join("targets.toml"), "[targets.local]\nnamed = { licence = 1 }\n").expect("written");
    world.say(&["submit"]).with_code(0);
    world.wait_told("order");
    wait_until("the second waits", || reason(&world, 2).contains("waits for 1 of licence: held by 1"));
    world.tell("go");
    assert_eq!(world.ended(2)["outcome"], "finished");
    world.say(&["quota", "project", "--runs", "1"]).with_code(0);
    let project = text(&world.show(1)["project"]);
    world.say(&["quota", &project, "--runs", "1"]).with_code(0);
    std::fs::remove_file(world.path("go")).expect("there");
    world.write("neronet.toml", format!("{PATIENT}params.n = [3, 4]\nsweep.parallel = 2\n"));
    world.say(&["submit"]).with_code(0);
    wait_until("one of them waits", || reason(&world, 4).contains("may have 1 run at a time"));
    world.say(&["quota", &project, "--none"]).with_code(0);
    wait_until("it starts", || world.show(4)["state"] == "running");
    world.tell("go");
    assert_eq!(world.ended(4)["outcome"], "finished");
}

#[test]
fn each_run_sees_the_gpus_that_it_was_given_and_those_of_others_are_left_alone() {
    let world = World::new();
    let gpu = |name: &str| format!("gpu {name} 1000 0 0 0 30 1\n");
    // Somebody else computes on the third.
    world.gpus(&format!("{}{}{}proc 1 500\n", gpu("A"), gpu("B"), gpu("C")));
    let script = "command = 'echo $CUDA_VISIBLE_DEVICES > \"$WORLD/{n}\"; until [ -e \"$WORLD/go\" ]; do sleep 0.02; done'\n";
    world.write("neronet.toml", format!("{script}params.n = [1, 2, 3]\nresources.gpus = 1\n"));
    world.say(&["submit"]).with_code(0);
    let (first, second) = (world.wait_told("1"), world.wait_told("2"));
    assert_ne!(first, second);
    assert!(first.starts_with("GPU-") && second.starts_with("GPU-"), "{first} {second}");
    wait_until("the third waits", || reason(&world, 3).starts_with("waits for 1 GPU: "));
    let why = reason(&world, 3);
    assert!(why.contains("held by 1-2") && why.contains("uses one"), "{why}");
    world.gpus(&format!("{}{}{}", gpu("A"), gpu("B"), gpu("C")));
    let third = world.wait_told("3");
    assert!(third.starts_with("GPU-") && third != first && third != second, "{third}");
    world.tell("go");
    assert_eq!(world.ended(3)["outcome"], "finished");
}
