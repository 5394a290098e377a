//! What happens to runs while neronet itself is replaced, and what secrets on a target come to.

use crate::hosts::{folder, hosts};
use crate::lab::{Lab, processes};
use crate::world::{Said, wait_for, wait_until};
use std::process::Command;

/// Another build, as far as anybody can tell: the system does not look behind the end of a program.
fn other_build(lab: &Lab) -> std::path::PathBuf {
    let path = lab.path("neronet-new");
    // Not by this process: what a test beside this one starts holds what is open here, and what is open for writing cannot be executed.
    let mut made = Command::new("sh");
    let made = made.args(["-c", "cp \"$0\" \"$1\" && printf newer >> \"$1\"", env!("CARGO_BIN_EXE_neronet")]).arg(&path);
    assert!(made.status().expect("sh").success());
    path
}

fn runner_of(lab: &Lab, target: &str) -> Option<(i64, String)> {
    let notice = std::fs::read_to_string(lab.there(target).join("runner.json")).ok()?;
    let notice: serde_json::Value = serde_json::from_str(&notice).ok()?;
    Some((notice["process"]["pid"].as_i64()?, notice["binary"].as_str()?.to_string()))
}

#[test]
fn runs_of_the_version_before_go_on_and_are_read_and_steered_by_the_next() {
    let Some(hosts) = hosts() else { return };
    let mut lab = Lab::new(hosts, &[]);
    // The other build is in nobody's way there.
    lab.add("gpu1", "alpha", &format!("{}/upgrade", folder()));
    // One executes, one waits there.
    lab.write("neronet.toml", "command = \"i=0; while [ $i -lt 900 ]; do i=$((i+1)); echo line $i; sleep 0.2; done\"\nparams.n = [1, 2]\nsweep.parallel = 1\nresources.gpus = 0\n");
    lab.say(&["submit", "--target", "gpu1", "--quiet"]).with_code(0);
    lab.wait_listed(1, "runs", |run| run["state"] == "running");
    wait_until("its first lines are here", || lab.output_so_far(1).contains("line 2\n"));
    let (_, before) = runner_of(&lab, "gpu1").expect("a runner");
    lab.down();
    let new = other_build(&lab);
    let say = |words: &[&str]| -> Said {
        let mut command = Command::new(&new);
        lab.settle(&mut command);
        command.args(words).output().expect("it starts").into()
    };
    say(&["serve", "--background"]).with_code(0);
    let binary =
        wait_for("a runner of the new build", || runner_of(&lab, "gpu1").map(|(_, binary)| binary).filter(|binary| *binary != before));
    // Who records what runs is of the build before.
    let record = |pid: i32| std::fs::read_link(format!("/proc/{pid}/exe")).map(|exe| exe.display().to_string()).unwrap_or_default();
    let uid = lab.uid();
    let keepers: Vec<String> =
        processes(|words, environment| words[0].contains("neronet") && environment.contains(&uid)).map(record).collect();
    assert!(keepers.iter().all(|exe| exe.contains("/bin/neronet-")), "{keepers:?} beside {binary}");
    let seen = lab.output_so_far(1).lines().count();
    wait_until("what it prints goes on coming", || lab.output_so_far(1).lines().count() > seen + 3);
    say(&["stop", "1"]).with_code(0);
    let run = lab.wait_listed(1, "has ended", |run| run["state"] == "ended");
    assert_eq!((run["outcome"].as_str(), run["attempts"].as_u64()), (Some("stopped"), Some(1)), "{run:#}");
    // The runner of the new build starts what waited.
    lab.wait_listed(2, "runs", |run| run["state"] == "running");
    say(&["kill", "2"]).with_code(0);
    lab.wait_listed(2, "has ended", |run| run["state"] == "ended");
    say(&["down"]).with_code(0);
}

#[test]
fn secrets_are_in_no_file_of_a_target_and_outlive_its_runner() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "alpha")]);
    let token = lab.path("token");
    std::fs::write(&token, "abcdefgh-12345678\n").expect("written");
    let spec = "command = \"echo \\\"$TOKEN\\\" | tr a-h A-H; echo \\\"$TOKEN\\\"; sleep 4; echo {n}\"\nparams.n = [1, 2]\nsecrets.TOKEN = \"FROM\"\nsweep.parallel = 1\n";
    lab.write("neronet.toml", spec.replace("FROM", &format!("file:{}", token.display())));
    lab.say(&["submit", "--target", "gpu1", "--quiet"]).with_code(0);
    lab.wait_listed(1, "runs", |run| run["state"] == "running");
    // Another runner is told by the agent, which has them still.
    let (pid, _) = runner_of(&lab, "gpu1").expect("a runner");
    lab.hosts.exec("alpha", &["kill", "-KILL", &pid.to_string()]).with_code(0);
    let runs = lab.all_ended();
    assert!(runs.iter().all(|run| run["outcome"] == "finished"), "{runs:#?}");
    for run in 1..=2 {
        assert_eq!(lab.say(&["logs", &run.to_string()]).with_code(0).out, format!("ABCDEFGH-12345678\n***\n{run}\n"));
    }
    let found = Command::new("grep").args(["-rlF", "abcdefgh-12345678"]).arg(lab.there("gpu1")).output().expect("grep");
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    // What nobody can find out is held, with the reason, and keeps nobody else from starting.
    lab.write("neronet.toml", spec.replace("FROM", "command:exit 3"));
    lab.say(&["submit", "--target", "gpu1", "--quiet", "--set", "n=3"]).with_code(0);
    lab.say(&["submit", "--target", "gpu1", "--quiet", "--wait", "--", "true"]).with_code(0);
    let run = lab.wait_listed(3, "is held", |run| run["reason"].as_str().is_some_and(|why| why.contains("held")));
    assert!(run["reason"].as_str().is_some_and(|why| why.contains("it cannot go to gpu1") && why.contains("secret TOKEN")), "{run:#}");
}
