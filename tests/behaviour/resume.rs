//! Runs that go on from a checkpoint, or begin again.

use crate::world::{Said, World, end_of, text, wait_until};
use serde_json::Value;

/// Eight epochs with a checkpoint after every second one. Without `die_at` among its words it goes to the end; with it, it
/// is killed after that epoch was printed. Leaves what it was called with.
const TRAIN: &str = r#"
import json, os, signal, sys, time
words = sys.argv[1:]
start = 0
if "--resume" in words:
    start = json.load(open(words[words.index("--resume") + 1]))["epoch"]
attempt = os.environ["NERONET_ATTEMPT"]
with open(os.environ["WORLD"] + "/called-" + attempt, "w") as file:
    json.dump({"argv": words, "from": os.environ.get("NERONET_RESUME_FROM"), "start": start}, file)
for epoch in range(start + 1, 9):
    print(f"epoch {epoch} loss {int(attempt) + epoch / 100}")
    if epoch % 2 == 0:
        with open("state.tmp", "w") as file: json.dump({"epoch": epoch}, file)
        os.rename("state.tmp", "state.json")
    # A training lasts longer than it takes neronet to see its first checkpoint.
    record = os.environ["NERONET_RUN_DIR"] + "/attempts/1/events.1.jsonl"
    while epoch == 2 and not (os.path.exists(record) and "state.json" in open(record).read()): time.sleep(0.01)
    if attempt == "1" and epoch == int(words[0]): os.kill(os.getpid(), signal.SIGKILL)
"#;

const SPEC: &str =
    "command = ['python3', 'train.py', '7']\n[checkpoints]\npaths = ['state.json']\n[resume]\narguments = '--resume {checkpoint}'\n";

fn called(world: &World, attempt: u64) -> Value {
    serde_json::from_str(&world.told(&format!("called-{attempt}")).expect("it was called")).expect("JSON")
}

fn points(world: &World, words: &[&str]) -> Vec<(f64, f64)> {
    let points = world.say(&[&["metrics", "1", "loss", "--json"], words].concat()).with_code(0).json();
    let points = points.as_array().expect("an array").clone();
    points.iter().filter_map(|point| Some((point[0].as_f64()?, point[2].as_f64()?))).collect()
}

#[test]
fn a_killed_run_goes_on_from_its_checkpoint_and_its_curve_is_one() {
    let world = World::new();
    world.write("train.py", TRAIN);
    world.run_spec(SPEC).with_code(1);
    assert_eq!(called(&world, 1)["from"], Value::Null);
    let said = world.say(&["resume", "1"]).with_code(0);
    assert!(said.err.contains("run 1 goes on from "), "{said:#?}");
    let second = called(&world, 2);
    assert_eq!(second["start"], 6);
    assert_eq!(second["argv"], serde_json::json!(["7", "--resume", second["from"]]));
    let run = world.show(1);
    assert_eq!((&run["outcome"], &run["attempts"][1]["resumed_from"]), (&"finished".into(), &second["from"]), "{run:#}");
    let joined = points(&world, &[]);
    let expected: Vec<(f64, f64)> =
        (1..=8).map(|epoch| (f64::from(epoch), if epoch < 7 { 1.0 } else { 2.0 } + f64::from(epoch) / 100.0)).collect();
    assert_eq!(joined, expected, "neither a gap nor a point twice");
    assert_eq!(run["metrics"]["loss"]["points"], 8, "{run:#}");
    // The seventh epoch of the first attempt was superseded: kept, shown on request.
    let all = points(&world, &["--superseded"]);
    assert_eq!(all.len(), 9);
    assert!(all.contains(&(7.0, 1.07)) && all.contains(&(7.0, 2.07)), "{all:?}");
    let history: Value =
        serde_json::from_str(&std::fs::read_to_string(world.home().join("runs/1/history.json")).expect("there")).expect("JSON");
    let losses: Vec<f64> = history["history"].as_array().expect("rows").iter().filter_map(|row| row["loss"].as_f64()).collect();
    assert_eq!(losses, expected.iter().map(|(_, loss)| *loss).collect::<Vec<_>>());
}

