//! Printing. A closed pipe ends us quietly; everything else that people should read goes to standard error.

use serde::Serializer;
use std::io::{self, Write};

/// Prints to standard output. `neronet ls | head` closes it early: then there is nothing more to say.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout().lock();
    if let Err(e) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        give_up(&e);
    }
}

/// Ends the command: in silence where nobody reads any more, else with the reason.
pub(crate) fn give_up(e: &io::Error) -> ! {
    if e.kind() == io::ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    error(&format!("standard output cannot be written: {e}"));
    std::process::exit(1);
}

pub(crate) fn print_line(text: &str) {
    print(&format!("{text}\n"));
}

/// Pretty JSON and a newline.
pub(crate) fn json(value: &serde_json::Value) {
    print_line(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Pretty JSON and a newline, one value after the other as they come: of many runs it would be gigabytes.
pub(crate) fn json_array(values: impl Iterator<Item = serde_json::Value>) {
    let mut out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let written = serde_json::Serializer::pretty(&mut out).collect_seq(values).map_err(io::Error::from);
    if let Err(e) = written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()) {
        give_up(&e);
    }
}

pub(crate) fn error(text: &str) {
    let text = harmless(text);
    let prefix = if text.starts_with("error:") { "" } else { "error: " };
    writeln!(io::stderr(), "{prefix}{text}").ok();
}

pub(crate) fn notice(text: &str) {
    writeln!(io::stderr(), "{}", harmless(text)).ok();
}

/// Names in it may be a script's: nothing of them may steer the terminal.
fn harmless(text: &str) -> String {
    crate::commands::stream::safe(text.trim_end(), false)
}

/// The terminal's width, of standard output or else of standard error.
pub(crate) fn terminal_width() -> Option<usize> {
    neronet_supervise::os::terminal::width()
}

pub(crate) fn terminal_height() -> Option<usize> {
    neronet_supervise::os::terminal::height()
}
