//! How runs end, and the cause that the record gives.

use crate::world::{World, cannot_be_tested, end_of, signal, text, wait_until};
use nix::sys::signal::Signal;
use std::path::{Path, PathBuf};

/// Runs words, whatever the preflight would say of them, and looks at outcome and cause.
fn ends(words: &[&str], outcome: &str, cause: &str) -> serde_json::Value {
    let world = World::new();
    world.write("plain.txt", "no program\n").script("strange", "#!/no/such/interpreter\n");
    let said = world.say(&[&["run", "--no-preflight", "--"], words].concat());
    let run = world.show(1);
    assert_eq!(said.code, Some(i32::from(outcome != "finished")), "{said:#?}");
    assert_eq!((&run["state"], &run["outcome"]), (&"ended".into(), &outcome.into()), "{run:#}");
    assert!(text(&run["reason"]).contains(cause), "{run:#}");
    assert!(said.err.contains(cause), "the terminal says so too: {said:#?}");
    run["attempts"][0].clone()
}

#[test]
fn a_run_that_succeeds_has_finished() {
    let world = World::new();
    let (run, said) = world.run(&["true"]);
    assert_eq!(said.with_code(0).out, "");
    assert_eq!((&run["outcome"], &run["attempts"][0]["exit_code"]), (&"finished".into(), &0.into()));
}

#[test]
fn an_exit_code_and_the_last_words_are_kept() {
    let attempt = ends(&["sh", "-c", "echo fine; echo 'disk of doom' >&2; exit 7"], "failed", "exit code 7");
    assert_eq!(attempt["exit_code"], 7);
    assert_eq!(attempt["last_lines"], serde_json::json!(["disk of doom"]));
}

/// It is read by its keeper alone, where the machine is not too busy to let it be that quick.
#[test]
fn of_a_command_that_is_over_at_once_all_is_on_record() {
    let world = World::new();
    let script = "echo loss=0.25; echo '{\"acc\": 0.5}' > $NERONET_METRICS; echo half; echo gone >&2; exit 3";
    let quick = (1..=50).find(|run| {
        world.say(&["run", "--quiet", "--", "sh", "-c", script]).with_code(1);
        !world.record(*run, 1).contains("\"watched\"")
    });
    let quick = quick.expect("one of fifty commands is over within 20 ms");
    let run = world.show(quick);
    assert_eq!((&run["outcome"], &run["attempts"][0]["exit_code"]), (&"failed".into(), &3.into()), "{run:#}");
    assert_eq!(run["attempts"][0]["last_lines"], serde_json::json!(["gone"]));
    assert_eq!((&run["metrics"]["loss"]["last"], &run["metrics"]["acc"]["last"]), (&0.25.into(), &0.5.into()), "{run:#}");
    assert_eq!(world.output(quick, 1), "loss=0.25\nhalf\ngone\n");
    let left = crate::world::all_below(&world.attempt(quick, 1));
    assert!(!left.iter().any(|path| path.to_string_lossy().contains("/events.")), "in the keeper's record: {left:?}");
}

/// The clock of files lags behind that by which the attempt began.
#[test]
fn what_is_saved_at_once_is_on_record() {
    let world = World::new();
    for run in 1..=20 {
        world.say(&["run", "--quiet", "--", "sh", "-c", "echo weights > $NERONET_CHECKPOINTS/a.ckpt"]).with_code(0);
        let checkpoints = &world.show(run)["checkpoints"];
        assert_eq!(checkpoints.as_array().map(Vec::len), Some(1), "run {run}: {checkpoints}");
    }
}

/// Whoever is killed right after a save has saved it: the kernel said so before.
#[test]
fn what_is_renamed_into_place_in_the_instant_of_the_end_is_whole() {
    let world = World::new();
    world.write("neronet.toml", "command = 'echo weights > new; mv new a.ckpt; kill -9 $$'\n[checkpoints]\npaths = ['*.ckpt']\n");
    for run in 1..=20 {
        world.say(&["run", "--quiet"]).with_code(1);
        let checkpoints = &world.show(run)["checkpoints"];
        assert_eq!(checkpoints.as_array().map(Vec::len), Some(1), "run {run}: {checkpoints}");
    }
}

#[test]
fn a_signal_is_named() {
    let attempt = ends(&["python3", "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"], "failed", "SEGV");
    assert_eq!((&attempt["signal"], &attempt["exit_code"]), (&11.into(), &serde_json::Value::Null));
}

#[test]
fn a_program_that_is_not_there_is_named() {
    ends(&["no-such-program", "--lr", "1"], "failed", "program not found: no-such-program");
    ends(&["bash", "-c", "no-such-program --lr 1"], "failed", "program not found: no-such-program");
    ends(&["./strange"], "failed", "./strange names an interpreter in its first line that is not there");
}

