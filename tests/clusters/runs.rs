//! Runs on targets, as whoever is at home sees them: they start there, and what they say and come to is here.

use crate::hosts::{drift, folder, hosts};
use crate::lab::Lab;
use crate::shared::shared;
use crate::world::{Said, World, text, wait_for, wait_until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

const TRAIN: &str = r#"
import sys, os
lr, stream, code = float(sys.argv[1]), sys.argv[2], int(sys.argv[3])
out = sys.stderr if stream == "err" else sys.stdout
from helper import word
print(f"{word}: lr {lr}, \x1b[31mred\x1b[0m, a bar 10%\r20%\r100%", file=out)
for step in range(1, 200):
    print(f"step {step} loss {lr / step:.6f} acc={step / 200}", file=out)
print("no newline at the end", end="", file=out, flush=True)
sys.exit(code)
"#;
const SWEEP: &str = "command = ['python3', 'train.py', '{lr}', '{stream}', '{code}']\nparams.lr = [0.1, 0.2]\nparams.stream = ['out', 'err']\nparams.code = [0, 3]\n";

fn with_code(world: &World) {
    world.write("train.py", TRAIN).write("lib/data.txt", "x").write("helper.py", "word = 'grüße'\n").write("neronet.toml", SWEEP);
}

/// What anybody is told of a run, but for when that was.
fn told(world: &World, run: u64) -> Vec<String> {
    let id = run.to_string();
    let points = |name: &str| {
        let said = world.say(&["metrics", &id, name, "--json"]).with_code(0).json();
        let rows = said.as_array().expect("rows").iter();
        rows.map(|row| format!("{} {}", row[0], row[2])).collect::<Vec<String>>().join("\n")
    };
    let shown = world.show(run);
    let attempt = &shown["attempts"][0];
    let logs = |words: &[&str]| world.say(&[&["logs", &id], words].concat()).with_code(0).out;
    vec![
        logs(&[]),
        logs(&["--stderr"]),
        logs(&["--tail", "3"]),
        points("loss"),
        points("acc"),
        shown["metrics"].to_string(),
        shown["params"].to_string(),
        format!("{} {} {} {}", shown["outcome"], shown["reason"], attempt["exit_code"], attempt["last_lines"]),
    ]
}

#[test]
fn a_sweep_with_code_executes_there_and_what_it_said_is_here_to_the_byte() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "alpha")]);
    let here = World::new();
    with_code(&lab);
    with_code(&here);
    lab.say(&["submit", "--target", "gpu1", "--wait", "--quiet"]).with_code(1);
    here.say(&["submit", "--wait", "--quiet"]).with_code(1);
    assert_eq!((lab.list().len(), here.list().len()), (8, 8));
    for run in 1..=8 {
        assert_eq!(told(&lab, run), told(&here, run), "run {run}");
        assert_eq!(lab.listed(run)["target"], "gpu1");
        assert!(text(&lab.show(run)["directory"]).starts_with(&folder()), "{:#}", lab.show(run));
    }
    // The copies are what is there; a run this short may have had no events to write down.
    let attempt = |home: PathBuf| home.join("runs/3/attempts/1");
    let entries = std::fs::read_dir(attempt(lab.there("gpu1"))).expect("a folder").flatten();
    let names: BTreeSet<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert!(["keeper.jsonl", "metrics.1.jsonl", "output.1.0.jsonl", "launch.json"].iter().all(|name| names.contains(*name)), "{names:?}");
    for name in names {
        let (ours, theirs) = (std::fs::read(attempt(lab.home()).join(&name)), std::fs::read(attempt(lab.there("gpu1")).join(&name)));
        assert_eq!(ours.expect("a copy"), theirs.expect("an original"), "{name}");
    }
    here.say(&["down"]);
}

