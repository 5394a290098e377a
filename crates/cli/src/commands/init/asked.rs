//! Running a program for what it prints: not for long, not without end, and nothing of it stays behind.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// What it printed, and whether it ended well.
#[derive(Default)]
pub(super) struct Said {
    pub(super) out: String,
    pub(super) err: String,
    pub(super) succeeded: bool,
}

enum Heard {
    Out(String),
    Err(String),
    Ended(bool),
}

/// The error goes on where a sentence begins with the program.
pub(super) fn what_it_prints(program: &Path, words: &[String], folder: &Path, patience: Duration) -> Result<Said, String> {
    let mut command = Command::new(program);
    command.args(words).current_dir(folder).process_group(0);
    // Wide and plain, so that no line is folded and none is coloured.
    for (name, value) in
        [("COLUMNS", "200"), ("TERMINAL_WIDTH", "200"), ("NO_COLOR", "1"), ("TERM", "dumb"), ("PAGER", "cat"), ("PYTHONUNBUFFERED", "1")]
    {
        command.env(name, value);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot be started: {error}"))?;
    let group = Pid::from_raw(i32::try_from(child.id()).unwrap_or(0));
    let (sender, receiver) = channel();
    if let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) {
        listen(out, sender.clone(), Heard::Out);
        listen(err, sender.clone(), Heard::Err);
    }
    thread::spawn(move || sender.send(Heard::Ended(child.wait().is_ok_and(|status| status.success()))));
    let until = Instant::now() + patience;
    let mut said = Said::default();
    for _ in 0..3 {
        match receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Heard::Out(text)) => said.out = text,
            Ok(Heard::Err(text)) => said.err = text,
            Ok(Heard::Ended(well)) => said.succeeded = well,
            Err(_) => {
                end(group);
                return Err(format!("did not end within {} s and was killed", patience.as_secs()));
            }
        }
    }
    Ok(said)
}

/// The program with all that it started. Zero would be our own group.
fn end(group: Pid) {
    if group.as_raw() > 0 {
        killpg(group, Signal::SIGKILL).ok();
    }
}

fn listen(stream: impl Read + Send + 'static, sender: Sender<Heard>, heard: fn(String) -> Heard) {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A program that prints without end loses its reader here.
        stream.take(neronet_draft::LARGEST as u64).read_to_end(&mut bytes).ok();
        sender.send(heard(String::from_utf8_lossy(&bytes).into_owned())).ok();
    });
}
