//! The nursery: a fresh, small process with one thread, from which keepers are forked.
//!
//! To execute neronet anew for each keeper costs more than all else that starts a run; to fork the caller would take its
//! memory and threads along. The nursery is executed once for a sweep, early, with the environment that the commands inherit.
//! It ends when whoever opened it does; its keepers need it for nothing.

use crate::keeper;
use crate::os::{fork, process};
use crate::secrets::{self, Secrets};
use crate::spooler::inherited_secrets;
use crate::start::{self, METRICS_VARIABLE};
use neronet_store::StoreError;
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, recvmsg, sendmsg, socketpair,
};
use sha2::{Digest, Sha256};
use std::ffi::{OsStr, OsString};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

pub(crate) const ROLE: &str = "nursery";
/// A folder and the secrets of an attempt.
const LONGEST: usize = (16 << 10) + secrets::MOST;
/// Keepers show their folder in the room of this last word.
const ROOM_FOR_TITLES: usize = 1 << 10;

pub struct Nursery {
    socket: OwnedFd,
}

impl Nursery {
    pub fn open(neronet: &Path, environment: &[(OsString, OsString)]) -> Result<Nursery, StoreError> {
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .map_err(|e| StoreError::io("talk to", neronet)(e.into()))?;
        let mut command = Command::new(neronet);
        command
            .arg0("neronet")
            .arg(ROLE)
            .arg(" ".repeat(ROOM_FOR_TITLES))
            .current_dir("/")
            .stdin(theirs)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // Started from within a run, what comes of this nursery is no part of that run.
        command.env_clear().envs(environment.iter().map(|(name, value)| (name, value))).env_remove(METRICS_VARIABLE);
        start::detach(&mut command);
        command.spawn().map_err(|source| StoreError::Io { doing: "start", path: neronet.to_path_buf(), source })?;
        Ok(Nursery { socket: ours })
    }

    /// Has a keeper forked for the attempt in `folder`. What is given becomes readable (end of file) when that keeper is gone.
    /// The secrets are in the same message, as no file may hold them.
    pub(crate) fn keep(&self, folder: &Path, secrets: &Secrets) -> nix::Result<OwnedFd> {
        let (gone, held) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
        let held = [held.as_raw_fd()];
        let mut message = folder.as_os_str().as_bytes().to_vec();
        secrets.write(&mut message);
        let sent = if message.len() <= LONGEST {
            let parts = [IoSlice::new(&message)];
            sendmsg::<UnixAddr>(self.socket.as_raw_fd(), &parts, &[ControlMessage::ScmRights(&held)], MsgFlags::MSG_NOSIGNAL, None)
        } else {
            Err(Errno::EMSGSIZE)
        };
        message.fill(0);
        sent.map(|_| gone)
    }
}

/// The nursery's own life: forks a keeper for each folder that it is told, until nobody is there to tell.
pub fn nurse() -> i32 {
    fork::set_name(c"neronet-nursery");
    // Keepers that end while we live are nobody's business here.
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    fork::set_handler(Signal::SIGCHLD, &ignore);
    learn_for_all();
    let socket = std::io::stdin();
    let mut message = vec![0; LONGEST];
    loop {
        match next(socket.as_fd().as_raw_fd(), &mut message) {
            Ok(Some((length, held))) => {
                let told = &mut message[..length];
                let (folder, secrets) = told.split_at(told.iter().position(|b| *b == 0).unwrap_or(length));
                // If this fails, the pipe closes, and whoever waits finds an attempt that nobody began.
                fork::fork_into(|| keeper_role(Path::new(OsStr::from_bytes(folder)), Secrets::read(secrets), &held)).ok();
                told.fill(0);
            }
            Ok(None) => return 0,
            Err(Errno::EINTR) => {}
            Err(_) => return 1,
        }
    }
}

/// What each keeper and supervisor would find out for itself, they inherit: to ask the processor what it can do is slow in
/// virtual machines.
fn learn_for_all() {
    Sha256::digest(b"");
    memchr::memchr2(b'\n', b'\r', b"");
    process::myself();
    inherited_secrets();
}

fn next(socket: RawFd, told: &mut [u8]) -> nix::Result<Option<(usize, OwnedFd)>> {
    let mut parts = [IoSliceMut::new(told)];
    let mut space = nix::cmsg_space!([RawFd; 1]);
    let message = recvmsg::<UnixAddr>(socket, &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let held = message.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::ScmRights(fds) => fds.first().map(|fd| fork::own(*fd)),
        _ => None,
    });
    Ok(held.map(|held| (message.bytes, held)))
}

fn keeper_role(folder: &Path, secrets: Secrets, held: &OwnedFd) -> i32 {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    fork::set_handler(Signal::SIGCHLD, &default);
    nix::unistd::setsid().ok();
    // Standard input was the socket; standard output becomes the pipe by which the keeper's end is seen.
    let installed = std::fs::File::open("/dev/null").map_err(|_| Errno::ENOENT).and_then(|null| fork::install(null.as_fd(), 0));
    if installed.and_then(|()| fork::install(held.as_fd(), 1)).is_err() {
        return 1;
    }
    fork::close_all_but(&[]);
    fork::set_title(&[b"neronet", b"keeper", folder.as_os_str().as_bytes()]);
    keeper::keep(folder, secrets)
}
