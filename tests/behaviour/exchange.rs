//! Runs that come from elsewhere and go elsewhere: what other trackers recorded, points and tables for other programs.

use crate::mounts::{fill, small_disk, with_own_mounts};
use crate::world::{World, all_below};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// What other trackers' own libraries wrote.
fn samples(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../foreign/tests/samples").join(name)
}

pub(crate) fn import(world: &World, words: &[&str]) -> Value {
    world.say(&[&["import", "--json"], words].concat()).with_code(0).json()
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The points of a metric, without their times.
pub(crate) fn points(world: &World, run: u64, metric: &str) -> Vec<(Value, Value)> {
    let points = world.say(&["metrics", &run.to_string(), metric, "--json"]).with_code(0).json();
    points.as_array().expect("points").iter().map(|point| (point[0].clone(), point[2].clone())).collect()
}

/// The run of this name, as `show` has it.
fn named(world: &World, name: &str) -> Value {
    let found =
        world.list().iter().filter_map(|run| run["id"].as_u64()).map(|id| world.show(id)).find(|run| run["imported"]["name"] == name);
    found.unwrap_or_else(|| panic!("no run {name}"))
}

#[test]
fn runs_of_other_trackers_become_runs_and_come_only_once() {
    let world = World::new();
    let kinds = ["mlruns", "sacred", "tensorboard", "wandb"].map(samples);
    let words: Vec<&str> = kinds.iter().map(|kind| path(kind)).collect();
    let dry = world.say(&[&["import", "--dry-run"], &words[..]].concat()).with_code(0);
    assert!(dry.out.ends_with("\n10 runs would be imported\n"), "{dry:#?}");
    assert!(!world.home().exists(), "to look leaves nothing behind");
    let said = world.say(&[&["import"], &words[..]].concat()).with_code(0);
    assert_eq!(said.out, "10 runs imported as 1-10\n", "{said:#?}");
    let again = world.say(&[&["import"], &words[..]].concat()).with_code(0);
    assert_eq!(again.out, "nothing imported, 10 were there already\n");
    world.say(&["rm", "-y", "1-3"]).with_code(0);
    let again = world.say(&["import", words[0]]).with_code(0);
    assert_eq!(again.out, "nothing imported, 3 were there already\n", "what is in the trash is there too");
    world.say(&["restore", "1-3"]).with_code(0);
    assert_eq!(world.list().len(), 10);
    // Of no import anything is left but what became runs.
    assert_eq!(fs::read_dir(world.home().join("imports")).expect("there").count(), 1);
    world.say(&["rm", "-y", "1"]).with_code(0);
    world.say(&["rm", "-y", "--purge", "1"]).with_code(0);
    let again = world.say(&["import", words[0]]).with_code(0);
    assert_eq!(again.out, "1 run imported as 11, 2 were there already\n", "what was taken from the disk can come again, as another");
}

#[test]
fn an_imported_run_has_all_that_was_recorded_of_it() {
    let world = World::new();
    import(&world, &[path(&samples("mlruns")), "--tag", "old"]);
    let run = named(&world, "good one");
    let id = run["id"].as_u64().expect("a number");
    assert_eq!((&run["experiment"], &run["project"], &run["outcome"]), (&json!("digits"), &json!("project"), &json!("finished")));
    assert_eq!(run["params"]["lr"], json!(0.001));
    assert_eq!((&run["tags"], &run["user"]), (&json!(["old", "team=vision"]), &json!("ada")));
    assert_eq!(run["note"], "good one\na note\nof two lines");
    assert_eq!(run["git"]["commit"], "0123abcd0123abcd0123abcd0123abcd0123abcd");
    assert_eq!((&run["created"], &run["imported"]["from"]), (&run["started"], &json!("MLflow")));
    let loss = points(&world, id, "train/loss");
    assert_eq!((loss.len(), &loss[0]), (40, &(json!(0.0), json!(1.0))));
    let odd: Vec<Value> = points(&world, id, "odd").into_iter().map(|(_, value)| value).collect();
    assert_eq!(odd, [json!("NaN"), json!("Infinity"), json!("-Infinity")]);
    assert!(run["other_files"]["paths"][0]["path"].as_str().is_some_and(|path| path.ends_with("model/weights.txt")), "{run:#}");
    assert!(world.home().join(format!("runs/{id}/history.json")).exists());
    assert_eq!(named(&world, "failed")["outcome"], "failed");
    let shown = world.say(&["show", &id.to_string()]).with_code(0);
    assert!(shown.out.contains("from MLflow 'good one'"), "{shown:#?}");

    import(&world, &[path(&samples("sacred")), "--project", "elsewhere", "--experiment", "old"]);
    let run = named(&world, "2");
    let id = run["id"].as_u64().expect("a number");
    assert_eq!((&run["experiment"], &run["project"], &run["outcome"]), (&json!("old"), &json!("elsewhere"), &json!("failed")));
    let said = world.say(&["logs", &id.to_string()]).with_code(0);
    assert!(said.out.contains("RuntimeError: on purpose"), "{said:#?}");
    let run = named(&world, "1");
    assert_eq!(world.say(&["logs", &run["id"].to_string()]).with_code(0).out, "hello from the run\n");
    assert_eq!(run["metrics"]["result"]["last"], json!(0.875), "a result is a metric with one point");
    assert_eq!(run["command"], "train.py main");

    import(&world, &[path(&samples("wandb"))]);
    let run = world.list().pop().expect("a run");
    let run = world.show(run["id"].as_u64().expect("a number"));
    assert_eq!((&run["host"], &run["metrics"]["wide/1499"]["last"]), (&json!("lab1"), &json!(1499.0)));
    assert_eq!(run["tags"], json!(["group=sweep1", "new", "vision"]));
}

#[test]
fn a_training_that_began_again_is_another_attempt_of_its_run() {
    let world = World::new();
    import(&world, &[path(&samples("tensorboard/restarted"))]);
    let run = world.show(1);
    assert_eq!((&run["attempts"].as_array().map(Vec::len), &run["outcome"]), (&Some(2), &json!("unknown")), "{run:#}");
    let steps: Vec<f64> = points(&world, 1, "loss").iter().filter_map(|(step, _)| step.as_f64()).collect();
    assert!(steps.windows(2).all(|pair| pair[0] < pair[1]), "{steps:?}");
    assert_eq!((steps.len() as u64, &run["metrics"]["loss"]["points"]), (30, &json!(30)));
    let all = world.say(&["metrics", "1", "loss", "--superseded"]).with_code(0);
    assert_eq!(all.out.lines().filter(|line| line.ends_with("superseded")).count(), 10);
}

#[test]
fn an_imported_run_is_one_like_any_other_but_cannot_be_started() {
    let world = World::new();
    import(&world, &[path(&samples("mlruns"))]);
    for word in ["retry", "resume"] {
        let said = world.say(&[word, "1"]).with_code(1);
        assert!(said.err.contains("run 1 was imported from MLflow"), "{said:#?}");
    }
    let said = world.say(&["clone", "1", "copy"]).with_code(1);
    assert!(said.err.contains("without its code"), "{said:#?}");
    world.say(&["tag", "1", "kept"]).with_code(0);
    world.say(&["note", "1", "looked at"]).with_code(0);
    world.say(&["compare", "1", "2"]).with_code(0);
    world.say(&["plot", "1-3", "-m", "train/loss", "-o", "loss.svg"]).with_code(0);
    world.say(&["report", "1-3", "-o", "report.html"]).with_code(0);
    world.say(&["export", "1-3", "-o", "runs.xlsx"]).with_code(0);
    // What is started is not taken for what was imported, nor made to wait.
    world.run(&["true"]);
    assert_eq!(world.list().len(), 4);
    assert_eq!(world.say(&["queue", "--json"]).with_code(0).json()["queued"].as_array().map_or(0, Vec::len), 0);
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_comes() {
    let world = World::new();
    for run in ["good", "bad"] {
        fs::create_dir_all(world.project().join(format!("mlruns/0/{run}/metrics"))).expect("made");
    }
    world.write("mlruns/0/good/meta.yaml", "run_id: good\nstart_time: 1700000000000\n");
    world.write("mlruns/0/good/metrics/loss", "1700000000000 0.5 1\nnothing\n1700000001000 0.25 2\n");
    world.write("mlruns/0/bad/meta.yaml", "run_id: bad\nstatus: @x");
    let said = world.say(&["import", "mlruns"]).with_code(1);
    assert_eq!(said.out, "1 run imported as 1, 1 could not be read\n");
    assert!(said.err.contains("meta.yaml:2: this is no YAML") && said.err.contains("loss:2: this is no point"), "{said:#?}");
    assert_eq!(points(&world, 1, "loss").len(), 2);
    let said = world.say(&["import", "mlruns/0/bad"]).with_code(1);
    assert!(said.out.contains("nothing imported"), "{said:#?}");
    world.write("empty/readme.txt", "nothing");
    let said = world.say(&["import", "empty"]).with_code(1);
    assert!(said.err.contains("there is nothing that import knows"), "{said:#?}");
    world.say(&["import", "nowhere"]).with_code(2);
    assert_eq!(world.list().len(), 1);
}

#[test]
fn an_import_that_was_killed_is_made_good_by_the_next() {
    let world = World::new();
    world.run(&["true"]);
    let home = world.home();
    let journal = fs::read(home.join("journal/1.log")).expect("there");
    import(&world, &[path(&samples("sacred/1"))]);
    assert_eq!(world.show(2)["imported"]["name"], "1");
    // As it is when one is killed before the journal: the folder is there, the run is not.
    fs::write(home.join("journal/1.log"), &journal).expect("written");
    fs::remove_file(home.join("runs/2/attempts/1/metrics.1.jsonl")).expect("removed");
    fs::create_dir_all(home.join("imports/7/attempts/1")).expect("made");
    assert_eq!(world.list().len(), 1);
    let said = world.say(&["import", path(&samples("sacred"))]).with_code(0);
    assert_eq!(said.out, "2 runs imported as 2-3\n", "{said:#?}");
    assert_eq!(points(&world, 2, "train/loss").len(), 40);
    // Another submission passes over what lies there.
    fs::write(home.join("journal/1.log"), &journal).expect("written");
    world.say(&["run", "--", "true"]).with_code(0);
    assert_eq!(world.list().last().expect("a run")["id"], 4);
    let said = world.say(&["import", path(&samples("sacred/2"))]).with_code(0);
    assert_eq!(said.out, "1 run imported as 5\n", "{said:#?}");
    assert!(!home.join("imports/7").exists());
}

#[test]
fn many_points_come_in_little_memory_and_secrets_do_not() {
    let world = World::new();
    fs::create_dir_all(world.project().join("mlruns/0/many/metrics")).expect("made");
    fs::create_dir_all(world.project().join("mlruns/0/many/params")).expect("made");
    world.write("mlruns/0/many/meta.yaml", "run_id: many\nstatus: 3\nstart_time: 1700000000000\nend_time: 1700000900000\n");
    let lines: String = (0..300_000).map(|step| format!("{} {} {step}\n", 1_700_000_000_000_u64 + step, 1.0 / (step + 1) as f64)).collect();
    world.write("mlruns/0/many/metrics/loss", lines);
    world.write("mlruns/0/many/params/api_key", "sk-abcdefgh12345678");
    world.write("mlruns/0/many/params/word", "told-in-the-environment");
    let mut command = world.neronet(&["import", "mlruns"]);
    command.env("MY_TOKEN", "told-in-the-environment");
    assert!(command.output().expect("neronet starts").status.success());
    assert_eq!(points(&world, 1, "loss").len(), 300_000);
    for file in all_below(&world.home()).into_iter().filter(|file| file.is_file()) {
        let text = String::from_utf8_lossy(&fs::read(&file).expect("readable")).into_owned();
        assert!(!text.contains("sk-abcdefgh") && !text.contains("told-in-the"), "{} holds a secret", file.display());
    }
}

/// Two attempts, the second of which went back by one epoch; a metric whose name a spreadsheet program would run.
const TRAIN: &str = r#"
import json, os, sys
first = 3 if os.path.exists("done") else 1
for epoch in range(first, 6):
    with open(os.environ["NERONET_METRICS"], "a") as file:
        file.write(json.dumps({"epoch": epoch, "loss": 1 / epoch, "=SUM(A1)": float("nan") if epoch == 5 else -epoch}) + "\n")
    if epoch == 3 and first == 1:
        open("done", "w").write("")
        sys.exit("it fell over")
"#;
const SPEC: &str = "command = 'python3 train.py {lr}'\n[params]\nlr = 1e-3\n[resume]\nautomatic = true\n";

fn trained() -> World {
    let world = World::new();
    world.write("train.py", TRAIN);
    world.run_spec(SPEC).with_code(1);
    world.say(&["resume", "1", "--quiet"]).with_code(0);
    world.ended(1);
    world
}

#[test]
fn points_are_written_for_other_programs() {
    let world = trained();
    let said = world.say(&["export", "1", "--points", "-o", "points.csv"]).with_code(0);
    assert!(said.err.contains("12 points of 1 run written to points.csv"), "{said:#?}");
    let csv = fs::read_to_string(world.project().join("points.csv")).expect("there");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "run,uid,experiment,attempt,metric,step,by,time,value,superseded");
    assert_eq!(lines.len(), 13);
    // A text that would be run is quoted; a number is not.
    assert!(lines[1].contains(",1,'=SUM(A1),1,epoch,20") && lines[1].ends_with("Z,-1,false"), "{csv}");
    assert_eq!(lines.iter().filter(|line| line.ends_with(",true")).count(), 2);
    assert!(csv.contains(",NaN,false"), "{csv}");
    world.say(&["export", "1", "--points", "-o", "points.jsonl"]).with_code(0);
    world.say(&["export", "1", "--points", "-o", "points.json"]).with_code(0);
    let text = fs::read_to_string(world.project().join("points.jsonl")).expect("there");
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let list: Vec<Value> = serde_json::from_slice(&fs::read(world.project().join("points.json")).expect("there")).expect("JSON");
    assert_eq!((rows.len(), &rows), (12, &list));
    assert_eq!((&rows[11]["metric"], &rows[11]["attempt"], &rows[11]["value"]), (&json!("loss"), &json!(2), &json!(0.2)));
    assert_eq!(rows[5]["value"], "NaN");
    world.say(&["export", "1", "--points", "-o", "points.parquet"]).with_code(0);
    let parquet = fs::read(world.project().join("points.parquet")).expect("there");
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1") && parquet.len() > 500);
    let printed = world.say(&["export", "1", "--points", "-o", "-", "--format", "jsonl"]).with_code(0);
    assert_eq!(printed.out, text);
}

#[test]
fn points_in_every_form_come_into_another_home() {
    let world = trained();
    let expected = world.say(&["export", "1", "--points", "-o", "-", "--format", "csv"]).with_code(0).out;
    for format in ["csv", "json", "jsonl", "parquet"] {
        let (name, home) = (format!("points.{format}"), world.path(format));
        world.say(&["export", "1", "--points", "-o", &name]).with_code(0);
        let at_home = |words: &[&str]| world.say(&[&["--home", path(&home)], words].concat()).with_code(0).out;
        assert_eq!(at_home(&["import", &name]), "1 run imported as 1\n");
        assert_eq!(at_home(&["import", &name]), "nothing imported, 1 was there already\n");
        assert_eq!(at_home(&["export", "1", "--points", "-o", "-", "--format", "csv"]), expected, "{format}");
    }
    let whole = fs::read(world.project().join("points.parquet")).expect("there");
    world.write("damaged.parquet", [&whole[..60], &[0xff; 8], &whole[68..]].concat());
    let said = world.say(&["--home", path(&world.path("other")), "import", "damaged.parquet"]);
    assert!(said.code == Some(1) && said.err.contains("nothing of"), "{said:#?}");
    world.say(&["export", "1", "-o", "runs.parquet"]).with_code(0);
    let said = world.say(&["import", "runs.parquet"]).with_code(1);
    assert!(said.err.contains("there is nothing that import knows"), "{said:#?}");
}

#[test]
fn of_a_run_that_has_grown_what_is_new_is_added() {
    let world = World::new();
    let line = |step: u64| format!("{} {} {step}\n", 1_700_000_000_000_u64 + step, 1.0 / (step + 1) as f64);
    let lines = |steps: std::ops::Range<u64>| steps.map(line).collect::<String>();
    let meta = |rest: &str| format!("run_id: growing\nstart_time: 1700000000000\n{rest}");
    fs::create_dir_all(world.project().join("mlruns/0/growing/metrics")).expect("made");
    fs::create_dir_all(world.project().join("mlruns/0/growing/params")).expect("made");
    world.write("mlruns/0/growing/meta.yaml", meta("status: 1\n")).write("mlruns/0/growing/metrics/loss", lines(0..10));
    world.say(&["import", "mlruns"]).with_code(0);
    world.say(&["tag", "1", "kept"]).with_code(0);
    assert_eq!(points(&world, 1, "loss").len(), 10);
    assert_eq!(world.say(&["import", "mlruns"]).with_code(0).out, "nothing imported, 1 was there already\n");
    world.write("mlruns/0/growing/meta.yaml", meta("status: 3\nend_time: 1700000900000\n"));
    world.write("mlruns/0/growing/metrics/loss", lines(0..25)).write("mlruns/0/growing/metrics/acc", lines(0..5));
    world.write("mlruns/0/growing/params/lr", "0.1");
    let dry = world.say(&["import", "mlruns", "--dry-run"]).with_code(0);
    assert!(dry.out.contains("there already as run 1, which may have grown"), "{dry:#?}");
    let said = world.say(&["import", "mlruns"]).with_code(0);
    assert_eq!(said.out, "run 1 has grown by 20 points\n");
    assert!(said.err.contains("parameters of run 1 stay as they were first: lr"), "{said:#?}");
    assert_eq!((points(&world, 1, "loss").len(), points(&world, 1, "acc").len()), (25, 5));
    let run = world.show(1);
    assert_eq!((&run["outcome"], &run["tags"], &run["metrics"]["loss"]["points"]), (&json!("finished"), &json!(["kept"]), &json!(25)));
    assert_eq!(world.list()[0]["metrics"]["loss"]["last"], json!(0.04));
    assert_eq!(world.say(&["import", "mlruns"]).with_code(0).out, "nothing imported, 1 was there already\n");
    // Cut short before the journal: the next import tells it.
    let journal = world.home().join("journal/1.log");
    let before = fs::read(&journal).expect("there");
    world.write("mlruns/0/growing/metrics/loss", lines(0..30));
    world.say(&["import", "mlruns"]).with_code(0);
    fs::write(&journal, before).expect("written");
    fs::remove_file(world.home().join("runs/1/source.json")).expect("there");
    world.say(&["import", "mlruns"]).with_code(0);
    assert_eq!((&world.list()[0]["metrics"]["loss"]["points"], points(&world, 1, "loss").len()), (&json!(30), 30));
    // What is not all that we have does not take its place.
    for other in [lines(0..7), lines(1..40)] {
        world.write("mlruns/0/growing/metrics/loss", other);
        let said = world.say(&["import", "mlruns"]).with_code(0);
        assert_eq!(said.out, "nothing imported, 1 was there already\n");
        assert!(said.err.contains("run 1 stays as it is: "), "{said:#?}");
        assert_eq!(points(&world, 1, "loss").len(), 30);
    }
    assert_eq!(fs::read_dir(world.home().join("imports")).expect("there").count(), 1);
}

#[test]
fn event_files_and_points_that_go_on_are_the_same_run_further_on() {
    let world = World::new();
    fs::create_dir(world.project().join("logs")).expect("made");
    let folder = samples("tensorboard/restarted");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).expect("there").flatten().map(|entry| entry.path()).collect();
    files.sort();
    let copy = |file: &Path, part: usize| {
        let bytes = fs::read(file).expect("there");
        let name = file.file_name().expect("a name").to_string_lossy();
        world.write(&format!("logs/{name}"), &bytes[..bytes.len() / part]);
    };
    // Half of the first file, all of it, and the second, in which the training began again.
    copy(&files[0], 2);
    import(&world, &["logs"]);
    let half = points(&world, 1, "loss").len();
    copy(&files[0], 1);
    let grown = import(&world, &["logs"]);
    assert_eq!((&grown[0]["became"], &grown[0]["run"]), (&json!("grown"), &json!(1)), "{grown:#}");
    assert!(grown[0]["added"].as_u64() > Some(0) && points(&world, 1, "loss").len() > half);
    copy(&files[1], 1);
    assert_eq!(import(&world, &["logs"])[0]["became"], "grown");
    let run = world.show(1);
    assert_eq!((run["attempts"].as_array().map(Vec::len), &run["metrics"]["loss"]["points"]), (Some(2), &json!(30)), "{run:#}");
    assert_eq!(import(&world, &["logs"])[0]["became"], "there");
    // The same of points.
    let (all, home) = (world.say(&["export", "1", "--points", "-o", "-", "--format", "jsonl"]).with_code(0).out, world.path("other"));
    let bring = |text: &str| {
        world.write("points.jsonl", text);
        world.say(&["--home", path(&home), "import", "points.jsonl"]).with_code(0).out
    };
    let first: String = all.lines().take(3).map(|line| format!("{line}\n")).collect();
    assert_eq!(bring(&first), "1 run imported as 1\n");
    let more = all.lines().count() - 3;
    assert_eq!(bring(&all), format!("run 1 has grown by {more} points\n"));
    assert_eq!(bring(&first), "nothing imported, 1 was there already\n");
    assert_eq!(
        world.say(&["--home", path(&home), "export", "1", "--points", "-o", "-", "--format", "jsonl"]).with_code(0).out.lines().count(),
        more + 3
    );
}

