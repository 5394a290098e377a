//! A command that is executed on a machine for somebody's terminal or pipe: what it says is passed on as it comes, but not what login
//! files print before it begins.

use crate::on_terminal::on_terminal;
use crate::trouble::{OWN, Trouble};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Longer than what login files print; behind that it is passed on as it is.
const MOST_NOISE: usize = 1 << 20;
/// Milliseconds between looks whether it has ended.
pub(crate) const LOOK: u16 = 100;
/// Where so many signals have not ended it, nobody hears of them: the first asks runs to stop, the second kills them.
const DEAF: usize = 3;
/// Where nothing has come of it yet.
const DEAF_BEFORE: usize = 2;

pub struct PassedOn {
    pub command: Command,
    /// What it says first, on both of its outputs. None: nothing comes before it, or whoever sees it sees to that.
    pub mark: Option<String>,
    pub signals: Signals,
}

/// What becomes of the signals that ask us to end.
pub enum Signals {
    /// They end us, as they do it.
    End,
    /// It reads their numbers, each a byte: a connection without a terminal knows none.
    Bytes,
    /// It has our terminal, and what we are told goes there by this command; without one, or where that fails, it ends as we do.
    Terminal(Option<Command>),
}

/// How it came out.
#[derive(Debug)]
pub enum Ended {
    /// It began, or nobody saw whether it did.
    With(ExitStatus, Said),
    /// ssh did not come that far.
    Unreached(Trouble),
    /// We were asked to end, and did not wait for more.
    Asked(Signal),
}

/// What came beside its own words.
#[derive(Debug, Default)]
pub struct Said {
    /// Instead of them, as it did not come to its mark: why stands in it.
    pub instead: Vec<u8>,
    /// Our output took no more of them.
    pub unwritten: Option<io::Error>,
}

/// What came of passing on.
struct Passed {
    /// What never came to its mark.
    held: Option<Vec<u8>>,
    unwritten: Option<io::Error>,
}

impl PassedOn {
    /// Until it has ended.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn ended(mut self) -> io::Result<Ended> {
        let Some(mark) = self.mark else {
            return match self.signals {
                Signals::Terminal(tell) => on_terminal(self.command, tell),
                _ => self.command.status().map(|ended| Ended::With(ended, Said::default())),
            };
        };
        let asks = matches!(self.signals, Signals::Bytes);
        if asks {
            // Ctrl-C is for everything on the terminal that is not in a group of its own.
            self.command.stdin(Stdio::piped()).process_group(0);
        }
        let mut child = self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let asked = if asks { Some(asked([Signal::SIGINT, Signal::SIGTERM])?) } else { None };
        let (out, err, input) = (child.stdout.take(), child.stderr.take(), child.stdin.take());
        let (began, left) = (AtomicBool::new(false), Mutex::new(None));
        let group = Pid::from_raw(child.id() as i32);
        let done = AtomicBool::new(false);
        let ended = std::thread::scope(|scope| {
            let asked = asked.as_ref().zip(input);
            if let Some(((_, signals), input)) = asked {
                let pass = || {
                    if let Some(signal) = pass_signals_on(signals, input, (&began, &done)) {
                        *left.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(signal);
                        killpg(group, Signal::SIGKILL).ok();
                    }
                };
                std::thread::Builder::new().name("signals".into()).spawn_scoped(scope, pass).ok();
            }
            let (mark, began) = (mark.as_bytes(), &began);
            let errors = move || err.map(|err| pass_on(err, mark, io::stderr(), began));
            let beside = std::thread::Builder::new().name("errors".into()).spawn_scoped(scope, errors).ok();
            let out = out.map(|out| pass_on(out, mark, io::stdout(), began));
            let err = beside.and_then(|beside| beside.join().ok().flatten());
            let ended = child.wait();
            done.store(true, Ordering::Relaxed);
            (out, err, ended)
        });
        if let Some((set, _)) = asked {
            set.thread_unblock().ok();
        }
        if let Some(signal) = left.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            return Ok(Ended::Asked(signal));
        }
        let (out, err, ended) = (ended.0, ended.1.and_then(|err| err.held), ended.2?);
        let (out, unwritten) = out.map_or((None, None), |out| (out.held, out.unwritten));
        match (&out, &err) {
            (Some(noise), Some(said)) if ended.code() == Some(OWN) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                Ok(Ended::Unreached(Trouble::of(&text(said), &text(noise), Some(OWN))))
            }
            _ => Ok(Ended::With(ended, Said { instead: [out, err].into_iter().flatten().flatten().collect(), unwritten })),
        }
    }
}

