//! What is done to hosts and processes, by chance, and when.

use crate::chance::Random;
use crate::lab::{Lab, processes};
use crate::world::World;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Harm {
    /// No wire for a while.
    Cut,
    /// Nothing there moves for a while.
    Freeze,
    Reboot,
    /// The target's disk for a while.
    Full,
    /// Its clock is set ahead by so many hours, or back, and right after a while.
    Clock(i64),
    /// Home's part of the target's folder goes.
    Wipe,
    /// And all else in it that is ours.
    WipeAll,
    Kill(Whom),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whom {
    Daemon,
    /// Home's.
    Ssh,
    Agent,
    /// sshd's process for the connection.
    Session,
    Runner,
    Nurseries,
    Keepers,
    Supervisors,
    Runs,
}

const ALL: [Harm; 20] = [
    Harm::Cut,
    Harm::Cut,
    Harm::Freeze,
    Harm::Reboot,
    Harm::Reboot,
    Harm::Full,
    Harm::Full,
    Harm::Clock(5),
    Harm::Clock(-30),
    Harm::Wipe,
    Harm::WipeAll,
    Harm::Kill(Whom::Daemon),
    Harm::Kill(Whom::Ssh),
    Harm::Kill(Whom::Agent),
    Harm::Kill(Whom::Session),
    Harm::Kill(Whom::Runner),
    Harm::Kill(Whom::Nurseries),
    Harm::Kill(Whom::Keepers),
    Harm::Kill(Whom::Supervisors),
    Harm::Kill(Whom::Runs),
];

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = if self.ends { " ends" } else { "" };
        write!(f, "{:?}{ends} on {} at {} ms", self.harm, self.host, self.at.as_millis())
    }
}

/// At its moment, to one of the hosts: begun, or ended where it lasts.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    pub(crate) at: Duration,
    pub(crate) host: usize,
    pub(crate) harm: Harm,
    pub(crate) ends: bool,
}

/// One or two, in the order of their moments; a third within the first moments, when most happens.
pub(crate) fn planned(random: &mut Random, hosts: usize) -> Vec<Event> {
    let mut events = Vec::new();
    for _ in 0..=random.below(2) {
        let (harm, host) = (random.of(&ALL), random.below(hosts as u64) as usize);
        let latest = random.of(&[1_500, 4_000, 7_000]);
        // Until then there is nobody there.
        let earliest = if matches!(harm, Harm::Kill(whom) if whom >= Whom::Runner) { 900 } else { 0 };
        let at = Duration::from_millis(earliest + random.below(latest));
        events.push(Event { at, host, harm, ends: false });
        // Now and then until home notices.
        let longest = if random.below(8) == 0 { 40_000 } else { 4_000 };
        if matches!(harm, Harm::Cut | Harm::Freeze | Harm::Full | Harm::Clock(_)) {
            events.push(Event { at: at + Duration::from_millis(random.below(longest)), host, harm, ends: true });
        }
    }
    events.sort_by_key(|event| event.at);
    events
}

/// What was done so far, for whoever judges what it came to.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Attempts whose keeper, supervisor or command was killed.
    pub(crate) killed: BTreeSet<(u64, u64)>,
    /// Targets that forgot everything.
    pub(crate) wiped: BTreeSet<String>,
    pub(crate) rebooted: BTreeSet<String>,
    /// Whose disk went with that.
    pub(crate) emptied: BTreeSet<String>,
    pub(crate) full: BTreeSet<String>,
}

impl Done {
    pub(crate) fn to(&mut self, lab: &Lab, target: &str, host: &str, event: &Event) {
        let on_tmpfs = lab.folder_of(target).contains("disk");
        match (event.harm, event.ends) {
            (Harm::Cut, false) => lab.hosts.tell("cut", host),
            (Harm::Cut, true) => lab.hosts.tell("mend", host),
            (Harm::Freeze, false) => lab.hosts.tell("freeze", host),
            (Harm::Freeze, true) => lab.hosts.tell("thaw", host),
            (Harm::Reboot, _) => {
                // It could not be told that it is up.
                lab.hosts.tell("mend", host);
                self.rebooted.insert(target.into());
                if on_tmpfs {
                    self.wiped.insert(target.into());
                    self.emptied.insert(target.into());
                }
                lab.hosts.tell("reboot", host);
            }
            (Harm::Full, false) => {
                self.full.insert(target.into());
                let fill = format!("head -c 1000000000 /dev/zero > {}/filler", lab.folder_of(target));
                lab.hosts.exec(host, &["sh", "-c", &fill]);
            }
            (Harm::Full, true) => drop(lab.hosts.exec(host, &["rm", "-f", &format!("{}/filler", lab.folder_of(target))])),
            (Harm::Wipe | Harm::WipeAll, _) => {
                self.wiped.insert(target.into());
                let (folder, uid) = (lab.folder_of(target), lab.uid());
                let all = if event.harm == Harm::WipeAll { format!("{folder}/bin {folder}/{uid}") } else { format!("{folder}/{uid}") };
                // What is written meanwhile may be in the way.
                lab.hosts.exec(host, &["sh", "-c", &format!("for n in 1 2 3 4 5; do rm -rf {all} && break; done")]);
            }
            (Harm::Clock(hours), ends) => lab.hosts.clock(host, if ends { 0 } else { hours * 3600 }, 0),
            (Harm::Kill(whom), _) => self.kill(lab, host, whom),
        }
    }

