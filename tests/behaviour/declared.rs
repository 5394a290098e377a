//! `[secrets]`: they reach the process, and nothing else on the way there or back.

use crate::world::{Said, World, all_below, process_named, runs, signal, wait_for, wait_until};
use nix::sys::signal::Signal;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const VARIABLE: &str = "canary-variable-8a31";
const FILE: &str = "canary-file-\"quoted\"-b7f0";
const COMMAND: &str = "canary-command-c55e";
const SPEC: &str = "command = 'python3 train.py {n}'\nparams.n = [1]\n[secrets]\nPLAIN = 'env'\nHUB = 'file:~/.hub-key'\n\
     STORE = 'command:cat ~/.store-key'\nRENAMED = 'env:OTHER_KEY'\n";
/// Prints its secrets in many ways, waits, prints them again.
const SCRIPT: &str = r#"
import json, os, sys, time
names = ("PLAIN", "HUB", "STORE", "RENAMED")
def show():
    for name in names: print(name, "is", os.environ.get(name), flush=True)
    print(dict(os.environ), file=sys.stderr, flush=True)
show()
print("epoch 1 loss 0.5", flush=True)
print(json.dumps({"step": 1, "acc": 1, "note": "with " + os.environ["HUB"]}), flush=True)
open("hparams.yaml", "w").write("lr: 0.1\nremote: https://x/" + os.environ["STORE"] + "/y\n")
def tell(name, text):
    open(os.environ["WORLD"] + "/" + name + ".new", "w").write(text)
    os.rename(os.environ["WORLD"] + "/" + name + ".new", os.environ["WORLD"] + "/" + name)
tell("has" + os.environ["NERONET_ATTEMPT"], " ".join(str(len(os.environ.get(name, ""))) for name in names + ("OTHER_KEY",)))
os.remove("hparams.yaml")
while not os.path.exists(os.environ["WORLD"] + "/go"): time.sleep(0.02)
show()
sys.exit("cannot log in with " + os.environ["PLAIN"])
"#;

fn world() -> World {
    let world = World::new();
    world.write("train.py", SCRIPT).write("neronet.toml", SPEC);
    keep(&world, ".hub-key", &format!("{FILE}\n"));
    keep(&world, ".store-key", COMMAND);
    std::fs::create_dir(world.path("tmp")).expect("made");
    world
}

/// A file in the user's home that is for him alone.
fn keep(world: &World, name: &str, content: &str) {
    let path = world.path("user").join(name);
    std::fs::write(&path, content).expect("written");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("ours");
}

fn with_secrets(world: &World, words: &[&str]) -> std::process::Command {
    let mut command = world.neronet(words);
    command.env("PLAIN", VARIABLE).env("OTHER_KEY", "canary-other-19d2").env("TMPDIR", world.path("tmp"));
    command
}

fn said(mut command: std::process::Command) -> Said {
    command.output().expect("neronet starts").into()
}

/// Every file of the world that holds a canary, but those that are there to hold one.
fn files_with_canaries(world: &World) -> Vec<PathBuf> {
    let is_source = |path: &Path| path.parent() == Some(&world.path("user"));
    let holds = |path: &PathBuf| std::fs::read(path).is_ok_and(|bytes| bytes.windows(7).any(|part| part == b"canary-"));
    all_below(&world.path("")).into_iter().filter(|path| !is_source(path) && holds(path)).collect()
}

/// Raw output is the command's own, until it is read.
fn nothing_leaks(world: &World) {
    let leaks: Vec<PathBuf> = files_with_canaries(world).into_iter().filter(|path| !path.to_string_lossy().contains("/raw.")).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    let marker = world.path("").display().to_string();
    for entry in std::fs::read_dir("/proc").expect("Linux").flatten() {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words);
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let ours = String::from_utf8_lossy(&environment).contains(marker.trim_end_matches('/'));
        assert!(!ours || !words.contains("canary-"), "{words}");
    }
}

fn wait_for_no_canary(world: &World) {
    wait_until("raw output that is given back", || files_with_canaries(world).is_empty());
}

/// What anybody can be shown of run 1.
fn is_shown_without(world: &World) {
    for words in [
        &["show", "1"][..],
        &["show", "1", "--json"],
        &["ls", "-a"],
        &["ls", "-a", "--json"],
        &["logs", "1"],
        &["check"],
        &["check", "--json"],
    ] {
        let said = said(with_secrets(world, words));
        assert!(!(said.out + &said.err).contains("canary-"), "{words:?}");
    }
}

/// At one moment: whoever sees another fall puts somebody in its place.
fn kill_all(pids: &[i32]) {
    for kind in [Signal::SIGSTOP, Signal::SIGKILL] {
        pids.iter().for_each(|pid| signal(*pid, kind));
    }
    // The daemon's threads end one by one, and the last has its lock until then.
    let threads = |pid: &i32| std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    wait_until("their end", || !pids.iter().any(|pid| runs(*pid) || threads(pid) > 1));
}

