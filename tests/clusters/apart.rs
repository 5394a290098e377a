//! What is wrong with one run, one file or one target, and what must not follow from that for any other; and what has changed on
//! either side while nobody looked.

use crate::hosts::{folder, hosts};
use crate::lab::{Lab, processes};
use crate::world::{text, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};

/// Seconds on its way.
const LONG: u64 = 1500 << 20;

/// A run on gpu1 that says that it has begun, and needs so much brought there first.
fn needs(lab: &Lab, bytes: u64) -> String {
    let data = lab.path("data.bin");
    fs::File::create(&data).and_then(|file| file.set_len(bytes)).expect("made");
    format!("command = 'echo begun >> {}'\ntarget = 'gpu1'\n[inputs.data]\npath = '{}'\npush = true\n", lab.note("begun"), data.display())
}

/// Nothing of what was pushed stays on the host.
fn clear(lab: &Lab, host: &str) {
    fs::remove_dir_all(lab.hosts.outside(host, &format!("{}/data/{}", folder(), lab.uid()))).ok();
}

#[test]
fn what_is_stopped_on_its_way_to_a_target_ends_at_once_and_never_starts() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "beta")]);
    lab.write("neronet.toml", needs(&lab, LONG));
    lab.say(&["submit"]).with_code(0);
    lab.wait_listed(1, "waits for its input", |listed| text(&listed["reason"]).contains("its inputs are being brought there"));
    lab.say(&["stop", "1"]).with_code(0);
    assert_eq!(lab.ended(1)["outcome"], "stopped");
    lab.say(&["submit", "--target", "gpu1", "--wait", "--quiet", "--", "true"]).with_code(0);
    assert_eq!(lab.noted("beta", "begun"), "");
    lab.down();
    clear(&lab, "beta");
}

#[test]
fn the_daemon_stays_while_a_run_is_on_its_way() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "beta")]);
    lab.write("neronet.toml", needs(&lab, LONG));
    let mut daemon = lab.world.neronet(&["serve", "--until-idle", "1s"]);
    let mut daemon = daemon.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("neronet starts");
    lab.say(&["submit"]).with_code(0);
    wait_until("it has begun, and nobody asked", || lab.noted("beta", "begun") == "begun\n");
    wait_until("nothing is left to do", || daemon.try_wait().expect("a child").is_some());
    assert_eq!(lab.ended(1)["outcome"], "finished");
    lab.down();
    clear(&lab, "beta");
}

#[test]
fn a_copy_of_a_journal_that_a_power_cut_shortened_is_made_anew() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "beta")]);
    let run = || lab.say(&["submit", "--target", "gpu1", "--wait", "--quiet", "--again", "--", "echo", "here I am"]).with_code(0);
    run();
    lab.down();
    let copy = lab.home().join("targets/gpu1/journal/1.log");
    let bytes = copy.metadata().expect("a copy").len();
    fs::File::options().write(true).open(&copy).and_then(|file| file.set_len(bytes / 2)).expect("shortened");
    run();
    for run in lab.list() {
        assert_eq!((&run["outcome"], &run["attempts"]), (&"finished".into(), &1.into()), "{run:#}");
    }
    assert!(fs::read(&copy).expect("here") == fs::read(lab.there("gpu1").join("journal/1.log")).expect("there"));
}

#[test]
fn what_a_target_does_not_take_keeps_nobody_from_the_runs_that_it_has() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "beta")]);
    lab.say(&["submit", "--target", "gpu1", "--", "sleep", "300"]).with_code(0);
    lab.wait_listed(1, "runs", |run| run["state"] == "running");
    // Nothing finds a place there any more.
    let incoming = lab.there("gpu1").join("incoming");
    fs::remove_dir_all(&incoming).expect("removed");
    fs::write(&incoming, "").expect("written");
    lab.write("new.txt", "other code\n");
    lab.say(&["submit", "--target", "gpu1", "--", "echo", "here I am"]).with_code(0);
    lab.wait_listed(2, "is not taken", |run| text(&run["reason"]).contains("cannot be sent there yet: "));
    lab.say(&["stop", "1"]).with_code(0);
    assert_eq!(lab.ended(1)["outcome"], "stopped");
    fs::remove_file(&incoming).expect("removed");
    assert_eq!((&lab.ended(2)["outcome"], lab.output(2, 1).as_str()), (&Value::from("finished"), "here I am\n"));
}

