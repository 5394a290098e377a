//! Steps behind a command that ended well.

use crate::world::{World, end_of, runs, signal, text, wait_until};
use nix::sys::signal::Signal;
use serde_json::Value;

/// Three epochs with a checkpoint each, the second one the best; the last line has no newline.
const TRAIN: &str = r#"
import os
os.makedirs("ckpt dir", exist_ok=True)
for epoch, acc in ((1, 0.5), (2, 0.9), (3, 0.7)):
    print(f"Epoch {epoch}/3 loss {1 / epoch:.2f} val_acc {acc}")
    with open("new", "w") as file: file.write(f"weights {epoch}")
    os.rename("new", f"ckpt dir/it's {epoch}.pt")
    # A training lasts longer than it takes neronet to see a checkpoint.
    record = os.environ["NERONET_RUN_DIR"] + "/attempts/1/events.1.jsonl"
    while not (os.path.exists(record) and f"it's {epoch}.pt" in open(record).read()): pass
print("done", end="")
open(os.environ["WORLD"] + "/trained-" + os.environ["NERONET_ATTEMPT"], "w").close()
"#;

const SPEC: &str = r#"
command = "python3 train.py {flags}"
objective = "val_acc max"
params.lr = 0.1
[checkpoints]
paths = ["ckpt dir/*.pt"]
"#;

fn step(run: &Value, at: usize) -> (String, String, Value) {
    let step = &run["steps"][at];
    (text(&step["name"]), text(&step["state"]), step["exit_code"].clone())
}

fn is(name: &str, state: &str, code: impl Into<Value>) -> (String, String, Value) {
    (name.to_string(), state.to_string(), code.into())
}

/// A script for the shell that says that it is there, and waits until it is told to go.
const PATIENT: &str = "echo > \"$WORLD/there\"; until [ -e \"$WORLD/go\" ]; do sleep 0.02; done";

#[test]
fn steps_follow_a_success_with_the_checkpoints_that_it_left() {
    let world = World::new();
    world.write("train.py", TRAIN);
    world.script("words", "#!/bin/sh\nfor word; do echo \"<$word>\"; done\ncat \"$1\"; echo; echo \"test_acc: 0.88\"\n");
    let steps = r#"
[[then]]
name = "shell"
command = "./words {checkpoint.best} '{checkpoint}' \"x{checkpoint.best}y\" {flags}; true"
[[then]]
name = "list"
command = ["./words", "{checkpoint}", "--best={checkpoint.best}"]
"#;
    world.run_spec(&format!("{SPEC}{steps}")).with_code(0);
    let run = world.show(1);
    assert_eq!(
        (&run["outcome"], step(&run, 0), step(&run, 1)),
        (&"finished".into(), is("shell", "finished", 0), is("list", "finished", 0))
    );
    let work = world.home().join("runs/1/work/ckpt dir");
    let path = |epoch: u32| work.join(format!("it's {epoch}.pt")).display().to_string();
    let (best, latest) = (path(2), path(3));
    let output = world.output(1, 1);
    let (_, said) = output.split_once("done\n").unwrap_or_else(|| panic!("a line of its own: {output}"));
    let expected = format!(
        "<{best}>\n<{latest}>\n<x{best}y>\n<--lr>\n<0.1>\nweights 2\ntest_acc: 0.88\n<{latest}>\n<--best={best}>\nweights 3\ntest_acc: 0.88\n"
    );
    assert_eq!(said, expected);
    assert_eq!((&run["steps"][1]["checkpoint"], &run["steps"][1]["best_checkpoint"]), (&latest.into(), &best.into()));
    // What a step says belongs to the run, and not to the training's last epoch.
    let rows: Vec<Value> = world.rows(1, 1).into_iter().filter(|row| row["m"]["test_acc"].is_number()).collect();
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows.iter().all(|row| row["epoch"].is_null() && row["step"].is_null()), "{rows:?}");
    assert_eq!((&run["metrics"]["test_acc"]["last"], &run["metrics"]["val_acc"]["points"]), (&0.88.into(), &3.into()));
    let shown = world.say(&["show", "1"]).with_code(0).out;
    assert!(shown.contains("Steps") && shown.contains("shell") && shown.contains("finished"), "{shown}");
}