#[test]
fn they_reach_the_process_and_no_file_argument_or_answer() {
    let world = world();
    let child = with_secrets(&world, &["run"]).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn();
    let has = world.wait_told("has1");
    assert_eq!(has, format!("{} {} {} 17 0", VARIABLE.len(), FILE.len(), COMMAND.len()));
    wait_until("the first output", || world.output(1, 1).contains("epoch 1 loss 0.5"));
    nothing_leaks(&world);
    wait_for_no_canary(&world);
    is_shown_without(&world);
    let launch = std::fs::read_to_string(world.attempt(1, 1).join("launch.json")).expect("there");
    assert!(launch.contains("\"HUB\""), "{launch}");
    world.tell("go");
    let said = crate::world::end_of(child.expect("neronet starts"));
    assert!(said.code == Some(1) && !said.out.contains("canary-") && !said.err.contains("canary-"), "{said:#?}");
    assert!(files_with_canaries(&world).is_empty(), "{:?}", files_with_canaries(&world));
    let output = world.output(1, 1);
    assert!(output.contains("PLAIN is ***") && output.contains("STORE is ***") && output.contains("RENAMED is ***"), "{output}");
    let record = world.record(1, 1);
    assert!(record.contains("with ***"), "{record}");
    is_shown_without(&world);
    assert_eq!(world.show(1)["metrics"]["loss"]["last"], 0.5);
}

#[test]
fn a_detached_driver_has_them_and_a_retry_finds_them_out_anew() {
    let world = world();
    assert_eq!(said(with_secrets(&world, &["run", "--detach"])).code, Some(0));
    world.wait_told("has1");
    nothing_leaks(&world);
    world.tell("go");
    world.ended(1);
    keep(&world, ".store-key", "canary-command-of-another-length");
    let mut retry = with_secrets(&world, &["retry", "1"]);
    retry.env("PLAIN", "canary-anew");
    assert_eq!(said(retry).code, Some(1));
    let has = world.wait_told("has2");
    assert_eq!(has, format!("11 {} 32 17 0", FILE.len()));
    assert!(files_with_canaries(&world).is_empty(), "{:?}", files_with_canaries(&world));
    assert!(world.output(1, 2).contains("PLAIN is ***"));
    let without = world.say(&["retry", "1"]);
    assert_eq!(without.code, Some(1));
    let shown = world.show(1);
    assert_eq!(shown["reason"], "could not be started: secret PLAIN: the variable PLAIN is not set; export PLAIN where you start runs");
    assert!(files_with_canaries(&world).is_empty());
}

#[test]
fn whoever_takes_up_an_attempt_masks_them_too() {
    let world = world();
    assert_eq!(said(with_secrets(&world, &["run", "--detach"])).code, Some(0));
    world.wait_told("has1");
    wait_until("the first output", || world.output(1, 1).contains("epoch 1 loss 0.5"));
    let (keeper, supervisor) = (world.pid(1, "begun", "keeper"), world.pid(1, "watched", "supervisor"));
    let driver = process_named("neronet", &world);
    kill_all(&[driver, keeper, supervisor]);
    nothing_leaks(&world);
    // From a shell that has none of them: those of the command tell.
    std::fs::remove_file(world.path("user").join(".hub-key")).expect("there");
    world.say(&["ls"]).with_code(0);
    wait_until("somebody who watches", || {
        std::fs::read_to_string(world.attempt(1, 1).join("events.2.jsonl")).unwrap_or_default().contains("watched")
    });
    world.tell("go");
    let ended = world.ended(1);
    let output = world.output(1, 1);
    assert_eq!(output.matches("STORE is ***").count(), 2, "{output}");
    assert!(!output.contains('\0') && !ended["attempts"][0]["notices"].to_string().contains("was lost"), "{ended:#?}");
    assert!(files_with_canaries(&world).is_empty(), "{:?}", files_with_canaries(&world));
}

#[test]
fn what_nobody_can_know_any_more_is_told() {
    let world = World::new();
    world
        .write("neronet.toml", "command = 'echo $$ > $WORLD/pid; sleep 600; true'\n[secrets]\nA = 'command:echo canary-1234'\nB = 'env'\n");
    assert!(world.neronet(&["run", "--detach"]).env("B", "canary-b-1234").status().expect("neronet starts").success());
    let command: i32 = wait_for("the command", || world.told("pid")?.trim().parse().ok());
    let sleep = wait_for("its child", || {
        std::fs::read_to_string(format!("/proc/{command}/task/{command}/children")).ok()?.split_whitespace().next()?.parse::<i32>().ok()
    });
    let (keeper, supervisor) = (world.pid(1, "begun", "keeper"), world.pid(1, "watched", "supervisor"));
    kill_all(&[process_named("neronet", &world), keeper, supervisor, command, sleep]);
    assert!(world.neronet(&["ls"]).env("B", "canary-b-1234").status().expect("neronet starts").success());
    let notices = world.ended(1)["attempts"][0]["notices"].to_string();
    assert!(notices.contains("secret A was lost with the keeper") && !notices.contains("secret B"), "{notices}");
}

