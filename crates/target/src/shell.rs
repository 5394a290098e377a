//! A script that `/bin/sh` carries out on a machine, and what it says. What login files print before is passed over; whatever the
//! machine does, the answer is bounded, and comes in time.

use crate::trouble::Trouble;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Of what is answered, and of what comes before or beside it, so much is kept.
const MOST: usize = 256 << 10;
const MOST_ERRORS: usize = 8 << 10;

/// What a script said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub text: String,
    /// From the moment at which it was sent to that at which its first word came.
    pub first: Duration,
    /// When that was.
    pub at: Instant,
}

/// For `/bin/sh`, which nothing in it means anything to.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What only this connection knows: before it stands what login files print, behind it what a script says.
pub fn mark() -> Result<String, Trouble> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|e| Trouble::Failed(format!("the system gives no random numbers: {e}")))?;
    Ok(format!("neronet-{:016x}", u64::from_le_bytes(random)))
}

/// Carries out a script and waits for its end. `command` is a shell that reads from its input.
///
/// # Errors
/// The machine was not reached, did not answer in time, or answered something else.
pub fn run(command: Command, script: &str, patience: Duration) -> Result<Said, Trouble> {
    let mark = mark()?;
    // In braces, so that all of it is read before any of it is carried out: what a command in it reads is not the script.
    let script = format!("{{\nprintf '\\n%s\\n' {mark}\n{script}\nexit\n}}\n");
    let mut talk = Talk::begin(command, Instant::now() + patience)?;
    let sent = Instant::now();
    talk.send(script.as_bytes());
    let mark = format!("\n{mark}\n");
    let first = talk.until(|all| find(all, mark.as_bytes()).is_some());
    let at = Instant::now();
    if first {
        talk.until(|_| false);
    }
    let code = talk.end();
    let noise = String::from_utf8_lossy(&talk.out).into_owned();
    match find(&talk.out, mark.as_bytes()) {
        Some(begins) if talk.is_over => {
            let text = String::from_utf8_lossy(&talk.out[begins + mark.len()..]).into_owned();
            Ok(Said { text, first: at.duration_since(sent), at })
        }
        _ if !talk.is_over => Err(Trouble::Silent(patience.as_secs())),
        _ => Err(Trouble::of(&String::from_utf8_lossy(&talk.errors), &noise, code)),
    }
}

fn find(all: &[u8], part: &[u8]) -> Option<usize> {
    all.windows(part.len()).position(|window| window == part)
}

/// A process that is spoken to, and read until a moment.
struct Talk {
    child: Child,
    until: Instant,
    out: Vec<u8>,
    errors: Vec<u8>,
    /// It said all that it will.
    is_over: bool,
}

impl Talk {
    fn begin(mut command: Command, until: Instant) -> Result<Talk, Trouble> {
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = pipes.spawn().map_err(|e| Trouble::NoSsh(e.to_string()))?;
        let ends = [child.stdout.as_ref().map(AsFd::as_fd), child.stderr.as_ref().map(AsFd::as_fd)];
        for end in ends.into_iter().flatten() {
            fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(|e| Trouble::Failed(format!("a pipe cannot be set up: {e}")))?;
        }
        Ok(Talk { child, until, out: Vec::new(), errors: Vec::new(), is_over: false })
    }

    /// A script fits into a pipe. One that nobody reads is noticed where the answer is missing.
    fn send(&mut self, bytes: &[u8]) {
        if let Some(mut input) = self.child.stdin.take() {
            input.write_all(bytes).ok();
        }
    }

    /// Reads until `enough`, the end, or the moment. Whether it was enough.
    fn until(&mut self, enough: impl Fn(&[u8]) -> bool) -> bool {
        loop {
            if enough(&self.out) {
                return true;
            }
            let left = self.until.saturating_duration_since(Instant::now());
            if self.is_over || left.is_zero() {
                return false;
            }
            self.wait(left);
            let out = self.child.stdout.as_mut().is_none_or(|out| !drain(out, &mut self.out, MOST));
            let errors = self.child.stderr.as_mut().is_none_or(|errors| !drain(errors, &mut self.errors, MOST_ERRORS));
            if out {
                self.child.stdout = None;
            }
            if errors {
                self.child.stderr = None;
            }
            self.is_over = out && errors;
        }
    }

    fn wait(&self, left: Duration) {
        let ends: Vec<BorrowedFd<'_>> =
            [self.child.stdout.as_ref().map(AsFd::as_fd), self.child.stderr.as_ref().map(AsFd::as_fd)].into_iter().flatten().collect();
        let mut ends: Vec<PollFd<'_>> = ends.into_iter().map(|end| PollFd::new(end, PollFlags::POLLIN)).collect();
        poll(&mut ends, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)).ok();
    }

    /// Ends it where it has not ended. Its exit code, where it has one.
    fn end(&mut self) -> Option<i32> {
        if !self.is_over {
            self.child.kill().ok();
        }
        self.child.wait().ok().and_then(|status| status.code())
    }
}

/// Takes what is there, the last `most` bytes of it. Whether more may come.
fn drain(from: &mut impl Read, into: &mut Vec<u8>, most: usize) -> bool {
    let mut buffer = [0; 16 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return false,
            Ok(n) => {
                into.extend_from_slice(&buffer[..n]);
                if into.len() > most {
                    into.drain(..into.len() - most);
                }
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => return true,
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn sh() -> Command {
        Command::new("/bin/sh")
    }

    fn after(noise: &str) -> Command {
        let mut command = sh();
        command.args(["-c", &format!("{noise}; exec /bin/sh")]);
        command
    }

    #[test]
    fn what_is_said_comes_without_what_login_files_say() {
        assert_eq!(run(sh(), "echo a; echo b", LONG).expect("an answer").text, "a\nb\n");
        let noisy = after("echo Welcome; printf 'no newline'; echo neronet-0000; echo oops >&2");
        assert_eq!(run(noisy, "echo a", LONG).expect("an answer").text, "a\n");
        // A command that reads does not eat the script.
        assert_eq!(run(sh(), "cat; echo b", LONG).expect("an answer").text, "b\n");
    }

    #[test]
    fn a_shell_that_ends_or_hangs_is_told() {
        let ended = after("echo 'This account is closed.'; exit 1");
        assert_eq!(run(ended, "echo a", LONG), Err(Trouble::Garbled("This account is closed.".into())));
        let hangs = after("exec sleep 1000");
        assert_eq!(run(hangs, "echo a", Duration::from_millis(50)), Err(Trouble::Silent(0)));
        let halfway = run(sh(), "echo a; exec sleep 1000", Duration::from_millis(200));
        assert_eq!(halfway, Err(Trouble::Silent(0)));
        assert!(matches!(run(Command::new("/nonexistent/ssh"), "", LONG), Err(Trouble::NoSsh(_))));
    }

    #[test]
    fn endless_words_are_bounded() {
        let endless = after("yes | head -c 5000000; yes | head -c 3000000 >&2");
        assert_eq!(run(endless, "echo a", LONG).expect("an answer").text, "a\n");
        let said = run(sh(), "yes | head -c 5000000; echo", LONG);
        assert!(said.is_err() || said.is_ok_and(|said| said.text.len() <= MOST));
    }
}