/// The signals that ask us to end, blocked until the set of them is unblocked, and where they are read meanwhile.
pub(crate) fn asked(signals: [Signal; 2]) -> io::Result<(SigSet, SignalFd)> {
    let set = SigSet::from_iter(signals);
    set.thread_block()?;
    Ok((set, SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
}

/// Gives the one that it does not hear of any more.
fn pass_signals_on(signals: &SignalFd, mut to: impl Write, (began, done): (&AtomicBool, &AtomicBool)) -> Option<Signal> {
    let mut passed = 0;
    while !done.load(Ordering::Relaxed) {
        poll(&mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)], LOOK).ok();
        while let Ok(Some(signal)) = signals.read_signal() {
            to.write_all(&[signal.ssi_signo as u8]).ok();
            passed += 1;
            if passed >= if began.load(Ordering::Relaxed) { DEAF } else { DEAF_BEFORE } {
                return Signal::try_from(signal.ssi_signo as i32).ok();
            }
        }
    }
    None
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

/// Until nobody writes any more, or nobody reads.
fn pass_on(mut from: impl Read, mark: &[u8], mut to: impl Write, began: &AtomicBool) -> Passed {
    let (mut held, mut buffer) = (Some(Vec::new()), vec![0; 64 << 10]);
    loop {
        let got = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => buffer.get(..n).unwrap_or_default(),
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let passed = match held.take() {
            None => to.write_all(got),
            Some(mut before) => {
                before.extend_from_slice(got);
                let found = before.windows(mark.len()).position(|window| window == mark);
                began.fetch_or(found.is_some(), Ordering::Relaxed);
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
        if let Err(e) = passed.and_then(|()| to.flush()) {
            return Passed { held, unwritten: Some(e).filter(|e| e.kind() != ErrorKind::BrokenPipe) };
        }
    }
    Passed { held, unwritten: None }
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

    fn held(from: impl Read, to: &mut Vec<u8>) -> Option<Vec<u8>> {
        pass_on(from, b"MARK", to, &AtomicBool::new(false)).held
    }

    #[test]
    fn what_comes_before_the_mark_is_not_passed_on() {
        for pieces in [1, 3, 1000] {
            let mut to = Vec::new();
            assert_eq!(held(Slowly(b"Welcome\nMARKwhat it says MARK", pieces), &mut to), None, "{pieces}");
            assert_eq!(to, b"what it says MARK", "{pieces}");
            // It never came that far: why stands in what was said.
            let noise = held(Slowly(b"Permission denied", pieces), &mut to);
            assert_eq!((to.len(), noise.as_deref()), (17, Some(&b"Permission denied"[..])), "{pieces}");
        }
        let (long, mut to) = (vec![b'x'; MOST_NOISE + 10], Vec::new());
        assert_eq!(held(&long[..], &mut to), None);
        assert_eq!(to, long);
    }

    #[test]
    fn what_never_began_is_told_from_what_ended_as_ssh_does() {
        let ended = |script: &str| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]);
            PassedOn { command, mark: Some("MARK".into()), signals: Signals::End }.ended().expect("it starts")
        };
        let refused = ended("echo 'me@gpu1: Permission denied (publickey).' >&2; exit 255");
        assert!(matches!(refused, Ended::Unreached(Trouble::NeedsLogin(_))), "{refused:?}");
        for (script, code) in [("printf MARK; exit 255", 255), ("exit 127", 127)] {
            assert!(matches!(ended(script), Ended::With(status, _) if status.code() == Some(code)), "{script}");
        }
    }
}
