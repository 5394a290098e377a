//! Runs whose terminal goes away.

use crate::world::{Said, World, end_of, signal, text, wait_until};
use nix::sys::signal::Signal;
use std::fs::File;
use std::process::{Command, Stdio};

/// Opens a terminal, runs a shell line in it, waits for the file `ready`, then hangs the terminal up as a closed window does.
/// With `kill` it kills whatever is left of its session, too.
const CLOSE_THE_TERMINAL: &str = r#"
import os, pty, signal, sys, time
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("bash", ["bash", "-c", sys.argv[1]])
while not os.path.exists(os.environ["WORLD"] + "/ready"): time.sleep(0.01)
os.close(terminal)
for entry in filter(str.isdigit, os.listdir("/proc")) if sys.argv[2] == "kill" else []:
    try:
        if os.getsid(int(entry)) == pid: os.kill(int(entry), signal.SIGKILL)
    except OSError: pass
if sys.argv[2] == "kill": os.waitpid(pid, 0)
"#;

const PATIENT: &str = r#"
import os, sys, time
world = os.environ["WORLD"]
print("before")
open(world + "/ready", "w").close()
while not os.path.exists(world + "/go"): time.sleep(0.01)
print("after")
"#;

fn closes(line: &str, how: &str) -> World {
    let world = World::new();
    world.write("train.py", PATIENT).write("neronet.toml", "command = 'python3 train.py'\n[params]\nx = [1, 2]\n");
    let mut python = Command::new("python3");
    world.settle(&mut python);
    Said::from(python.args(["-c", CLOSE_THE_TERMINAL, line, how]).output().expect("python3 starts")).with_code(0);
    world
}

#[test]
fn a_detached_run_survives_its_terminal() {
    let world = closes("\"$NERONET\" run --detach -- python3 train.py; sleep 3600", "kill");
    assert_eq!(world.show(1)["state"], "running");
    world.tell("go");
    let run = world.ended(1);
    assert_eq!(run["outcome"], "finished", "{run:#}");
    assert_eq!(world.output(1, 1), "before\nafter\n");
}

#[test]
fn a_run_in_the_foreground_outlives_its_terminal_too() {
    let world = closes("\"$NERONET\" run -- python3 train.py", "kill");
    assert_eq!(world.show(1)["state"], "running");
    world.tell("go");
    let run = world.ended(1);
    assert_eq!(run["outcome"], "finished", "{run:#}");
    assert_eq!(world.output(1, 1), "before\nafter\n");
}

#[test]
fn a_sweep_in_the_foreground_goes_on_when_its_terminal_is_closed() {
    let world = closes("\"$NERONET\" run", "hang up");
    world.tell("go");
    for run in 1..=2 {
        assert_eq!(world.ended(run)["outcome"], "finished");
    }
}

#[test]
fn a_detached_sweep_goes_on_to_its_last_run() {
    let world = World::new();
    world.write("neronet.toml", "command = 'echo run {x}'\n[params]\nx = [1, 2, 3, 4]\n");
    let said = world.say(&["run", "--detach"]).with_code(0);
    assert!(said.out.contains("runs 1-4 queued"), "{said:#?}");
    for run in 1..=4 {
        assert_eq!(world.ended(run)["outcome"], "finished");
        assert_eq!(world.output(run, 1), format!("run {run}\n"));
    }
    wait_until("nothing is said of trouble", || std::fs::read_to_string(world.home().join("daemon.log")).is_ok_and(|said| said.is_empty()));
}

#[test]
fn what_is_queued_is_removed_only_when_nobody_will_start_it() {
    let world = World::new();
    world.write("neronet.toml", "command = \"touch $WORLD/run-{n}; until [ -e $WORLD/go ]; do sleep 0.05; done\"\n[params]\nn = [1, 2]\n");
    // At once after the submission, whether or not the process that starts the runs has come to itself.
    world.say(&["run", "--detach"]).with_code(0);
    let removed = world.say(&["rm", "-y", "2"]);
    assert!(removed.code == Some(0) || removed.err.contains("`neronet stop 2` first"), "{removed:#?}");
    world.wait_told("run-1");
    let refused = world.say(&["rm", "-y", "1"]).with_code(1);
    assert!(refused.err.contains("`neronet stop 1` first"), "{refused:#?}");
    world.tell("go");
    world.ended(1);
    if removed.code == Some(0) {
        let trashed = world.show(2);
        assert_eq!([&trashed["outcome"], &trashed["attempts"][0]["started"]], ["stopped".into(), serde_json::Value::Null].each_ref());
        assert!(world.told("run-2").is_none(), "a run in the trash was started");
    }
}

#[test]
fn a_queued_retry_in_the_trash_is_not_started() {
    let world = World::new();
    world.write("neronet.toml", "command = \"touch $WORLD/run-{n}-$NERONET_ATTEMPT; [ -e $WORLD/again ] || exit 1; until [ -e $WORLD/go ]; do sleep 0.05; done\"\n[params]\nn = [1, 2]\n");
    world.say(&["run"]).with_code(1);
    world.tell("again");
    let retry = world.start(&["retry", "1-2"]);
    world.wait_told("run-1-2");
    let removed = world.say(&["rm", "-y", "2"]);
    world.tell("go");
    crate::world::end_of(retry);
    assert_eq!(removed.code == Some(0), world.told("run-2-2").is_none(), "{removed:#?}");
}