#[test]
fn a_group_shares_a_sweep_and_code_goes_once_to_each() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "alpha"), ("gpu2", "beta")]);
    lab.settings("[groups]\nlab = ['gpu1', 'gpu2']\n");
    lab.write("work.py", "import time\ntime.sleep(0.3)\n")
        .write("neronet.toml", "command = 'python3 work.py {n}'\ntarget = 'lab'\nparams.n = [1, 2, 3, 4, 5, 6]\n");
    lab.say(&["submit", "--wait", "--quiet"]).with_code(0);
    let targets = |runs: &[Value]| runs.iter().map(|run| text(&run["target"])).collect::<BTreeSet<String>>();
    assert_eq!(targets(&lab.list()), BTreeSet::from(["gpu1".into(), "gpu2".into()]));
    let snapshots = |target: &str| -> Vec<(PathBuf, u64)> {
        let entries = std::fs::read_dir(lab.there(target).join("snapshots")).expect("a folder").flatten();
        entries.map(|entry| (entry.path(), entry.metadata().expect("there").ino())).collect()
    };
    let before = (snapshots("gpu1"), snapshots("gpu2"));
    assert_eq!((before.0.len(), before.1.len()), (1, 1));
    lab.say(&["submit", "--again", "--wait", "--quiet"]).with_code(0);
    assert_eq!((snapshots("gpu1"), snapshots("gpu2")), before, "it is not sent again");
    lab.write("work.py", "print('other')\n");
    lab.say(&["submit", "--again", "--target", "gpu1", "--wait", "--quiet"]).with_code(0);
    assert_eq!((snapshots("gpu1").len(), snapshots("gpu2").len()), (2, 1));
    assert_eq!(lab.output(18, 1), "other\n");
    assert!(lab.list().iter().all(|run| run["outcome"] == "finished"));
}

/// Waits on the host until the test says so there, at most so many seconds.
fn until_told(lab: &Lab, name: &str) -> String {
    let note = lab.note(name);
    format!("n=0; while [ ! -e {note} ] && [ $n -lt 1200 ]; do sleep 0.1; n=$((n + 1)); done")
}

#[test]
fn what_waits_on_two_hosts_goes_on_without_home_and_home_learns_all_of_it() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "alpha"), ("gpu2", "beta")]);
    lab.script(
        "work.sh",
        &format!("#!/bin/sh\n{}\necho \"run $NERONET_RUN\" >> {}\necho \"it was $1\"\n", until_told(&lab, "go"), lab.note("ran")),
    );
    let numbers: Vec<String> = (1..=20).map(|n| n.to_string()).collect();
    for (target, numbers) in [("gpu1", &numbers[..10]), ("gpu2", &numbers[10..])] {
        lab.write("neronet.toml", format!("command = './work.sh {{n}}'\ntarget = '{target}'\nparams.n = [{}]\n", numbers.join(", ")));
        lab.say(&["submit"]).with_code(0);
    }
    let is_there = |run: &Value| run["state"] != "queued" || text(&run["reason"]).starts_with("on gpu");
    wait_until("all to be handed over", || lab.list().iter().all(is_there));
    lab.down();
    assert!(lab.list().iter().all(|run| run["state"] != "ended"));
    ["alpha", "beta"].iter().for_each(|host| lab.notes(host, "go"));
    let ran = |host: &str| lab.noted(host, "ran").lines().map(str::to_string).collect::<Vec<String>>();
    wait_until("twenty runs without home", || ran("alpha").len() + ran("beta").len() >= 20);
    lab.say(&["serve", "--background"]).with_code(0);
    for run in lab.all_ended() {
        assert_eq!((&run["outcome"], &run["attempts"]), (&"finished".into(), &1.into()), "{run:#}");
        let id = run["id"].as_u64().expect("a number");
        assert_eq!(lab.output(id, 1), format!("it was {}\n", run["params"]["n"]));
        let host = if run["target"] == "gpu1" { "alpha" } else { "beta" };
        assert!(ran(host).contains(&format!("run {id}")), "run {id} on {host}");
    }
    assert_eq!((ran("alpha").len(), ran("beta").len()), (10, 10), "none twice");
}

