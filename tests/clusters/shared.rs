//! Hosts that see one folder, as the login machines of a cluster do, or those of a lab with its network file system; and a home's own
//! folder on the host where another home has its target.

use crate::hosts::hosts;
use crate::lab::Lab;
use crate::tidy::made_old;
use crate::world::{all_below, text, wait_until};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// A folder that this machine and all hosts see, where everybody may write.
pub(crate) fn shared() -> tempfile::TempDir {
    let shared = tempfile::Builder::new().prefix("neronet-shared-").tempdir_in("/var/tmp").expect("a folder");
    std::fs::set_permissions(shared.path(), PermissionsExt::from_mode(0o777)).expect("ours");
    shared
}

/// Says where it is, there and in `ran`, and waits for the test's word.
fn work(shared: &tempfile::TempDir) -> String {
    let at = shared.path().display();
    format!(
        "#!/bin/sh\necho $NERONET_RUN on $(hostname) | tee -a {at}/ran\nn=0\n\
         while [ ! -e {at}/go.$1 ] && [ $n -lt 1800 ]; do sleep 0.1; n=$((n + 1)); done\necho done\n"
    )
}

fn is_running(lab: &Lab, runs: &[u64]) -> bool {
    runs.iter().all(|run| lab.listed(*run)["state"] == "running")
}

#[test]
fn what_becomes_of_one_host_is_nothing_to_another_in_the_same_folder() {
    let Some(hosts) = hosts() else { return };
    let shared = shared();
    let at = shared.path().join("n");
    let mut lab = Lab::new(hosts, &[]);
    lab.add("one", "alpha", &at.display().to_string());
    lab.add("two", "beta", &at.display().to_string());
    lab.script("work.sh", &work(&shared));
    for target in ["one", "two"] {
        lab.write("neronet.toml", format!("command = './work.sh {target}'\ntarget = '{target}'\nparams.n = [1, 2]\nsweep.parallel = 4\n"));
        lab.say(&["submit", "--again", "--quiet"]).with_code(0);
    }
    wait_until("all to run", || is_running(&lab, &[1, 2, 3, 4]));
    // One is stopped, and the runner beside it killed.
    lab.say(&["stop", "1"]).with_code(0);
    assert_eq!(lab.ended(1)["outcome"], "stopped");
    let runner = lab.runner("one").expect("a runner");
    hosts.exec("alpha", &["kill", "-KILL", &runner.to_string()]).with_code(0);
    wait_until("another runner", || lab.runner("one").is_some_and(|pid| pid != runner));
    // What the first host tidies is what no run of the second may have been started from.
    let binary = at.join(format!("bin/neronet-0.0.0-{}", lab.uid()));
    std::fs::write(&binary, "old").expect("written");
    made_old(&binary, 90);
    made_old(&lab.there("two").join("runs/3/attempts/1/launch.json"), 100);
    let tidied = || {
        lab.down();
        std::fs::remove_file(lab.home().join("targets/one/space.json")).expect("measured");
        lab.say(&["serve", "--background"]).with_code(0);
        wait_until("it is tidied", || lab.home().join("targets/one/space.json").exists());
    };
    wait_until("it is measured", || lab.home().join("targets/one/space.json").exists());
    tidied();
    assert!(binary.exists(), "run 3 may need it");
    assert!(is_running(&lab, &[2, 3, 4]));
    std::fs::write(shared.path().join("go.two"), "").expect("written");
    for run in [3, 4] {
        assert_eq!((&lab.ended(run)["outcome"], lab.output(run, 1)), (&"finished".into(), format!("{run} on beta\ndone\n")));
    }
    tidied();
    assert!(!binary.exists(), "nobody needs it any more");
    assert!(is_running(&lab, &[2]));
    std::fs::write(shared.path().join("go.one"), "").expect("written");
    let run = lab.ended(2);
    assert_eq!((&run["outcome"], lab.output(2, 1)), (&"finished".into(), "2 on alpha\ndone\n".into()), "{run:#}");
    assert!(lab.list().iter().all(|run| run["attempts"] == 1));
}

/// What ssh reaches by the name `cluster` from now on.
fn cluster_is(lab: &Lab, host: &str) {
    let config = std::fs::read_to_string(lab.hosts.config()).expect("a configuration");
    let block = config.split("Host ").find_map(|block| block.strip_prefix(host)).expect("it is there");
    std::fs::write(lab.path("ssh_config"), format!("Host cluster{block}")).expect("written");
}

#[test]
fn a_cluster_that_is_reached_by_another_of_its_hosts_executes_nothing_twice() {
    let Some(hosts) = hosts() else { return };
    let shared = shared();
    let mut lab = Lab::new(hosts, &[]);
    cluster_is(&lab, "alpha");
    lab.add("gpu", "cluster", &shared.path().join("n").display().to_string());
    lab.script("work.sh", &work(&shared));
    lab.write("neronet.toml", "command = './work.sh {n}'\ntarget = 'gpu'\nparams.n = [1, 2]\nsweep.parallel = 1\n");
    lab.say(&["submit", "--quiet"]).with_code(0);
    wait_until("the first to run", || is_running(&lab, &[1]));
    lab.wait_listed(2, "waits there", |run| text(&run["reason"]).starts_with("on gpu"));
    lab.down();
    // Another address is refused while they are there, another host behind it is not.
    let targets = lab.home().join("targets.toml");
    let told = std::fs::read_to_string(&targets).expect("targets");
    std::fs::write(&targets, told.replace("ssh://cluster", "ssh://student@cluster")).expect("written");
    lab.say(&["serve", "--background"]).with_code(0);
    lab.wait_listed(1, "is refused", |run| text(&run["reason"]).contains("were given to ssh://cluster, "));
    assert!(is_running(&lab, &[1]));
    lab.down();
    std::fs::write(&targets, told).expect("written");
    cluster_is(&lab, "beta");
    let turn = lab.there("gpu").join("agent.json");
    let before = std::fs::read(&turn).expect("somebody spoke for it");
    lab.say(&["serve", "--background"]).with_code(0);
    wait_until("the other host to speak for it", || std::fs::read(&turn).is_ok_and(|turn| turn != before));
    [1, 2].iter().for_each(|n| std::fs::write(shared.path().join(format!("go.{n}")), "").expect("written"));
    for run in lab.all_ended() {
        assert_eq!((&run["outcome"], &run["attempts"]), (&"finished".into(), &1.into()), "{run:#}");
    }
    assert_eq!(std::fs::read_to_string(shared.path().join("ran")).expect("they ran"), "1 on alpha\n2 on alpha\n");
}

