//! What the daemon says of itself: to standard error, which in the background is `daemon.log` in home.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Bytes of the log; what was before them is kept once, beside it.
const LARGEST: u64 = 1 << 20;

pub(crate) fn say(text: &str) {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::system());
    writeln!(io::stderr(), "{} {text}", now.strftime("%Y-%m-%d %H:%M:%S")).ok();
}

/// Keeps the log small: whoever writes appends, so it can be emptied under them.
pub(crate) fn cut(path: &Path) {
    if path.metadata().is_ok_and(|meta| meta.len() > LARGEST)
        && std::fs::copy(path, path.with_extension("log.1")).is_ok()
        && let Ok(file) = OpenOptions::new().write(true).open(path)
    {
        file.set_len(0).ok();
    }
}

/// The last lines, for whoever wonders why nobody answers.
pub(crate) fn last_lines(path: &Path, from: u64) -> String {
    let mut text = Vec::new();
    File::open(path).and_then(|mut file| file.seek(SeekFrom::Start(from)).and_then(|_| file.read_to_end(&mut text))).ok();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join("; ")
}
