//! What machines say of themselves, by hosts of which the tests decide what that is: programs, GPUs, a logind.

use crate::hosts::{Hosts, folder, odd};
use crate::lab::Lab;
use crate::world::{Said, World, text, wait_for};
use serde_json::{Value, json};
use std::process::Command;

fn said_here(words: &[&str]) -> String {
    let said: Said = Command::new(words[0]).args(&words[1..]).output().expect("it starts").into();
    said.with_code(0).out.trim().to_string()
}

/// The line of a fact on the page of `target check`.
fn line<'p>(page: &'p str, name: &str) -> &'p str {
    page.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("no {name} in {page}"))
}

/// A program of this name comes first there.
fn has_program(hosts: &Hosts, host: &str, world: &World, name: &str, script: &str) {
    world.script(name, script);
    let to = hosts.outside(host, &format!("/bin/{name}"));
    said_here(&["install", "-m", "755", &world.project().join(name).display().to_string(), &to.display().to_string()]);
}

#[test]
fn a_machine_says_how_far_it_is_what_it_has_and_how_much_room_a_quota_leaves() {
    let Some(hosts) = odd() else { return };
    let world = World::new();
    let quota = "#!/bin/sh\necho Disk quotas\necho Filesystem\n\
                 df -Pk \"$HOME\" | awk 'NR == 2 { print $1, 1000, 0, 2001000, 10, 0, 5010 }'\n";
    has_program(hosts, "attic", &world, "quota", quota);
    let environment = hosts.outside("attic", "/home/student/.venv/bin");
    std::fs::create_dir_all(&environment).expect("made");
    std::os::unix::fs::symlink("/bin/sh", environment.join("python")).ok();
    world.say_with(hosts, &["target", "add", "gpu1", "ssh://attic", "--folder", &folder()]).with_code(0);
    let found = world.say_with(hosts, &["target", "check", "--json"]).with_code(0).json()[0].take();
    let page = world.say_with(hosts, &["target", "check"]).with_code(0).out;

    for time in ["answered_ms", "answers_ms"] {
        assert!(found[time].as_f64().is_some_and(|ms| ms > 0.0), "{found:#}");
    }
    let time = line(&page, "reached").split_once(" after ").and_then(|(_, time)| time.strip_suffix(" ms")?.parse::<u64>().ok());
    assert!(time.is_some_and(|ms| ms > 0), "{page}");
    assert!(line(&page, "neronet").contains("is there, and answers after "), "{page}");

    // A host has the C library and the programs of this machine.
    let libc = said_here(&["getconf", "GNU_LIBC_VERSION"]);
    assert_eq!(format!("glibc {}", text(&found["glibc"])), libc);
    assert!(line(&page, "system").ends_with(&libc), "{page}");
    let python = text(&found["python"]);
    let (path, version) = python.split_once(' ').expect("a path and a version");
    assert_eq!(said_here(&[path, "--version"]), format!("Python {version}"));
    assert!(line(&page, "Python").ends_with(&python), "{page}");
    assert_eq!(found["environments"], json!(["/home/student/.venv"]));
    assert!(line(&page, "environments").ends_with(" /home/student/.venv"), "{page}");

    let home = hosts.outside("attic", "/home/student");
    let kind = said_here(&["stat", "-f", "-c", "%T", &home.display().to_string()]);
    let disk = nix::sys::statvfs::statvfs(&home).expect("a file system");
    let all = disk.blocks() * disk.fragment_size();
    let known = found["folders"].as_array().expect("folders").iter().find(|known| known["path"] == "/home/student").expect("home");
    let close = |value: &Value, to: u64| value.as_u64().is_some_and(|value| value.abs_diff(to) <= all / 10);
    assert!(close(&known["all"], all) && close(&found["disk"]["free"], disk.blocks_available() * disk.fragment_size()), "{found:#}");
    assert_eq!((&known["file_system"], &known["by_quota"]), (&json!(kind), &json!(true)), "{known:#}");
    assert_eq!((&known["free"], &known["files"]), (&json!(2_000_000 * 1024), &json!(5_000)), "{known:#}");
    assert_eq!(found["quota"], json!([format!("{} 1000 0 2001000 10 0 5010", text(&known["device"]))]));
    let room = format!("/home/student (2 GB free by your quota, 5,000 files, {kind}");
    assert!(line(&page, "may write to").contains(&room), "{room}: {page}");
    for warning in ["has 2.0 GB free, by your quota: checkpoints and copies of code may fill it", "has room for 5000 more files"] {
        assert!(page.lines().any(|line| line.trim_start().starts_with("warning: /home/student") && line.ends_with(warning)), "{page}");
    }
}

