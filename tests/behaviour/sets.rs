//! A sweep is a set: submitted again, only what is new starts.

use crate::world::{Said, World};

const TRAIN: &str = "import sys\nprint('loss', 1)\nsys.exit('bad' in sys.argv)\n";

fn world(params: &str) -> World {
    let world = World::new();
    world.write("train.py", TRAIN);
    spec(&world, params);
    world
}

fn spec(world: &World, params: &str) {
    world.write("neronet.toml", format!("command = \"python3 train.py {{flags}}\"\n[params]\n{params}\n"));
}

fn submit(world: &World, more: &[&str]) -> Said {
    world.say(&[&["submit", "--wait", "--quiet"], more].concat())
}

fn runs(world: &World) -> usize {
    world.say(&["ls", "--json"]).with_code(0).json().as_array().map_or(0, Vec::len)
}

#[test]
fn only_what_is_new_starts() {
    let world = world("lr = [0.1, 0.2]\nact = \"relu\"");
    submit(&world, &[]).with_code(0);
    assert_eq!(runs(&world), 2);
    let said = submit(&world, &[]).with_code(0);
    assert!(said.err.contains("nothing is new: 2 runs are there already: 2 finished"), "{said:#?}");
    // Another order and another way to write a number make no other run.
    spec(&world, "act = \"relu\"\nlr = [1e-1, 0.2, 0.3]");
    let said = submit(&world, &[]).with_code(0);
    assert!(said.err.contains("1 new of 3; 2 runs are there already: 2 finished"), "{said:#?}");
    assert_eq!(runs(&world), 3);
    assert_eq!(world.show(3)["params"]["lr"], 0.3);
    // What was removed is not there.
    world.say(&["rm", "--yes", "3"]).with_code(0);
    submit(&world, &[]).with_code(0);
    assert_eq!(world.show(4)["params"]["lr"], 0.3);
    // These always start.
    world.say(&["run", "--quiet"]).with_code(0);
    world.say(&["submit", "--wait", "--quiet", "--", "python3", "train.py", "--lr", "0.1"]).with_code(0);
    assert_eq!(runs(&world), 7);
}

#[test]
fn the_same_value_twice_in_a_file_is_one_run() {
    let world = world("lr = [0.1, 0.1]");
    submit(&world, &[]).with_code(0);
    assert_eq!(runs(&world), 1);
}

#[test]
fn with_other_code_nothing_starts_until_it_is_said_what_is_meant() {
    let world = world("lr = [0.1, 0.2]");
    submit(&world, &[]).with_code(0);
    world.write("train.py", TRAIN.replace("'loss', 1", "'loss', 2").replace("import sys\n", "import sys\n\n"));
    world.write("model.py", "");
    spec(&world, "lr = [0.1, 0.2, 0.3]");
    let said = submit(&world, &[]).with_code(1);
    let expected = "error: 2 runs exist from sweep 1; model.py is new, train.py differs in 2 lines: --again runs them anew, --keep accepts them\n2 finished\n";
    assert_eq!(said.err, expected, "{said:#?}");
    assert_eq!(runs(&world), 2);
    submit(&world, &["--keep"]).with_code(0);
    assert_eq!(runs(&world), 3);
    submit(&world, &["--again"]).with_code(0);
    assert_eq!(runs(&world), 6);
    // The newest are of this code now.
    submit(&world, &[]).with_code(0);
    assert_eq!(runs(&world), 6);
}

#[test]
fn failed_ones_are_named_apart_and_can_be_begun_anew_alone() {
    let world = world("x = [\"good\", \"bad\"]");
    submit(&world, &[]).with_code(1);
    let said = submit(&world, &[]).with_code(0);
    assert!(
        said.err.contains("nothing is new: 2 runs are there already: 1 finished, 1 failed (2; `neronet retry 2` begins again)"),
        "{said:#?}"
    );
    world.write("train.py", TRAIN.replace("'bad' in sys.argv", "0"));
    let said = submit(&world, &[]).with_code(1);
    assert!(said.err.contains("--again runs them anew, --again=failed only those that failed, --keep accepts them"), "{said:#?}");
    let said = submit(&world, &["--again=failed"]).with_code(0);
    assert!(said.err.contains("2 runs are there already: 1 finished, 1 failed (2; started anew)"), "{said:#?}");
    assert_eq!(runs(&world), 3);
    assert_eq!(world.show(3)["params"]["x"], "bad");
    assert_eq!(world.show(3)["outcome"], "finished");
}

