//! Event files of TensorBoard, read while the run that writes them goes on.

use crate::metrics::SEEN;
use crate::world::{World, end_of, signal, text, wait_for};
use neronet_foreign::tensorboard::EventWriter;
use neronet_model::{UnixMs, Value as Param};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const BEGUN: UnixMs = UnixMs(1_700_000_000_000);
const NAME: &str = "events.out.tfevents.1700000000.lab1.1.0";

/// Behind `SEEN`: `put(path, FROM, TO)` appends these bytes of a file that the test made; `told(word)` waits until the test says so.
const HEAD: &str = r#"
world = os.environ["WORLD"]
def put(path, made, start=0, end=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "ab") as file: file.write(open(f"{world}/{made}", "rb").read()[start:end])
def told(word):
    while not os.path.exists(f"{world}/{word}"): time.sleep(0.02)
"#;
const SPEC: &str = "command = ['python3', 'train.py']\n[metrics]\ntensorboard = 'runs/'\n[resume]\nautomatic = true\n";

fn script(world: &World, script: &str) {
    world.write("train.py", format!("{SEEN}{HEAD}{script}")).write("neronet.toml", SPEC);
}

/// An event file, and where each of its records ends.
struct Made {
    writer: EventWriter<Vec<u8>>,
    bytes: Vec<u8>,
}

impl Made {
    fn new() -> Made {
        Made { writer: EventWriter::new(Vec::new(), BEGUN).expect("in memory"), bytes: Vec::new() }
    }

    /// The values of a metric at these steps, which are eighths of them.
    fn losses(mut self, name: &str, steps: std::ops::Range<i64>) -> Made {
        for step in steps {
            self.writer.scalars(UnixMs(BEGUN.0 + step), step, &[(name, step as f64 / 8.0)]).expect("in memory");
        }
        self
    }

    fn is(mut self, world: &World, name: &str) -> Vec<u8> {
        self.bytes = self.writer.into_inner();
        std::fs::write(world.path(name), &self.bytes).expect("written");
        self.bytes
    }
}

fn points(world: &World, run: u64, name: &str) -> Vec<(f64, Value)> {
    let points = world.say(&["metrics", &run.to_string(), name, "--json"]).with_code(0).json();
    points.as_array().expect("an array").iter().map(|point| (point[0].as_f64().expect("a step"), point[2].clone())).collect()
}

fn eighths(steps: std::ops::Range<i32>) -> Vec<(f64, Value)> {
    steps.map(|step| (f64::from(step), json!(f64::from(step) / 8.0))).collect()
}

#[test]
fn event_files_are_read_while_they_grow_and_folders_name_their_metrics() {
    let world = World::new();
    let mut made = Made::new();
    let params = [("lr".to_string(), Param::as_typed("1e-3")), ("api_key".to_string(), Param::as_typed("hush-hush"))];
    made.writer.params(BEGUN, &params.into_iter().collect()).expect("in memory");
    made.writer.text(BEGUN, 0, "about", "a note\nof two lines").expect("in memory");
    // A secret at the place where a long text is cut.
    made.writer.text(BEGUN, 0, "long", &("x".repeat((8 << 10) - 8) + "told-in-secret-99")).expect("in memory");
    let bytes = made.losses("loss", 0..20).is(&world, "main");
    Made::new().losses("loss", 0..5).is(&world, "train");
    // Half a record is waited for, a folder that comes later is found, and what a restart leaves out of its name is the time.
    let cut = bytes.len() - 30;
    script(
        &world,
        &format!(
            "main = 'runs/Nov14_22-13-20_lab1/{NAME}'\nput(main, 'main', 0, {cut})\nseen('loss', 18)\n\
             put('runs/Nov14_22-13-20_lab1/loss_train/{NAME}', 'train')\nseen('loss_train/loss', 5)\n\
             put(main, 'main', {cut})\nseen('loss', 20)\n\
             os.remove(main)\nput('runs/Nov14_22-13-20_lab1/loss_train/{NAME}', 'train', 0, 20)\n"
        ),
    );
    let ended = world.neronet(&["run"]).env("MY_TOKEN", "told-in-secret-99").output().expect("neronet starts");
    assert!(ended.status.success() && !world.record(1, 1).contains("told-in"), "{}", world.record(1, 1));
    assert_eq!((points(&world, 1, "loss"), points(&world, 1, "loss_train/loss")), (eighths(0..20), eighths(0..5)));
    let run = world.show(1);
    assert_eq!((&run["config"]["lr"], &run["config"]["api_key"]), (&json!("0.001"), &json!("***")), "{run:#}");
    assert_eq!(run["attempts"][0]["tags"]["about"], "a note\nof two lines");
    let rows = world.rows(1, 1);
    assert_eq!((&rows[0]["time"], &rows[0]["t"]), (&json!(1_700_000_000.0), &json!(0)), "what was written before it began comes with it");
    assert!(world.record(1, 1).contains("a record that was not written to its end"), "{}", world.record(1, 1));
}

#[test]
fn a_successor_of_the_supervisor_neither_loses_nor_doubles_a_value() {
    let world = World::new();
    let bytes = Made::new().losses("loss", 0..100).is(&world, "main");
    let (one, two) = (bytes.len() / 3, bytes.len() / 2);
    script(
        &world,
        &format!(
            "put('runs/{NAME}', 'main', 0, {one})\nseen('loss', 30)\nopen(f'{{world}}/ready', 'w').close()\ntold('killed')\n\
             put('runs/{NAME}', 'main', {one}, {two})\nput('runs/b/{NAME}', 'main', 0, {one})\nseen('b/loss', 30)\nput('runs/{NAME}', 'main', {two})\n"
        ),
    );
    let cli = world.start(&["run"]);
    world.wait_told("ready");
    let first = world.pid(1, "watched", "supervisor");
    signal(first, Signal::SIGKILL);
    wait_for("another supervisor", || Some(world.pid(1, "watched", "supervisor")).filter(|pid| *pid != first));
    world.tell("killed");
    end_of(cli).with_code(0);
    assert_eq!(points(&world, 1, "loss"), eighths(0..100));
    assert_eq!(world.rows(1, 1).iter().filter(|row| row["src"] == format!("f:runs/{NAME}")).count(), 100);
}