#[test]
fn stranded_runs_say_how_all_of_them_are_started() {
    let world = World::new();
    world.write(
        "neronet.toml",
        "command = \"[ {n} != 1 ] || touch $WORLD/first; until [ -e $WORLD/go ]; do sleep 0.05; done\"\n[params]\nn = [1, 2, 3]\n",
    );
    let mut driver = world.start(&["run"]);
    world.wait_told("first");
    driver.kill().and_then(|()| driver.wait()).expect("it is ours");
    let reason = |at: usize| world.list()[at]["reason"].as_str().unwrap_or_default().to_string();
    assert!(reason(1).contains("`neronet retry 2-3` starts them"), "{}", reason(1));
    let said = world.say(&["submit"]).with_code(0);
    assert!(said.err.contains("2 queued (2-3; the neronet that was to start them is gone; `neronet retry 2-3` starts them)"), "{said:#?}");
    world.tell("go");
    world.ended(1);
    world.say(&["retry", "2-3"]).with_code(0);
}

#[test]
fn a_sweep_that_is_detached_from_within_a_run_outlives_it() {
    let world = World::new();
    let inner = "$NERONET run --detach -- sh -c 'touch $WORLD/inner; until [ -e $WORLD/go ]; do sleep 0.05; done; echo inner'";
    let script = format!("{inner} && until [ -e $WORLD/inner ]; do sleep 0.05; done");
    world.say(&["run", "--", "sh", "-c", &script]).with_code(0);
    assert_eq!(world.ended(1)["outcome"], "finished");
    assert_eq!(world.show(2)["state"], "running");
    world.tell("go");
    assert_eq!(world.ended(2)["outcome"], "finished");
    assert_eq!(world.output(2, 1), "inner\n");
}

#[test]
fn a_sweep_that_was_detached_from_within_is_no_part_of_a_run_that_lost_its_keeper() {
    let world = World::new();
    let inner = "$NERONET run --detach -- sh -c 'touch $WORLD/inner; until [ -e $WORLD/go ]; do sleep 0.05; done; echo inner'";
    let outer = world.start(&["run", "--", "sh", "-c", &format!("{inner}; sleep 4711; true")]);
    world.wait_told("inner");
    signal(world.pid(1, "begun", "keeper"), Signal::SIGKILL);
    wait_until("that somebody knows", || text(&world.show(1)["reason"]).contains("its keeper was killed"));
    world.say(&["kill", "1"]).with_code(0);
    end_of(outer).with_code(1);
    assert_eq!((world.show(1)["outcome"].clone(), world.show(2)["state"].clone()), ("lost".into(), "running".into()));
    world.tell("go");
    assert_eq!(world.ended(2)["outcome"], "finished");
}

#[test]
fn what_is_said_of_detached_runs_is_what_was_asked_for() {
    let world = World::new();
    world.write("neronet.toml", "command = 'exit 1'\n[params]\nx = [1, 2, 3]\n[resume]\nautomatic = true\n");
    assert!(world.say(&["run", "--detach"]).with_code(0).out.starts_with("runs 1-3 queued; "));
    let listed = world.say(&["run", "--detach", "--json"]).with_code(0).json();
    let ids: Vec<u64> = listed.as_array().expect("an array").iter().filter_map(|run| run["id"].as_u64()).collect();
    assert_eq!(ids, [4, 5, 6], "{listed:#}");
    assert_eq!(world.say(&["run", "--detach", "-q", "--", "true"]).with_code(0).out, "");
    assert!(world.say(&["run", "--detach", "--", "true"]).with_code(0).out.starts_with("run 8 queued; "));
    wait_until("the end of all", || world.list().iter().all(|run| run["state"] == "ended"));
    assert_eq!(world.say(&["resume", "1", "--detach", "-q"]).with_code(0).out, "");
    wait_until("the end of the resumed", || world.show(1)["attempts"][1]["outcome"] == "failed");
}

/// What lives on has nothing of its caller: `flock FILE neronet submit …` gives the lock back.
#[test]
fn what_the_caller_had_open_stays_with_the_caller() {
    let world = World::new();
    world.write("look.sh", "sh -c 'ls /proc/$$/fd; :'; touch $WORLD/ready; until [ -e $WORLD/go ]; do sleep 0.05; done\n");
    for (run, how) in [(1, "submit"), (2, "run")] {
        let lock = File::create(world.path("lock")).expect("made");
        lock.lock().expect("free");
        // `9` in neronet is the lock, as `flock` and a shell's `9>FILE` leave it.
        let words = format!("exec 9<&0 </dev/null; exec \"$NERONET\" {how} -- sh look.sh");
        let mut shell = Command::new("sh");
        world.settle(&mut shell);
        shell.args(["-c", &words]).stdin(Stdio::from(lock)).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = shell.spawn().expect("it starts");
        // Our own copy went with the command that it was given to.
        drop(shell);
        world.wait_told("ready");
        if how == "run" {
            child.kill().expect("it runs");
        }
        child.wait().expect("it is ours");
        assert_eq!(world.show(run)["state"], "running", "{how}");
        File::open(world.path("lock")).expect("there").try_lock().unwrap_or_else(|e| panic!("{how}: {e}"));
        world.tell("go");
        assert_eq!(world.ended(run)["outcome"], "finished");
        assert_eq!(world.output(run, 1), "0\n1\n2\n", "{how}");
        for told in ["ready", "go"] {
            std::fs::remove_file(world.path(told)).expect("there");
        }
    }
}
