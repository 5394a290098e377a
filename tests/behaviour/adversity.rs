//! Killed helpers, blocked terminals, damaged records, two who want the same: none of it loses a run, doubles one or lies of it.

use crate::world::{World, end_of, process_named, runs, signal, text, wait_for, wait_until};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::io::Read;
use std::process::Stdio;

/// Says that it is there and ends when it is told to.
const WAITS: &str = r#"
import os, sys, time
world, me = os.environ["WORLD"], sys.argv[1]
open(f"{world}/ready{me}", "w").close()
while not os.path.exists(f"{world}/go{me}"): time.sleep(0.01)
"#;

fn outcomes(world: &World) -> Vec<String> {
    let mut runs = world.list();
    runs.sort_by_key(|run| run["id"].as_u64());
    runs.iter().map(|run| text(&run["outcome"])).collect()
}

#[test]
fn a_killed_nursery_costs_no_run() {
    let world = World::new();
    world.write("train.py", WAITS).write("neronet.toml", "command = 'python3 train.py {x}'\n[params]\nx = [1, 2, 3]\n");
    let cli = world.start(&["run"]);
    world.wait_told("ready1");
    signal(process_named("neronet-nursery", &world), Signal::SIGKILL);
    ["go1", "go2", "go3"].iter().for_each(|word| world.tell(word));
    end_of(cli).with_code(0);
    assert_eq!(outcomes(&world), ["finished"; 3]);
}

#[test]
fn who_is_asked_to_end_before_it_began_does_not_run() {
    let world = World::new();
    world.write("train.py", WAITS).write("neronet.toml", "command = 'python3 train.py {x}'\n[params]\nx = [1, 2]\n");
    let cli = world.start(&["run"]);
    world.wait_told("ready1");
    let nursery = process_named("neronet-nursery", &world);
    signal(nursery, Signal::SIGSTOP);
    world.tell("go1");
    wait_until("the start of run 2", || world.attempt(2, 1).join("launch.json").exists());
    signal(cli.id() as i32, Signal::SIGINT);
    wait_until("the request", || world.attempt(2, 1).join("request.json").exists());
    signal(nursery, Signal::SIGCONT);
    end_of(cli).with_code(1);
    assert_eq!(outcomes(&world), ["finished", "stopped"]);
}

#[test]
fn without_its_keeper_all_that_a_shell_started_is_asked_to_end() {
    let world = World::new();
    let cli = world.start(&["run", "--", "sh", "-c", "echo $$ > $WORLD/shell; sleep 4711 & echo $! > $WORLD/child; wait; echo over"]);
    let child: i32 = wait_for("the child", || world.told("child")?.trim().parse().ok());
    signal(world.pid(1, "begun", "keeper"), Signal::SIGKILL);
    wait_until("that somebody knows", || text(&world.show(1)["reason"]).contains("its keeper was killed"));
    world.say(&["stop", "1"]).with_code(0);
    wait_until("the child's end", || !runs(child));
    end_of(cli).with_code(1);
    assert_eq!(world.show(1)["outcome"], "lost");
}

#[test]
fn what_one_neronet_is_about_to_start_no_other_starts() {
    let world = World::new();
    world.write("train.py", WAITS).write("neronet.toml", "command = 'python3 train.py {x}'\n[params]\nx = [1, 2, 3]\n");
    let mut first = world.start(&["run"]);
    world.wait_told("ready1");
    first.kill().expect("it is ours");
    first.wait().expect("it is ours");
    world.tell("go1");
    world.ended(1);
    let second = world.start(&["retry", "2-3"]);
    world.wait_told("ready2");
    let third = world.say(&["retry", "3"]).with_code(1);
    assert!(third.err.contains("run 3 is queued"), "{third:#?}");
    world.tell("go2");
    world.wait_told("ready3");
    world.say(&["retry", "3"]).with_code(1);
    world.tell("go3");
    end_of(second).with_code(0);
    assert_eq!(outcomes(&world), ["finished"; 3]);
    assert!(!world.attempt(3, 2).exists());
}

#[test]
fn a_launch_that_a_power_cut_emptied_does_not_keep_the_run_for_ever() {
    let world = World::new();
    let mut cli = world.write("train.py", WAITS).start(&["run", "--quiet", "--", "python3", "train.py", "1"]);
    world.wait_told("ready1");
    let pids = [world.pid(1, "begun", "keeper"), world.pid(1, "watched", "supervisor"), world.pid(1, "started", "command")];
    cli.kill().expect("it is ours");
    cli.wait().expect("it is ours");
    pids.iter().for_each(|pid| signal(*pid, Signal::SIGKILL));
    std::fs::write(world.attempt(1, 1).join("launch.json"), "").expect("ours");
    let run = world.ended(1);
    assert_eq!(run["outcome"], "lost");
    assert!(text(&run["reason"]).contains("record cannot be read"), "{run:#}");
    world.say(&["rm", "-y", "1"]).with_code(0);
}

#[test]
fn runs_go_on_when_nobody_takes_what_is_printed() {
    let world = World::new();
    world.write("neronet.toml", "command = 'echo {x}'\n[params]\nx = [1, 2, 3]\n");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    world.neronet(&["run"]).stdout(full).status().expect("neronet starts");
    assert_eq!(outcomes(&world), ["finished"; 3]);
}

