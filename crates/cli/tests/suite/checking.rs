//! `check`: what would run, and what would be read.

use crate::world::World;

#[test]
fn a_specification_is_explained_and_nothing_is_run() {
    let world = World::new();
    world.compare("check", &world.neronet(&["check"]).succeeded());
    world.compare("check_set", &world.neronet(&["check", "--set", "lr=0.1,0.2,0.3,0.4,0.5,0.6"]).succeeded());
    assert!(!world.path("home").exists(), "check has written to home");
}

#[test]
fn a_hundred_thousand_combinations_are_counted_and_sampled() {
    let world = World::new();
    let ten = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]";
    world
        .write("neronet.toml", &format!("command = \"echo {{flags}}\"\n[params]\na = {ten}\nb = {ten}\nc = {ten}\nd = {ten}\ne = {ten}\n"));
    world.compare("check_many", &world.neronet(&["check"]).succeeded());
    let json = world.json(&["check", "--json"]);
    assert_eq!(json["count"], 100_000);
    assert_eq!(json["runs"].as_array().unwrap().len(), 10_000);
    world.compare("run_many", &world.neronet(&["run"]).refused(2));
}

#[test]
fn what_is_wrong_is_shown_where_it_is() {
    let world = World::new();
    world.write("neronet.toml", "command = \"echo {lr}\"\n[resources]\ngpu = 1\n");
    world.compare("check_wrong", &world.neronet(&["check"]).refused(2));
    std::fs::remove_file(world.project().join("neronet.toml")).unwrap();
    let refused = world.neronet(&["check"]).refused(2);
    assert!(refused.err.contains("there is no neronet.toml"), "{}", refused.err);
}

#[test]
fn a_log_shows_what_would_be_read_from_it() {
    let world = World::new();
    world.write("log.txt", "Epoch 1/2 loss: 0.5\n[0003] widget -> 0.7 gadgets\nEpoch 2/2 loss: 0.4\n[0004] widget -> 0.8 gadgets\n");
    world.compare("learn", &world.neronet(&["check", "--learn", "log.txt"]).succeeded());
    let json = world.json(&["check", "--learn", "log.txt", "--json"]);
    assert_eq!(json["series"][0]["name"], "loss");
    assert_eq!(json["series"][0]["points"], 2);
    world.compare("learn_no_log", &world.neronet(&["check", "--learn", "nowhere.txt"]).refused(2));
}

#[test]
fn a_smoke_test_says_of_each_experiment_what_became_of_it() {
    let world = World::new();
    world.write("crash.sh", "echo step 1 loss 0.5\necho 'cannot go on' >&2\nexit 3\n");
    world.write("long.sh", "for epoch in $(seq 1 1000); do echo \"Epoch $epoch/1000 loss 0.$epoch\"; sleep 0.05; done\n");
    world.write("seeded.sh", "for step in 1 2 3; do echo \"step $step/3 loss $step.5\"; done\n");
    let spec = "[[experiment]]\nname = 'crash'\ncommand = 'sh crash.sh'\n\
                [[experiment]]\nname = 'long'\ncommand = 'sh long.sh {lr}'\nparams.lr = [0.1, 0.2, 0.3]\nsweep.parallel = 2\n\
                [[experiment]]\nname = 'seeded'\ncommand = 'sh seeded.sh {seed}'\nparams.seed = { repeat = 2 }\n\
                [[experiment]]\nname = 'in-place'\ncommand = 'sh long.sh'\ncode.in_place = true\n\
                [[experiment]]\nname = 'silent'\ncommand = 'true'\n";
    world.write("neronet.toml", spec);
    world.compare("check_smoke", &world.neronet(&["check", "--smoke", "3s"]).refused(1));
    world.compare("check_smoke_no_time", &world.neronet(&["check", "--smoke", "neronet.toml"]).refused(2));
    assert!(!world.path("home").exists(), "check has written to home");
}
