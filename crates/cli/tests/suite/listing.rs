//! `ls`: columns, order, limits, projects.

use crate::world::World;

/// A sweep, a failed run, one of another project.
fn world() -> World {
    let world = World::with_sweep();
    world.neronet(&["run", "--", "sh", "-c", "echo before; echo 'it broke' >&2; exit 3"]).refused(1);
    world.neronet(&["run", "--quiet", "--project", "other", "--", "true"]).succeeded();
    world
}

fn ids(world: &World, words: &[&str]) -> Vec<u64> {
    let listed = world.json(&[&["ls", "--json"], words].concat());
    listed.as_array().unwrap().iter().map(|run| run["id"].as_u64().unwrap()).collect()
}

#[test]
fn the_runs_of_the_project_are_a_table_with_what_varies_and_what_tells() {
    let world = world();
    world.compare("ls", &world.neronet(&["ls"]));
    world.compare("ls_all", &world.neronet(&["ls", "-a"]));
    world.compare("ls_fields", &world.neronet(&["ls", "1-2", "--fields", "id,act,test_acc,outcome"]));
}

#[test]
fn an_objective_is_shown_at_its_best_and_said_to_be_one() {
    let world = World::new();
    world.write(
        "neronet.toml",
        "command = \"for v in 3 1 2; do echo step $v val_error $v; done\"\nobjective = \"val_error min\"\n[params]\nn = [1, 2]\n",
    );
    world.neronet(&["run", "-q"]).succeeded();
    world.compare("ls_objective", &world.neronet(&["ls"]));
}