#[test]
fn a_run_that_goes_on_is_listed_with_what_came_before_while_it_runs() {
    let world = World::new();
    let script = r#"
import os, sys, time
first = os.environ["NERONET_ATTEMPT"] == "1"
for epoch, acc in [(1, 0.9), (2, 0.5), (3, 0.7)] if first else [(3, 0.6)]:
    for step in (5, 10): print(f"epoch {epoch} step {step}/10 acc {acc}")
if first: sys.exit(1)
while not os.path.exists(os.environ["WORLD"] + "/go"): time.sleep(0.02)
"#;
    world.write("train.py", script);
    world.run_spec("command = ['python3', 'train.py']\n[resume]\nautomatic = true\n").with_code(1);
    let resumed = world.start(&["resume", "1"]);
    let listed = || world.list()[0]["metrics"]["acc"].clone();
    wait_until("the second attempt is listed", || listed()["last"] == 0.6 && listed()["points"] == 6);
    // The third epoch of the first attempt is superseded; steps go on where the first attempt counted them from.
    let running = listed();
    assert_eq!((&running["max"], &running["min"], &running["step"]), (&0.9.into(), &0.5.into(), &30.0.into()), "{running:#}");
    world.tell("go");
    end_of(resumed).with_code(0);
    assert_eq!(listed(), running);
}

/// Archives as `.npz` and `.pt` are: whole for the first two epochs, torn for the third. Epoch and file are the arguments.
const ARCHIVES: &str = r#"
import os, signal, sys, time, zipfile
if "--resume" in sys.argv:
    print("resumed from", zipfile.ZipFile(sys.argv[-1]).read("epoch").decode())
    sys.exit()
os.makedirs("ckpt", exist_ok=True)
for epoch in (1, 2, 3):
    with zipfile.ZipFile("whole.tmp", "w") as archive:
        archive.writestr("epoch", str(epoch))
        archive.writestr("weights", os.urandom(50_000))
    # Files that are made in one tick of the file system's clock have one time.
    time.sleep(0.02)
    if epoch < 3: os.rename("whole.tmp", f"ckpt/{epoch}.npz")