#[test]
fn a_command_is_asked_once_for_a_sweep_and_its_failure_ends_those_runs_alone() {
    let world = World::new();
    let spec = "[params]\nn = [1, 2, 3]\n[[experiment]]\nname = 'good'\ncommand = 'test \"$KEY\" = canary-good {n}'\n\
        secrets.KEY = 'command:echo x >> $WORLD/good; echo canary-good'\n\
        [[experiment]]\nname = 'bad'\ncommand = 'true {n}'\n\
        secrets.KEY = 'command:echo x >> $WORLD/bad; echo no key for $HUB_TOKEN >&2; exit 2'\n\
        [[experiment]]\nname = 'none'\ncommand = 'true {n}'\n";
    world.write("neronet.toml", spec.replace("= canary-good {n}", "= canary-good || exit {n}"));
    let mut run = world.neronet(&["run"]);
    let said = said({
        run.env("HUB_TOKEN", "canary-token");
        run
    });
    assert_eq!(said.code, Some(1));
    assert_eq!((world.told("good").as_deref(), world.told("bad").as_deref()), (Some("x\n"), Some("x\n")));
    let outcomes: Vec<String> = world.list().iter().map(|run| format!("{} {}", run["experiment"], run["outcome"])).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.contains("finished")).count(), 6, "{outcomes:?}");
    assert_eq!(
        world.show(4)["reason"],
        "could not be started: secret KEY: its command ended with exit code 2: no key for ***",
        "{said:#?}"
    );
    assert!(!(said.out + &said.err).contains("canary-"));
}

#[test]
fn long_ones_arrive_whole_and_too_much_is_refused() {
    let world = World::new();
    let (first, second) = ("a".repeat(64 << 10), "b".repeat(60 << 10));
    keep(&world, "first", &first);
    keep(&world, "second", &second);
    let spec = "command = 'echo ${#A} ${#B}'\n[secrets]\nA = 'file:~/first'\nB = 'file:~/second'\n";
    world.run_spec(spec).with_code(0);
    assert_eq!(world.output(1, 1), "65536 61440\n");
    world.run_spec(&format!("{spec}C = 'file:~/first'\n")).with_code(1);
    assert_eq!(world.show(2)["reason"], "could not be started: secret C: all secrets together are longer than 128 kB");
}

#[test]
fn before_anything_starts_it_is_said_what_is_missing_or_would_be_recorded() {
    let world = World::new();
    keep(&world, "value", "canary-value-91ac");
    world.write("inside", "canary-value-91ad");
    std::fs::set_permissions(world.project().join("inside"), PermissionsExt::from_mode(0o600)).expect("ours");
    let spec = "command = 'true {n}'\nparams.n = ['x canary-variable-8a31']\n[secrets]\nUNSET = 'env'\nEMPTY = 'env'\nNONE = 'file:~/none'\n\
        FOLDER = 'file:~/'\nINSIDE = 'file:inside'\nPARAM = 'env'\nCOMMAND = 'command:no-such-program --please; touch asked'\n";
    world.write("neronet.toml", spec);
    for words in [&["check"][..], &["run"]] {
        let mut command = world.neronet(words);
        command.env("PARAM", VARIABLE).env("EMPTY", "");
        let said = said(command).with_code(2);
        let told = said.out + &said.err;
        for expected in [
            "neronet.toml:4:1",
            "secret UNSET: the variable UNSET is not set",
            "export UNSET where you start runs",
            "secret EMPTY: its value is empty",
            "user/none",
            "is a folder",
            "inside would be copied with the code",
            "the value of the secret PARAM stands in the specification or in a parameter",
        ] {
            assert!(told.contains(expected), "{expected}: {told}");
        }
        assert!(!told.contains("canary-"), "{told}");
    }
    assert!(!world.project().join("asked").exists());
    assert!(world.list().is_empty() && !world.home().join("snapshots").exists() && !world.home().join("private").exists());
}

#[test]
fn what_deserves_a_word_is_said_and_the_runs_start() {
    let world = World::new();
    keep(&world, "value", "canary-value-91ac");
    std::fs::set_permissions(world.path("user/value"), PermissionsExt::from_mode(0o644)).expect("ours");
    let spec = "command = 'echo $OPEN $PIN; test -z \"$COPY\"'\n[secrets]\nOPEN = 'file:~/value'\nPIN = 'env'\n\
        ASKED = 'command:no-such-program 2>/dev/null || printf canary%s -asked'\n";
    world.write("neronet.toml", spec);
    let mut run = world.neronet(&["run"]);
    run.env("PIN", "1234").env("COPY", "has canary-value-91ac in it");
    let said = said(run).with_code(0);
    for expected in
        ["others may read", "chmod 600", "there is no program 'no-such-program'", "secret PIN: a value so short", "also in COPY"]
    {
        assert!(said.err.contains(expected), "{expected}: {said:#?}");
    }
    assert_eq!(world.output(1, 1), "*** 1234\n");
    assert!(files_with_canaries(&world).is_empty(), "{:?}", files_with_canaries(&world));
}