#[test]
fn of_two_who_submit_the_same_at_once_one_is_told_that_it_is_there() {
    let world = world("lr = [0.1, 0.2]");
    let all: Vec<_> = (0..4).map(|_| world.start(&["submit", "--quiet"])).collect();
    let said: Vec<_> = all.into_iter().map(|child| crate::world::end_of(child).with_code(0)).collect();
    assert_eq!(runs(&world), 2);
    let told = |said: &&crate::world::Said| {
        said.err.contains("2 runs were submitted by another neronet just now (1-2)")
            || said.err.contains("nothing is new: 2 runs are there already")
    };
    assert_eq!(said.iter().filter(told).count(), 3, "{said:#?}");
}

#[test]
fn a_run_that_two_experiments_ask_for_is_one() {
    let world = world("lr = 1");
    let spec = |of_b: &str| {
        let text = format!(
            "command = \"python3 train.py {{flags}}\"\n[[experiment]]\nname = \"a\"\nparams.lr = [1, 2]\n[[experiment]]\nname = \"b\"\nparams.lr = {of_b}\n"
        );
        world.write("neronet.toml", text);
    };
    spec("[2, 3]");
    submit(&world, &[]).with_code(0);
    assert_eq!(runs(&world), 3);
    let said = submit(&world, &[]).with_code(0);
    assert!(said.err.contains("nothing is new: 3 runs are there already: 3 finished"), "{said:#?}");
    spec("[2, 3, 4]");
    let checked = world.say(&["check", "--json"]).with_code(0).json();
    assert_eq!((&checked["submit"]["there"], &checked["submit"]["new"]), (&3.into(), &1.into()), "{checked:#}");
    let said = submit(&world, &[]).with_code(0);
    assert!(said.err.contains("1 new of 4; 3 runs are there already: 3 finished"), "{said:#?}");
}

#[test]
fn without_waiting_the_runs_go_on_in_the_background() {
    let world = world("lr = [0.1, 0.2]");
    let said = world.say(&["submit"]).with_code(0);
    assert!(said.out.contains("runs 1-2 queued"), "{said:#?}");
    crate::world::wait_until("both have ended", || {
        world.say(&["ls", "--json"]).json().as_array().is_some_and(|runs| runs.iter().all(|run| run["state"] == "ended"))
    });
    assert_eq!(world.say(&["submit", "--json"]).with_code(0).json(), serde_json::json!([]));
}

#[test]
fn two_who_submit_the_same_at_once_make_each_run_once() {
    let world = world("lr = [1, 2, 3, 4, 5]\nseed = { repeat = 4 }");
    let both = [world.start(&["submit"]), world.start(&["submit"])];
    for child in both {
        let said: Said = child.wait_with_output().expect("it ends").into();
        said.with_code(0);
    }
    assert_eq!(runs(&world), 20);
    crate::world::wait_until("all have ended", || {
        world.say(&["ls", "--json"]).json().as_array().is_some_and(|runs| runs.iter().all(|run| run["state"] == "ended"))
    });
}

#[test]
fn check_says_what_submit_would_do_and_what_differs_is_counted_by_lines() {
    let world = world("lr = [0.1, 0.2]\nact = 'relu'");
    let check = || world.say(&["check", "--json", "--no-preflight"]).with_code(0).json()["submit"].take();
    assert_eq!((check()["there"].as_u64(), check()["new"].as_u64()), (Some(0), Some(2)));
    world.git(&["init", "-q"]);
    submit(&world, &[]).with_code(0);
    spec(&world, "lr = [0.1, 0.2, 0.3]\nact = 'relu'");
    assert_eq!((check()["there"].as_u64(), check()["new"].as_u64()), (Some(2), Some(1)));
    let shown = world.say(&["check", "--no-preflight"]).with_code(0).out;
    assert!(shown.ends_with("`neronet submit`: 1 new of 3; 2 runs are there already: 2 finished\n"), "{shown}");
    world.write("train.py", TRAIN.replace("'loss', 1", "'loss', 2").replace("import sys", "import sys, os"));
    let shown = world.say(&["check", "--no-preflight"]).with_code(0).out;
    assert!(shown.contains("`neronet submit`: 2 runs exist from before the first commit; train.py differs in 2 lines: "), "{shown}");
}