#[test]
fn a_file_that_may_not_be_executed_is_named() {
    ends(&["./plain.txt"], "failed", "not executable: ./plain.txt");
    ends(&["sh", "-c", "./plain.txt"], "failed", "not executable: ./plain.txt");
}

#[test]
fn a_module_that_the_environment_lacks_is_named() {
    ends(&["python3", "-c", "import no_such_module.deep"], "failed", "missing module: no_such_module");
    ends(&["python3", "-m", "no_such_module"], "failed", "missing module: no_such_module");
}

#[test]
fn a_framework_that_gets_no_memory_is_told_from_the_kernel_killing() {
    let script = r#"
import sys
class OutOfMemoryError(RuntimeError): pass
OutOfMemoryError.__module__ = "torch"
raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 GiB")
"#;
    ends(&["python3", "-c", script], "failed", "out of memory (torch.OutOfMemoryError: CUDA out of memory.");
}

#[test]
fn a_command_that_the_kernel_kills_for_memory_is_out_of_memory() {
    let world = World::new();
    let group = match Group::with_limit(&world, 64 << 20) {
        Ok(group) => group,
        Err(missing) => return cannot_be_tested("killing by the kernel for memory", &missing),
    };
    world.write("hog.py", "hoard = []\nwhile True: hoard.append(bytearray(b'x') * (1 << 20))\n");
    let mut inside = std::process::Command::new("sh");
    world.settle(&mut inside);
    inside.args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$NERONET\" run -- python3 hog.py"]).arg(&group.0);
    let said = crate::world::Said::from(inside.output().expect("sh starts")).with_code(1);
    let run = world.show(1);
    assert_eq!(run["reason"], "out of memory (killed by the kernel)", "{run:#}\n{said:#?}");
    assert_eq!(run["attempts"][0]["signal"], 9);
    // Nothing but the record tells it from a KILL by somebody else.
    let (other, _) = World::new().run(&["sh", "-c", "kill -9 $$"]);
    assert_eq!(other["reason"], "signal 9 (KILL)");
}

/// A control group with a limit on memory, taken away when all in it have ended.
struct Group(PathBuf);

impl Group {
    fn with_limit(world: &World, bytes: u64) -> Result<Group, String> {
        let name = world.path("").file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let advice = "run the tests as root where control groups can be made (a container: --privileged)";
        let v1 = Path::new("/sys/fs/cgroup/memory");
        let v2 = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
        let has_memory = |root: &&Path| std::fs::read_to_string(root.join("cgroup.controllers")).is_ok_and(|list| list.contains("memory"));
        let (root, limits): (&Path, &[&str]) = if v1.is_dir() {
            (v1, &["memory.limit_in_bytes"])
        } else if let Some(root) = v2.into_iter().find(has_memory) {
            std::fs::write(root.join("cgroup.subtree_control"), "+memory").map_err(|e| format!("{}: {e}; {advice}", root.display()))?;
            (root, &["memory.max"])
        } else {
            return Err(format!("there is no memory controller below /sys/fs/cgroup; {advice}"));
        };
        let group = Group(root.join(name));
        std::fs::create_dir(&group.0).map_err(|e| format!("{}: {e}; {advice}", group.0.display()))?;
        for limit in limits {
            std::fs::write(group.0.join(limit), bytes.to_string()).map_err(|e| format!("{limit}: {e}; {advice}"))?;
        }
        // Where there is swap, it must not help.
        std::fs::write(group.0.join("memory.swap.max"), "0").ok();
        std::fs::write(group.0.join("memory.memsw.limit_in_bytes"), bytes.to_string()).ok();
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        wait_until("the control group is empty", || std::fs::remove_dir(&self.0).is_ok());
    }
}

/// Prints a step, waits for the test, prints the rest.
const PATIENT: &str = r#"
import os, time
print("step 1 loss 0.5")
open(os.environ["WORLD"] + "/begun", "w").close()
while not os.path.exists(os.environ["WORLD"] + "/go"): time.sleep(0.01)
for step in range(2, 1001): print(f"step {step} loss {1 / step}")
"#;

#[test]
fn a_killed_supervisor_is_replaced_and_the_record_says_so() {
    let world = World::new();
    let cli = world.write("train.py", PATIENT).start(&["run", "--quiet", "--", "python3", "train.py"]);
    world.wait_told("begun");
    let first = world.pid(1, "watched", "supervisor");
    signal(first, Signal::SIGKILL);
    wait_until("another supervisor", || world.pid(1, "watched", "supervisor") != first);
    world.tell("go");
    end_of(cli).with_code(0);
    let run = world.show(1);
    assert_eq!(run["outcome"], "finished", "{run:#}");
    assert_eq!(run["metrics"]["loss"]["points"], 1000, "{run:#}");
    let words = "supervisor 1 ended (signal 9 (KILL)) and was replaced";
    assert!(text(&run["attempts"][0]["notices"]).contains(words), "{run:#}");
    assert!(world.say(&["show", "1"]).with_code(0).out.contains(words));
}

