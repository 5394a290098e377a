//! A command that is executed on a machine for somebody's terminal or pipe: what it says is passed on as it comes, but not what login
//! files print before it begins.

use crate::last_words::LastWords;
use crate::trouble::{OWN, Trouble};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Longer than what login files print; behind that it is passed on as it is.
const MOST_NOISE: usize = 1 << 20;
/// Milliseconds between looks whether it has ended.
const LOOK: u16 = 100;

pub struct PassedOn {
    pub command: Command,
    /// What it says first, on both of its outputs. None: nothing comes before it, or whoever sees it sees to that.
    pub mark: Option<String>,
    /// It reads the numbers of the signals that ask us to end, each a byte: a connection without a terminal knows none.
    pub signals: bool,
    /// It is ssh with a terminal: on its standard error it says what it has to say itself.
    pub on_terminal: bool,
}

/// How it came out.
#[derive(Debug)]
pub enum Ended {
    /// It began, or nobody saw whether it did.
    With(ExitStatus),
    /// ssh did not come that far.
    Unreached(Trouble),
}

impl PassedOn {
    /// Until it has ended.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn ended(mut self) -> io::Result<Ended> {
        let Some(mark) = self.mark else {
            return if self.on_terminal { on_terminal(self.command) } else { self.command.status().map(Ended::With) };
        };
        if self.signals {
            // Ctrl-C is for everything on the terminal that is not in a group of its own.
            self.command.stdin(Stdio::piped()).process_group(0);
        }
        let mut child = self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let asked = if self.signals { Some(asked()?) } else { None };
        let (out, err, input) = (child.stdout.take(), child.stderr.take(), child.stdin.take());
        let done = AtomicBool::new(false);
        let ended = std::thread::scope(|scope| {
            let asked = asked.as_ref().zip(input);
            if let Some(((_, signals), input)) = asked {
                let pass = || pass_signals_on(signals, input, &done);
                std::thread::Builder::new().name("signals".into()).spawn_scoped(scope, pass).ok();
            }
            let mark = mark.as_bytes();
            let errors = move || err.and_then(|err| pass_on(err, mark, io::stderr()));
            let beside = std::thread::Builder::new().name("errors".into()).spawn_scoped(scope, errors).ok();
            let out = out.and_then(|out| pass_on(out, mark, io::stdout()));
            let err = beside.and_then(|beside| beside.join().ok().flatten());
            let ended = child.wait();
            done.store(true, Ordering::Relaxed);
            (out, err, ended)
        });
        if let Some((set, _)) = asked {
            set.thread_unblock().ok();
        }
        let (out, err, ended) = (ended.0, ended.1, ended.2?);
        match (&out, &err) {
            (Some(noise), Some(said)) if ended.code() == Some(OWN) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                Ok(Ended::Unreached(Trouble::of(&text(said), &text(noise), Some(OWN))))
            }
            _ => {
                // Why it never came that far stands in what was said.
                [out, err].into_iter().flatten().for_each(|noise| drop(io::stderr().write_all(&noise)));
                Ok(Ended::With(ended))
            }
        }
    }
}

/// What the user sees is what ssh says. That it takes no more is told besides: nothing there has failed.
fn on_terminal(mut command: Command) -> io::Result<Ended> {
    let mut child = command.stderr(Stdio::piped()).spawn()?;
    let errors = Arc::new(LastWords::default());
    if let Some(said) = child.stderr.take() {
        let errors = Arc::clone(&errors);
        std::thread::Builder::new().name("errors".into()).spawn(move || errors.keep(said, io::stderr()))?;
    }
    let ended = child.wait()?;
    let said = errors.all();
    Ok(match Trouble::of(&said, "", ended.code()) {
        busy @ Trouble::Busy(_) => Ended::Unreached(busy),
        _ => Ended::With(ended),
    })
}