#[test]
fn the_next_stage_starts_where_the_first_has_ended_while_home_is_away() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "alpha"), ("gpu2", "beta")]);
    lab.write("train.sh", format!("{}\nmkdir ck\necho \"weights $1\" > ck/1.pt\n", until_told(&lab, "go")));
    lab.write(
        "neronet.toml",
        format!(
            "target = ['gpu1', 'gpu2']\n[checkpoints]\npaths = ['ck/*.pt']\n[[experiment]]\nname = 'first'\ncommand = 'sh train.sh {{n}}'\n\
             params.n = [1, 2]\n[[experiment]]\nname = 'second'\nafter = 'first'\n\
             command = 'c={{first.checkpoint}}; touch {}.$(cut -d \" \" -f 2 \"$c\") && cat \"$c\"'\n",
            lab.note("second")
        ),
    );
    lab.say(&["submit"]).with_code(0);
    let has_both = |target: &str| {
        let journal = std::fs::read(lab.there(target).join("journal/1.log")).unwrap_or_default();
        ["first", "second"].iter().all(|name| journal.windows(name.len() + 2).any(|found| found == format!("\"{name}\"").as_bytes()))
    };
    wait_until("all to be handed over", || has_both("gpu1") && has_both("gpu2"));
    wait_until("the first stage to start", || lab.list()[..2].iter().all(|run| run["state"] == "running"));
    lab.down();
    ["alpha", "beta"].iter().for_each(|host| lab.notes(host, "go"));
    let done = |n: u64| ["alpha", "beta"].iter().any(|host| lab.hosts.outside(host, &format!("{}.{n}", lab.note("second"))).exists());
    wait_until("the second stage without home", || done(1) && done(2));
    lab.say(&["serve", "--background"]).with_code(0);
    let ended = lab.all_ended();
    assert!(ended.iter().all(|run| run["outcome"] == "finished"), "{ended:#?}");
    for (first, second) in [(0, 2), (1, 3)] {
        assert_eq!(ended[first]["target"], ended[second]["target"], "{ended:#?}");
        let id = ended[second]["id"].as_u64().expect("a number");
        assert_eq!(lab.output(id, 1), format!("weights {}\n", ended[first]["params"]["n"]));
    }
}

#[test]
fn what_failed_is_tried_again_there_while_home_is_away_and_again_when_somebody_asks() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "alpha")]);
    let (go, ran) = (until_told(&lab, "go"), lab.note("ran"));
    let script = format!("#!/bin/sh\n{go}\necho attempt $NERONET_ATTEMPT\necho $NERONET_ATTEMPT >> {ran}\n[ $NERONET_ATTEMPT -ge $1 ]\n");
    lab.script("work.sh", &script);
    lab.write("neronet.toml", "command = './work.sh 3'\ntarget = 'gpu1'\nretry = { times = 2, backoff = '1s' }\n");
    lab.say(&["submit"]).with_code(0);
    lab.wait_listed(1, "started", |run| run["state"] == "running");
    lab.down();
    lab.notes("alpha", "go");
    wait_until("three attempts without home", || lab.noted("alpha", "ran") == "1\n2\n3\n");
    lab.say(&["serve", "--background"]).with_code(0);
    let run = lab.ended(1);
    assert_eq!((&run["outcome"], &run["attempts"].as_array().map(Vec::len)), (&"finished".into(), &Some(3)), "{run:#}");
    assert_eq!([1, 2, 3].map(|n| lab.output(1, n)), ["attempt 1\n", "attempt 2\n", "attempt 3\n"]);
    // By hand: there, in the same folder of the run.
    lab.write("neronet.toml", "command = './work.sh 2'\ntarget = 'gpu1'\n");
    lab.say(&["submit", "--wait", "--quiet"]).with_code(1);
    assert_eq!(lab.listed(2)["outcome"], "failed");
    let retried = lab.say(&["retry", "2"]).with_code(0);
    assert!(retried.err.contains("run 2 finished"), "{retried:#?}");
    assert_eq!(lab.listed(2)["outcome"], "finished");
    assert_eq!([1, 2].map(|n| lab.output(2, n)), ["attempt 1\n", "attempt 2\n"]);
    assert_eq!(lab.noted("alpha", "ran"), "1\n2\n3\n1\n2\n");
}

