//! How far something is that takes more than a moment, on standard error: over the same line of a terminal, else a line now and then.

use crate::output;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// So long nothing is said.
const SILENT: Duration = Duration::from_secs(1);
const ON_TERMINAL: Duration = Duration::from_millis(200);
const ELSEWHERE: Duration = Duration::from_secs(10);

pub(crate) struct Progress {
    began: Instant,
    said: Option<Instant>,
    terminal: bool,
}

impl Progress {
    pub(crate) fn new() -> Progress {
        Progress { began: Instant::now(), said: None, terminal: io::stderr().is_terminal() }
    }

    pub(crate) fn say(&mut self, text: impl FnOnce() -> String) {
        let between = if self.terminal { ON_TERMINAL } else { ELSEWHERE };
        if self.began.elapsed() < SILENT || self.said.is_some_and(|said| said.elapsed() < between) {
            return;
        }
        self.said = Some(Instant::now());
        if self.terminal {
            let width = output::terminal_width().unwrap_or(80).saturating_sub(1);
            let text: String = text().chars().filter(|c| !c.is_control()).take(width).collect();
            write!(io::stderr(), "\r\x1b[K{text}").ok();
            io::stderr().flush().ok();
        } else {
            output::notice(&text());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal && self.said.is_some() {
            write!(io::stderr(), "\r\x1b[K").ok();
        }
    }
}
