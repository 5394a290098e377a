//! Who keeps the queue: whoever holds `daemon.lock`.

use neronet_store::Home;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

fn path(home: &Home) -> PathBuf {
    home.root().join("daemon.lock")
}

/// Held for as long as it lives.
pub struct Seat(#[expect(dead_code, reason = "it is held, not read")] Flock<File>);

/// Nothing where somebody else has it.
pub fn take(home: &Home) -> std::io::Result<Option<Seat>> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path(home))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(Seat(lock))),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno.into()),
    }
}

pub fn is_taken(home: &Home) -> bool {
    let Ok(file) = File::open(path(home)) else { return false };
    matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, nix::errno::Errno::EWOULDBLOCK)))
}