#[test]
fn a_target_that_is_away_holds_up_nothing_that_goes_to_another() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "alpha"), ("gpu2", "beta")]);
    lab.write(
        "train.sh",
        "if [ \"$1\" = --resume ]; then cat \"$2\"; exit 0; fi\nmkdir ck; echo 'loss 1'; echo weights > ck/1.pt; exit 3\n",
    );
    let spec = "name = 'train'\ncommand = 'sh train.sh'\ntarget = ['gpu2', 'gpu1']\n[checkpoints]\npaths = ['ck/*.pt']\nfetch = 'none'\n\
                [resume]\narguments = '--resume {checkpoint}'\n";
    lab.write("train.toml", spec).write("neronet.toml", needs(&lab, 5));
    lab.say(&["submit", "train.toml", "--wait", "--quiet"]).with_code(1);
    lab.down();
    let targets = lab.home().join("targets.toml");
    let known = fs::read_to_string(&targets).expect("targets");
    fs::write(&targets, known.replace("ssh://beta", "ssh://nowhere.invalid")).expect("written");
    lab.say(&["resume", "--detach", "1"]).with_code(0);
    lab.wait_listed(1, "waits for the other", |run| text(&run["reason"]).ends_with("gpu2 unreachable"));
    lab.say(&["submit", "--wait", "--quiet"]).with_code(0);
    assert_eq!(lab.noted("alpha", "begun"), "begun\n");
    fs::write(&targets, known).expect("written");
    assert_eq!((&lab.ended(1)["outcome"], lab.output(1, 2).as_str()), (&Value::from("finished"), "weights\n"));
    lab.down();
    clear(&lab, "alpha");
}

#[test]
fn a_machine_that_was_set_back_executes_nothing_again() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "beta")]);
    lab.keys("gpu1", "max_runs = 1");
    lab.write("wait.sh", format!("until [ -e {} ]; do sleep 0.1; done\n", lab.note("go")));
    lab.write("count.sh", format!("echo once >> {}\n", lab.note("ran")));
    for script in ["wait.sh", "count.sh"] {
        lab.say(&["submit", "--target", "gpu1", "--", "sh", script]).with_code(0);
    }
    let there = lab.there("gpu1");
    wait_until("both are there, and one waits", || {
        let journal = fs::read(there.join("journal/1.log")).unwrap_or_default();
        String::from_utf8_lossy(&journal).matches("\"submitted\"").count() == 2 && lab.listed(1)["state"] == "running"
    });
    let saved = there.with_extension("saved");
    // What is replaced there meanwhile may be in the way.
    wait_until("a copy of it", || {
        fs::remove_dir_all(&saved).ok();
        Command::new("cp").arg("-a").arg(&there).arg(&saved).status().expect("cp").success()
    });
    lab.notes("beta", "go");
    assert_eq!(lab.all_ended().iter().filter(|run| run["outcome"] == "finished").count(), 2);
    // The keeper's word is here before that of the target's journal.
    wait_until("it is on record here", || {
        let journal = fs::read(lab.home().join("journal/1.log")).unwrap_or_default();
        String::from_utf8_lossy(&journal).matches("\"ended\"").count() == 2
    });
    lab.down();
    let uid = lab.uid();
    processes(|words, _| words.iter().any(|word| word.contains(&uid)))
        .for_each(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap_or_default());
    fs::remove_dir_all(&there).and_then(|()| fs::rename(&saved, &there)).expect("set back");
    lab.say(&["submit", "--target", "gpu1", "--wait", "--quiet", "--", "true"]).with_code(0);
    assert_eq!(lab.noted("beta", "ran"), "once\n");
    for run in lab.list() {
        assert_eq!((&run["outcome"], &run["attempts"]), (&"finished".into(), &1.into()), "{run:#}");
    }
}

#[test]
fn a_history_that_is_too_long_to_be_sent_is_made_here_of_the_same_records() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "beta")]);
    let print = "printf \"step=%d loss=%f acc=%f lr=%f norm=%f\\n\", i, 1/i, i/9000, 0.1/i, i*1.5";
    lab.write("train.sh", format!("awk 'BEGIN {{ for (i = 1; i <= 9000; i++) {print} }}'\n"));
    lab.say(&["submit", "--target", "gpu1", "--wait", "--quiet", "--", "sh", "train.sh"]).with_code(0);
    let (here, there) = (lab.home().join("runs/1/history.json"), lab.there("gpu1").join("runs/1/history.json"));
    assert!(there.metadata().expect("a history").len() > 512 << 10, "it is short enough to be sent");
    let read = |path| serde_json::from_slice::<Value>(&fs::read(path).expect("a history")).expect("JSON");
    assert!(read(&here) == read(&there));
}

const SMALLER: &str = r#"
import sys
class OutOfMemoryError(RuntimeError): pass
OutOfMemoryError.__module__ = "torch"
print("batch", sys.argv[1], flush=True)
if sys.argv[1] == "64": raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
sys.exit(3)
"#;

#[test]
fn parameters_that_were_made_smaller_stay_so_on_every_machine() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "alpha"), ("gpu2", "beta")]);
    let spec = "command = 'python3 train.py {batch_size}'\ntarget = 'gpu1'\nparams.batch_size = 64\n\
                [retry]\ntimes = 4\non = ['oom']\non_oom = { batch_size = 'batch_size / 2' }\n";
    lab.write("train.py", SMALLER).write("neronet.toml", spec.replace("'gpu1'", "['gpu1', 'gpu2']"));
    lab.say(&["submit", "--wait", "--quiet"]).with_code(1);
    assert_eq!((lab.listed(1)["attempts"].as_u64(), lab.output(1, 2).lines().next()), (Some(2), Some("batch 32")));
    // Whoever asks for one more gets it elsewhere.
    lab.down();
    let targets = lab.home().join("targets.toml");
    let known = fs::read_to_string(&targets).expect("targets");
    fs::write(&targets, known.replace("[targets.gpu1]", "[targets.gpu1]\nmaintenance = [{ from = '2026-01-01' }]")).expect("written");
    lab.say(&["retry", "1"]).with_code(1);
    assert!(lab.there("gpu2").join("runs/1/attempts/3").is_dir());
    assert_eq!(lab.output(1, 3).lines().next(), Some("batch 32"));
}

