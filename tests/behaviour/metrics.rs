//! Metrics from what scripts print and write, without a line about neronet in them.

use crate::world::World;
use serde_json::{Value, json};

fn history(world: &World) -> Vec<Value> {
    let text = std::fs::read_to_string(world.home().join("runs/1/history.json")).expect("written");
    let document: Value = serde_json::from_str(&text).expect("strict JSON");
    assert_eq!((&document["version"], &document["run"]), (&1.into(), &1.into()));
    document["history"].as_array().expect("rows").clone()
}

fn column(rows: &[Value], name: &str) -> Vec<Value> {
    rows.iter().map(|row| row[name].clone()).collect()
}

/// The points that `metrics RUN NAME --json` prints, without their times.
fn points(world: &World, name: &str) -> Vec<(f64, Value)> {
    let points = world.say(&["metrics", "1", name, "--json"]).with_code(0).json();
    points.as_array().expect("an array").iter().map(|point| (point[0].as_f64().expect("a step"), point[2].clone())).collect()
}

#[test]
fn what_a_script_prints_becomes_curves_and_a_history_with_a_row_an_epoch() {
    let world = World::new();
    let script = "for epoch in range(1, 5):\n    for batch in range(3): print(f'Epoch {epoch}/4 [{batch + 1}/3] loss: {1 / (epoch * 3 + batch):.6f}')\n    \
                  print(f'Epoch {epoch}/4 val_acc={epoch / 10}')\n";
    world.write("train.py", script).run(&["python3", "train.py"]).1.with_code(0);
    let run = world.show(1);
    assert_eq!((&run["metrics"]["loss"]["points"], &run["metrics"]["val_acc"]["last"]), (&12.into(), &0.4.into()), "{run:#}");
    let rows = history(&world);
    assert_eq!(column(&rows, "epoch"), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(column(&rows, "val_acc"), [0.1, 0.2, 0.3, 0.4]);
    assert_eq!(column(&rows, "loss"), [0.2, 0.125, 0.090909, 0.071429]);
}

#[test]
fn a_metrics_file_takes_rows_of_many_processes_at_once() {
    let world = World::new();
    let script = r#"
import json, os
file = os.open(os.environ["NERONET_METRICS"], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
children = []
for worker in range(8):
    children.append(os.fork())
    if children[-1] == 0:
        for step in range(500):
            os.write(file, json.dumps({"step": step, f"worker{worker}/loss": worker + step / 1000, "phase": "warm"}).encode() + b"\n")
        os._exit(0)
for child in children: assert os.waitpid(child, 0)[1] == 0
"#;
    world.write("train.py", script).run(&["python3", "train.py"]).1.with_code(0);
    for worker in 0..8 {
        let points = points(&world, &format!("worker{worker}/loss"));
        let expected: Vec<(f64, Value)> =
            (0..500).map(|step| (f64::from(step), json!(f64::from(worker) + f64::from(step) / 1000.0))).collect();
        assert_eq!(points, expected, "worker {worker}");
    }
    assert_eq!(world.show(1)["attempts"][0]["tags"]["phase"], "warm");
}

/// Writes a table of five epochs, by appending or by writing all of it anew, and waits until each row has been seen.
const TABLE: &str = r#"
import json, os, sys, time
rows = []
def seen(epoch):
    try: return json.load(open(os.environ["NERONET_RUN_DIR"] + "/summary.json"))["metrics"]["acc"]["points"] >= epoch
    except (OSError, KeyError, ValueError): return False
for epoch in range(1, 6):
    rows.append(f"{epoch},{1 / epoch},{epoch / 8}\n")
    if sys.argv[1] == "append":
        with open("log.csv", "a") as file: file.write(("epoch,loss,acc\n" if epoch == 1 else "") + rows[-1])
    elif sys.argv[1] == "truncate":
        with open("log.csv", "w") as file: file.write("epoch,loss,acc\n" + "".join(rows))
    else:
        with open("log.tmp", "w") as file: file.write("epoch,loss,acc\n" + "".join(rows))
        os.rename("log.tmp", "log.csv")
    while not seen(epoch): time.sleep(0.02)
"#;

fn table_is_read_once(how: &str) {
    let world = World::new();
    world.write("train.py", TABLE);
    world.run_spec(&format!("command = ['python3', 'train.py', '{how}']\n[metrics]\nfiles = ['log.csv']\n")).with_code(0);
    let expected: Vec<(f64, Value)> = (1..6).map(|epoch| (f64::from(epoch), json!(f64::from(epoch) / 8.0))).collect();
    assert_eq!(points(&world, "acc"), expected);
    assert_eq!(column(&history(&world), "epoch"), [1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[test]
fn a_table_that_grows_is_read_row_by_row() {
    table_is_read_once("append");
}

#[test]
fn a_table_that_is_written_anew_each_epoch_is_not_read_twice() {
    table_is_read_once("truncate");
    table_is_read_once("rename");
}

/// `seen(name, points)` waits until so many points of a metric are on record.
pub(crate) const SEEN: &str = r#"
import csv, json, os, sys, time
def seen(name, points):
    while True:
        try:
            if json.load(open(os.environ["NERONET_RUN_DIR"] + "/summary.json"))["metrics"][name]["points"] >= points: return
        except (OSError, KeyError, ValueError): pass
        time.sleep(0.02)
"#;

#[test]
fn a_table_that_is_written_anew_with_a_longer_header_goes_on() {
    let world = World::new();
    // As Lightning's CSV logger does when a metric comes to be: in place, and longer at once.
    let script = r#"
rows = [{"step": step, "loss": step / 8} for step in range(1, 6)]
def save(names):
    with open("log.csv", "r+" if os.path.exists("log.csv") else "w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
save(["step", "loss"])
seen("loss", 5)
rows.append({"step": 5, "val_loss": 0.25})
rows += [{"step": step, "loss": step / 8} for step in range(6, 9)]
save(["step", "loss", "val_loss"])
"#;
    world.write("train.py", format!("{SEEN}{script}"));
    world.run_spec("command = ['python3', 'train.py']\n[metrics]\nfiles = ['log.csv']\n").with_code(0);
    let expected: Vec<(f64, Value)> = (1..9).map(|step| (f64::from(step), json!(f64::from(step) / 8.0))).collect();
    assert_eq!(points(&world, "loss"), expected);
    assert_eq!(points(&world, "val_loss"), [(5.0, json!(0.25))]);
}

#[test]
fn a_json_list_that_grows_from_one_row_is_read_row_by_row() {
    let world = World::new();
    let script = r#"
rows = []
for epoch in range(1, 5):
    rows.append({"epoch": epoch, "loss": epoch / 8})
    json.dump(rows, open("new.json", "w"))
    os.rename("new.json", "history.json")
    seen("loss", epoch)
"#;
    world.write("train.py", format!("{SEEN}{script}"));
    world.run_spec("command = ['python3', 'train.py']\n[metrics]\nfiles = ['history.json']\n").with_code(0);
    let expected: Vec<(f64, Value)> = (1..5).map(|epoch| (f64::from(epoch), json!(f64::from(epoch) / 8.0))).collect();
    assert_eq!(points(&world, "loss"), expected);
}

#[test]
fn a_further_attempt_has_what_it_writes_and_not_what_an_earlier_one_left() {
    let script = r#"
first = os.environ["NERONET_ATTEMPT"] == "1"
log = open("log.csv", "w")
log.write("epoch,loss\n" + "".join(f"{epoch},{epoch / 8}\n" for epoch in range(1, 4)))
json.dump([{"epoch": epoch, "acc": epoch / 8 + (0 if first else 0.5)} for epoch in (1, 2)], open("hist.json", "w"))
if first: json.dump({"test_acc": 0.75}, open("final.json", "w"))
log.close()
sys.exit(1 if first else 0)
"#;
    for again in ["retry", "resume"] {
        let world = World::new();
        world.write("train.py", format!("{SEEN}{script}"));
        let spec = "command = ['python3', 'train.py']\n[resume]\nautomatic = true\n[metrics]\nfiles = ['*.csv', '*.json']\n";
        world.run_spec(spec).with_code(1);
        world.say(&[again, "1"]).with_code(0);
        let (loss, acc) = (points(&world, "loss"), points(&world, "acc"));
        assert_eq!(loss, (1..4).map(|epoch| (f64::from(epoch), json!(f64::from(epoch) / 8.0))).collect::<Vec<_>>(), "{again}");
        assert_eq!(acc, [(1.0, json!(0.625)), (2.0, json!(0.75))], "{again}");
        let left = world.show(1)["metrics"]["test_acc"].clone();
        assert_eq!(left.is_null(), again == "retry", "{again}: {left}");
    }
}

#[test]
fn a_table_that_is_replaced_whole_has_the_rows_of_each_attempt_once() {
    let world = World::new();
    let script = r#"
attempt = int(os.environ["NERONET_ATTEMPT"])
for last in range(3 * attempt - 2, 3 * attempt + 1):
    with open("new.csv", "w") as file: file.write("epoch,loss\n" + "".join(f"{epoch},{epoch / 8}\n" for epoch in range(1, last + 1)))
    os.replace("new.csv", "log.csv")
    seen("loss", last)
sys.exit(2 - attempt)
"#;
    world.write("train.py", format!("{SEEN}{script}"));
    world.run_spec("command = ['python3', 'train.py']\n[resume]\nautomatic = true\n[metrics]\nfiles = ['log.csv']\n").with_code(1);
    world.say(&["resume", "1"]).with_code(0);
    let epochs = |attempt| world.rows(1, attempt).iter().filter_map(|row| row["epoch"].as_f64()).collect::<Vec<_>>();
    assert_eq!((epochs(1), epochs(2)), (vec![1.0, 2.0, 3.0], vec![4.0, 5.0, 6.0]));
}

#[test]
fn of_half_a_line_the_text_is_kept_and_no_value_believed() {
    let world = World::new();
    let script = "import os, signal, sys\nsys.stdout.write('epoch 1 loss 0.5\\nepoch 2 loss 0.1')\nsys.stdout.flush()\n\
                  open(os.environ['NERONET_METRICS'], 'w').write('{\"step\": 1, \"acc\": 0.5}\\n{\"step\": 2, \"acc\": 0.75}')\n\
                  os.kill(os.getpid(), signal.SIGKILL)\n";
    world.write("train.py", script);
    // A shell hides how it ended.
    world.run_spec("command = 'python3 train.py || true'\n").with_code(0);
    assert_eq!(points(&world, "loss"), [(1.0, json!(0.5))]);
    assert_eq!(points(&world, "acc"), [(1.0, json!(0.5))]);
    assert!(world.output(1, 1).starts_with("epoch 1 loss 0.5\nepoch 2 loss 0.1"), "{}", world.output(1, 1));
}

#[test]
fn a_json_file_of_results_is_read() {
    let world = World::new();
    let script = "import json, os\nos.makedirs('results')\njson.dump({'test_acc': 0.97, 'note': 'good'}, open('results/final.json', 'w'))\n\
                  json.dump([{'epoch': 1, 'loss': 0.5}, {'epoch': 2, 'loss': 0.25}], open('results/epochs.json', 'w'))\n";
    world.write("train.py", script);
    world.run_spec("command = ['python3', 'train.py']\n[metrics]\nfiles = ['results/*.json']\n").with_code(0);
    let run = world.show(1);
    assert_eq!(run["metrics"]["test_acc"]["last"], 0.97, "{run:#}");
    assert_eq!(points(&world, "loss"), [(1.0, json!(0.5)), (2.0, json!(0.25))]);
}

#[test]
fn numbers_that_are_not_finite_are_words_in_strict_json() {
    let world = World::new();
    let script = "import os\nprint('epoch 1 loss=1.0 acc=0.5')\nprint('epoch 2 loss=nan acc=0.6')\nprint('epoch 3 loss=inf acc=0.7')\n\
                  open(os.environ['NERONET_METRICS'], 'a').write('{\"step\": 1, \"grad\": NaN}\\n{\"step\": 2, \"grad\": -Infinity}\\n')\n";
    world.write("train.py", script).run(&["python3", "train.py"]).1.with_code(0);
    // `list` and `history` parse with a parser that knows no bare NaN.
    let run = &world.list()[0];
    assert_eq!(run["metrics"]["loss"]["last"], "Infinity", "{run:#}");
    assert_eq!(run["metrics"]["grad"]["last"], "-Infinity", "{run:#}");
    let rows = history(&world);
    assert_eq!(column(&rows, "loss"), [json!(1.0), json!("NaN"), json!("Infinity")]);
    assert_eq!(rows[2]["grad"], "-Infinity");
    assert_eq!(points(&world, "grad"), [(1.0, json!("NaN")), (2.0, json!("-Infinity"))]);
}

#[test]
fn a_pattern_of_the_specification_reads_what_no_rule_knows() {
    let world = World::new();
    let spec = "command = 'echo \"<<1>> quality is 0.5\"; echo \"<<2>> quality is 0.75\"'\n[metrics]\npatterns = ['<<(?<epoch>\\d+)>> quality is (?<quality>\\S+)']\n";
    world.run_spec(spec).with_code(0);
    assert_eq!(points(&world, "quality"), [(1.0, json!(0.5)), (2.0, json!(0.75))]);
}
