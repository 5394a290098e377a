//! A command that is executed on a machine and has our terminal: ssh, which says on its standard error what it has to say itself.

use crate::last_words::LastWords;
use crate::passed_on::{Ended, LOOK, Said, asked};
use crate::trouble::Trouble;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;
use std::io;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// Ctrl-C goes there as the key that it is. What we are told does not, but by `tell`; ssh, which is, puts the terminal back as it was.
pub(crate) fn on_terminal(mut command: Command, tell: Option<Command>) -> io::Result<Ended> {
    // What is blocked here would be blocked for what is started, and is to be blocked for threads.
    let mut child = command.stderr(Stdio::piped()).spawn()?;
    let (set, signals) = asked([Signal::SIGTERM, Signal::SIGHUP])?;
    let errors = Arc::new(LastWords::default());
    if let Some(said) = child.stderr.take() {
        let errors = Arc::clone(&errors);
        std::thread::Builder::new().name("errors".into()).spawn(move || errors.keep(said, io::stderr()))?;
    }
    let ended = told(child, &signals, tell);
    set.thread_unblock().ok();
    let ended = ended?;
    // That it takes no more is told besides: nothing there has failed.
    Ok(match &ended {
        Ended::With(status, _) => match Trouble::of(&errors.all(), "", status.code()) {
            busy @ Trouble::Busy(_) => Ended::Unreached(busy),
            _ => ended,
        },
        _ => ended,
    })
}

fn told(mut child: Child, signals: &SignalFd, mut tell: Option<Command>) -> io::Result<Ended> {
    let mut asked = None;
    loop {
        if let Some(ended) = child.try_wait()? {
            return Ok(asked.map_or_else(|| Ended::With(ended, Said::default()), Ended::Asked));
        }
        poll(&mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)], LOOK).ok();
        while let Ok(Some(signal)) = signals.read_signal() {
            let signal = Signal::try_from(signal.ssi_signo as i32).unwrap_or(Signal::SIGTERM);
            let tell = tell.take().filter(|_| signal == Signal::SIGTERM);
            let heard = tell.is_some_and(|mut tell| {
                tell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|ended| ended.success())
            });
            if !heard {
                asked = Some(signal);
                kill(Pid::from_raw(child.id() as i32), signal).ok();
            }
        }
    }
}
