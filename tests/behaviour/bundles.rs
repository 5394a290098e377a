//! Bundles: runs for a colleague, without secrets, and what becomes of one that is damaged or was made to do harm.

use crate::exchange::{path, points};
use crate::world::{World, all_below};
use neronet_store::bundle::{Reader, Writer};
use serde_json::{Value, json};
use std::fs;

const BUNDLED: &str = r#"
import json, os, sys
print("first line", sys.argv[1:])
for epoch in range(1, 4):
    with open(os.environ["NERONET_METRICS"], "a") as file:
        file.write(json.dumps({"epoch": epoch, "loss": 1 / epoch if epoch < 3 else 9}) + "\n")
    with open(f"epoch{epoch}.ckpt.new", "w") as file:
        file.write("weights " * epoch)
    os.rename(f"epoch{epoch}.ckpt.new", f"epoch{epoch}.ckpt")
"#;

/// Two runs of a sweep with code, a secret and checkpoints.
fn two_runs() -> World {
    let world = World::new();
    world.write("train.py", BUNDLED);
    world.write(
        "neronet.toml",
        "command = 'python3 train.py {lr} --token {api_token}'\nobjective = 'loss min'\n[params]\nlr = [0.1, 0.2]\napi_token = 'sk-parameter-1234567'\n\
         [env]\nHUB_TOKEN = 'sk-variable-1234567'\n[checkpoints]\npaths = ['*.ckpt']\n",
    );
    let mut command = world.neronet(&["run", "--quiet"]);
    command.env("OUR_SECRET_KEY", "told-in-the-environment");
    let said: crate::world::Said = command.output().expect("neronet starts").into();
    said.with_code(0);
    world.say(&["tag", "1", "good"]).with_code(0);
    world.say(&["note", "2", "worse"]).with_code(0);
    world
}

#[test]
fn a_bundle_brings_runs_to_a_colleague_with_all_but_secrets() {
    let (world, colleague) = (two_runs(), World::new());
    let said = world.say(&["export", "1-2", "-o", "two.neronet"]).with_code(0);
    assert!(said.err.contains("2 runs (") && said.err.contains("2 checkpoints) written to two.neronet"), "{said:#?}");
    let bundle = world.project().join("two.neronet");
    let dry = colleague.say(&["import", "--dry-run", path(&bundle)]).with_code(0);
    assert!(dry.out.ends_with("2 runs would be imported\n"), "{dry:#?}");
    colleague.run(&["true"]);
    let said = colleague.say(&["import", path(&bundle)]).with_code(0);
    assert_eq!(said.out, "2 runs imported as 2-3\n", "{said:#?}");
    let again = colleague.say(&["import", path(&bundle)]).with_code(0);
    assert_eq!(again.out, "nothing imported, 2 were there already\n");
    for (here, there) in [(1, 2), (2, 3)] {
        let (mine, theirs) = (world.show(here), colleague.show(there));
        for same in [
            "uid",
            "experiment",
            "params",
            "outcome",
            "tags",
            "note",
            "metrics",
            "created",
            "started",
            "ended",
            "command",
            "git",
            "devices",
        ] {
            assert_eq!(mine[same], theirs[same], "{same}");
        }
        assert_eq!(points(&world, here, "loss"), points(&colleague, there, "loss"));
        let printed = |world: &World, run: u64| world.say(&["logs", &run.to_string()]).with_code(0).out;
        assert_eq!(printed(&world, here), printed(&colleague, there));
        assert_eq!(theirs["imported"]["from"], "neronet");
    }
    // One of three checkpoints, where the record says that it is.
    let kept = fs::read_dir(colleague.home().join("runs/2/work")).expect("there").count();
    assert_eq!(kept, 1);
    colleague.say(&["clone", "2", "copy"]).with_code(0);
    assert_eq!(fs::read_to_string(colleague.project().join("copy/train.py")).expect("there"), BUNDLED);
    let said = colleague.say(&["retry", "2"]).with_code(1);
    assert!(said.err.contains("was imported from neronet"), "{said:#?}");
    colleague.say(&["compare", "2", "3"]).with_code(0);
    for file in all_below(&colleague.home()).into_iter().filter(|file| file.is_file()) {
        let text = String::from_utf8_lossy(&fs::read(&file).expect("readable")).into_owned();
        for secret in ["told-in-the", "sk-parameter", "sk-variable"] {
            let of_code = file.to_string_lossy().contains("/snapshots/");
            assert!(of_code || !text.contains(secret), "{} holds {secret}", file.display());
        }
    }
}

#[test]
fn a_bundle_holds_what_is_asked_for_and_no_run_that_goes_on() {
    let (world, colleague) = (two_runs(), World::new());
    world.say(&["export", "1", "-o", "bare.neronet", "--checkpoints", "none", "--without-code", "--without-output"]).with_code(0);
    world.say(&["export", "1", "-o", "all.neronet", "--checkpoints", "all"]).with_code(0);
    let size = |name: &str| fs::metadata(world.project().join(name)).expect("there").len();
    assert!(size("bare.neronet") < size("all.neronet"));
    colleague.say(&["import", path(&world.project().join("bare.neronet")), "--project", "theirs", "--tag", "from-ada"]).with_code(0);
    let run = colleague.show(1);
    assert_eq!((&run["project"], &run["tags"]), (&json!("theirs"), &json!(["from-ada", "good"])));
    assert!(colleague.say(&["logs", "1"]).out.is_empty());
    assert!(!colleague.home().join("snapshots").exists() && !colleague.home().join("runs/1/work").exists());
    let other = World::new();
    other.say(&["import", path(&world.project().join("all.neronet"))]).with_code(0);
    assert!((1..=3).all(|epoch| other.home().join(format!("runs/1/work/epoch{epoch}.ckpt")).exists()));
    world.say(&["export", "1", "-o", "x.csv", "--without-code"]).with_code(2);
    let mut child = world.start(&["run", "--", "sleep", "60"]);
    crate::world::wait_until("the run", || world.list().last().is_some_and(|run| run["state"] == "running"));
    let said = world.say(&["export", "3", "-o", "running.neronet"]).with_code(1);
    assert!(said.err.contains("only runs that have ended"), "{said:#?}");
    assert!(!world.project().join("running.neronet").exists());
    world.say(&["kill", "3"]).with_code(0);
    child.wait().expect("ended");
}

