//! `tag`, `note`, `rm`, `restore`, `clone`.

use crate::world::World;

#[test]
fn removed_runs_go_to_the_trash_and_come_back() {
    let world = World::with_sweep();
    world.compare("rm_asks", &world.neronet(&["rm", "2-3"]).refused(2));
    world.compare("rm", &world.neronet(&["rm", "2-3", "--yes"]).succeeded());
    world.compare("rm_gone", &world.neronet(&["logs", "2"]).refused(2));
    world.compare("rm_listed", &world.neronet(&["ls", "--trash"]).succeeded());
    assert_eq!(world.json(&["ls", "--json", "--fields", "id"]), serde_json::json!([{"id": 1}, {"id": 4}]));
    world.compare("restore", &world.neronet(&["restore", "2"]).succeeded());
    assert_eq!(world.json(&["show", "2", "--json"])["id"], 2);
    world.compare("restore_not_there", &world.neronet(&["restore", "4"]).refused(2));
}

#[test]
fn only_what_is_in_the_trash_is_removed_for_good() {
    let world = World::with_sweep();
    world.compare("purge_not_in_trash", &world.neronet(&["rm", "--purge", "1", "-y"]).refused(2));
    world.neronet(&["rm", "1", "-y"]).succeeded();
    world.compare("purge_asks", &world.neronet(&["rm", "--purge", "1"]).refused(2));
    assert!(world.path("home/runs/1").exists());
    world.compare("purge", &world.neronet(&["rm", "--purge", "1", "--yes"]).succeeded());
    assert!(!world.path("home/runs/1").exists());
    world.compare("purge_gone", &world.neronet(&["show", "1"]).refused(2));
    // The environment stays for as long as one of the sweep may be begun again in it.
    let environment = world.path("home/private/sweep-1.environ");
    assert!(environment.exists());
    for words in [&["rm", "2-4", "-y"][..], &["rm", "--purge", "2-4", "-y"]] {
        world.neronet(words).succeeded();
    }
    assert!(!environment.exists());
    // A number is never given again.
    world.neronet(&["run", "-q", "--", "true"]).succeeded();
    assert_eq!(world.json(&["show", "last", "--json"])["id"], 5);
}

#[test]
fn a_running_run_is_not_removed() {
    let world = World::new();
    world.neronet(&["run", "--detach", "--", "sh", "-c", "until [ -e go ]; do sleep 0.05; done"]).succeeded();
    let attempt = world.path("home/runs/1/attempts/1/keeper.jsonl");
    while !std::fs::read_to_string(&attempt).is_ok_and(|text| text.contains("started")) {
        std::thread::yield_now();
    }
    let refused = world.neronet(&["rm", "1", "-y"]).refused(1);
    assert!(refused.err.contains("`neronet stop 1` first"), "{}", refused.err);
    std::fs::write(world.path("home/runs/1/work/go"), "").unwrap();
    world.neronet(&["logs", "-f", "1"]).succeeded();
    world.neronet(&["rm", "1", "-y"]).succeeded();
}

#[test]
fn tags_and_notes_are_written_and_taken_away() {
    let world = World::with_sweep();
    assert_eq!(world.neronet(&["tag", "1-2", "keep", "@best"]).succeeded().out, "2 runs tagged @keep @best\n");
    assert_eq!(world.neronet(&["tag", "@best", "keep", "--remove"]).succeeded().out, "2 runs no longer tagged @keep\n");
    assert_eq!(world.json(&["show", "1", "--json"])["tags"], serde_json::json!(["best"]));
    world.neronet(&["tag", "1", "two words"]).refused(2);
    assert!(world.neronet(&["tag", "1", "nosuch", "--remove"]).refused(1).err.contains("none of these runs is tagged @nosuch"));
    world.neronet(&["note", "1", "first line\nsecond"]).succeeded();
    assert!(world.neronet(&["show", "1"]).succeeded().out.contains("Note\n  first line\n  second\n"));
    assert_eq!(world.neronet(&["note", "2", "diverged at 3"]).succeeded().out, "note on run 2 written\n");
    assert_eq!(world.neronet(&["note", "2"]).succeeded().out, "diverged at 3\n");
    world.neronet(&["note", "2", ""]).succeeded();
    assert!(world.neronet(&["note", "2"]).succeeded().err.contains("has no note"));
}

#[test]
fn a_clone_runs_again_with_the_same_parameters() {
    let world = World::with_sweep();
    world.write("train.sh", "echo changed since\n");
    world.compare("clone", &world.neronet(&["clone", "3", "../copy"]).succeeded());
    let copy = world.path("copy");
    assert!(std::fs::read_to_string(copy.join("train.sh")).unwrap().contains("test_acc"));
    world.neronet_in(&copy, &["run", "-q", "neronet.toml:toy", "--set", "lr=0.2", "--set", "act=relu"], &[]).succeeded();
    assert_eq!(world.json(&["show", "5", "--json"])["metrics"]["test_acc"]["last"], 94.0);
    world.compare("clone_not_empty", &world.neronet(&["clone", "3", "../copy"]).refused(2));
}

