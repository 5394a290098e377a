//! Starts the researcher's command: own process group, output to files, and not one instruction of it before the record
//! says that it runs.

use crate::os::courtesy;
use crate::os::fork::{self, Exec};
use crate::secrets::Secrets;
use neronet_model::launch::Launch;
use neronet_model::outcome::Cause;
use neronet_store::spool;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::{Pid, chdir, pipe2, setpgid};
use nix::{fcntl::OFlag, unistd};
use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A command that waits for the word to go.
pub(crate) struct Waiting {
    pub(crate) pid: Pid,
    go: OwnedFd,
    failure: OwnedFd,
}

/// Forks the command's process. It waits, and ends by itself if we are killed meanwhile.
pub(crate) fn prepare(folder: &Path, launch: &Launch, secrets: &Secrets) -> Result<Waiting, Cause> {
    let exec = exec_of(launch, secrets)?;
    let directory = launch.directory.clone();
    let cores = launch.grant.as_ref().map(|grant| grant.cores.clone()).unwrap_or_default();
    let courtesy = launch.courtesy;
    let not_started = |what: &str, e: &dyn std::fmt::Display| Cause::NotStarted(format!("{what}: {e}"));
    let stdin = File::open("/dev/null").map_err(|e| not_started("/dev/null", &e))?;
    let stdout = raw(folder, "stdout").map_err(|e| not_started("its output file", &e))?;
    let stderr = raw(folder, "stderr").map_err(|e| not_started("its output file", &e))?;
    let (wait, go) = pipe2(OFlag::O_CLOEXEC).map_err(|e| not_started("a pipe", &e))?;
    let (failure, tell) = pipe2(OFlag::O_CLOEXEC).map_err(|e| not_started("a pipe", &e))?;
    let go_raw = std::os::fd::AsRawFd::as_raw_fd(&go);
    let child = || {
        // Our own end must go, or we would never see that the keeper is gone.
        unistd::close(go_raw).ok();
        setpgid(Pid::from_raw(0), Pid::from_raw(0)).ok();
        let mut word = [0];
        if !matches!(unistd::read(&wait, &mut word), Ok(1)) {
            return 127;
        }
        let installed = fork::install(stdin.as_fd(), 0).and(fork::install(stdout.as_fd(), 1)).and(fork::install(stderr.as_fd(), 2));
        let errno = match installed.and_then(|()| chdir(Path::new(&directory))) {
            Ok(()) => {
                courtesy::bind(&cores);
                courtesy::stand_back(courtesy);
                // Whatever the keeper blocks or ignores is its own affair.
                sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None).ok();
                reset_signals();
                exec.replace_me()
            }
            Err(errno) => errno,
        };
        unistd::write(&tell, &(errno as i32).to_le_bytes()).ok();
        127
    };
    let pid = fork::fork_into(child).map_err(|e| not_started("fork", &e))?;
    // In both processes, so that the group is there whichever comes first.
    setpgid(pid, pid).ok();
    Ok(Waiting { pid, go, failure })
}

fn reset_signals() {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, Signal};
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGPIPE, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        fork::set_handler(signal, &default);
    }
}

fn raw(folder: &Path, name: &str) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(spool::raw(folder, name))
}

impl Waiting {
    /// Lets it go. Says why when the program could not be executed.
    pub(crate) fn release(self, launch: &Launch) -> Result<(), Cause> {
        let Waiting { go, failure, .. } = self;
        let mut go = File::from(go);
        go.write_all(b"g").map_err(|e| Cause::NotStarted(format!("a pipe: {e}")))?;
        drop(go);
        let mut told = Vec::new();
        File::from(failure).read_to_end(&mut told).map_err(|e| Cause::NotStarted(format!("a pipe: {e}")))?;
        match <[u8; 4]>::try_from(told.as_slice()) {
            Ok(errno) => Err(cause_of(Errno::from_raw(i32::from_le_bytes(errno)), launch)),
            Err(_) => Ok(()),
        }
    }
}

fn cause_of(errno: Errno, launch: &Launch) -> Cause {
    let program = launch.argv.first().cloned().unwrap_or_default();
    if !Path::new(&launch.directory).is_dir() {
        return Cause::NotStarted(format!("the folder {} is not there", launch.directory));
    }
    match errno {
        Errno::ENOENT if program.contains('/') && Path::new(&launch.directory).join(&program).exists() => {
            Cause::NotStarted(format!("{program} names an interpreter in its first line that is not there"))
        }
        Errno::ENOENT => Cause::NotFound(program),
        Errno::EACCES => Cause::NotExecutable(program),
        Errno::ENOEXEC => Cause::NotStarted(format!("{program} is no program: a script needs a first line such as '#!/bin/sh'")),
        Errno::E2BIG => Cause::NotStarted("its arguments and environment are longer than the system allows".into()),
        other => Cause::NotStarted(format!("{program}: {}", other.desc())),
    }
}

/// The environment that we inherited, with the launch's changes and the secrets; the program looked up in the resulting PATH.
fn exec_of(launch: &Launch, secrets: &Secrets) -> Result<Exec, Cause> {
    let mut env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    for (name, value) in &launch.env {
        match value {
            Some(value) => drop(env.insert(name.into(), value.into())),
            None => drop(env.remove(std::ffi::OsStr::new(name))),
        }
    }
    env.extend(secrets.variables().map(|(name, value)| (name.into(), value.into())));
    let program =
        launch.argv.first().filter(|program| !program.is_empty()).ok_or_else(|| Cause::NotStarted("the command is empty".into()))?;
    let path = env.get(std::ffi::OsStr::new("PATH")).map_or_else(|| "/usr/local/bin:/usr/bin:/bin".into(), OsString::clone);
    let text = |bytes: &[u8]| CString::new(bytes).map_err(|_| Cause::NotStarted("an argument or variable holds a NUL byte".into()));
    let programs = if program.contains('/') {
        vec![text(program.as_bytes())?]
    } else {
        let folders = path.as_bytes().split(|b| *b == b':');
        folders
            .map(|folder| text(&[if folder.is_empty() { b"." } else { folder }, b"/", program.as_bytes()].concat()))
            .collect::<Result<_, _>>()?
    };
    let argv = launch.argv.iter().map(|word| text(word.as_bytes())).collect::<Result<_, _>>()?;
    let env = env.iter().map(|(name, value)| text(&[name.as_bytes(), b"=", value.as_bytes()].concat())).collect::<Result<_, _>>()?;
    Ok(Exec { programs, argv, env })
}
