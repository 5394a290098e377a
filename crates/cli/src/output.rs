//! Printing. A closed pipe ends us quietly; everything else that people should read goes to standard error.

use std::io::{self, Write};

/// Prints to standard output. `neronet ls | head` closes it early: then there is nothing more to say.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

pub(crate) fn print_line(text: &str) {
    print(&format!("{text}\n"));
}

/// Pretty JSON and a newline.
pub(crate) fn json(value: &serde_json::Value) {
    print_line(&serde_json::to_string_pretty(value).unwrap_or_default());
}

pub(crate) fn error(text: &str) {
    // Names in it may be a script's: nothing of them may steer the terminal.
    let text = crate::commands::stream::safe(text.trim_end(), false);
    let prefix = if text.starts_with("error:") { "" } else { "error: " };
    writeln!(io::stderr(), "{prefix}{text}").ok();
}

pub(crate) fn notice(text: &str) {
    writeln!(io::stderr(), "{}", text.trim_end()).ok();
}

/// The terminal's width, of standard output or else of standard error.
pub(crate) fn terminal_width() -> Option<usize> {
    neronet_supervise::os::terminal::width()
}

pub(crate) fn terminal_height() -> Option<usize> {
    neronet_supervise::os::terminal::height()
}
