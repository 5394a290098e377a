//! What a keeper and its supervisor tell each other, a byte at a time. That one of them is gone shows as well.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// The keeper: what was carried out last has ended well, and a step follows. The supervisor, in answer: all that was printed
    /// and saved until now is on record.
    Next,
    /// The keeper: everything has ended.
    Over,
    /// The supervisor, first of all: from now on it sees what is saved.
    Watching,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    Nothing,
    Word(Word),
    /// Whoever was at the other end is gone.
    Gone,
}

/// One end.
pub(crate) struct Line(OwnedFd);

pub(crate) fn line() -> nix::Result<(Line, Line)> {
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?;
    Ok((Line(ours), Line(theirs)))
}

impl Line {
    pub(crate) fn say(&self, word: Word) {
        let byte = match word {
            Word::Next => b"n",
            Word::Over => b"e",
            Word::Watching => b"w",
        };
        // Whoever is gone needs to know nothing: a successor is told anew.
        nix::unistd::write(&self.0, byte).ok();
    }

    pub(crate) fn heard(&self) -> Heard {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        if !matches!(poll(&mut fds, PollTimeout::ZERO), Ok(n) if n > 0) {
            return Heard::Nothing;
        }
        let mut byte = [0];
        match nix::unistd::read(&self.0, &mut byte) {
            Ok(0) | Err(Errno::ECONNRESET) => Heard::Gone,
            Ok(_) if byte == *b"n" => Heard::Word(Word::Next),
            Ok(_) if byte == *b"w" => Heard::Word(Word::Watching),
            Ok(_) => Heard::Word(Word::Over),
            Err(_) => Heard::Nothing,
        }
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Line {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