#[test]
fn a_retry_begins_with_the_step_that_failed() {
    let world = World::new();
    world.write("train.py", TRAIN);
    let steps = r#"
[[then]]
name = "first"
command = "echo x >> \"$WORLD/first\""
[[then]]
name = "evaluate"
command = "echo evaluating; test -e \"$WORLD/mended\" && echo test_acc 0.8"
[[then]]
name = "again"
command = "cat {checkpoint.best}"
"#;
    let said = world.run_spec(&format!("{SPEC}{steps}")).with_code(1);
    assert!(said.err.contains("step evaluate: exit code 1"), "{said:#?}");
    let run = world.show(1);
    assert_eq!((&run["reason"], &run["attempts"][0]["exit_code"]), (&"step evaluate: exit code 1".into(), &1.into()));
    let states = |run: &Value| (0..3).map(|at| step(run, at).1).collect::<Vec<_>>();
    assert_eq!(states(&run), ["finished", "failed", "waiting"]);
    world.tell("mended");
    let said = world.say(&["retry", "1"]).with_code(0);
    assert!(said.err.contains("goes on with step evaluate"), "{said:#?}");
    let run = world.show(1);
    assert_eq!((&run["outcome"], states(&run)), (&"finished".into(), vec!["finished".to_string(); 3]), "{run:#}");
    assert_eq!(world.told("first").as_deref(), Some("x\n"), "done once");
    assert!(world.told("trained-2").is_none(), "the training is not repeated");
    assert!(world.output(1, 2).ends_with("weights 2\n"), "with the checkpoints of the first attempt: {}", world.output(1, 2));
    // The curves are one.
    assert_eq!((&run["metrics"]["val_acc"]["points"], &run["metrics"]["test_acc"]["last"]), (&3.into(), &0.8.into()));
    assert_eq!((&run["steps"][0]["attempt"], &run["steps"][1]["attempt"]), (&1.into(), &2.into()));
    // One that has finished is begun anew.
    world.say(&["retry", "1"]).with_code(0);
    assert!(world.told("trained-3").is_some());
}

#[test]
fn an_attempt_that_was_never_begun_changes_nothing_of_what_is_left() {
    let world = World::new();
    let spec = format!(
        "command = '''echo x >> \"$WORLD/trained-{{x}}\"; echo weights > new; mv new w.pt'''\nparams.x = [1, 2]\n[checkpoints]\npaths = ['*.pt']\n\
         [[then]]\nname = 'evaluate'\ncommand = '''cat {{checkpoint}}; test -e \"$WORLD/mended\" || exit 1; {PATIENT}'''\n"
    );
    world.run_spec(&spec).with_code(1);
    world.tell("mended");
    let mut driver = world.start(&["retry", "1,2"]);
    world.wait_told("there");
    driver.kill().expect("ours");
    driver.wait().expect("ours");
    assert!(!world.attempt(2, 2).exists(), "it waits for the first");
    world.tell("go");
    // Stopped before it starts it leaves an empty folder.
    world.say(&["stop", "2"]).with_code(0);
    world.say(&["retry", "2"]).with_code(0);
    let run = world.show(2);
    assert_eq!((&run["outcome"], step(&run, 0)), (&"finished".into(), is("evaluate", "finished", 0)), "{run:#}");
    assert_eq!(world.told("trained-2").as_deref(), Some("x\n"));
}

#[test]
fn a_step_that_needs_a_checkpoint_fails_without_one() {
    let world = World::new();
    let spec = "command = 'true'\n[checkpoints]\npaths = ['*.pt']\n[[then]]\nname = 'evaluate'\ncommand = 'cat {checkpoint}'\n";
    world.run_spec(&format!("{spec}[[then]]\nname = 'after'\ncommand = 'true'\n")).with_code(1);
    let run = world.show(1);
    assert_eq!(run["reason"], "step evaluate: could not be started: there is no complete checkpoint");
    assert_eq!((step(&run, 0).1, step(&run, 1).1), ("failed".into(), "waiting".into()), "{run:#}");
}

