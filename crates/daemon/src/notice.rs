//! `daemon.json` in home: who serves it, and where it answers. Left behind by a daemon that was killed, it is known by its process.

use neronet_home::{Context, HomeError};
use neronet_model::event::Process;
use neronet_model::{FORMAT, UnixMs};
use neronet_store::files::{self, Durability};
use neronet_store::{Home, StoreError};
use neronet_supervise::os::process::{self, Alive};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
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

/// `daemon.lock`, held by the daemon for as long as it lives; by nobody else.
#[derive(Debug)]
pub(crate) struct Held {
    _lock: Flock<std::fs::File>,
}

impl Held {
    /// Nothing when somebody else holds it.
    pub(crate) fn take(home: &Home) -> Result<Option<Held>, StoreError> {
        files::make_folder(home.root())?;
        let path = home.root().join("daemon.lock");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut lock) => {
                // For people who wonder; of no other use, so a failure costs nothing.
                lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| write!(lock, "{}", std::process::id())).ok();
                Ok(Some(Held { _lock: lock }))
            }
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(StoreError::io("lock", &path)(errno.into())),
        }
    }

    /// The process that was the last to take it.
    pub(crate) fn holder(home: &Home) -> String {
        let mut holder = String::new();
        std::fs::File::open(home.root().join("daemon.lock")).and_then(|mut file| file.read_to_string(&mut holder)).ok();
        holder.trim().to_string()
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
