//! The hosts, started once for all tests: some that are left in peace, and some to which anything may happen.

use crate::world::{Said, World};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// A group of hosts with a network of its own. Its folder is where everybody may read: sshd looks for keys as the user who comes.
pub(crate) struct Hosts {
    folder: &'static str,
    names: &'static str,
    net: &'static str,
    bridge: &'static str,
    /// What is special with them, as `hosts.sh` calls it.
    special: &'static str,
    started: OnceLock<bool>,
}

static CALM: Hosts = Hosts {
    folder: "/var/tmp/neronet-hosts",
    names: "alpha beta",
    net: "10.213.9",
    bridge: "nr-br",
    special: "",
    started: OnceLock::new(),
};
static HARMED: Hosts = Hosts {
    folder: "/var/tmp/neronet-hosts-storm",
    names: "gale squall drift",
    net: "10.213.77",
    bridge: "nr-storm",
    special: "HOSTS_CLOCKS",
    started: OnceLock::new(),
};
static CLOCKS: Hosts = Hosts {
    folder: "/var/tmp/neronet-hosts-clocks",
    names: "dawn dusk noon night doze ebb",
    net: "10.213.78",
    bridge: "nr-clocks",
    special: "HOSTS_CLOCKS",
    started: OnceLock::new(),
};
static ODD: Hosts = Hosts {
    folder: "/var/tmp/neronet-hosts-odd",
    names: "hall attic",
    net: "10.213.79",
    bridge: "nr-odd",
    special: "HOSTS_OWN",
    started: OnceLock::new(),
};

/// `alpha` and `beta`, to which nothing happens. Nothing where they cannot be started here, which is said; with `CLUSTERS=all` that is
/// a failure.
pub(crate) fn hosts() -> Option<&'static Hosts> {
    CALM.up()
}

/// `gale` and `squall`, for random faults. Their clocks are their own, too.
pub(crate) fn harmed() -> Option<&'static Hosts> {
    HARMED.up()
}

/// Hosts with clocks of their own, each for one test: `dawn`, `dusk`, `noon` and `night` for the clock that people read, `doze` for that
/// which counts from its start, `ebb` to be cut off.
pub(crate) fn clocks() -> Option<&'static Hosts> {
    CLOCKS.up()
}

/// Hosts with GPUs, programs and a logind of their own: `hall` for GPUs, `attic` for what else a machine says of itself.
pub(crate) fn odd() -> Option<&'static Hosts> {
    ODD.up()
}

/// `drift`, for whoever has the guard.
pub(crate) fn drift() -> Option<(&'static Hosts, MutexGuard<'static, ()>)> {
    static ONE: Mutex<()> = Mutex::new(());
    let hosts = HARMED.up()?;
    Some((hosts, ONE.lock().unwrap_or_else(PoisonError::into_inner)))
}

impl Hosts {
    fn up(&'static self) -> Option<&'static Hosts> {
        let started = self.started.get_or_init(|| {
            let up = self.call(&["up"]);
            if up.code == Some(0) {
                self.remove_what_was_left();
                return true;
            }
            let said = format!("NOT TESTED: targets over SSH: tests/clusters/hosts.sh says: {}", up.err.trim());
            assert!(std::env::var("CLUSTERS").as_deref() != Ok("all"), "{said}");
            // Past the test's own standard error, which is shown of failures alone.
            let mut terminal = std::fs::OpenOptions::new().append(true).open("/dev/stderr").expect("standard error");
            writeln!(terminal, "{said}").ok();
            false
        });
        started.then_some(self)
    }

    fn call(&self, words: &[&str]) -> Said {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clusters/hosts.sh");
        let mut command = Command::new(script);
        command.env("HOSTS_DIR", self.folder).env("HOSTS", self.names).env("HOSTS_NET", self.net).env("HOSTS_BRIDGE", self.bridge);
        if !self.special.is_empty() {
            command.env(self.special, "1");
        }
        command.args(words).output().expect("bash").into()
    }

    pub(crate) fn config(&self) -> PathBuf {
        Path::new(self.folder).join("config")
    }

    /// `cut`, `mend` and so on.
    pub(crate) fn tell(&self, verb: &str, host: &str) {
        self.call(&[verb, host]).with_code(0);
    }

    /// Its clock is so many seconds ahead of ours, and it is so much later since its start.
    pub(crate) fn clock(&self, host: &str, ahead: i64, later: i64) {
        self.call(&["clock", host, &ahead.to_string(), &later.to_string()]).with_code(0);
    }

    /// As root in a host.
    pub(crate) fn exec(&self, host: &str, words: &[&str]) -> Said {
        self.call(&[&["exec", host], words].concat())
    }

    /// Of the processes of a host.
    pub(crate) fn namespace(&self, host: &str) -> Option<PathBuf> {
        let outer = std::fs::read_to_string(Path::new(self.folder).join(format!("{host}.pid"))).ok()?;
        let outer = outer.split(' ').next()?;
        let inner = std::fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).ok()?;
        std::fs::read_link(format!("/proc/{}/ns/pid", inner.split_whitespace().next()?)).ok()
    }

    /// What ssh is to know where its wires stall after so many bytes, until the world's file `flows` is there.
    pub(crate) fn stalling(&self, world: &World, bytes: u64) -> String {
        let wire = world.path("stalls.py");
        std::fs::write(&wire, include_str!("stalls.py")).expect("written");
        let wire = format!("python3 {} %h %p {bytes} {}", wire.display(), world.path("flows").display());
        format!("ProxyCommand {wire}\nInclude {}\n", self.config().display())
    }

    /// A path below `/home` of a host, or of what is its own, as it is seen from here.
    pub(crate) fn outside(&self, host: &str, path: &str) -> PathBuf {
        Path::new(self.folder).join(host).join(path.trim_start_matches('/'))
    }

    /// Folders of test processes that are gone.
    fn remove_what_was_left(&self) {
        for (host, user) in self.names.split(' ').flat_map(|host| ["student", "fish"].map(|user| (host, user))) {
            let entries = std::fs::read_dir(self.outside(host, &format!("/home/{user}"))).into_iter().flatten().flatten();
            for entry in entries {
                let name = entry.file_name().to_string_lossy().into_owned();
                let gone = |pid: &str| !Path::new("/proc").join(pid).exists();
                if name.strip_prefix(FOLDER).is_some_and(gone) {
                    std::fs::remove_dir_all(entry.path()).ok();
                }
            }
        }
    }
}

const FOLDER: &str = "neronet-tests.";

/// Where everything of this process is on each host: the binary is brought there once.
pub(crate) fn folder() -> String {
    format!("/home/student/{FOLDER}{}", std::process::id())
}

impl World {
    /// `neronet` for whom these hosts are what ssh knows.
    pub(crate) fn with(&self, hosts: &Hosts, words: &[&str]) -> Command {
        let mut command = self.neronet(words);
        command.env("NERONET_SSH_CONFIG", hosts.config()).env_remove("SSH_AUTH_SOCK");
        command
    }

    pub(crate) fn say_with(&self, hosts: &Hosts, words: &[&str]) -> Said {
        self.with(hosts, words).output().expect("neronet starts").into()
    }
}
