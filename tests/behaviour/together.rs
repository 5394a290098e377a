//! Several runs, and several neronets, at once.

use crate::world::{World, end_of};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn two_neronets_in_one_home_give_every_run_its_own_number_and_record() {
    let world = World::new();
    for name in ["left", "right"] {
        let spec = format!(
            "name = '{name}'\ncommand = 'echo {name}-{{x}} > \"$WORLD\"/out-$NERONET_RUN'\n[params]\nx = {:?}\n[sweep]\nparallel = 4\n",
            (0..20).collect::<Vec<_>>()
        );
        world.write(&format!("{name}.toml"), spec);
    }
    let both = ["left.toml", "right.toml"].map(|spec| world.start(&["run", "--quiet", spec]));
    both.into_iter().for_each(|cli| drop(end_of(cli).with_code(0)));
    let runs = world.list();
    let ids: BTreeSet<u64> = runs.iter().filter_map(|run| run["id"].as_u64()).collect();
    assert_eq!(ids, (1..=40).collect());
    let uids: BTreeSet<&str> = runs.iter().filter_map(|run| run["uid"].as_str()).collect();
    assert_eq!(uids.len(), 40);
    let mut assignments = BTreeSet::new();
    for run in &runs {
        assert_eq!(run["outcome"], "finished", "{run:#}");
        let what = format!("{}-{}", run["experiment"].as_str().expect("a name"), run["params"]["x"]);
        assert_eq!(world.told(&format!("out-{}", run["id"])).as_deref(), Some(format!("{what}\n").as_str()), "{run:#}");
        assignments.insert(what);
    }
    assert_eq!(assignments.len(), 40);
}

/// Marks its beginning and its end. The first two wait for each other, so that two at a time there must be.
const MARKING: &str = r#"
import os, time
world = os.environ["WORLD"]
marks = os.open(world + "/marks", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
os.write(marks, b"<")
while open(world + "/marks").read().count("<") < 2: time.sleep(0.005)
time.sleep(0.05)
os.write(marks, b">")
"#;

#[test]
fn so_many_at_a_time_as_the_specification_says_and_no_more() {
    let world = World::new();
    world.write("train.py", MARKING);
    world.run_spec("command = ['python3', 'train.py']\n[params]\nseed = [0, 1, 2, 3, 4, 5, 6, 7]\n[sweep]\nparallel = 2\n").with_code(0);
    let marks = world.told("marks").expect("they ran");
    let mut at_once = 0;
    let mut most = 0;
    for mark in marks.chars() {
        at_once += if mark == '<' { 1 } else { -1 };
        most = most.max(at_once);
    }
    assert_eq!((marks.len(), at_once, most), (16, 0, 2), "{marks}");
}

#[test]
fn a_sweep_tells_each_end_and_what_came_of_all() {
    let world = World::new();
    let said = world.run_spec("command = 'exit {code}'\n[params]\ncode = [0, 3, 0]\n").with_code(1);
    assert!(said.out.contains("run 2 failed: exit code 3"), "{said:#?}");
    assert!(said.out.contains("2 of 3 runs finished"), "{said:#?}");
    let by_code: BTreeMap<u64, String> = world
        .list()
        .iter()
        .map(|run| (run["id"].as_u64().expect("a number"), run["outcome"].as_str().unwrap_or_default().into()))
        .collect();
    assert_eq!(by_code[&2], "failed");
    assert_eq!((by_code[&1].as_str(), by_code[&3].as_str()), ("finished", "finished"));
}