#[test]
fn runs_are_sorted_with_the_better_first() {
    let world = world();
    assert_eq!(ids(&world, &["--sort", "test_acc"]), [3, 4, 1, 2, 5]);
    assert_eq!(ids(&world, &["--sort", "loss"]), [3, 4, 1, 2, 5]);
    assert_eq!(ids(&world, &["--sort", "act", "--limit", "3"]), [2, 4, 1]);
    assert_eq!(ids(&world, &["--limit", "2"]), [4, 5]);
    assert_eq!(ids(&world, &["-a"]), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn filters_choose_and_may_match_nothing() {
    let world = world();
    assert_eq!(ids(&world, &["state == failed"]), [5]);
    assert_eq!(ids(&world, &["lr > 0.1 and act = relu", "2"]), [2, 3]);
    assert_eq!(ids(&world, &["toy"]), [1, 2, 3, 4]);
    assert_eq!(ids(&world, &["lr > 7"]), [0u64; 0]);
    world.compare("ls_nothing_matches", &world.neronet(&["ls", "lr > 7"]).succeeded());
}

#[test]
fn filters_know_every_name_that_listings_show() {
    let world = world();
    world.neronet(&["tag", "2", "base"]).succeeded();
    world.neronet(&["run", "-q", "--", "sh", "-c", "kill -9 $$"]).refused(1);
    for (filter, expected) in [
        ("duration < 1h", &[1, 2, 3, 4, 5, 6, 7][..]),
        ("duration > 3600", &[]),
        ("attempts >= 1 and id < 3", &[1, 2]),
        ("reason ~ KILL", &[7]),
        ("reason ~ 'exit code'", &[5]),
        ("created > 2020", &[1, 2, 3, 4, 5, 6, 7]),
        ("created > 2020-11-21 and ended < 2021", &[]),
        ("tags == base", &[2]),
        ("tag ~ as", &[2]),
        ("tag != base and id < 4", &[1, 3]),
        ("test_acc.max > 93", &[3, 4]),
        ("test_acc.min > 90.9", &[3, 4]),
        ("loss.best < 0.12", &[3, 4]),
        ("test_acc.points == 4 and test_acc.last == 92.0", &[1, 2]),
        ("params.lr == 0.2", &[3, 4]),
        ("metrics.test_acc > 93", &[3, 4]),
        ("state == ended and outcome == failed", &[5, 7]),
    ] {
        assert_eq!(ids(&world, &["-a", filter]), expected, "{filter}");
    }
    world.compare("error_filter_name", &world.neronet(&["ls", "sate == failed"]).refused(2));
    world.compare("error_filter_stop", &world.neronet(&["stop", "state == running"]).refused(2));
}

#[test]
fn runs_are_named_by_lists_of_numbers() {
    let world = world();
    assert_eq!(ids(&world, &["1,3,5-6"]), [1, 3, 5, 6]);
    world.neronet(&["compare", "1,3", "4"]).succeeded();
    world.neronet(&["tag", "2,4", "even"]).succeeded();
    assert_eq!(ids(&world, &["@even"]), [2, 4]);
    for words in [&["ls", "1,77"][..], &["stop", "1,77"]] {
        assert!(world.neronet(words).refused(2).err.contains("there is no run 77"));
    }
}

#[test]
fn elsewhere_the_list_says_where_the_runs_are() {
    let world = world();
    let elsewhere = world.path("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    world.compare("ls_elsewhere", &world.neronet_in(&elsewhere, &["ls"], &[]).succeeded());
    world.compare("ls_no_runs", &World::new().neronet(&["ls"]).succeeded());
}

#[test]
fn a_home_that_cannot_be_written_can_be_read() {
    let world = world();
    let read_only = |mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        for path in ["home/home.lock", "home/journal", "home"] {
            std::fs::set_permissions(world.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    read_only(0o500);
    let listed = world.neronet(&["ls"]);
    read_only(0o700);
    let listed = listed.succeeded();
    assert!(listed.out.contains("toy") && listed.err.is_empty(), "{}{}", listed.out, listed.err);
}

#[test]
fn what_a_list_is_sorted_by_is_shown_and_may_be_turned_round() {
    let world = world();
    assert_eq!(ids(&world, &["1-4", "--sort", "-lr"]), [4, 3, 2, 1]);
    assert_eq!(ids(&world, &["--sort", "-test_acc"]), [2, 1, 4, 3, 5], "what has no value stays behind");
    assert_eq!(ids(&world, &["1-4", "--sort", "lr"]), [1, 2, 3, 4]);
    let two = world.neronet(&["ls", "1-4", "--sort", "lr", "--limit", "2"]).succeeded();
    assert!(two.out.lines().next().is_some_and(|head| head.contains(" lr ")), "{}", two.out);
}

#[test]
fn a_best_run_that_failed_is_said_to_have_failed() {
    let world = World::new();
    world.write("neronet.toml", "command = \"echo val_acc {n}; exit {n}\"\n[params]\nn = [0, 1]\n");
    world.neronet(&["run", "-q"]).refused(1);
    let listed = world.neronet(&["ls"]).succeeded();
    assert!(listed.out.contains("best: run 2 (failed), val_acc 1"), "{}", listed.out);
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let world = World::new();
    world.neronet(&["run", "-q", "--", "true"]).succeeded();
    for words in ["ls", "show", "--version", "ls --json"] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_neronet"));
        command.args(words.split(' ')).current_dir(world.project()).env("NERONET_HOME", world.path("home")).stdout(full);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("No space left"), "{words}: {output:?}");
    }
}

#[test]
fn names_tags_filters_and_last_mean_the_current_project_and_numbers_any() {
    let world = world();
    world.neronet(&["tag", "1,6", "keep"]).succeeded();
    for filter in ["state == finished", "@keep", "toy"] {
        assert!(!ids(&world, &[filter]).contains(&6), "{filter}");
    }
    assert_eq!(ids(&world, &["-a", "@keep"]), [1, 6]);
    assert_eq!(ids(&world, &["6"]), [6]);
    assert_eq!(ids(&world, &["sweep:3"]), [6]);
    assert_eq!(ids(&world, &["project == other"]), [6], "a filter may name the project itself");
    assert_eq!(world.json(&["show", "--json"])["id"], 5);
    assert_eq!(world.json(&["show", "-a", "--json"])["id"], 6);
    for (words, expected) in [
        (&["rm", "true", "-y"][..], "no run of project digits is called 'true'; run 6 of other is: -a takes it"),
        (&["kill", "experiment == true"], "no run of project digits matches 'experiment == true'; run 6 of other does: -a takes it"),
        (&["retry", "nosuch"], "no run is called 'nosuch'; `neronet ls -a` lists all of them"),
    ] {
        let refused = world.neronet(words).refused(2);
        assert!(refused.err.contains(expected), "{}", refused.err);
    }
    let elsewhere = world.path("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let refused = |words: &[&str]| world.neronet_in(&elsewhere, words, &[]).refused(2).err;
    assert!(refused(&["logs"]).contains("project elsewhere has no runs; the last of all is run 6 of other: -a takes it"));
    assert!(refused(&["stop", "toy"]).contains("no run of project elsewhere is called 'toy'; 4 runs of digits are: -a takes them"));
    let listed = world.neronet_in(&elsewhere, &["ls", "@keep"], &[]).succeeded();
    assert!(
        listed.err.contains("no run of project elsewhere matches '@keep'; 2 runs of digits, other do: -a takes them"),
        "{}",
        listed.err
    );
    let asked = world.neronet(&["rm", "-a", "@keep"]).refused(2);
    assert!(asked.err.contains("2 runs (1, 6; of digits, other; "), "{}", asked.err);
    assert!(!world.neronet(&["rm", "1-2"]).refused(2).err.contains("digits"));
}

#[test]
fn the_current_project_is_what_the_specification_there_calls_it() {
    let world = World::new();
    world.write("neronet.toml", "project = \"owlet\"\ncommand = \"true\"\n");
    world.neronet(&["run", "-q"]).succeeded();
    world.neronet(&["run", "-q", "--", "true"]).succeeded();
    assert_eq!(ids(&world, &[]), [1, 2]);
    let project = &world.json(&["show", "last", "--json"])["project"];
    assert_eq!(project, "owlet");
}

#[test]
fn a_state_that_there_is_not_is_no_answer() {
    let world = World::with_sweep();
    for (filter, expected) in [
        ("state == finishd", "no state is called 'finishd' (did you mean 'finished'?); there are: queued, starting, running, ended, "),
        ("not (outcome != broken)", "no outcome is called 'broken'; there are: finished, failed, stopped, lost"),
    ] {
        let refused = world.neronet(&["ls", filter]).refused(2);
        assert!(refused.err.contains(expected), "{}", refused.err);
    }
    assert_eq!(ids(&world, &["state ~ finish and outcome != failed"]), [1, 2, 3, 4]);
}

#[test]
fn what_varies_is_shown_whatever_the_limit_leaves_of_it() {
    let world = World::with_sweep();
    let first = world.neronet(&["ls", "--sort", "test_acc", "--limit", "1"]).succeeded();
    assert!(first.out.contains(" lr ") && first.out.contains(" act "), "{}", first.out);
    let two = world.neronet(&["ls", "--sort", "test_acc", "--limit", "2"]).succeeded();
    assert!(two.out.contains("best: run 3, test_acc 94, with lr=0.2 act=relu (guessed"), "{}", two.out);
}