#[test]
fn of_a_damaged_bundle_nothing_comes() {
    let (world, colleague) = (two_runs(), World::new());
    world.say(&["export", "-o", "two.neronet"]).with_code(0);
    let whole = fs::read(world.project().join("two.neronet")).expect("there");
    for (at, what) in [(whole.len() / 2, "cut"), (whole.len() / 2, "changed"), (whole.len() - 3, "cut"), (12, "changed"), (7, "cut")] {
        let mut bytes = whole.clone();
        if what == "cut" {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 0x40;
        }
        colleague.write("damaged.neronet", bytes);
        let said = colleague.say(&["import", "damaged.neronet"]);
        assert!(said.code == Some(1) && said.err.starts_with("error: damaged.neronet"), "{what} at {at}: {said:#?}");
        assert!(colleague.list().is_empty());
        assert!(fs::read_dir(colleague.home().join("runs")).map_or(0, Iterator::count) == 0);
    }
    colleague.write("whole.neronet", &whole);
    colleague.say(&["import", "whole.neronet"]).with_code(0);
}

#[test]
fn code_with_links_that_lead_out_of_it_is_left_away() {
    let (world, colleague) = (World::new(), World::new());
    world.write("train.py", "print('loss', 1)\n");
    fs::create_dir(world.path("data")).expect("made");
    std::os::unix::fs::symlink(world.path("data"), world.project().join("data")).expect("linked");
    world.run_spec("command = 'python3 train.py'\n").with_code(0);
    world.say(&["export", "1", "-o", "one.neronet"]).with_code(0);
    let said = colleague.say(&["import", path(&world.project().join("one.neronet"))]).with_code(0);
    assert!(said.out == "1 run imported as 1\n" && said.err.contains("imported without code: "), "{said:#?}");
    assert_eq!(colleague.show(1)["code"]["snapshot"], Value::Null);
    assert_eq!(fs::read_dir(colleague.home().join("snapshots")).expect("there").count(), 0);
}

#[test]
fn a_bundle_that_anybody_may_have_written_reaches_nothing_but_its_runs() {
    let (world, colleague) = (two_runs(), World::new());
    world.say(&["export", "1", "-o", "one.neronet", "--without-code"]).with_code(0);
    let (mut reader, head) = Reader::open(fs::File::open(world.project().join("one.neronet")).expect("there")).expect("a bundle");
    let head: Value = serde_json::from_slice(&head).expect("JSON");
    let files = head["files"].as_array().expect("files").iter().map(|file| {
        let mut bytes = Vec::new();
        reader.member(file["bytes"].as_u64().expect("a number"), &mut bytes).expect("whole");
        bytes
    });
    let files: Vec<Vec<u8>> = files.collect();
    let write = |head: &Value| {
        let mut writer = Writer::new(Vec::new(), head.to_string().as_bytes()).expect("in memory");
        files.iter().for_each(|bytes| writer.member(bytes.len() as u64, &bytes[..]).expect("in memory"));
        colleague.write("other.neronet", writer.finish().expect("in memory"));
        colleague.say(&["import", "other.neronet"])
    };
    for place in ["runs/1/work/../../../../evil", "/evil", "runs/2/run.json", "private/sweep-1.environ", "runs/1/attempts/1/raw.stdout"] {
        let mut other = head.clone();
        other["files"][0]["path"] = json!(place);
        let said = write(&other).with_code(1);
        assert!(said.err.contains("which is none of a bundle"), "{said:#?}");
    }
    for (what, bytes) in [("room", 1_u64 << 60), ("damaged", 3), ("damaged", files[0].len() as u64 + 1)] {
        let mut other = head.clone();
        other["files"][0]["bytes"] = json!(bytes);
        let said = write(&other).with_code(1);
        assert!(said.err.contains(what) || said.err.contains("nothing of it was imported"), "{said:#?}");
    }
    let mut other = head.clone();
    other["format"] = json!(99);
    assert!(write(&other).with_code(1).err.contains("a newer neronet wrote it"));
    assert!(colleague.list().is_empty());
    // One that says of its run that it never ended has ended all the same: nothing starts it.
    let mut other = head.clone();
    other["sweeps"][0]["runs"][0]["end"]["attempt"]["n"] = json!(0);
    other["sweeps"][0]["sweep"]["detached"] = json!(true);
    write(&other).with_code(0);
    assert_eq!(colleague.show(1)["state"], "ended");
    assert_eq!(all_below(&world.path("")).iter().chain(&all_below(&colleague.path(""))).filter(|path| path.ends_with("evil")).count(), 0);
}