#[test]
fn no_step_follows_a_failure() {
    let world = World::new();
    world.run_spec("command = 'exit 3'\n[[then]]\nname = 'evaluate'\ncommand = 'echo never'\n").with_code(1);
    let run = world.show(1);
    assert_eq!((&run["reason"], step(&run, 0)), (&"exit code 3".into(), is("evaluate", "waiting", Value::Null)));
    assert_eq!(world.output(1, 1), "");
}

/// A patient training, and two steps behind it of which the first is patient too.
fn patient(world: &World) {
    let spec = format!(
        "command = '''{PATIENT}'''\n[[then]]\nname = 'one'\ncommand = '''rm \"$WORLD/there\" \"$WORLD/go\"; echo > \"$WORLD/one\"; {PATIENT}'''\n\
         [[then]]\nname = 'two'\ncommand = 'echo > \"$WORLD/two\"'\n"
    );
    world.write("neronet.toml", spec);
}

#[test]
fn steps_need_no_driver() {
    let world = World::new();
    patient(&world);
    let mut driver = world.start(&["run"]);
    world.wait_told("there");
    driver.kill().expect("ours");
    driver.wait().expect("ours");
    world.tell("go");
    world.wait_told("one");
    assert_eq!(text(&world.show(1)["reason"]), "step one");
    wait_until("the step is there", || world.told("there").is_some());
    world.tell("go");
    assert_eq!(world.ended(1)["outcome"], "finished");
    assert!(world.told("two").is_some());
}

#[test]
fn a_step_that_its_keeper_did_not_outlive_is_begun_again() {
    let world = World::new();
    patient(&world);
    let driver = world.start(&["run"]);
    world.wait_told("there");
    world.tell("go");
    world.wait_told("one");
    wait_until("the step is there", || world.told("there").is_some());
    signal(world.pid(1, "begun", "keeper"), Signal::SIGKILL);
    world.tell("go");
    end_of(driver).with_code(1);
    let run = world.ended(1);
    assert_eq!((&run["outcome"], step(&run, 0), step(&run, 1).1), (&"lost".into(), is("one", "unknown", Value::Null), "waiting".into()));
    assert!(world.told("two").is_none());
    // The training is not carried out again: it would wait for ever.
    let again = world.start(&["retry", "1"]);
    wait_until("the step begins again", || world.keeper_events(1, 2).iter().any(|event| event["step"]["name"] == "one"));
    wait_until("it waits", || world.told("there").is_some() && world.told("go").is_none());
    world.tell("go");
    end_of(again).with_code(0);
    assert!(world.told("two").is_some());
}

#[test]
fn a_keeper_that_dies_between_command_and_step_leaves_it_open() {
    let world = World::new();
    patient(&world);
    let driver = world.start(&["run"]);
    world.wait_told("there");
    let (keeper, supervisor) = (world.pid(1, "begun", "keeper"), world.pid(1, "watched", "supervisor"));
    signal(supervisor, Signal::SIGSTOP);
    world.tell("go");
    // Its answer is waited for, so the step cannot begin.
    wait_until("the command has ended", || world.keeper_events(1, 1).iter().any(|event| event["exited"]["code"] == 0));
    signal(keeper, Signal::SIGKILL);
    signal(supervisor, Signal::SIGCONT);
    end_of(driver).with_code(1);
    assert_eq!(world.ended(1)["outcome"], "lost");
    assert!(world.told("one").is_none());
    let again = world.start(&["retry", "1"]);
    world.wait_told("one");
    wait_until("it waits", || world.told("there").is_some() && world.told("go").is_none());
    world.tell("go");
    end_of(again).with_code(0);
}

