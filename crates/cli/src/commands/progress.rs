//! One line on the terminal on how far something is that takes longer than a second. Gone when it is done.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(1);
const BETWEEN: Duration = Duration::from_millis(200);

pub(crate) struct Progress {
    terminal: bool,
    next: Cell<Instant>,
    shown: Cell<bool>,
}

impl Progress {
    pub(crate) fn new() -> Progress {
        Progress { terminal: io::stderr().is_terminal(), next: Cell::new(Instant::now() + PATIENCE), shown: Cell::new(false) }
    }

    /// `line` is only made when it is shown.
    pub(crate) fn tell(&self, line: impl FnOnce() -> String) {
        let now = Instant::now();
        if self.terminal && now >= self.next.get() {
            self.next.set(now + BETWEEN);
            self.shown.set(true);
            write!(io::stderr(), "\r\x1b[K{}", line()).and_then(|()| io::stderr().flush()).ok();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.get() {
            write!(io::stderr(), "\r\x1b[K").ok();
        }
    }
}