#[test]
fn ctrl_c_is_heard_while_nobody_reads() {
    let world = World::new();
    let script = "import sys, time\nfor i in range(100000): print('line', i)\nopen(sys.argv[1], 'w').close()\ntime.sleep(4711)\n";
    let mut command = world.write("train.py", script).neronet(&["run", "--", "python3", "train.py"]);
    let mut cli = command.arg(world.path("printed")).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("neronet starts");
    world.wait_told("printed");
    signal(cli.id() as i32, Signal::SIGINT);
    assert_eq!(world.ended(1)["outcome"], "stopped");
    // What is read late has no byte that the command did not print: what is gone here is said to be.
    let mut text = Vec::new();
    cli.stdout.take().expect("piped").read_to_end(&mut text).expect("a pipe");
    cli.wait().expect("it is ours");
    let text = String::from_utf8(text).expect("no half characters");
    assert!(!text.contains('\0') && text.starts_with("line 0\nline 1\n"));
    assert!(text.contains("line 99999\n") || text.contains("`neronet logs` has them"));
    assert!(world.output(1, 1).ends_with("line 99999\n"));
}

#[test]
fn of_a_killed_command_the_unfinished_line_is_text_and_no_metric() {
    let world = World::new();
    let (_, said) = world.run(&["sh", "-c", "printf 'step=1 loss=0.5\\nstep=12 loss=0.1'; kill -9 $$"]);
    said.with_code(1);
    assert_eq!(world.output(1, 1), "step=1 loss=0.5\nstep=12 loss=0.1\n");
    let steps: Vec<Value> = world.rows(1, 1).iter().map(|row| row["step"].clone()).collect();
    assert_eq!(steps, [1]);
    // One that comes to its end may leave the newline out.
    world.say(&["run", "--", "printf", "step=1 loss=0.5\nstep=12 loss=0.1"]).with_code(0);
    assert_eq!(world.rows(2, 1).len(), 2);
}

#[test]
fn experiments_of_one_file_run_as_many_at_a_time_as_it_says() {
    let world = World::new();
    // Each stays until its record has been looked at, long after the other would have begun.
    let stays = "echo loss 1; until [ -e $NERONET_RUN_DIR/summary.json ]; do sleep 0.02; done";
    world.run_spec(&format!("command = '{stays}'\n[[experiment]]\nname = 'a'\n[[experiment]]\nname = 'b'\n")).with_code(0);
    assert_eq!(outcomes(&world), ["finished", "finished"]);
    // In UTC and of one length: they are ordered as texts.
    let time = |run: u64, name: &str| text(&world.show(run)["attempts"][0][name]);
    assert!(time(1, "ended") <= time(2, "started"), "one began before the other had ended");
}

/// Appends rows to a table as it is told to; numbers go on where the last attempt ended.
const TABLE: &str = r#"
import os, sys, time
world, attempt = os.environ["WORLD"], os.environ["NERONET_ATTEMPT"]
def rows(numbers):
    with open("log.csv", "a") as file: file.writelines(f"{n},{n / 10}\n" for n in numbers)
    open(f"{world}/wrote{numbers[-1]}", "w").close()
def wait(word):
    while not os.path.exists(f"{world}/{word}"): time.sleep(0.01)
if attempt == "1":
    with open("log.csv", "w") as file: file.write("epoch,loss\n")
    rows([1, 2, 3])
    sys.exit(1)
rows([4])
wait("stopped")
rows([5, 6])
wait("killed")
rows([7])
"#;

#[test]
fn what_a_table_gets_while_the_supervisor_is_dead_is_recorded_in_later_attempts_too() {
    let world = World::new();
    world.write("train.py", TABLE);
    world.run_spec("command = 'python3 train.py'\n[metrics]\nfiles = ['log.csv']\n").with_code(1);
    let cli = world.start(&["retry", "1"]);
    wait_until("the first row of the second attempt", || world.rows(1, 2).len() == 1);
    let watched = || {
        let events = world.keeper_events(1, 2);
        events.iter().rev().find_map(|event| event["watched"]["supervisor"]["pid"].as_i64()).map(|pid| pid as i32)
    };
    let supervisor = watched().expect("it is there");
    signal(supervisor, Signal::SIGSTOP);
    world.tell("stopped");
    world.wait_told("wrote6");
    signal(supervisor, Signal::SIGKILL);
    world.tell("killed");
    end_of(cli).with_code(0);
    let epochs: Vec<f64> = world.rows(1, 2).iter().filter_map(|row| row["epoch"].as_f64()).collect();
    assert_eq!(epochs, [4.0, 5.0, 6.0, 7.0]);
}

#[test]
fn ignored_names_are_ignored_wherever_they_are_written() {
    let world = World::new();
    let script = "import json, os\nprint('loss=1 conf=2')\nopen('log.csv', 'w').write('loss,conf\\n1,2\\n')\n\
                  open(os.environ['NERONET_METRICS'], 'w').write(json.dumps({'loss': 1, 'conf': 2}) + '\\n')\n";
    world.write("train.py", script);
    world.run_spec("command = 'python3 train.py'\n[metrics]\nfiles = ['log.csv']\nignore = ['conf*']\n").with_code(0);
    let listed = world.list();
    let names: Vec<&String> = listed[0]["metrics"].as_object().expect("a map").keys().collect();
    assert_eq!(names, ["loss"]);
    assert_eq!(world.rows(1, 1).len(), 3);
}
