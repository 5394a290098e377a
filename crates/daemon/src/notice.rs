//! `daemon.json` in home: who serves it, and where it answers. Left behind by a daemon that was killed, it is known by its process.

use neronet_home::{Context, HomeError};
use neronet_model::event::Process;
use neronet_model::{FORMAT, UnixMs};
use neronet_store::files::{self, Durability};
use neronet_store::{Home, StoreError};
use neronet_supervise::os::process::{self, Alive};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// This version, which a newer one replaces.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    pub format: u32,
    pub version: String,
    pub process: Process,
    pub started: UnixMs,
    pub socket: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<String>,
    /// It was asked for, so it does not leave when there is nothing to do.
    pub stays: bool,
}

impl Notice {
    pub(crate) fn new(context: &Context, socket: PathBuf, tcp: Option<String>, stays: bool) -> Notice {
        Notice { format: FORMAT, version: VERSION.into(), process: process::myself(), started: context.now(), socket, tcp, stays }
    }

    fn path(home: &Home) -> PathBuf {
        home.root().join("daemon.json")
    }

    pub(crate) fn write(&self, home: &Home) -> Result<(), StoreError> {
        files::replace_json(&Notice::path(home), self, Durability::Renamed)
    }

    /// Only by the daemon that wrote it, while it holds the lock.
    pub(crate) fn remove(home: &Home) {
        std::fs::remove_file(Notice::path(home)).ok();
    }
}

pub(crate) fn is_older(version: &str, than: &str) -> bool {
    numbers(version) < numbers(than)
}

/// `0.10.2` is newer than `0.9`; what is behind a `-` or `+` does not count.
fn numbers(version: &str) -> Vec<u64> {
    let bare = version.split(['-', '+']).next().unwrap_or_default();
    bare.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

/// What `daemon.json` comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    Nobody,
    Here(Notice),
    /// On another host, or in a container: its socket is of no use here.
    Elsewhere(Notice),
}

pub fn find(home: &Home) -> Found {
    // One that cannot be read was not written by anybody who answers.
    match files::read_json::<Notice>(&Notice::path(home)) {
        Ok(Some(notice)) => match process::alive(&notice.process) {
            Alive::Yes => Found::Here(notice),
            Alive::No => Found::Nobody,
            Alive::ElsewhereUnknown => Found::Elsewhere(notice),
        },
        Ok(None) | Err(_) => Found::Nobody,
    }
}

/// That nobody here can talk to the daemon of this home.
pub(crate) fn elsewhere(notice: &Notice) -> HomeError {
    HomeError::Daemon(format!(
        "home is served by process {} on {} (or in a container there); `neronet down` there ends that, and its runs go on",
        notice.process.pid, notice.process.host
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(is_older("0.9.0", "0.10.0"));
        assert!(is_older("0.1.0", "0.1.1-beta"));
        assert!(!is_older("1.0.0+abc", "1.0.0"));
        assert!(is_older("nonsense", VERSION));
    }
}
