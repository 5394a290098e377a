//! What a run leaves besides checkpoints: artifacts with their hashes, other files by name.

use crate::world::{World, end_of, signal, wait_until};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

fn artifacts(run: &Value) -> Vec<(String, u64, String)> {
    let all = run["artifacts"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_string();
    all.map(|artifact| (text(&artifact["path"]), artifact["bytes"].as_u64().expect("a number"), text(&artifact["sha256"]))).collect()
}

fn names(run: &Value) -> Vec<String> {
    artifacts(run).into_iter().map(|(path, _, _)| path).collect()
}

fn others(run: &Value) -> Vec<String> {
    let all = run["other_files"]["paths"].as_array().expect("a list").iter();
    all.map(|other| other["path"].as_str().expect("a path").to_string()).collect()
}

/// SHA-256 of `hello` and a newline.
const HELLO: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

#[test]
fn what_keep_names_is_recorded_with_its_hash_and_the_rest_is_listed() {
    let world = World::new();
    world.write("old.png", "from the code").write("stale.csv", "1").write("conf.in", "{lr}");
    world.write("secret/inside.png", "in the work tree");
    let script = "echo hello > curve.png; mkdir -p out/deep ckpt __pycache__; echo x > out/a; echo y > out/deep/b; echo 1 > log.txt; \
                  echo w > ckpt/1.pt; echo c > __pycache__/m.pyc; echo h > .hidden; ln -s /etc/hostname link.png; mkfifo pipe.png; \
                  echo 2 >> stale.csv; echo z > \"$NERONET_RUN_DIR/beside\"";
    world.script("leave", &format!("#!/bin/sh\nset -e\n{script}\n"));
    world
        .run_spec(
            "command = \"./leave\"\nparams.lr = 0.1\n[checkpoints]\npaths = [\"ckpt/*.pt\"]\n[outputs]\nkeep = [\"*.png\", \"out/\", \"stale.csv\", \"none/*\"]\n[[file]]\ntemplate = \"conf.in\"\nto = \"out/conf\"\n",
        )
        .with_code(0);
    let run = world.show(1);
    assert_eq!(names(&run), ["curve.png", "out/a", "out/deep/b", "stale.csv"], "neither the code's own, nor links, nor what is no file");
    assert_eq!(artifacts(&run)[0], ("curve.png".into(), 6, HELLO.into()));
    let beside = world.home().join("runs/1/beside").display().to_string();
    assert_eq!(others(&run), [beside, "log.txt".to_string()]);
    assert_eq!((&run["other_files"]["files"], &run["other_files"]["at_least"]), (&json!(2), &json!(false)));
    let shown = world.say(&["show", "1"]).with_code(0).out;
    assert!(shown.contains("Artifacts") && shown.contains("curve.png") && shown.contains("log.txt (2 B)"), "{shown}");
    let record = world.record(1, 1);
    assert!(record.contains("\"outputs.1.jsonl\""), "the list is sealed like all else: {record}");
}

#[test]
fn a_run_that_leaves_nothing_has_no_list() {
    let world = World::new();
    world.write("data.csv", "1").run_spec("command = \"true\"\n[outputs]\nkeep = [\"*.csv\"]\n").with_code(0);
    let run = world.show(1);
    assert_eq!((artifacts(&run).len(), &run["other_files"]["files"]), (0, &json!(0)));
    assert!(!world.attempt(1, 1).join("outputs.1.jsonl").exists());
}

#[test]
fn what_is_beyond_the_maximum_stays_with_the_run_and_is_told() {
    let world = World::new();
    let spec = "command = \"head -c 600 /dev/zero > a.bin; head -c 600 /dev/zero > b.bin; echo hello > c.bin\"\n[outputs]\nkeep = [\"*.bin\"]\nmax = \"1 kB\"\n";
    world.run_spec(spec).with_code(0);
    let run = world.show(1);
    assert_eq!(names(&run), ["a.bin", "c.bin"]);
    assert_eq!(others(&run), ["b.bin"]);
    let notices = run["attempts"][0]["notices"].to_string();
    assert!(
        notices.contains("1 file (600 B) that [outputs] keep names stays with the run's folder alone, beyond its max of 1 kB"),
        "{notices}"
    );
}

#[test]
fn what_a_failed_attempt_left_is_recorded_and_a_later_one_replaces_it() {
    let world = World::new();
    world.script("leave", "#!/bin/sh\necho $NERONET_ATTEMPT > preds.csv\necho 1 > only-$NERONET_ATTEMPT.csv\n[ $NERONET_ATTEMPT = 2 ]\n");
    world.run_spec("command = \"./leave\"\n[outputs]\nkeep = [\"*.csv\"]\n").with_code(1);
    assert_eq!(names(&world.show(1)), ["only-1.csv", "preds.csv"]);
    let before = artifacts(&world.show(1))[1].2.clone();
    world.say(&["retry", "1", "--quiet"]).with_code(0);
    assert_eq!(names(&world.show(1)), ["only-1.csv", "only-2.csv", "preds.csv"]);
    assert_ne!(artifacts(&world.show(1))[2].2, before);
}

#[test]
fn in_place_what_the_run_wrote_is_an_artifact_and_nothing_else_is_looked_at() {
    let world = World::new();
    world.write("old.csv", "1");
    // Until the disk's clock has moved on from when that was written.
    wait_until("the clock of the disk to move on", || {
        world.write("now", "");
        let changed = |name: &str| std::fs::metadata(world.project().join(name)).and_then(|meta| meta.modified()).expect("there");
        changed("now") > changed("old.csv")
    });
    world.run_spec("command = \"echo hello > new.csv; echo 1 > other\"\ncode.in_place = true\noutputs.keep = [\"*.csv\"]\n").with_code(0);
    let run = world.show(1);
    assert_eq!(names(&run), ["new.csv"]);
    assert!(others(&run).is_empty());
}

#[test]
fn names_do_not_reach_the_terminal_as_commands_to_it() {
    let world = World::new();
    world.script("leave", "#!/bin/sh\nprintf x > \"$(printf 'a\\033]0;t\\007b\\nc.csv')\"\n");
    world.run_spec("command = \"./leave\"\noutputs.keep = [\"*.csv\"]\n").with_code(0);
    assert_eq!(names(&world.show(1)), ["a\u{1b}]0;t\u{7}b\nc.csv"]);
    let shown = world.say(&["show", "1"]).with_code(0).out;
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{7}') && shown.contains("c.csv"), "{shown:?}");
}

#[test]
fn a_supervisor_that_is_killed_while_it_lists_leaves_the_list_to_its_successor() {
    let world = World::new();
    // Enough to read that the kill comes in the midst of it, wherever that is.
    let spec = "command = \"truncate -s 400M big.bin; echo hello > small.bin; echo > \\\"$WORLD/there\\\"; until [ -e \\\"$WORLD/go\\\" ]; do sleep 0.02; done\"\noutputs.keep = [\"*.bin\"]\n";
    world.write("neronet.toml", spec);
    let run = world.start(&["run", "--quiet"]);
    world.wait_told("there");
    let supervisor = world.pid(1, "watched", "supervisor");
    world.tell("go");
    wait_until("the command to end", || world.keeper_events(1, 1).iter().any(|event| event.get("exited").is_some()));
    signal(supervisor, Signal::SIGKILL);
    end_of(run);
    let run = world.ended(1);
    assert_eq!((&run["outcome"], names(&run)), (&"finished".into(), vec!["big.bin".to_string(), "small.bin".to_string()]));
    assert_eq!(artifacts(&run)[1].2, HELLO);
}
