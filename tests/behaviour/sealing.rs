//! Records of runs that have ended and rest are sealed by the daemon. Nobody who looks at a run sees a difference.

use crate::mounts::{fill, free, leave, small_disk, with_own_mounts};
use crate::world::{World, wait_until};
use serde_json::Value;
use std::path::PathBuf;

/// Prints a hundred epochs, and writes as many rows; the first attempt fails in the middle, the next goes on.
const TRAIN: &str = r#"
import json, os, sys
first = 1 + int(open("done").read()) if os.path.exists("done") else 1
for epoch in range(first, 201):
    print(f"epoch {epoch}/200 loss {1 / epoch:.6f} and so on, that a line is as long as lines are")
    with open(os.environ["NERONET_METRICS"], "a") as file:
        file.write(json.dumps({"epoch": epoch, "accuracy": round(1 - 1 / epoch, 5), "lr": 0.001}) + "\n")
    if epoch == 120 and first == 1:
        open("done", "w").write("100")
        sys.exit("it fell over")
"#;
const SPEC: &str = "command = 'python3 train.py'\n[resume]\nautomatic = true\n";

/// Everything that people can see of run 1, but how long ago it was.
fn seen(world: &World) -> Vec<String> {
    let plot = world.path("plot.svg").display().to_string();
    let commands: [&[&str]; 7] = [
        &["logs", "1"],
        &["logs", "1", "--stderr", "--tail", "3"],
        &["metrics", "1"],
        &["metrics", "1", "loss"],
        &["metrics", "1", "accuracy", "--json", "--superseded"],
        &["plot", "1", "-m", "loss", "-o", &plot],
        &["ls", "-a", "--json"],
    ];
    let mut all: Vec<String> = commands.iter().map(|words| format!("{words:?}: {:?}", world.say(words).with_code(0))).collect();
    all.push(std::fs::read_to_string(plot).expect("drawn"));
    all.push(world.show(1).to_string());
    all
}

fn serve(world: &World) {
    let said = world.neronet(&["serve", "--background"]).env("NERONET_SEAL_AFTER", "0").output().expect("it starts");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

fn names(world: &World, n: u64) -> Vec<String> {
    let entries = std::fs::read_dir(world.attempt(1, n)).expect("there");
    entries.map(|entry| entry.expect("there").file_name().into_string().expect("text")).collect()
}

fn wait_sealed(world: &World, n: u64) {
    wait_until("the attempt to be sealed", || {
        let is = |kind: &str, sealed: bool| names(world, n).iter().any(|name| name.starts_with(kind) && name.ends_with(".zst") == sealed);
        ["metrics.", "output.", "metrics-in."].iter().all(|kind| is(kind, true) && !is(kind, false))
    });
}

fn notices(world: &World) -> String {
    let shown = world.show(1);
    let attempts = shown["attempts"].as_array().cloned().unwrap_or_default();
    attempts
        .iter()
        .flat_map(|attempt| attempt["notices"].as_array().cloned().unwrap_or_default())
        .map(|notice: Value| notice.to_string())
        .collect()
}

#[test]
fn a_sealed_run_is_seen_as_before_and_goes_on() {
    let world = World::new();
    world.write("train.py", TRAIN);
    world.run_spec(SPEC).with_code(1);
    let before = seen(&world);
    let plain = std::fs::read(world.attempt(1, 1).join("metrics.1.jsonl")).expect("there");
    serve(&world);
    wait_sealed(&world, 1);
    assert_eq!(seen(&world), before);
    if let Ok(said) = std::process::Command::new("zstdcat").arg(world.attempt(1, 1).join("metrics.1.jsonl.zst")).output() {
        assert!(said.status.success() && said.stdout == plain);
    }
    // Its second attempt begins after what is sealed.
    world.say(&["down"]).with_code(0);
    world.say(&["resume", "1"]).with_code(0);
    let joined = seen(&world);
    let points = world.say(&["metrics", "1", "loss", "--json"]).with_code(0).json();
    assert_eq!(points.as_array().map(Vec::len), Some(200));
    serve(&world);
    wait_sealed(&world, 2);
    assert_eq!(seen(&world), joined);
    assert!(notices(&world).is_empty(), "{}", notices(&world));
    world.say(&["down"]).with_code(0);
}

#[test]
fn a_full_disk_leaves_a_record_as_it_is_until_there_is_room() {
    with_own_mounts("sealing::a_full_disk_leaves_a_record_as_it_is_until_there_is_room", || {
        let world = World::new();
        small_disk(&world.home(), 4 << 20);
        world.write("train.py", "import random\nfor i in range(9000): print(random.getrandbits(256))\n");
        world.run_spec("command = 'python3 train.py'\n").with_code(0);
        let (said, original) = (world.say(&["logs", "1"]).with_code(0), world.attempt(1, 1).join("output.1.0.jsonl"));
        let record = std::fs::read(&original).expect("there");
        fill(&world.home());
        leave(&world.home(), 128 << 10);
        serve(&world);
        let log = world.home().join("daemon.log");
        wait_until("a word on the full disk", || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("free some space")));
        assert_eq!(std::fs::read(&original).expect("there"), record);
        assert!(names(&world, 1).iter().all(|name| !name.ends_with(".zst")), "{:?}", names(&world, 1));
        free(&world.home());
        wait_until("the attempt to be sealed", || !original.exists());
        assert_eq!(world.say(&["logs", "1"]).with_code(0).out, said.out);
        world.say(&["down"]).with_code(0);
    });
}

#[test]
fn damage_in_a_record_is_passed_over_and_told() {
    let world = World::new();
    world.write("train.py", TRAIN);
    world.run_spec(SPEC).with_code(1);
    let segment = |name: &str| -> PathBuf { world.attempt(1, 1).join(name) };
    let mut rows = std::fs::read(segment("metrics.1.jsonl")).expect("there");
    rows[3000..3512].fill(0);
    std::fs::write(segment("metrics.1.jsonl"), &rows).expect("written");
    let output = std::fs::read(segment("output.1.0.jsonl")).expect("there");
    let torn = [b"garbage \xff\xfe\n", &output[..], b"{\"t\":1,\"src\":\"o\""].concat();
    std::fs::write(segment("output.1.0.jsonl"), torn).expect("written");
    let told = |words: &[&str]| world.say(words).with_code(0);
    let said = told(&["logs", "1"]);
    assert!(said.out.contains("epoch 120/200") && said.err.contains("2 damaged lines of the output (26 bytes)"), "{}", said.err);
    let said = told(&["metrics", "1", "loss"]);
    assert!(said.out.contains("0.008333") && said.err.contains("1 damaged line of the metrics of run 1"), "{}", said.err);
    assert!(told(&["plot", "1", "-m", "loss"]).err.contains("1 damaged line of the metrics of run 1"));
    let shown = told(&["show", "1"]).out;
    assert!(shown.contains("1 damaged line of the metrics") && shown.contains("2 damaged lines of the output (26 bytes)"), "{shown}");
    // What is not as it was recorded is not sealed.
    serve(&world);
    wait_until("a notice of it", || notices(&world).contains("metrics.1.jsonl is not what was recorded when the attempt ended"));
    assert_eq!(std::fs::read(segment("metrics.1.jsonl")).expect("there"), rows);
    assert!(names(&world, 1).contains(&"metrics-in.jsonl.zst".to_string()));
    world.say(&["down"]).with_code(0);
}