#[test]
fn lines_are_here_while_it_runs_and_what_is_there_cannot_be_removed() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "alpha")]);
    lab.script("work.sh", &format!("#!/bin/sh\necho first\n{}\necho last\n", until_told(&lab, "go")));
    lab.say(&["submit", "--target", "gpu1", "--", "./work.sh"]).with_code(0);
    lab.say(&["submit", "--again", "--target", "gpu1", "--", "./work.sh"]).with_code(0);
    lab.wait_listed(1, "started", |run| run["state"] == "running");
    let log = std::fs::File::create(lab.path("followed")).expect("a file");
    let mut following = lab.neronet(&["logs", "-f", "1"]).stdout(log).spawn().expect("neronet starts");
    wait_until("the first line", || lab.told("followed").is_some_and(|text| text == "first\n"));
    lab.wait_listed(2, "handed over", |run| text(&run["reason"]).starts_with("on gpu1"));
    for run in ["1", "2"] {
        let refused = lab.say(&["rm", run, "--yes"]);
        assert!(refused.code != Some(0) && refused.err.contains(&format!("`neronet stop {run}` first")), "{refused:#?}");
    }
    lab.notes("alpha", "go");
    assert!(following.wait().expect("ours").success());
    assert_eq!(lab.told("followed").as_deref(), Some("first\nlast\n"));
    lab.all_ended();
    lab.say(&["rm", "1", "--yes"]).with_code(0);
    assert_eq!(lab.list().len(), 1);
}

const ODD: [&str; 12] =
    ["two words", "it's", "\"quoted\"", "$(touch pwned)", "`id`", "; exit 9", "a\nb", "-n", "--", "*", "\\", "grüße \u{1F600}"];