#[test]
fn a_retry_that_waits_there_starts_when_it_is_released() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "beta")]);
    lab.write("once.sh", format!("echo once >> {}; [ -e {} ]\n", lab.note("ran"), lab.note("go")));
    lab.write("neronet.toml", "command = 'sh once.sh'\ntarget = 'gpu1'\n[retry]\ntimes = 1\nbackoff = '8h'\n");
    lab.say(&["submit", "--quiet"]).with_code(0);
    lab.wait_listed(1, "waits to be tried again", |run| run["attempts"] == 2);
    lab.notes("beta", "go");
    lab.say(&["release", "1"]).with_code(0);
    assert_eq!(lab.ended(1)["outcome"], "finished");
    assert_eq!(lab.noted("beta", "ran"), "once\nonce\n");
    // What the first attempt left is there still.
    assert!(lab.there("gpu1").join("runs/1/attempts/1/keeper.jsonl").exists());
}

/// The connections of a home stand still, or go on.
fn connections(lab: &Lab, signal: Signal) {
    lab.connections().into_iter().for_each(|pid| kill(Pid::from_raw(pid), signal).unwrap_or_default());
}

#[test]
fn what_is_stopped_while_it_is_asked_back_ends_and_starts_nowhere() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "beta")]);
    lab.keys("gpu1", "max_runs = 1");
    lab.say(&["submit", "--target", "gpu1", "--", "sleep", "300"]).with_code(0);
    lab.wait_listed(1, "runs", |run| run["state"] == "running");
    lab.say(&["submit", "--target", "gpu1", "--", "sh", "-c", &format!("echo begun >> {}", lab.note("begun"))]).with_code(0);
    let journal = lab.there("gpu1").join("journal/1.log");
    let submitted = || String::from_utf8_lossy(&fs::read(&journal).unwrap_or_default()).matches("\"submitted\"").count();
    wait_until("both are there", || submitted() == 2);
    connections(&lab, Signal::SIGSTOP);
    lab.say(&["priority", "2", "5"]).with_code(0);
    lab.say(&["stop", "2"]).with_code(0);
    connections(&lab, Signal::SIGCONT);
    assert_eq!(lab.ended(2)["outcome"], "stopped");
    lab.say(&["stop", "1"]).with_code(0);
    lab.all_ended();
    assert_eq!(lab.noted("beta", "begun"), "");
}

#[test]
fn what_waits_there_waits_in_the_order_that_was_said_last() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "alpha")]);
    lab.keys("gpu1", "max_runs = 1");
    let (ran, go) = (lab.note("ran"), lab.note("go"));
    lab.write("work.sh", format!("echo $NERONET_RUN >> {ran}\nuntil [ -e {go} ]; do sleep 0.1; done\n"));
    lab.write("neronet.toml", "command = 'sh work.sh'\ntarget = 'gpu1'\nparams.n = [1, 2, 3, 4, 5]\nsweep.parallel = 8\n");
    lab.say(&["submit", "--quiet"]).with_code(0);
    let order_there = || -> Vec<u64> {
        let queue = lab.told_there("gpu1", "queue");
        queue.iter().filter(|run| run["state"] != "running").filter_map(|run| run["id"].as_u64()).collect()
    };
    lab.write("neronet.toml", "command = 'sh work.sh'\ntarget = 'gpu1'\n");
    lab.say(&["submit", "--quiet"]).with_code(0);
    wait_until("all wait there", || order_there() == [2, 3, 4, 5, 6]);
    for words in [&["hold", "2"][..], &["priority", "4", "3"], &["move", "5", "--before", "3"], &["move", "6", "--before", "5"]] {
        lab.say(words).with_code(0);
    }
    wait_until("they wait there in another order", || order_there() == [4, 6, 5, 3]);
    assert!(text(&lab.listed(2)["reason"]).starts_with("held by"), "{:#}", lab.listed(2));
    lab.notes("alpha", "go");
    wait_until("the end of all but what is held", || lab.list().iter().all(|run| (run["state"] == "ended") == (run["id"] != 2)));
    assert_eq!(lab.noted("alpha", "ran"), "1\n4\n6\n5\n3\n");
    lab.say(&["release", "2"]).with_code(0);
    assert!(lab.all_ended().iter().all(|run| run["outcome"] == "finished"));
    assert_eq!(lab.noted("alpha", "ran"), "1\n4\n6\n5\n3\n2\n");
}
