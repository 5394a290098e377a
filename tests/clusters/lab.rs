//! A home whose targets are hosts of ours, and the ways to look at what became of runs there.

use crate::hosts::{Hosts, folder};
use crate::world::{World, wait_for, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub(crate) struct Lab {
    pub(crate) world: World,
    pub(crate) hosts: &'static Hosts,
    /// By name: its host, and its folder there.
    targets: Vec<(String, String, String)>,
}

impl std::ops::Deref for Lab {
    type Target = World;
    fn deref(&self) -> &World {
        &self.world
    }
}

impl Lab {
    /// With targets of these names, each on a host.
    pub(crate) fn new(hosts: &'static Hosts, targets: &[(&str, &str)]) -> Lab {
        let world = World::new();
        std::fs::write(world.path("ssh_config"), format!("Include {}\n", hosts.config().display())).expect("written");
        let mut lab = Lab { world, hosts, targets: Vec::new() };
        for (name, host) in targets {
            lab.add(name, host, &folder());
        }
        lab
    }

    pub(crate) fn add(&mut self, name: &str, host: &str, folder: &str) {
        // The first brings the binary there.
        static ONE: Mutex<()> = Mutex::new(());
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        self.world.say(&["target", "add", name, &format!("ssh://{host}"), "--folder", folder]).with_code(0);
        drop(one);
        let host = host.rsplit('@').next().unwrap_or(host);
        self.targets.push((name.into(), host.into(), folder.into()));
    }

    /// Groups and the like, into `targets.toml`.
    pub(crate) fn settings(&self, more: &str) {
        let path = self.home().join("targets.toml");
        let text = std::fs::read_to_string(&path).expect("targets");
        std::fs::write(&path, format!("{more}\n{text}")).expect("written");
    }

    /// Keys of a target.
    pub(crate) fn keys(&self, target: &str, keys: &str) {
        let path = self.home().join("targets.toml");
        let (text, table) = (std::fs::read_to_string(&path).expect("targets"), format!("[targets.{target}]\n"));
        std::fs::write(&path, text.replace(&table, &format!("{table}{keys}\n"))).expect("written");
    }

    /// Home's own name.
    pub(crate) fn uid(&self) -> String {
        let home = std::fs::read_to_string(self.home().join("home.json")).unwrap_or_default();
        let home: Value = serde_json::from_str(&home).unwrap_or_default();
        home["uid"].as_str().unwrap_or("no home").to_string()
    }

    /// A target's folder, as it is called there.
    pub(crate) fn folder_of(&self, target: &str) -> String {
        self.targets.iter().find(|(name, ..)| name == target).expect("a target").2.clone()
    }

    /// Home's part of it, as it is seen from here.
    pub(crate) fn there(&self, target: &str) -> PathBuf {
        let (_, host, folder) = self.targets.iter().find(|(name, ..)| name == target).expect("a target");
        let folder = format!("{folder}/{}/{target}", self.uid());
        if folder.starts_with("/home/") { self.hosts.outside(host, &folder) } else { folder.into() }
    }

    /// A file on the hosts that outlives runs, as scripts there call it.
    pub(crate) fn note(&self, name: &str) -> String {
        format!("{}/{}.{name}", folder(), self.uid())
    }

    /// What scripts on a host left under this name.
    pub(crate) fn noted(&self, host: &str, name: &str) -> String {
        std::fs::read_to_string(self.hosts.outside(host, &self.note(name))).unwrap_or_default()
    }

    pub(crate) fn notes(&self, host: &str, name: &str) {
        std::fs::write(self.hosts.outside(host, &self.note(name)), "").expect("written");
    }

    /// Runs as neronet on a target tells of them itself, whoever can be reached: by `ls -a`, or `queue`.
    pub(crate) fn told_there(&self, target: &str, verb: &str) -> Vec<Value> {
        let (_, host, folder) = self.targets.iter().find(|(name, ..)| name == target).expect("a target");
        let words = format!("cd / && HOME=/home/student {folder}/bin/neronet-* --home {folder}/{}/{target} {verb} --json", self.uid());
        let listed = self.hosts.exec(host, &["su", "-s", "/bin/sh", "student", "-c", &words]).with_code(0).json();
        listed.as_array().expect("an array").clone()
    }

    pub(crate) fn listed(&self, run: u64) -> Value {
        self.list().into_iter().find(|listed| listed["id"] == run).unwrap_or_else(|| panic!("run {run} is not listed"))
    }

    /// What a run's first attempt has printed as far as it is here; nothing before it has begun.
    pub(crate) fn output_so_far(&self, run: u64) -> String {
        self.say(&["logs", &run.to_string()]).out
    }

    /// Once it is so.
    pub(crate) fn wait_listed(&self, run: u64, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        wait_for(&format!("run {run} {what}"), || Some(self.listed(run)).filter(|listed| is(listed)))
    }

    pub(crate) fn all_ended(&self) -> Vec<Value> {
        wait_for("the end of all runs", || Some(self.list()).filter(|runs| runs.iter().all(|run| run["state"] == "ended")))
    }

    pub(crate) fn down(&self) {
        self.say(&["down"]).with_code(0);
        wait_until("no daemon", || !self.daemon_is_there());
    }

    pub(crate) fn daemon_is_there(&self) -> bool {
        let marker = self.path("").display().to_string();
        processes(|words, environment| words.get(1).is_some_and(|word| word == "serve") && environment.contains(&marker)).next().is_some()
    }

    /// The processes of ssh that this home has.
    pub(crate) fn connections(&self) -> Vec<i32> {
        let marker = self.path("").display().to_string();
        processes(|words, environment| words.first().is_some_and(|word| word.starts_with("ssh")) && environment.contains(&marker)).collect()
    }

    /// The pid of the last runner that a target had.
    pub(crate) fn runner(&self, target: &str) -> Option<i64> {
        let notice = std::fs::read(self.there(target).join("runner.json")).ok()?;
        serde_json::from_slice::<Value>(&notice).ok()?["process"]["pid"].as_i64()
    }

    /// All that is this home's on the hosts.
    fn pids_there(&self) -> Vec<i32> {
        let uid = self.uid();
        processes(move |words, environment| words.iter().any(|word| word.contains(&uid)) || environment.contains(&uid)).collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.say(&["down"]);
        self.pids_there().into_iter().for_each(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap_or_default());
        let uid = self.uid();
        if std::thread::panicking() {
            let kept = PathBuf::from(format!("/var/tmp/neronet-kept-{uid}"));
            if std::fs::rename(self.path(""), &kept).is_ok() {
                eprintln!("kept: {}, and {}/{uid} on the hosts", kept.display(), folder());
            }
            return;
        }
        for (_, host, folder) in &self.targets {
            let folder = if folder.starts_with("/home/") { self.hosts.outside(host, folder) } else { PathBuf::from(folder) };
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(&uid) {
                    let removed =
                        if entry.path().is_dir() { std::fs::remove_dir_all(entry.path()) } else { std::fs::remove_file(entry.path()) };
                    removed.ok();
                }
            }
        }
    }
}

/// Of this machine and of all hosts: pids of those of whose words and environment that is true.
pub(crate) fn processes(is: impl Fn(&[String], &str) -> bool) -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").expect("Linux").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()).filter(|pid| *pid != std::process::id() as i32);
    let text = |pid: i32, name: &str| {
        String::from_utf8_lossy(&std::fs::read(Path::new("/proc").join(pid.to_string()).join(name)).unwrap_or_default()).into_owned()
    };
    pids.filter(move |pid| {
        let words: Vec<String> = text(*pid, "cmdline").split('\0').map(str::to_string).collect();
        is(&words, &text(*pid, "environ"))
    })
}
