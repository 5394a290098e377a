//! Several targets in one folder, and what goes from there by itself.

use crate::hosts::{folder, hosts};
use crate::lab::Lab;
use crate::world::{wait_for, wait_until};
use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// As if nobody had changed it for so many days.
pub(crate) fn made_old(path: &Path, days: u64) {
    let before = SystemTime::now() - Duration::from_secs(days * 86_400);
    File::open(path).and_then(|file| file.set_modified(before)).expect("ours");
}

#[test]
fn targets_that_share_a_folder_or_lie_in_anothers_do_not_disturb_each_other() {
    let Some(hosts) = hosts() else { return };
    let mut lab = Lab::new(hosts, &[("one", "alpha"), ("two", "alpha")]);
    lab.add("three", "alpha", &format!("{}/sub", folder()));
    lab.write("work.sh", "echo it was $1; sleep 0.2\n").write("neronet.toml", "command = 'sh work.sh {n}'\nparams.n = [1, 2, 3]\n");
    for target in ["one", "two", "three"] {
        lab.say(&["submit", "--again", "--target", target]).with_code(0);
    }
    for run in lab.all_ended() {
        assert_eq!(run["outcome"], "finished", "{run:#}");
        let id = run["id"].as_u64().expect("a number");
        assert_eq!(lab.output(id, 1), format!("it was {}\n", run["params"]["n"]));
    }
    for (target, runs) in [("one", 1..=3), ("two", 4..=6), ("three", 7..=9)] {
        let there = lab.there(target).join("runs");
        let mut names: Vec<u64> =
            std::fs::read_dir(there).expect("runs").flatten().filter_map(|run| run.file_name().to_str()?.parse().ok()).collect();
        names.sort_unstable();
        assert_eq!(names, runs.collect::<Vec<u64>>(), "{target}");
    }
}

#[test]
fn code_and_binaries_that_nobody_used_for_long_go_and_come_again_when_they_are_wanted() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "alpha")]);
    lab.write("work.sh", "echo first\n").write("neronet.toml", "command = 'sh work.sh'\ntarget = 'gpu1'\n");
    lab.say(&["submit", "--wait", "--quiet"]).with_code(0);
    let measured = || lab.say(&["target", "show", "gpu1", "--json"]).with_code(0).json()["space"].clone();
    let space = wait_for("what it takes", || Some(measured()).filter(|space| space["bytes"].as_u64().is_some_and(|bytes| bytes > 0)));
    assert!(space["binaries"].as_u64().is_some_and(|bytes| bytes > 1_000_000), "{space:#}");
    lab.down();
    let snapshots = lab.there("gpu1").join("snapshots");
    let names = || std::fs::read_dir(&snapshots).expect("a folder").flatten().map(|entry| entry.path()).collect::<Vec<_>>();
    let first = names().remove(0);
    made_old(&first, 90);
    let bin = hosts.outside("alpha", &folder()).join("bin");
    let old = bin.join(format!("neronet-0.0.0-{}", lab.uid()));
    std::fs::write(&old, "old").expect("written");
    made_old(&old, 90);
    std::fs::remove_file(lab.home().join("targets/gpu1/space.json")).expect("measured");
    lab.write("work.sh", "echo second\n");
    lab.say(&["submit", "--again", "--wait", "--quiet"]).with_code(0);
    wait_until("the first code and the old binary to go", || !first.exists() && !old.exists());
    assert_eq!(names().len(), 1, "what was used just now stays");
    let log = || std::fs::read_to_string(lab.home().join("daemon.log")).unwrap_or_default();
    wait_until("that is said at home", || log().contains("gpu1: snapshots: 1 gone"));
    // The runs themselves are still there.
    assert!(lab.there("gpu1").join("runs/1/work/work.sh").is_file());
    lab.say(&["retry", "1", "--detach"]).with_code(0);
    let run = lab.wait_listed(1, "ended again", |run| run["attempts"] == 2 && run["state"] == "ended");
    assert_eq!((run["outcome"].as_str(), lab.output(1, 2).as_str()), (Some("finished"), "first\n"), "{run:#}");
    assert!(first.exists(), "it was brought again");
}