#[test]
fn a_clone_of_what_was_not_frozen_says_what_it_can_do() {
    let world = World::new();
    world.write("neronet.toml", "command = \"echo loss 1\"\n[code]\nin_place = true\n");
    world.neronet(&["run", "-q"]).succeeded();
    world.compare("clone_in_place", &world.neronet(&["clone", "1", "../copy"]).succeeded());
    assert!(world.path("copy/neronet.toml").exists());
}

/// The command that `clone` prints, carried out in the clone by a shell. Gives the new run.
fn run_again(world: &World, clone: &str, folder: &str) -> serde_json::Value {
    let line = clone.lines().find_map(|line| line.strip_prefix("to run it there: ")).unwrap();
    let neronet = std::path::Path::new(env!("CARGO_BIN_EXE_neronet")).parent().unwrap().display().to_string();
    let path = format!("{neronet}:/usr/local/bin:/usr/bin:/bin");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", line]).current_dir(world.project()).env("PATH", path);
    shell.env("NERONET_HOME", world.path("home")).env("HOME", world.path("user"));
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    assert!(world.path(folder).exists());
    world.json(&["show", "last", "-a", "--json"])
}

#[test]
fn what_a_clone_prints_gives_the_same_run_whatever_its_values_are() {
    let world = World::new();
    let dump = "import sys; print('argv', sys.argv[1:])\n";
    world.write("show.py", dump);
    // No name; values that the command line would read as several, or as another kind.
    world.write(
        "neronet.toml",
        "command = \"python3 show.py {text} {betas} {lr}\"\n[params]\ntext = [\"a,b\", \"007\", \" x \", \"it's\"]\n\
         betas = { value = [0.9, 0.99] }\nlr = 1e-3\n",
    );
    world.neronet(&["run", "-q", "--set", "betas={value=[0.5, 1.0]}"]).succeeded();
    for run in 1..=4 {
        let folder = format!("copy-{run}");
        let clone = world.neronet(&["clone", &run.to_string(), &format!("../{folder}")]).succeeded();
        let (old, new) = (world.json(&["show", &run.to_string(), "--json"]), run_again(&world, &clone.out, &folder));
        assert_eq!([&new["params"], &new["command"]], [&old["params"], &old["command"]], "{}", clone.out);
        assert!(!clone.out.contains("lr="), "what the specification says need not be set: {}", clone.out);
    }
    let words = ["run", "-q", "--set", "x=3", "--", "python3", "show.py", "{x}", r#"{"a":1}"#];
    world.neronet(&words).succeeded();
    let old = world.json(&["show", "last", "--json"]);
    let clone = world.neronet(&["clone", "last", "../bare"]).succeeded();
    let new = run_again(&world, &clone.out, "bare");
    assert_eq!([&new["params"], &new["command"]], [&old["params"], &old["command"]], "{}", clone.out);
    let ids = [old["id"].to_string(), new["id"].to_string()];
    let compared = world.neronet(&["compare", &ids[0], &ids[1], "--same"]).succeeded();
    assert!(compared.out.contains(r#"show.py {x} {"a":1}"#), "{}", compared.out);
}

#[test]
fn a_clone_writes_through_no_link() {
    let world = World::new();
    std::fs::create_dir(world.path("shared")).unwrap();
    let outside = world.path("shared/base.toml");
    std::fs::write(&outside, "command = \"true\"\n").unwrap();
    std::fs::remove_file(world.project().join("neronet.toml")).unwrap();
    std::os::unix::fs::symlink("../shared/base.toml", world.project().join("neronet.toml")).unwrap();
    world.neronet(&["run", "-q"]).succeeded();
    std::fs::remove_file(&outside).unwrap();
    world.neronet(&["clone", "1", "../copy"]).succeeded();
    assert!(!outside.exists());
    assert_eq!(std::fs::read_to_string(world.path("copy/run-1-neronet.toml")).unwrap(), "command = \"true\"\n");
}

#[test]
fn of_several_runs_only_those_that_did_not_finish_are_begun_again() {
    let world = World::new();
    world.write("neronet.toml", "command = \"test {n} != 2\"\n[params]\nn = [1, 2, 3]\n");
    world.neronet(&["run", "-q"]).refused(1);
    let attempts = || world.json(&["ls", "--json"]).as_array().unwrap().iter().map(|run| run["attempts"].clone()).collect::<Vec<_>>();
    let again = world.neronet(&["retry", "-q", "sweep:1"]).refused(1);
    assert_eq!(attempts(), [1, 2, 1], "{}", again.err);
    assert!(again.err.contains("2 finished runs left out; one named alone is begun again, such as 1"), "{}", again.err);
    world.neronet(&["retry", "-q", "1"]).succeeded();
    assert_eq!(attempts(), [2, 2, 1]);
    assert!(world.neronet(&["retry", "1", "3"]).refused(1).err.contains("none of them is left"));
}
