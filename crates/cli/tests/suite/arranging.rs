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
    // Its number is never given again.
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