#[test]
fn the_table_of_runs_is_written_in_every_form() {
    let world = trained();
    let list: Vec<Value> = serde_json::from_str(&world.say(&["export", "-o", "-", "--format", "json"]).with_code(0).out).expect("JSON");
    assert_eq!((list.len(), &list[0]["lr"], &list[0]["run@id"]), (1, &json!(0.001), &json!(1)));
    let line = world.say(&["export", "-o", "-", "--format", "jsonl"]).with_code(0).out;
    // As it was written, and in the order of the columns.
    assert!(line.starts_with("{\"run@id\":1,\"name\":") && line.contains("\"lr\":1e-3"), "{line}");
    world.say(&["export", "-o", "runs.parquet"]).with_code(0);
    assert!(fs::read(world.project().join("runs.parquet")).expect("there").ends_with(b"PAR1"));
    let said = world.say(&["export", "-o", "runs.parquet"]).with_code(2);
    assert!(said.err.contains("there already; --force"), "{said:#?}");
    world.say(&["export", "-o", "runs.parquet", "--force"]).with_code(0);
    world.say(&["export", "-o", "runs.txt"]).with_code(2);
    world.say(&["export", "--points", "-o", "runs.xlsx"]).with_code(2);
    let left: Vec<_> = all_below(&world.project()).into_iter().filter(|path| path.to_string_lossy().contains(".new")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn event_files_for_tensorboard_come_back_as_they_went() {
    let world = trained();
    world.say(&["export", "1", "--format", "tensorboard", "-o", "logs"]).with_code(0);
    let said = world.say(&["export", "1", "--format", "tensorboard", "-o", "logs"]).with_code(2);
    assert!(said.err.contains("not there yet"), "{said:#?}");
    let found = import(&world, &["logs"]);
    assert_eq!((found.as_array().map(Vec::len), &found[0]["became"], &found[0]["points"]), (Some(1), &json!("imported"), &json!(10)));
    let run = world.show(2);
    assert_eq!((&run["params"], &run["outcome"]), (&json!({"lr": 0.001}), &json!("finished")), "{run:#}");
    let rounded = |run| points(&world, run, "loss").into_iter().filter_map(|(_, value)| Some(value.as_f64()? as f32)).collect::<Vec<_>>();
    assert_eq!(rounded(1), rounded(2));
}

#[test]
fn a_full_disk_leaves_no_half_of_a_file_and_no_half_of_a_run() {
    with_own_mounts("exchange::a_full_disk_leaves_no_half_of_a_file_and_no_half_of_a_run", || {
        let world = trained();
        let disk = world.path("disk");
        small_disk(&disk, 1 << 20);
        fill(&disk);
        for format in ["csv", "json", "parquet"] {
            let place = disk.join(format!("points.{format}"));
            let said = world.say(&["export", "1", "--points", "-o", path(&place)]).with_code(1);
            assert!(said.err.contains("cannot be written: No space left"), "{said:#?}");
        }
        let logs = disk.join("logs");
        world.say(&["export", "1", "--format", "tensorboard", "-o", path(&logs)]).with_code(1);
        assert_eq!(fs::read_dir(&disk).expect("there").count(), 1, "nothing but what fills it");
        // The same of a home: what came before stays, and the run that had no room comes when there is some.
        let home = world.path("small");
        small_disk(&home, 1 << 20);
        let sacred = samples("sacred");
        let words = ["--home", path(&home), "import", path(&sacred)];
        fill(&home);
        let said = world.say(&words);
        assert!(said.code == Some(3) && said.err.contains("No space left"), "{said:#?}");
        fs::remove_file(home.join("filler")).expect("there");
        assert_eq!(world.say(&words).with_code(0).out, "2 runs imported as 1-2\n");
    });
}

#[test]
fn points_that_were_exported_come_back() {
    let world = trained();
    for name in ["points.csv", "points.jsonl", "points.json"] {
        world.say(&["export", "1", "--points", "-o", name]).with_code(0);
        let other = World::new();
        let file = world.project().join(name);
        let said = other.say(&["import", path(&file)]).with_code(0);
        assert_eq!(said.out, "1 run imported as 1\n", "{said:#?}");
        assert_eq!(other.say(&["import", path(&file)]).with_code(0).out, "nothing imported, 1 was there already\n");
        for metric in ["loss", "=SUM(A1)"] {
            let told = |world: &World| world.say(&["metrics", "1", metric, "--json", "--superseded"]).with_code(0).json();
            assert_eq!(told(&world), told(&other), "{name}");
        }
        let (mine, theirs) = (world.show(1), other.show(1));
        assert_eq!((&mine["uid"], &mine["metrics"]), (&theirs["uid"], &theirs["metrics"]));
        // At home it is there already.
        assert_eq!(world.say(&["import", name]).with_code(0).out, "nothing imported, 1 was there already\n");
    }
    let csv = fs::read_to_string(world.project().join("points.csv")).expect("there");
    world.write("bad.csv", csv.replacen("epoch", "epoch,epoch", 2));
    let said = World::new().say(&["import", path(&world.project().join("bad.csv"))]);
    assert!(said.code == Some(1) && said.err.contains("bad.csv:"), "{said:#?}");
}
