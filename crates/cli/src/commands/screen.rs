//! Standard output or standard error for whoever must not wait for it: a pager that nobody scrolls, or a terminal that was
//! stopped by Ctrl-S, must not keep runs from being started, asked and recorded.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;

/// A pipe that is ready takes so much at once (pipe(7)).
const PIECE: usize = 4_096;

pub(crate) struct Screen {
    /// Nothing when it is gone: closed by who read it, or on a full disk.
    out: Option<File>,
    pending: Vec<u8>,
    /// What was put last was no newline.
    within_line: bool,
}

impl Screen {
    pub(crate) fn new(stream: &impl AsFd) -> Screen {
        Screen { out: stream.as_fd().try_clone_to_owned().ok().map(File::from), pending: Vec::new(), within_line: false }
    }

    /// Some of what was put is not out yet.
    pub(crate) fn is_behind(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.out.is_none()
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        if !self.is_lost() {
            self.pending.extend_from_slice(bytes);
            self.within_line = bytes.last().map_or(self.within_line, |last| *last != b'\n');
            self.push();
        }
    }

    /// So that what comes next does not stand behind a last line without its newline.
    pub(crate) fn end_line(&mut self) {
        if self.within_line {
            self.put(b"\n");
        }
    }

    pub(crate) fn put_line(&mut self, line: &str) {
        self.put(format!("{line}\n").as_bytes());
    }

    /// Brings out what can be brought out without waiting.
    pub(crate) fn push(&mut self) {
        self.write(PollTimeout::ZERO);
    }

    /// Brings out everything, however long that takes.
    pub(crate) fn finish(&mut self) {
        self.write(PollTimeout::NONE);
    }

    fn write(&mut self, patience: PollTimeout) {
        let mut done = 0;
        while let (Some(out), true) = (&mut self.out, done < self.pending.len()) {
            if !matches!(poll(&mut [PollFd::new(out.as_fd(), PollFlags::POLLOUT)], patience), Ok(n) if n > 0) {
                break;
            }
            match out.write(&self.pending[done..self.pending.len().min(done + PIECE)]) {
                Ok(n) => done += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => self.out = None,
            }
        }
        self.pending.drain(..done);
        if self.is_lost() {
            self.pending = Vec::new();
        }
    }
}
