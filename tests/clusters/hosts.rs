//! The hosts, started once for all tests.

use crate::world::{Said, World};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where everybody may read: sshd looks for keys as the user who comes.
const FOLDER: &str = "/var/tmp/neronet-hosts";

pub(crate) struct Hosts;

/// Nothing where they cannot be started here, which is said; with `CLUSTERS=all` that is a failure.
pub(crate) fn hosts() -> Option<&'static Hosts> {
    static STARTED: OnceLock<Option<Hosts>> = OnceLock::new();
    STARTED
        .get_or_init(|| {
            let up = call(&["up"]);
            if up.code == Some(0) {
                return Some(Hosts);
            }
            let said = format!("NOT TESTED: targets over SSH: tests/clusters/hosts.sh says: {}", up.err.trim());
            assert!(std::env::var("CLUSTERS").as_deref() != Ok("all"), "{said}");
            // Past the test's own standard error, which is shown of failures alone.
            let mut terminal = std::fs::OpenOptions::new().append(true).open("/dev/stderr").expect("standard error");
            writeln!(terminal, "{said}").ok();
            None
        })
        .as_ref()
}

fn call(words: &[&str]) -> Said {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clusters/hosts.sh");
    Command::new(script).args(words).env("HOSTS_DIR", FOLDER).output().expect("bash").into()
}

impl Hosts {
    pub(crate) fn config(&self) -> PathBuf {
        Path::new(FOLDER).join("config")
    }

    /// `cut`, `mend` and so on.
    pub(crate) fn tell(&self, verb: &str, host: &str) {
        call(&[verb, host]).with_code(0);
    }
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
