//! What is said of the queue at submission, in the specification and on the command line.

use crate::world::{World, text};
use serde_json::json;

const SPEC: &str = r#"
command = "true {flags}"
params.world = [2, 1]
[sweep]
parallel = 2
priority = 5
not_before = "2098-11-23 22:00"
gpu_hours = 1.5
hold_after = 3
[resources]
gpus = "world * 0"
[retry]
times = 2
on = "oom"
backoff = "30s"
on_oom = { world = "world / 2" }
"#;

#[test]
fn what_is_asked_of_the_queue_is_on_record_and_the_command_line_wins() {
    let world = World::new();
    world.run(&["true"]);
    world.say(&["run", "--", "false"]).with_code(1);
    world.write("neronet.toml", SPEC);
    let checked = world.say(&["check"]).with_code(0).out;
    let queue = "priority 5, not before 2098-11-23 22:00, at most 1.5 GPU hours, held after 3 failures of the same cause";
    let retries = "at most 2 after running out of memory, the first in 30 s; out of memory: world = world / 2";
    assert!([queue, retries, "world * 0 GPUs"].iter().all(|part| checked.contains(part)), "{checked}");
    let wishes = &world.say(&["check", "--json"]).with_code(0).json()["experiments"][0]["wishes"];
    let said = json!({"priority": 5, "not_before": "2098-11-23 22:00", "gpu_hours": 1.5, "hold_after": 3, "after": [], "after_ok": []});
    assert_eq!(*wishes, said);

    world.say(&["submit"]).with_code(0);
    let wishes = world.show(3)["wishes"].take();
    assert!(text(&wishes["not_before"]).starts_with("2098-11-23T") || text(&wishes["not_before"]).starts_with("2098-11-24T"), "{wishes}");
    assert_eq!((&wishes["priority"], &wishes["after"]), (&json!(5), &json!([])));
    let words =
        ["submit", "--again", "--priority", "-7", "--not-before", "in 2h", "--after", "1-2", "--after-ok", "sweep:1", "--after", "2"];
    world.say(&words).with_code(0);
    let shown = world.show(6);
    let wishes = &shown["wishes"];
    assert_eq!((&wishes["priority"], &wishes["after"], &wishes["after_ok"]), (&json!(-7), &json!([2]), &json!([1])), "{wishes}");
    let (asked, created) = (text(&wishes["not_before"]), text(&shown["created"]));
    assert!(asked > created && asked.as_str() < "2098" && asked[14..] == created[14..], "{asked} {created}");
    let page = world.say(&["show", "6"]).with_code(0).out;
    assert!(page.contains("priority -7, not before ") && page.contains("after 2 ended, after 1 finished, at most 1.5 GPU hours"), "{page}");
    // What the expression comes to is kept with each run.
    let segments = std::fs::read_dir(world.home().join("journal")).expect("there").flatten();
    let journal: Vec<u8> = segments.flat_map(|segment| std::fs::read(segment.path()).expect("read")).collect();
    assert_eq!(String::from_utf8_lossy(&journal).matches(r#""gpus":0"#).count(), 4);
}

#[test]
fn what_is_hardly_meant_is_told_to_whoever_wants_no_preflight_too() {
    let world = World::new();
    world.write("neronet.toml", "command = 'true'\nresources.named = { licence = 1 }\n");
    let said = world.say(&["submit", "--no-preflight", "--not-before", "2001-01-01 22:00"]).with_code(0);
    assert!(said.err.contains("warning: neronet.toml:2:") && said.err.contains("licence"), "{said:#?}");
    assert!(said.err.contains("warning: not before 2001-01-01 22:00: that is over"), "{said:#?}");
    assert!(text(&world.show(1)["reason"]).contains("licence"), "{}", world.show(1)["reason"]);
}

#[test]
fn wishes_that_cannot_be_meant_submit_nothing() {
    let world = World::new();
    world.run(&["true"]);
    for (words, wanted) in [
        (["--after", "99"], "there is no run 99"),
        (["--after-ok", "cifar"], "no run is called 'cifar'"),
        (["--after", "sweep:x"], "'sweep:x' is no sweep"),
        (["--not-before", "tomorrow"], "it is no time: write \"22:00\" for the next such time"),
        (["--priority", "high"], "invalid value 'high' for '--priority <N>'"),
    ] {
        let said = world.say(&[&["submit"], &words[..], &["--", "true"]].concat()).with_code(2);
        assert!(said.err.contains(wanted), "{words:?}: {}", said.err);
    }
    assert_eq!(world.list().len(), 1);
}