#[test]
fn what_is_to_stop_on_another_host_of_a_cluster_stops_once_that_is_reached() {
    let Some(hosts) = hosts() else { return };
    let shared = shared();
    let mut lab = Lab::new(hosts, &[]);
    cluster_is(&lab, "alpha");
    lab.add("gpu", "cluster", &shared.path().join("n").display().to_string());
    lab.say(&["submit", "--target", "gpu", "--", "sleep", "300"]).with_code(0);
    lab.wait_listed(1, "runs", |run| run["state"] == "running");
    lab.down();
    cluster_is(&lab, "beta");
    lab.say(&["serve", "--background"]).with_code(0);
    lab.say(&["stop", "1"]).with_code(0);
    let log = || std::fs::read_to_string(lab.home().join("daemon.log")).unwrap_or_default();
    wait_until("it is told", || log().contains("run 1 on gpu: it cannot be ended yet: it runs on alpha"));
    assert_eq!(lab.listed(1)["state"], "running");
    lab.down();
    cluster_is(&lab, "alpha");
    lab.say(&["serve", "--background"]).with_code(0);
    assert_eq!(lab.ended(1)["outcome"], "stopped");
}

/// Goes with its test.
pub(crate) struct Passing(pub(crate) PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn where_a_home_of_neronet_is_a_target_has_its_place_beside_it() {
    let Some(hosts) = hosts() else { return };
    let [home, beside] = ["neronet", "neronet-target"].map(|name| Passing(hosts.outside("beta", &format!("/home/fish/{name}"))));
    std::fs::create_dir_all(home.0.join("journal")).expect("made");
    std::fs::write(home.0.join("home.json"), "{}").expect("written");
    hosts.exec("beta", &["chown", "-R", "fish:", "/home/fish/neronet"]).with_code(0);
    let lab = Lab::new(hosts, &[]);
    let added = lab.say(&["target", "add", "gpu1", "ssh://fish@beta"]).with_code(0);
    let targets = std::fs::read_to_string(lab.home().join("targets.toml")).expect("targets");
    assert!(targets.contains("folder = \"/home/fish/neronet-target\""), "{targets}{added:#?}");
    lab.say(&["submit", "--target", "gpu1", "--wait", "--quiet", "--", "pwd"]).with_code(0);
    assert_eq!(lab.output(1, 1), format!("/home/fish/neronet-target/{}/gpu1/runs/1/work\n", lab.uid()));
    let mut names: Vec<_> = all_below(&home.0).iter().map(|path| path.strip_prefix(&home.0).expect("below").to_path_buf()).collect();
    names.sort();
    assert_eq!(names, [PathBuf::from("home.json"), PathBuf::from("journal")]);
    assert_eq!(std::fs::read_to_string(home.0.join("home.json")).expect("there"), "{}");
    lab.down();
    drop(beside);
}

#[test]
fn a_copy_of_a_home_cannot_give_a_target_what_the_original_gave_it() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "alpha")]);
    lab.say(&["submit", "--target", "gpu1", "--wait", "--quiet", "--", "true"]).with_code(0);
    lab.down();
    let copy = Lab::new(hosts, &[]);
    let copied = Command::new("cp").arg("-a").args([lab.home(), copy.home()]).status().expect("cp");
    assert!(copied.success());
    let go = lab.note("go");
    let wait = format!("until [ -e {go} ]; do sleep 0.1; done; echo original");
    lab.say(&["submit", "--target", "gpu1", "--quiet", "--", "sh", "-c", &wait]).with_code(0);
    lab.wait_listed(2, "runs", |run| run["state"] == "running");
    // It does not know that one.
    copy.say(&["retry", "--detach", "1"]).with_code(0);
    copy.wait_listed(1, "is refused", |run| text(&run["reason"]).contains("run 2 there is another one"));
    assert_eq!(lab.listed(2)["state"], "running");
    copy.say(&["submit", "--target", "gpu1", "--quiet", "--", "echo", "copy"]).with_code(0);
    copy.wait_listed(2, "is refused", |run| text(&run["reason"]).contains("run 2 there is another one"));
    assert_eq!((&copy.listed(2)["state"], &lab.listed(2)["state"]), (&"queued".into(), &"running".into()));
    lab.notes("alpha", "go");
    let run = lab.ended(2);
    assert_eq!((&run["outcome"], lab.output(2, 1)), (&"finished".into(), "original\n".into()), "{run:#}");
    assert_eq!((&copy.listed(2)["state"], copy.output_so_far(2).as_str()), (&"queued".into(), ""));
}
