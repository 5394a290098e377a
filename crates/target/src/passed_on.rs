//! A command that is executed on a machine for somebody's terminal or pipe: what it says is passed on as it comes, but not what login
//! files print before it begins.

use std::io::{self, Read, Write};
use std::process::{Command, ExitStatus, Stdio};

/// Longer than what login files print; behind that it is passed on as it is.
const MOST_NOISE: usize = 1 << 20;

pub struct PassedOn {
    pub command: Command,
    /// What it says first, on both of its outputs. None: nothing comes before it, or whoever sees it sees to that.
    pub mark: Option<String>,
}

impl PassedOn {
    /// Until it has ended.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn status(mut self) -> io::Result<ExitStatus> {
        let Some(mark) = self.mark else { return self.command.status() };
        let mut child = self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        std::thread::scope(|scope| {
            let mark = mark.as_bytes();
            let errors = move || err.map(|err| pass_on(err, mark, io::stderr(), io::stderr()));
            let beside = std::thread::Builder::new().name("errors".into()).spawn_scoped(scope, errors).ok();
            if let Some(out) = out {
                pass_on(out, mark, io::stdout(), io::stderr());
            }
            drop(beside.map(std::thread::ScopedJoinHandle::join));
        });
        child.wait()
    }
}

/// Until nobody writes any more, or nobody reads. What never came to its mark goes to `noise`.
fn pass_on(mut from: impl Read, mark: &[u8], mut to: impl Write, mut noise: impl Write) {
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
            return;
        }
    }
    if let Some(held) = held {
        noise.write_all(&held).ok();
    }
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
            let (mut to, mut noise) = (Vec::new(), Vec::new());
            pass_on(Slowly(b"Welcome\nMARKwhat it says MARK", pieces), b"MARK", &mut to, &mut noise);
            assert_eq!((to.as_slice(), noise.as_slice()), (&b"what it says MARK"[..], &b""[..]), "{pieces}");
            // It never came that far: why stands in what was said.
            pass_on(Slowly(b"Permission denied", pieces), b"MARK", &mut to, &mut noise);
            assert_eq!((to.len(), noise.as_slice()), (17, &b"Permission denied"[..]), "{pieces}");
        }
        let (long, mut to) = (vec![b'x'; MOST_NOISE + 10], Vec::new());
        pass_on(&long[..], b"MARK", &mut to, Vec::new());
        assert_eq!(to, long);
    }
}