#[test]
fn words_arrive_as_they_are_whatever_a_shell_would_make_of_them() {
    let Some(hosts) = hosts() else { return };
    let mut lab = Lab::new(hosts, &[("gpu1", "alpha")]);
    lab.add("fish", "fish@beta", &folder().replace("student", "fish"));
    lab.write("words.py", "import json, sys\nprint(json.dumps(sys.argv[1:]))\n");
    let odd: Vec<String> = ODD.map(|word| serde_json::to_string(word).expect("JSON")).into();
    lab.write(
        "neronet.toml",
        format!("command = ['python3', 'words.py', '{{word}}', '--', '{{word}}']\ntarget = 'gpu1'\nparams.word = [{}]\n", odd.join(", ")),
    );
    lab.say(&["submit", "--wait", "--quiet"]).with_code(0);
    for (run, word) in (1..).zip(ODD) {
        let words: Value = serde_json::from_str(&lab.output(run, 1)).expect("JSON");
        assert_eq!(words, serde_json::json!([word, "--", word]), "run {run}");
    }
    lab.say(&["submit", "--target", "fish", "--wait", "--quiet", "--", "python3", "words.py"].into_iter().chain(ODD).collect::<Vec<_>>())
        .with_code(0);
    let words = |text: &str| serde_json::from_str::<Vec<String>>(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let fish = ODD.len() as u64 + 1;
    assert_eq!(words(&lab.output(fish, 1)), ODD);
    let said = |words: &[&str]| lab.say(&[words, &ODD[..]].concat()).with_code(0).out;
    let print = "import json, sys; print(json.dumps(sys.argv[1:]))";
    for target in ["gpu1", "fish"] {
        assert_eq!(words(&said(&["target", "exec", target, "--", "python3", "-c", print])), ODD, "{target}");
    }
    for run in ["1", &fish.to_string()] {
        assert_eq!(words(&said(&["shell", run, "--", "python3", "words.py"])), ODD, "in the folder of run {run}");
    }
    let variables = lab.say(&["shell", "3", "--", "sh", "-c", "echo $NERONET_RUN $NERONET_ATTEMPT; exit 7"]).with_code(7);
    assert_eq!(variables.out, "3 1\n");
    // It is as ssh ends where it does not come so far.
    let ended = lab.say(&["target", "exec", "gpu1", "--", "sh", "-c", "echo begun; exit 255"]).with_code(255);
    assert_eq!((ended.out.as_str(), ended.err.as_str()), ("begun\n", ""));
}

#[test]
fn homes_and_targets_that_share_a_folder_have_nothing_in_common() {
    let Some(hosts) = hosts() else { return };
    // Also on the file system where home is, where others could see what is there.
    let shared = shared();
    let at = shared.path().join("n").display().to_string();
    let mut labs = [Lab::new(hosts, &[]), Lab::new(hosts, &[])];
    for lab in &mut labs {
        lab.add("one", "alpha", &at);
        lab.add("two", "alpha", &at);
        lab.script("work.sh", "#!/bin/sh\necho \"$1 as $NERONET_RUN\"\npwd\n");
        for target in ["one", "two"] {
            lab.write("neronet.toml", format!("command = './work.sh {{n}}'\ntarget = '{target}'\nparams.n = [1, 2, 3]\n"));
            lab.say(&["submit", "--again"]).with_code(0);
        }
    }
    for lab in &labs {
        for run in lab.all_ended() {
            let (id, target) = (run["id"].as_u64().expect("a number"), text(&run["target"]));
            assert_eq!(run["outcome"], "finished", "{run:#}");
            assert_eq!(target, if id <= 3 { "one" } else { "two" });
            let work = format!("{at}/{}/{target}/runs/{id}/work", lab.uid());
            assert_eq!(lab.output(id, 1), format!("{} as {id}\n{work}\n", run["params"]["n"]));
        }
        assert_eq!(lab.list().len(), 6);
    }
    // One home's target is wiped: nobody else notices.
    labs[0].down();
    std::fs::remove_dir_all(labs[0].there("one")).expect("removed");
    labs[1].say(&["submit", "--again", "--wait", "--quiet"]).with_code(0);
    labs[0].say(&["submit", "--again", "--target", "one", "--wait", "--quiet"]).with_code(0);
    let finished = |lab: &Lab| lab.list().iter().filter(|run| run["outcome"] == "finished").count();
    assert_eq!((finished(&labs[0]), finished(&labs[1])), (9, 9));
}

#[test]
fn a_host_that_is_not_reached_is_said_to_be_so_and_nothing_else_is_said() {
    let Some((hosts, _alone)) = drift() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "drift")]);
    lab.script("work.sh", &format!("#!/bin/sh\n{}\necho done\n", until_told(&lab, "go")));
    for _ in 0..2 {
        lab.say(&["submit", "--again", "--target", "gpu1", "--", "./work.sh"]).with_code(0);
    }
    lab.wait_listed(1, "started", |run| run["state"] == "running");
    lab.wait_listed(2, "handed over", |run| text(&run["reason"]).starts_with("on gpu1"));
    hosts.tell("cut", "drift");
    let seen = wait_for("both to be said to be unreachable", || {
        let runs = lab.list();
        assert!(runs[0]["state"] == "running" && runs[1]["state"] == "queued", "{runs:#?}");
        let away = runs.iter().all(|run| text(&run["reason"]).contains("gpu1 unreachable for "));
        away.then_some(runs)
    });
    // What is asked for meanwhile is done later.
    let asked: Said = lab.say(&["stop", "2"]);
    let shell = lab.say(&["shell", "1", "--", "true"]);
    hosts.tell("mend", "drift");
    wait_until("the end of what was stopped", || lab.listed(2)["state"] == "ended");
    lab.notes("drift", "go");
    asked.with_code(0);
    assert!(shell.code != Some(0) && shell.err.contains("unreachable"), "{shell:#?}");
    let ended = lab.all_ended();
    assert_eq!((&ended[0]["outcome"], &ended[1]["outcome"]), (&"finished".into(), &"stopped".into()), "{seen:#?} {ended:#?}");
    assert_eq!(lab.output(1, 1), "done\n");
    assert!(!lab.there("gpu1").join("runs/2/attempts/1/events.1.jsonl").exists(), "it never began");
}