#[test]
fn a_supervisor_that_dies_before_a_step_is_replaced_and_the_step_follows() {
    let world = World::new();
    patient(&world);
    let driver = world.start(&["run"]);
    world.wait_told("there");
    let supervisor = world.pid(1, "watched", "supervisor");
    signal(supervisor, Signal::SIGSTOP);
    world.tell("go");
    wait_until("the command has ended", || world.keeper_events(1, 1).iter().any(|event| event["exited"]["code"] == 0));
    signal(supervisor, Signal::SIGKILL);
    world.wait_told("one");
    signal(world.pid(1, "watched", "supervisor"), Signal::SIGKILL);
    wait_until("it waits", || world.told("there").is_some() && world.told("go").is_none());
    world.tell("go");
    end_of(driver).with_code(0);
    assert_eq!(world.show(1)["outcome"], "finished");
}

#[test]
fn who_stops_a_run_in_a_step_stops_all_of_it() {
    let world = World::new();
    patient(&world);
    let driver = world.start(&["run"]);
    world.wait_told("there");
    world.tell("go");
    world.wait_told("one");
    wait_until("the step is there", || world.told("there").is_some());
    world.say(&["stop", "1"]).with_code(0);
    end_of(driver).with_code(1);
    let run = world.show(1);
    assert_eq!((&run["outcome"], step(&run, 0).1, step(&run, 1).1), (&"stopped".into(), "stopped".into(), "waiting".into()), "{run:#}");
    assert!(text(&run["reason"]).starts_with("step one: stopped by "), "{run:#}");
    assert!(world.told("two").is_none());
}

#[test]
fn who_stops_a_run_between_its_steps_stops_it() {
    let world = World::new();
    patient(&world);
    let driver = world.start(&["run"]);
    world.wait_told("there");
    let supervisor = world.pid(1, "watched", "supervisor");
    signal(supervisor, Signal::SIGSTOP);
    world.tell("go");
    wait_until("the command has ended", || world.keeper_events(1, 1).iter().any(|event| event["exited"]["code"] == 0));
    world.say(&["stop", "1"]).with_code(0);
    wait_until("it was asked", || world.keeper_events(1, 1).iter().any(|event| event["asked"].is_object()));
    signal(supervisor, Signal::SIGCONT);
    end_of(driver).with_code(1);
    let run = world.show(1);
    assert_eq!((&run["outcome"], step(&run, 0).1), (&"stopped".into(), "waiting".into()), "{run:#}");
    assert!(world.told("one").is_none());
}

#[test]
fn the_time_limit_is_that_of_command_and_steps_together() {
    let world = World::new();
    let steps = "[[then]]\nname = 'endless'\ncommand = 'echo $$ > \"$WORLD/pid\"; sleep 3600'\n[[then]]\nname = 'two'\ncommand = 'true'\n";
    world.run_spec(&format!("command = 'true'\n[resources]\ntime = '1s'\n{steps}")).with_code(1);
    let run = world.show(1);
    assert_eq!((&run["outcome"], &run["reason"]), (&"failed".into(), &"step endless: time limit".into()), "{run:#}");
    assert!(!runs(world.wait_told("pid").trim().parse().expect("a number")));
    assert_eq!(step(&run, 1).1, "waiting");
}

#[test]
fn what_a_step_could_not_execute_is_named() {
    let world = World::new();
    world.run_spec("command = 'true'\n[[then]]\nname = 'plot'\ncommand = ['./nosuch']\n").with_code(1);
    assert_eq!(world.show(1)["reason"], "step plot: program not found: ./nosuch");
}

#[test]
fn the_cause_of_a_failed_step_is_not_what_the_training_said() {
    let world = World::new();
    let spec = "command = 'echo \"ValueError: caught\" >&2'\n[[then]]\nname = 'quiet'\ncommand = 'exit 4'\n";
    world.run_spec(spec).with_code(1);
    assert_eq!(world.show(1)["reason"], "step quiet: exit code 4");
}
