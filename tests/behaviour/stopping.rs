//! Runs that are asked to stop: by a time limit, by Ctrl-C, by `stop` and `kill`, and what they leave behind.

use crate::world::{World, end_of, runs, signal, text, wait_for, wait_until};
use nix::sys::signal::Signal;

/// A tree that TERM does not move: itself, a child in a session of its own, and that one's orphaned grandchild in another.
const STUBBORN_TREE: &str = r#"
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pids = os.open(os.environ["WORLD"] + "/pids", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
def stay():
    os.write(pids, b"%d\n" % os.getpid())
    time.sleep(3600)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0: stay()
        os._exit(0)
    stay()
stay()
"#;

fn pids(world: &World) -> Vec<i32> {
    world.told("pids").unwrap_or_default().lines().filter_map(|line| line.parse().ok()).collect()
}

#[test]
fn a_time_limit_ends_the_whole_tree_wherever_it_went() {
    let world = World::new();
    world.write("tree.py", STUBBORN_TREE);
    let said = world.run_spec("command = ['python3', 'tree.py']\n[resources]\ntime = '5s'\n[stop]\ngrace = '200ms'\n").with_code(1);
    let run = world.show(1);
    assert_eq!((&run["outcome"], &run["reason"]), (&"failed".into(), &"time limit".into()), "{run:#}");
    assert!(said.err.contains("time limit"), "{said:#?}");
    let pids = pids(&world);
    assert_eq!(pids.len(), 3, "the tree was whole when the time was over");
    assert!(!pids.iter().any(|pid| runs(*pid)), "{pids:?}");
}

#[test]
fn what_a_command_leaves_running_is_ended_and_told() {
    let world = World::new();
    world.write("leave.py", "import subprocess\nchild = subprocess.Popen(['sleep', '3600'], start_new_session=True)\nprint(child.pid)\n");
    let (run, said) = world.run(&["python3", "leave.py"]);
    assert_eq!(run["outcome"], "finished", "{run:#}\n{said:#?}");
    assert!(text(&run["attempts"][0]["notices"]).contains("left running"), "{run:#}");
    let pid: i32 = world.output(1, 1).trim().parse().expect("a pid");
    assert!(!runs(pid));
}

/// Saves when it is asked to stop.
const POLITE: &str = r#"
import os, signal, sys, time
world = os.environ["WORLD"]
def asked(*_):
    open(world + "/saved", "w").write("weights")
    sys.exit(0)
signal.signal(signal.SIGTERM, asked)
open(world + "/ready", "w").close()
while True: time.sleep(3600)
"#;

#[test]
fn ctrl_c_once_lets_the_script_save_and_starts_nothing_more() {
    let world = World::new();
    world.write("train.py", POLITE).write("neronet.toml", "command = 'python3 train.py'\n[params]\nx = [1, 2, 3]\n");
    let cli = world.start(&["run"]);
    world.wait_told("ready");
    signal(cli.id() as i32, Signal::SIGINT);
    let said = end_of(cli).with_code(1);
    assert!(said.err.contains("asking the runs to stop; Ctrl-C once more kills them"), "{said:#?}");
    assert_eq!(world.told("saved").as_deref(), Some("weights"));
    for run in world.list() {
        assert_eq!(run["outcome"], "stopped", "{run:#}");
        assert!(text(&run["reason"]).starts_with("stopped by "), "{run:#}");
    }
    let attempt = &world.show(1)["attempts"][0];
    assert_eq!(attempt["exit_code"], 0, "{attempt:#}");
    assert!(text(&world.show(2)["reason"]).ends_with("before it started"));
    assert!(!world.attempt(2, 1).join("keeper.jsonl").exists());
}

/// Notes that it was asked, and stays.
const STUBBORN: &str = r#"
import os, signal, time
world = os.environ["WORLD"]
signal.signal(signal.SIGTERM, lambda *_: open(world + "/asked", "w").close())
open(world + "/ready", "w").close()
while True: time.sleep(3600)
"#;

#[test]
fn ctrl_c_twice_kills() {
    let world = World::new();
    let cli = world.write("train.py", STUBBORN).start(&["run", "--", "python3", "train.py"]);
    world.wait_told("ready");
    signal(cli.id() as i32, Signal::SIGINT);
    world.wait_told("asked");
    signal(cli.id() as i32, Signal::SIGINT);
    let said = end_of(cli).with_code(1);
    assert!(said.err.contains("killing the runs"), "{said:#?}");
    let run = world.show(1);
    assert_eq!((&run["outcome"], &run["attempts"][0]["signal"]), (&"stopped".into(), &9.into()), "{run:#}");
}

#[test]
fn a_run_that_was_asked_and_has_not_ended_cannot_go_on_yet() {
    let world = World::new();
    world.write("train.py", STUBBORN);
    world.say(&["run", "--detach", "--", "python3", "train.py"]).with_code(0);
    world.wait_told("ready");
    world.say(&["stop", "1"]).with_code(0);
    world.wait_told("asked");
    let said = world.say(&["resume", "1"]).with_code(1);
    assert!(said.err.contains("run 1 was asked to stop and has not ended yet: `neronet logs -f 1` waits for its end"), "{said:#?}");
    world.say(&["kill", "1"]).with_code(0);
    world.ended(1);
}

#[test]
fn a_command_line_that_is_told_to_end_leaves_its_runs_alone() {
    let world = World::new();
    world.write("train.py", POLITE);
    let cli = world.start(&["run", "--", "python3", "train.py"]);
    world.wait_told("ready");
    signal(cli.id() as i32, Signal::SIGTERM);
    let said = end_of(cli).with_code(1);
    assert!(said.err.contains("leaving: what runs goes on"), "{said:#?}");
    assert_eq!(world.show(1)["state"], "running");
    assert_eq!(world.told("saved"), None);
    world.say(&["stop", "1"]).with_code(0);
    let run = world.ended(1);
    assert_eq!(run["outcome"], "stopped");
    assert!(!text(&run["reason"]).contains("killed"), "{run:#}");
    assert_eq!(world.told("saved").as_deref(), Some("weights"));
}

#[test]
fn stop_asks_and_kill_ends_at_once_from_another_terminal() {
    let world = World::new();
    world.write("train.py", STUBBORN);
    let cli = world.start(&["run", "--", "python3", "train.py"]);
    world.wait_told("ready");
    let said = world.say(&["stop", "last"]).with_code(0);
    assert_eq!(said.out, "run 1 asked to stop\n");
    world.wait_told("asked");
    let run = world.show(1);
    assert_eq!(run["state"], "running");
    assert!(text(&run["reason"]).starts_with("asked to stop by "), "{run:#}");
    assert_eq!(world.say(&["kill", "1"]).with_code(0).out, "run 1 killed\n");
    let said = end_of(cli).with_code(1);
    assert!(said.err.contains("stopped"), "{said:#?}");
    let run = world.show(1);
    assert_eq!((&run["outcome"], &run["attempts"][0]["signal"]), (&"stopped".into(), &9.into()), "{run:#}");
    assert!(text(&run["reason"]).ends_with("(killed)"), "{run:#}");
    let again = world.say(&["stop", "1"]).with_code(1);
    assert!(again.err.contains("it has ended (stopped)"), "{again:#?}");
}

#[test]
fn a_queued_run_that_was_stopped_never_starts() {
    let world = World::new();
    let script = "import os, sys, time\nworld = os.environ['WORLD']\nopen(world + '/ran-' + sys.argv[1], 'w').close()\n\
                  while not os.path.exists(world + '/go'): time.sleep(0.01)\n";
    world
        .write("train.py", script)
        .write("neronet.toml", "command = 'python3 train.py {x}'\n[params]\nx = [1, 2, 3]\n[sweep]\nparallel = 1\n");
    let cli = world.start(&["run"]);
    world.wait_told("ran-1");
    let waiting = world.show(2);
    assert_eq!(waiting["state"], "queued");
    assert!(text(&waiting["reason"]).contains("waits for its turn: one at a time"), "{waiting:#}");
    world.say(&["stop", "2"]).with_code(0);
    world.tell("go");
    end_of(cli).with_code(1);
    let outcomes: Vec<String> = world.list().iter().map(|run| text(&run["outcome"])).collect();
    assert_eq!(world.told("ran-2"), None);
    assert_eq!(world.show(2)["outcome"], "stopped", "{outcomes:?}");
    assert_eq!((&world.show(1)["outcome"], &world.show(3)["outcome"]), (&"finished".into(), &"finished".into()), "{outcomes:?}");
}

#[test]
fn a_signal_of_the_researcher_is_chosen_in_the_specification() {
    let world = World::new();
    let script = "import os, signal, sys, time\nworld = os.environ['WORLD']\n\
                  signal.signal(signal.SIGUSR1, lambda *_: (open(world + '/usr1', 'w').close(), sys.exit(3)))\n\
                  open(world + '/ready', 'w').close()\nwhile True: time.sleep(3600)\n";
    world.write("train.py", script).write("neronet.toml", "command = ['python3', 'train.py']\n[stop]\nsignal = 'USR1'\n");
    let cli = world.start(&["run"]);
    world.wait_told("ready");
    world.say(&["stop", "1"]).with_code(0);
    end_of(cli).with_code(1);
    assert!(world.told("usr1").is_some());
    wait_until("the end on record", || world.show(1)["attempts"][0]["exit_code"] == 3);
    assert_eq!(world.show(1)["outcome"], "stopped");
}

#[test]
fn a_time_limit_holds_without_the_keeper() {
    let world = World::new();
    world.write("neronet.toml", "command = 'echo $$ > $WORLD/shell; sleep 4711; true'\n[resources]\ntime = '3s'\n");
    let cli = world.start(&["run"]);
    let shell: i32 = wait_for("the command", || world.told("shell")?.trim().parse().ok());
    world.pid(1, "watched", "supervisor");
    signal(world.pid(1, "begun", "keeper"), Signal::SIGKILL);
    wait_until("the end of its time", || !runs(shell));
    end_of(cli).with_code(1);
    let run = world.show(1);
    assert_eq!(run["outcome"], "lost", "{run:#}");
    let record = world.record(1, 1);
    assert!(record.contains(r#""asked":{"why":"time-limit""#), "{record}");
}

/// The signal to a keeper that is about to be dead is read by nobody.
#[test]
fn what_is_asked_in_the_instant_that_the_keeper_dies_reaches_the_script() {
    let world = World::new();
    let script = "trap 'echo saved; exit 0' TERM; touch \"$WORLD/ready\"; while :; do sleep 0.02; done";
    let cli = world.start(&["run", "--", "bash", "-c", script]);
    world.wait_told("ready");
    let keeper = world.pid(1, "begun", "keeper");
    signal(keeper, Signal::SIGSTOP);
    let said = world.say(&["stop", "1"]).with_code(0);
    assert!(said.out.contains("run 1"), "{said:#?}");
    signal(keeper, Signal::SIGKILL);
    assert_eq!(world.ended(1)["outcome"], "lost");
    assert!(world.output(1, 1).contains("saved\n"));
    end_of(cli);
}