#[test]
fn a_killed_keeper_leaves_the_training_alone_and_the_record_does_not_guess() {
    let world = World::new();
    let cli = world.write("train.py", PATIENT).start(&["run", "--quiet", "--", "python3", "train.py"]);
    world.wait_told("begun");
    signal(world.pid(1, "begun", "keeper"), Signal::SIGKILL);
    world.tell("go");
    end_of(cli).with_code(1);
    let run = world.show(1);
    assert_eq!((&run["outcome"], &run["attempts"][0]["outcome"]), (&"lost".into(), &"unknown".into()), "{run:#}");
    assert_eq!(run["reason"], "status unknown: the keeper was killed", "{run:#}");
    let shown = world.say(&["show", "1"]).out;
    let attempts = shown.split("\nAttempts\n").nth(1).expect("a table");
    assert!(attempts.lines().nth(1).is_some_and(|row| row.starts_with("  1  lost  ")), "{attempts}");
    assert_eq!(run["metrics"]["loss"]["points"], 1000, "{run:#}");
    let shown = world.say(&["show", "1"]).with_code(0).out;
    assert!(shown.contains("the keeper was killed while the command ran"), "{shown}");
}

#[test]
fn a_clock_that_jumps_changes_no_duration() {
    clock_jumps(&["supervisor"]);
    // Whoever takes up the attempt then learns of its beginning from the record alone.
    clock_jumps(&["keeper", "supervisor"]);
}

fn clock_jumps(killed: &[&str]) {
    let world = World::new();
    let cli = world.write("train.py", PATIENT).start(&["run", "--quiet", "--", "python3", "train.py"]);
    world.wait_told("begun");
    let first = world.pid(1, "watched", "supervisor");
    // As if the wall clock had been three hours slow when the run began, and was then set right.
    let record = world.attempt(1, 1).join("keeper.jsonl");
    let text = std::fs::read_to_string(&record).expect("there");
    let at = world.keeper_events(1, 1)[0]["begun"]["at"].as_i64().expect("a time");
    let jumped = text.replacen(&format!("\"at\":{at}"), &format!("\"at\":{}", at - 3 * 3_600_000), 1);
    assert!(jumped.len() == text.len() && jumped != text);
    let file = std::fs::OpenOptions::new().write(true).open(&record).expect("ours");
    std::os::unix::fs::FileExt::write_all_at(&file, jumped.as_bytes(), 0).expect("written");
    let keeper = world.pid(1, "begun", "keeper");
    killed.iter().for_each(|who| signal(if *who == "keeper" { keeper } else { first }, Signal::SIGKILL));
    let next_events = world.attempt(1, 1).join("events.2.jsonl");
    wait_until("another supervisor", || world.pid(1, "watched", "supervisor") != first || next_events.exists());
    world.tell("go");
    end_of(cli).with_code(i32::from(killed.len() > 1));
    let run = world.show(1);
    let seconds = |name: &str| {
        let time: jiff::Timestamp = run[name].as_str().expect("a time").parse().expect("RFC 3339");
        time.as_millisecond() as f64 / 1000.0
    };
    let lasted = seconds("ended") - seconds("started");
    assert!((0.0..600.0).contains(&lasted), "{lasted} s: {run:#}");
    let times: Vec<u64> = world.rows(1, 1).iter().filter_map(|row| row["t"].as_u64()).collect();
    assert!(times.is_sorted() && times.last().is_some_and(|last| *last < 600_000), "{times:?}");
}

#[test]
fn where_no_cause_is_known_the_last_line_of_the_errors_is_the_reason() {
    let world = World::new();
    world.write("train.py", "import argparse\nargparse.ArgumentParser().parse_args()\n");
    let said = world.say(&["run", "--quiet", "--", "python3", "train.py", "--machine", "gpu1"]).with_code(1);
    let reason = "exit code 2: train.py: error: unrecognized arguments: --machine gpu1";
    assert_eq!(world.show(1)["reason"], reason);
    assert!(said.err.contains(&format!("run 1 failed: {reason}")) && said.out.is_empty(), "{said:#?}");
    world.say(&["run", "--quiet", "--", "sh", "-c", "echo loss 1; exit 3"]).with_code(1);
    assert_eq!(world.show(2)["reason"], "exit code 3");
    world.say(&["run", "--quiet", "--", "sh", "-c", "echo 'INFO: epoch 9, error 0.1' >&2; exit 3"]).with_code(1);
    assert_eq!(world.show(3)["reason"], "exit code 3");
}