/// The signals that ask us to end, blocked until the set of them is unblocked, and where they are read meanwhile.
fn asked() -> io::Result<(SigSet, SignalFd)> {
    let set = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    set.thread_block()?;
    Ok((set, SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
}

fn pass_signals_on(signals: &SignalFd, mut to: impl Write, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        poll(&mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)], LOOK).ok();
        while let Ok(Some(signal)) = signals.read_signal() {
            to.write_all(&[signal.ssi_signo as u8]).ok();
        }
    }
}

/// Carries a command out for whoever is at the other end, and gives it the signals that come in. Its input that ends is a connection that
/// was cut, and asks for nothing. Gives what it ended with, as shells say it.
///
/// # Errors
/// It cannot be started.
pub fn attended(mut command: Command) -> io::Result<i32> {
    let mut child = command.stdin(Stdio::null()).spawn()?;
    let pid = Pid::from_raw(child.id() as i32);
    let pass = move || {
        for byte in io::stdin().lock().bytes().map_while(Result::ok) {
            if let Ok(signal @ (Signal::SIGINT | Signal::SIGTERM)) = Signal::try_from(i32::from(byte)) {
                kill(pid, signal).ok();
            }
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(pass)?;
    let ended = child.wait()?;
    Ok(ended.code().unwrap_or_else(|| 128 + ended.signal().unwrap_or(0)))
}

/// Until nobody writes any more, or nobody reads. Gives what never came to its mark.
fn pass_on(mut from: impl Read, mark: &[u8], mut to: impl Write) -> Option<Vec<u8>> {
    let (mut held, mut buffer) = (Some(Vec::new()), vec![0; 64 << 10]);
    loop {
        let got = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => buffer.get(..n).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let passed = match held.take() {
            None => to.write_all(got),
            Some(mut before) => {
                before.extend_from_slice(got);
                let found = before.windows(mark.len()).position(|window| window == mark);
                match found {
                    Some(at) => to.write_all(before.get(at + mark.len()..).unwrap_or_default()),
                    None if before.len() > MOST_NOISE => to.write_all(&before),
                    None => {
                        held = Some(before);
                        Ok(())
                    }
                }
            }
        };
        // Whoever writes hears of it, as what it writes to is closed.
        if passed.and_then(|()| to.flush()).is_err() {
            break;
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In pieces of so many bytes.
    struct Slowly<'a>(&'a [u8], usize);

    impl Read for Slowly<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(into.len());
            into[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    #[test]
    fn what_comes_before_the_mark_is_not_passed_on() {
        for pieces in [1, 3, 1000] {
            let mut to = Vec::new();
            assert_eq!(pass_on(Slowly(b"Welcome\nMARKwhat it says MARK", pieces), b"MARK", &mut to), None, "{pieces}");
            assert_eq!(to, b"what it says MARK", "{pieces}");
            // It never came that far: why stands in what was said.
            let noise = pass_on(Slowly(b"Permission denied", pieces), b"MARK", &mut to);
            assert_eq!((to.len(), noise.as_deref()), (17, Some(&b"Permission denied"[..])), "{pieces}");
        }
        let (long, mut to) = (vec![b'x'; MOST_NOISE + 10], Vec::new());
        assert_eq!(pass_on(&long[..], b"MARK", &mut to), None);
        assert_eq!(to, long);
    }
    #[test]
    fn what_never_began_is_told_from_what_ended_as_ssh_does() {
        let ended = |script: &str| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]);
            PassedOn { command, mark: Some("MARK".into()), signals: false, on_terminal: false }.ended().expect("it starts")
        };
        let refused = ended("echo 'me@gpu1: Permission denied (publickey).' >&2; exit 255");
        assert!(matches!(refused, Ended::Unreached(Trouble::NeedsLogin(_))), "{refused:?}");
        for (script, code) in [("printf MARK; exit 255", 255), ("exit 127", 127)] {
            assert!(matches!(ended(script), Ended::With(status) if status.code() == Some(code)), "{script}");
        }
    }
}