whole = open("whole.tmp", "rb").read()
with open("ckpt/3.npz", "wb") as torn: torn.write(whole[: len(whole) // 2])
os.kill(os.getpid(), signal.SIGKILL)
"#;

#[test]
fn a_half_written_archive_is_passed_over_with_a_word() {
    let world = World::new();
    world.write("train.py", ARCHIVES);
    world
        .run_spec(
            "command = ['python3', 'train.py']\n[checkpoints]\npaths = ['ckpt/*.npz']\n[resume]\narguments = '--resume {checkpoint}'\n",
        )
        .with_code(1);
    let said = world.say(&["resume", "1"]).with_code(0);
    assert!(said.err.contains("2.npz"), "{said:#?}");
    assert_eq!(world.output(1, 2), "resumed from 2\n");
    let notices = text(&world.show(1)["attempts"][0]["notices"]);
    assert!(notices.contains("3.npz") && notices.contains("half-written"), "{notices}");
}

#[test]
fn a_checkpoint_whose_writer_is_silent_is_not_complete_and_nothing_is_deleted_for_it() {
    let world = World::new();
    // The second one lies there half-written and untouched, as on a disk that hangs, and tells no length.
    let script = r#"
import os, signal, sys, time
if "--resume" in sys.argv: sys.exit(print("resumed from", open(sys.argv[-1]).read()))
record = os.environ["NERONET_RUN_DIR"] + "/attempts/1/"
def until(name, word):
    while not (os.path.exists(record + name) and word in open(record + name).read()): time.sleep(0.02)
os.mkdir("ckpt")
with open("ckpt/1.bin", "w") as whole: whole.write("one")
os.utime("ckpt/1.bin", (1e9, 1e9))
until("events.1.jsonl", "1.bin")
half = open("ckpt/2.bin", "w")
half.write("tw")
half.flush()
silent_since = time.time() - 30
os.utime("ckpt/2.bin", (silent_since, silent_since))
for epoch in range(1, 4):
    print(f"epoch {epoch} loss 0.5")
    until("metrics.1.jsonl", f'"epoch":{epoch}.0')
os.kill(os.getpid(), signal.SIGKILL)
"#;
    world.write("train.py", script);
    let spec = "command = ['python3', 'train.py']\n[checkpoints]\npaths = ['ckpt/*.bin']\nkeep = { last = 1 }\n\
                [resume]\narguments = '--resume {checkpoint}'\n";
    world.run_spec(spec).with_code(1);
    world.say(&["resume", "1"]).with_code(0);
    assert_eq!(world.output(1, 2), "resumed from one\n");
    let notices = text(&world.show(1)["attempts"][0]["notices"]);
    assert!(notices.contains("2.bin skipped: it was being written when the command ended"), "{notices}");
}

#[test]
fn a_checkpoint_that_was_damaged_since_is_passed_over_when_it_is_needed() {
    let world = World::new();
    world.write("train.py", ARCHIVES);
    world
        .run_spec(
            "command = ['python3', 'train.py']\n[checkpoints]\npaths = ['ckpt/*.npz']\n[resume]\narguments = '--resume {checkpoint}'\n",
        )
        .with_code(1);
    let second = world.home().join("runs/1/work/ckpt/2.npz");
    let whole = std::fs::read(&second).expect("there");
    std::fs::write(&second, &whole[..whole.len() / 2]).expect("written");
    let said = world.say(&["resume", "1"]).with_code(0);
    assert!(said.err.contains("checkpoint passed over") && said.err.contains("half-written"), "{said:#?}");
    assert_eq!(world.output(1, 2), "resumed from 1\n");
}

#[test]
fn where_the_best_checkpoint_is_asked_for_it_is_what_is_handed_over() {
    let world = World::new();
    let script = r#"
import json, os, sys, time
attempt = os.environ["NERONET_ATTEMPT"]
json.dump([sys.argv[1:], os.environ.get("NERONET_RESUME_FROM")], open(os.environ["WORLD"] + "/called-" + attempt, "w"))
if attempt == "2": sys.exit()
for epoch, loss in enumerate([0.9, 0.5, 0.1, 0.6, 0.7], 1):
    print(f"epoch {epoch} loss {loss}")
    with open("new", "w") as file: file.write(str(epoch))
    # The row is on record before the file is there: its value is this epoch's.
    record = os.environ["NERONET_RUN_DIR"] + "/attempts/1/metrics.1.jsonl"
    while not os.path.exists(record) or f'"epoch":{epoch}' not in open(record).read(): time.sleep(0.02)
    os.rename("new", f"ck-{epoch}.json")
    record = os.environ["NERONET_RUN_DIR"] + "/attempts/1/events.1.jsonl"
    while not os.path.exists(record) or f"ck-{epoch}.json" not in open(record).read(): time.sleep(0.02)
sys.exit(1)
"#;
    world.write("train.py", script);
    world
        .run_spec(
            "command = ['python3', 'train.py']\nobjective = 'loss min'\n[checkpoints]\npaths = ['ck-*.json']\n\
             keep = { best = 1, last = 1 }\n[resume]\narguments = '{checkpoint.best}'\n",
        )
        .with_code(1);
    assert!(world.say(&["show", "1"]).out.contains("goes on from its best checkpoint"));
    let said = world.say(&["resume", "1"]).with_code(0);
    let best = called(&world, 2)[0][0].clone();
    assert!(text(&best).ends_with("/ck-3.json"), "{best}");
    assert!(said.err.contains(&format!("run 1 goes on from {}", text(&best))), "{said:#?}");
    assert_eq!((&called(&world, 2)[1], &world.show(1)["attempts"][1]["resumed_from"]), (&best, &best));
}

#[test]
fn without_a_checkpoint_resume_says_so_and_starts_nothing() {
    let world = World::new();
    world
        .run_spec("command = 'exit 1'\n[checkpoints]\npaths = ['*.pt', 'state.json']\n[resume]\narguments = '--resume {checkpoint}'\n")
        .with_code(1);
    let said = world.say(&["resume", "1"]).with_code(1);
    assert!(said.err.contains("run 1 has no complete checkpoint to go on from (looked for *.pt, state.json)"), "{said:#?}");
    assert!(said.err.contains("neronet retry 1"), "{said:#?}");
    let shown = world.say(&["show", "1"]).with_code(0).out;
    assert!(shown.contains("neronet retry 1") && !shown.contains("neronet resume 1"), "{shown}");
    assert_eq!(world.show(1)["attempts"].as_array().map(Vec::len), Some(1));
}

#[test]
fn without_a_way_to_resume_the_message_shows_one() {
    let world = World::new();
    world.run_spec("command = 'exit 1'\n").with_code(1);
    let said = world.say(&["resume", "1"]).with_code(1);
    assert!(said.err.contains("no [resume]") && said.err.contains("arguments = \"--resume {checkpoint}\""), "{said:#?}");
}

#[test]
fn a_script_that_finds_its_own_checkpoint_is_just_started_again() {
    let world = World::new();
    let script = "import os, sys\nif os.path.exists('mine'): print('epoch 2 loss 0.2'); sys.exit()\nprint('epoch 1 loss 0.1')\nopen('mine', 'w').close()\nsys.exit(1)\n";
    world.write("train.py", script);
    world.run_spec("command = ['python3', 'train.py']\n[resume]\nautomatic = true\n").with_code(1);
    world.say(&["resume", "1"]).with_code(0);
    assert_eq!(points(&world, &[]), [(1.0, 0.1), (2.0, 0.2)]);
}

#[test]
fn retry_begins_anew() {
    let world = World::new();
    world.write("train.py", TRAIN);
    world.run_spec(SPEC).with_code(1);
    world.say(&["retry", "1"]).with_code(0);
    let second = called(&world, 2);
    assert_eq!((&second["argv"], &second["from"], &second["start"]), (&serde_json::json!(["7"]), &Value::Null, &0.into()));
    let expected: Vec<(f64, f64)> = (1..=8).map(|epoch| (f64::from(epoch), 2.0 + f64::from(epoch) / 100.0)).collect();
    assert_eq!(points(&world, &[]), expected);
}

#[test]
fn a_run_that_runs_or_is_not_there_is_not_begun_again() {
    let world = World::new();
    let refused = |said: Said, code: i32, words: &str| {
        let said = said.with_code(code);
        assert!(said.err.contains(words), "{said:#?}");
    };
    refused(world.say(&["retry", "7"]), 2, "there are no runs yet");
    world.write("wait.sh", "touch \"$WORLD/ready\"; while [ ! -e \"$WORLD/go\" ]; do sleep 0.02; done\n");
    let cli = world.start(&["run", "--", "sh", "wait.sh"]);
    world.wait_told("ready");
    refused(world.say(&["retry", "1"]), 1, "run 1 is running: `neronet stop 1` first");
    world.tell("go");
    crate::world::end_of(cli).with_code(0);
}

#[test]
fn only_as_many_checkpoints_stay_as_the_specification_keeps() {
    let world = World::new();
    let script = r#"
import json, os, time, zipfile
os.makedirs("ckpt")
for other in ("ckpt/notes.txt", "model.npz"): open(other, "w").write("mine")
for epoch in range(1, 7):
    print(f"epoch {epoch} loss {1 / epoch}")
    with zipfile.ZipFile("whole.tmp", "w") as archive: archive.writestr("epoch", str(epoch))
    os.rename("whole.tmp", f"ckpt/{epoch}.npz")
    # On until neronet has seen this one, so that each is deleted while newer ones come.
    record = os.environ["NERONET_RUN_DIR"] + "/attempts/1/events.1.jsonl"
    while not os.path.exists(record) or f"ckpt/{epoch}.npz" not in open(record).read(): time.sleep(0.02)
"#;
    world.write("train.py", script);
    world.run_spec("command = ['python3', 'train.py']\n[checkpoints]\npaths = ['ckpt/*.npz']\nkeep = { last = 2 }\n").with_code(0);
    let work = world.home().join("runs/1/work");
    let mut left: Vec<String> =
        std::fs::read_dir(work.join("ckpt")).expect("there").flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    left.sort();
    assert_eq!(left, ["5.npz", "6.npz", "notes.txt"]);
    assert!(work.join("model.npz").exists());
    let run = world.show(1);
    let kept: Vec<String> = run["checkpoints"].as_array().expect("a list").iter().map(|known| text(&known["path"])).collect();
    assert_eq!(kept, ["ckpt/5.npz", "ckpt/6.npz"], "{run:#}");
}

/// Unix seconds of a time in JSON.
fn seconds(time: &Value) -> f64 {
    time.as_str().and_then(|time| time.parse::<jiff::Timestamp>().ok()).expect("a time").as_millisecond() as f64 / 1000.0
}

#[test]
fn the_time_between_attempts_is_no_part_of_how_long_a_run_took() {
    let world = World::new();
    world.run(&["sh", "-c", "[ $NERONET_ATTEMPT = 1 ] && exit 1; touch $WORLD/second; until [ -e $WORLD/go ]; do sleep 0.05; done"]);
    // The time that is not to be counted.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let retry = world.start(&["retry", "1"]);
    world.wait_told("second");
    let running = world.show(1);
    assert_eq!(running["started"], running["attempts"][1]["started"], "{running:#}");
    world.tell("go");
    crate::world::end_of(retry);
    let attempts = world.show(1)["attempts"].clone();
    let worked: f64 = (0..2).map(|n| seconds(&attempts[n]["ended"]) - seconds(&attempts[n]["started"])).sum();
    let listed = world.say(&["ls", "-a", &format!("duration <= {}", worked + 0.05), "--json"]).with_code(0).json();
    assert_eq!(listed[0]["id"], 1, "{attempts:#}");
}
