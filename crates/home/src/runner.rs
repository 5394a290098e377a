//! The runner: a process of its own on a target that starts what the target was given, whether home is there or not. It is what keeps
//! the queue at home, without those who ask. It leaves when there is nothing to do; whoever gives the target something starts it again.

use crate::context::Context;
use crate::drive::{Drive, Whose, Wish};
use crate::error::HomeError;
use crate::given::Given;
use crate::seat;
use neronet_model::event::Process;
use neronet_store::Home;
use neronet_store::files::{self, Durability};
use neronet_supervise::os::process;
use neronet_supervise::start;
use nix::sys::signal::Signal;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::unistd::{User, getuid};
use serde::{Deserialize, Serialize};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Without anything to do.
const IDLE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_secs(30);
/// For a login shell to come to us; then we are started without one.
const LOGIN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// Who runs: one of another binary is replaced.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Notice {
    process: Process,
    binary: PathBuf,
}

fn notice(context: &Context) -> PathBuf {
    context.home.root().join("runner.json")
}

/// Until there is nothing to do. The exit code.
///
/// # Errors
/// The queue cannot be kept.
pub fn run(context: &Context) -> Result<i32, HomeError> {
    let failed = |what: &str, e: &dyn std::fmt::Display| HomeError::Failed(format!("{what}: {e}"));
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)
        .and_then(|timer| {
            let every = Expiration::Interval(TimeSpec::from_duration(LOOK));
            timer.set(every, TimerSetTimeFlags::empty()).map(|()| timer)
        })
        .map_err(|e| failed("the system gives no timer", &e))?;
    loop {
        let Some(seat) = seat::take(&context.home).map_err(|e| failed("daemon.lock cannot be taken", &e))? else { return Ok(0) };
        let context = &Context { given: Some(Given::listen(context)?), ..context.clone() };
        let me = Notice { process: process::myself(), binary: context.neronet.clone() };
        files::replace_json(&notice(context), &me, Durability::Renamed)?;
        let mut busy = Instant::now();
        Drive::new(context, Whose::Detached, None)?.keep(timer.as_fd(), |progress| {
            timer.wait().ok();
            if progress.queued > 0 || !progress.running.is_empty() {
                busy = Instant::now();
            }
            if busy.elapsed() >= IDLE { Wish::Leave } else { Wish::GoOn }
        })?;
        drop(seat);
        // Somebody may have counted on us at that moment.
        if context.home.read()?.queue.counts() == (0, 0) {
            return Ok(0);
        }
    }
}

/// That of the user, if it is one.
pub(crate) fn login_shell() -> Option<PathBuf> {
    User::from_uid(getuid()).ok().flatten().map(|user| user.shell).filter(|shell| shell.is_file())
}

/// Who starts runs here, if anybody does.
pub(crate) fn process(context: &Context) -> Option<Process> {
    let known: Option<Notice> = files::read_json(&notice(context)).ok().flatten();
    known.filter(|_| seat::is_taken(&context.home)).map(|known| known.process)
}

/// What the last runner of a target's folder was started from.
pub(crate) fn binary(home: &Home) -> Option<PathBuf> {
    let known: Option<Notice> = files::read_json(&home.root().join("runner.json")).ok().flatten();
    known.map(|known| known.binary)
}

/// Sees to it that somebody starts what is queued here, where anything is. `tried`: when that was done last, until somebody is there.
pub(crate) fn ensure(context: &Context, tried: &mut Option<Instant>) -> Result<(), HomeError> {
    let is_taken = seat::is_taken(&context.home);
    if is_taken {
        *tried = None;
    }
    if context.home.read()?.queue.counts() == (0, 0) {
        return Ok(());
    }
    if is_taken {
        let known: Option<Notice> = files::read_json(&notice(context)).ok().flatten();
        // What it has started needs it for nothing.
        if let Some(old) = known.filter(|known| known.binary != context.neronet) {
            process::signal(&old.process, Signal::SIGTERM);
            let until = Instant::now() + Duration::from_secs(5);
            while seat::is_taken(&context.home) && Instant::now() < until {
                std::thread::sleep(POLL);
            }
        } else {
            return Ok(());
        }
    }
    // The first comes through a login shell, whose environment runs have; one that never comes is not waited for again.
    let again = tried.is_some_and(|at| at.elapsed() < LOGIN);
    if again {
        return Ok(());
    }
    let shell = login_shell().filter(|_| tried.is_none());
    *tried = Some(Instant::now());
    let log = context.home.root().join("runner.log");
    match shell {
        Some(shell) => start::through_login(&shell, &context.neronet, context.home.root(), &log)?,
        None => start::detached(&context.neronet, &["runner".into(), context.home.root().display().to_string()], &[], &log)?,
    };
    Ok(())
}