    /// What of it was done to another home's runs on the same hosts.
    pub(crate) fn to_another_home(&self) -> Done {
        let (rebooted, full, wiped) = (self.rebooted.clone(), self.full.clone(), self.emptied.clone());
        Done { rebooted, full, emptied: wiped.clone(), wiped, killed: BTreeSet::new() }
    }

    fn kill(&mut self, lab: &Lab, host: &str, whom: Whom) {
        let uid = lab.uid();
        let here = lab.world.path("").display().to_string();
        let there = lab.hosts.namespace(host);
        let one = |words: &[String], n: usize| words.get(n).map(String::as_str).unwrap_or_default().to_string();
        for pid in all_of(whom, &uid, &here, there.as_deref(), &one) {
            let (words, environment) = of_process(pid);
            let folder = one(&words, 2);
            self.killed.extend(
                attempt_of(&folder)
                    .or_else(|| named(&environment))
                    .filter(|_| matches!(whom, Whom::Keepers | Whom::Supervisors | Whom::Runs)),
            );
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap_or_default();
        }
    }
}

fn all_of(whom: Whom, uid: &str, here: &str, there: Option<&Path>, one: &dyn Fn(&[String], usize) -> String) -> Vec<i32> {
    let all = processes(|words, environment| {
        let of_home = || words.iter().any(|word| word.contains(uid)) || environment.contains(uid);
        match whom {
            Whom::Daemon => one(words, 1) == "serve" && environment.contains(here),
            Whom::Ssh => one(words, 0) == "ssh" && environment.contains(here),
            Whom::Agent => one(words, 1) == "agent",
            Whom::Session => one(words, 0).starts_with("sshd: ") && !one(words, 0).contains("listener"),
            Whom::Runner => one(words, 1) == "runner" && of_home(),
            Whom::Nurseries => one(words, 1) == "nursery",
            Whom::Keepers | Whom::Supervisors => matches!(one(words, 1).as_str(), "keeper" | "supervisor") && of_home(),
            Whom::Runs => words.iter().any(|word| word == "work.sh") && of_home(),
        }
    });
    let is_supervisor = |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().starts_with("neronet-superv");
    let namespace = |pid: &i32| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let is_there = |pid: &i32| matches!(whom, Whom::Daemon | Whom::Ssh) || namespace(pid).as_deref() == there;
    let is_meant = |pid: &i32| match whom {
        Whom::Keepers => !is_supervisor(pid),
        Whom::Supervisors => is_supervisor(pid),
        _ => true,
    };
    all.filter(is_there).filter(is_meant).collect()
}

fn of_process(pid: i32) -> (Vec<String>, String) {
    let text = |name: &str| String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default()).into_owned();
    (text("cmdline").split('\0').map(str::to_string).collect(), text("environ"))
}

/// From the path of its folder.
fn attempt_of(folder: &str) -> Option<(u64, u64)> {
    let (run, attempt) = folder.split_once("/runs/")?.1.split_once("/attempts/")?;
    Some((run.parse().ok()?, attempt.parse().ok()?))
}

fn named(environment: &str) -> Option<(u64, u64)> {
    let value = |name: &str| environment.split('\0').find_map(|one| one.strip_prefix(name)?.parse().ok());
    Some((value("NERONET_RUN=")?, value("NERONET_ATTEMPT=")?))
}

/// Everything is as it was but clocks, and the daemon is there again.
pub(crate) fn heal(lab: &Lab, targets: &[(&str, &str)]) {
    for (target, host) in targets {
        lab.hosts.tell("mend", host);
        lab.hosts.tell("thaw", host);
        lab.hosts.exec(host, &["rm", "-f", &format!("{}/filler", lab.folder_of(target))]);
    }
    let world: &World = &lab.world;
    world.say(&["serve", "--background"]).with_code(0);
}