#[test]
fn what_was_there_before_is_not_this_runs() {
    let world = World::new();
    Made::new().losses("loss", 0..3).is(&world, "old");
    Made::new().losses("loss", 3..6).is(&world, "new");
    std::fs::create_dir(world.project().join("runs")).expect("made");
    std::fs::copy(world.path("old"), world.project().join(format!("runs/{NAME}"))).expect("copied");
    script(&world, &format!("put('runs/' + os.environ['NERONET_RUN'] + '/{NAME}', 'new')\n"));
    world.write("neronet.toml", format!("{SPEC}[code]\nin_place = true\n"));
    world.say(&["run"]).with_code(0);
    world.say(&["run"]).with_code(0);
    assert_eq!((points(&world, 1, "1/loss"), points(&world, 2, "2/loss")), (eighths(3..6), eighths(3..6)));
    let names = |run| world.show(run)["metrics"].as_object().map_or(0, serde_json::Map::len);
    assert_eq!((names(1), names(2)), (1, 1));
}

#[test]
fn a_training_that_goes_on_supersedes_what_it_went_back_behind() {
    let world = World::new();
    Made::new().losses("loss", 0..10).is(&world, "1");
    let mut again = Made::new();
    again.writer.restarted(BEGUN, 6).expect("in memory");
    again.losses("loss", 6..15).is(&world, "2");
    script(
        &world,
        &format!(
            "n = os.environ['NERONET_ATTEMPT']\nput('runs/Nov14_22-13-2' + n + '_lab1/{NAME}', n)\nseen('loss', 10)\nsys.exit(2 - int(n))\n"
        ),
    );
    world.say(&["run"]).with_code(1);
    world.say(&["resume", "1", "--quiet"]).with_code(0);
    assert_eq!(points(&world, 1, "loss"), eighths(0..15));
    let all = world.say(&["metrics", "1", "loss", "--superseded"]).with_code(0);
    assert_eq!(all.out.lines().filter(|line| line.ends_with("superseded")).count(), 4, "{all:#?}");
}

#[test]
fn a_training_that_begins_again_within_an_attempt_supersedes_too() {
    let world = World::new();
    Made::new().losses("loss", 0..10).is(&world, "first");
    let mut again = Made::new();
    again.writer.restarted(BEGUN, 6).expect("in memory");
    again.losses("loss", 6..12).losses("acc", 0..3).is(&world, "second");
    script(
        &world,
        &format!(
            "put('runs/{NAME}', 'first')\nseen('loss', 10)\nput('runs/{NAME}.1', 'second')\nseen('loss', 12)\n\
             open(f'{{world}}/ready', 'w').close()\ntold('killed')\n"
        ),
    );
    let cli = world.start(&["run"]);
    world.wait_told("ready");
    let summary =
        || serde_json::from_slice::<Value>(&std::fs::read(world.home().join("runs/1/summary.json")).expect("there")).expect("JSON");
    assert_eq!(summary()["metrics"]["loss"]["points"], 12);
    // Who takes over knows it from the record.
    let first = world.pid(1, "watched", "supervisor");
    signal(first, Signal::SIGKILL);
    wait_for("another supervisor", || Some(world.pid(1, "watched", "supervisor")).filter(|pid| *pid != first));
    world.tell("killed");
    end_of(cli).with_code(0);
    assert_eq!((points(&world, 1, "loss"), points(&world, 1, "acc")), (eighths(0..12), eighths(0..3)));
    let run = world.show(1);
    assert_eq!((&run["metrics"]["loss"]["points"], &run["metrics"]["loss"]["last"]), (&json!(12), &json!(1.375)), "{run:#}");
    let all = world.say(&["metrics", "1", "loss", "--superseded"]).with_code(0);
    assert_eq!(all.out.lines().filter(|line| line.ends_with("superseded")).count(), 4, "{all:#?}");
    assert_eq!(world.rows(1, 1).iter().filter(|row| row["again"] == true).count(), 1);
}

#[test]
fn damage_is_passed_over_and_said_once() {
    let world = World::new();
    let bytes = Made::new().losses("loss", 0..10).is(&world, "main");
    let mut damaged = bytes.clone();
    // Values of two records, and a length of gigabytes in a file of its own.
    let record = (bytes.len() - 24) / 10;
    for at in [2, 5] {
        let end = bytes.len() - at * record;
        damaged[end - 6] ^= 1;
    }
    std::fs::write(world.path("main"), damaged).expect("written");
    std::fs::write(world.path("huge"), [0xff_u8, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 1, 2, 3, 4]).expect("written");
    script(&world, &format!("put('runs/{NAME}', 'main')\nput('runs/huge/{NAME}', 'huge')\n"));
    world.say(&["run"]).with_code(0);
    assert_eq!(points(&world, 1, "loss").len(), 8);
    let notices = world.show(1)["attempts"][0]["notices"].clone();
    let notices: Vec<String> = notices.as_array().expect("a list").iter().map(text).collect();
    assert!(notices.len() == 1 && notices[0].contains("damaged") && notices[0].contains("(and 2 more places"), "{notices:?}");
}