#[test]
fn a_logind_that_kills_what_is_left_is_told_unless_the_user_lingers() {
    let Some(hosts) = odd() else { return };
    let world = World::new();
    let (configured, lingers) = (hosts.outside("attic", "/systemd/logind.conf"), hosts.outside("attic", "/state/linger/student"));
    let clear = || [&configured, &lingers].into_iter().for_each(|path| std::fs::remove_file(path).unwrap_or_default());
    clear();
    world.say_with(hosts, &["target", "add", "gpu1", "ssh://attic", "--folder", &folder()]).with_code(0);
    let is_told = || {
        let page = world.say_with(hosts, &["target", "check"]).with_code(0).out;
        page.contains("warning: its logind kills what is left when you log out: have somebody say `loginctl enable-linger student` there")
    };
    assert!(!is_told());
    std::fs::write(&configured, "[Login]\n#KillUserProcesses=no\nKillUserProcesses=yes\n").expect("written");
    assert!(is_told());
    std::fs::write(&lingers, "").expect("written");
    assert!(!is_told());
    clear();
}

#[test]
fn of_gpus_there_runs_get_those_that_nobody_uses_and_that_are_not_left_to_others() {
    let Some(hosts) = odd() else { return };
    let gpus = |used_by: &str| {
        let gpu = |name: &str| format!("gpu {name} 16000 0 0 0 40 50000\n");
        let told = hosts.outside("hall", "/gpus/libnvidia-ml.so.1.conf");
        std::fs::write(told.with_extension("new"), format!("{}{}{used_by}{}", gpu("A100"), gpu("H100"), gpu("L4"))).expect("written");
        std::fs::rename(told.with_extension("new"), told).expect("in place");
    };
    let works = ["setpriv", "--reuid", "tcsh", "--clear-groups", "sh", "-c", "sleep 100000 >/dev/null 2>&1 & echo $!"];
    let other = hosts.exec("hall", &works).with_code(0).out.trim().to_string();
    gpus(&format!("proc {other} 9000\n"));
    let lab = Lab::new(hosts, &[("gpu1", "hall")]);
    let path = lab.home().join("targets.toml");
    let known = std::fs::read_to_string(&path).expect("targets");
    std::fs::write(&path, format!("{known}leave_gpus = 1\n")).expect("written");

    let found = lab.say(&["target", "check", "--json"]).with_code(0).json();
    let ids: Vec<String> = found[0]["gpus"].as_array().expect("GPUs").iter().map(|gpu| text(&gpu["id"])).collect();
    assert_eq!((ids.len(), &found[0]["gpus_in_use"]), (3, &json!({ids[1].as_str(): "tcsh: sleep"})), "{found:#}");
    let page = lab.say(&["target", "check"]).with_code(0).out;
    assert!(line(&page, "GPUs").ends_with(" A100, 17 GB; H100, 17 GB, in use: tcsh: sleep; L4, 17 GB"), "{page}");

    let command = format!("echo $CUDA_VISIBLE_DEVICES; until [ -e {} ]; do sleep 0.02; done", lab.note("go"));
    lab.write("neronet.toml", format!("command = '{command}'\ntarget = 'gpu1'\nresources.gpus = 1\n"));
    let submit = || lab.say(&["submit", "--quiet", "--again"]).with_code(0);
    let given = |run: u64| wait_for("what it sees", || Some(lab.output_so_far(run).trim().to_string()).filter(|said| !said.is_empty()));
    submit();
    let first = given(1);
    assert!(first == ids[0] || first == ids[2], "{first} of {ids:?}");
    // One more is free, and stays free.
    submit();
    let waits = lab.wait_listed(2, "waits for a GPU", |run| text(&run["reason"]).contains("waits for 1 GPU: "));
    let why = text(&waits["reason"]);
    assert!(why.contains("tcsh: sleep uses one") && why.contains("held by 1"), "{why}");
    hosts.exec("hall", &["kill", &other]).with_code(0);
    gpus("");
    let second = given(2);
    assert!(ids.contains(&second) && second != first, "{second} of {ids:?}");
    lab.notes("hall", "go");
    lab.all_ended().iter().for_each(|run| assert_eq!(run["outcome"], "finished", "{run:#}"));
}
