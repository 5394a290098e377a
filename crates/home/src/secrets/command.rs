//! A shell command that prints a secret.

use super::{LONGEST, Place, hidden};
use neronet_capture::secrets::mask_text;
use neronet_supervise::Secrets;
use neronet_supervise::os::process;
use neronet_supervise::start::METRICS_VARIABLE;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Somebody may have to type a passphrase.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks whether it has ended.
const LOOK: u16 = 20;
/// Of what it says on standard error.
const SAID: usize = 4 << 10;
const SHOWN: usize = 300;

/// What the command prints. It stays on our terminal, where it may ask, and reads nothing from standard input.
pub(super) fn said(text: &str, place: &Place<'_>, known: &Secrets, patience: Duration) -> Result<Vec<u8>, String> {
    let folder = if place.folder.is_dir() { place.folder.as_path() } else { "/".as_ref() };
    let mut command = Command::new("/bin/sh");
    command.args(["-c", text]).current_dir(folder).env_clear().envs(place.environment.iter().map(|(name, value)| (name, value)));
    command.env_remove(METRICS_VARIABLE).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| format!("its command cannot be started: {e}"))?;
    let mut pipes = [child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from)].map(|pipe| pipe.map(File::from));
    let deadline = Instant::now() + patience;
    let (mut printed, mut complaint) = (Vec::new(), Vec::new());
    let ended = loop {
        // Asked before reading: what was printed before the end is there to be read after it.
        let ended = child.try_wait().map_err(|e| format!("its command cannot be watched: {e}"))?;
        let more = read(&mut pipes, [&mut printed, &mut complaint], if ended.is_some() { 0 } else { LOOK });
        if let Some(ended) = ended.filter(|_| !more) {
            break Ok(ended);
        }
        if printed.len() > LONGEST {
            break Err("its command prints more than 64 kB".to_string());
        }
        if Instant::now() > deadline {
            break Err(format!("its command took longer than {} s", patience.as_secs()));
        }
        complaint.truncate(SAID);
    };
    let why = match ended {
        Ok(status) if status.success() => return Ok(printed),
        Ok(status) => match status.code() {
            Some(code) => format!("its command ended with exit code {code}"),
            None => format!("its command was ended ({status})"),
        },
        Err(why) => {
            end(child);
            why
        }
    };
    let complaint = String::from_utf8_lossy(&complaint);
    let complaint = mask_text(complaint.trim(), &hidden(place, known, &printed));
    printed.fill(0);
    Err(if complaint.is_empty() { why } else { format!("{why}: {}", one_line(&complaint)) })
}

/// Reads what is there from each pipe, after waiting so long for something to come. True when there was something.
fn read(pipes: &mut [Option<File>; 2], into: [&mut Vec<u8>; 2], wait: u16) -> bool {
    let mut fds: Vec<PollFd<'_>> = pipes.iter().flatten().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)).collect();
    poll(&mut fds, PollTimeout::from(wait)).ok();
    let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
    let mut ready = ready.into_iter();
    let mut more = false;
    for (pipe, into) in pipes.iter_mut().zip(into) {
        let Some(file) = pipe else { continue };
        if !ready.next().unwrap_or(false) {
            continue;
        }
        let mut buffer = [0; 4 << 10];
        match file.read(&mut buffer) {
            Ok(0) | Err(_) => *pipe = None,
            Ok(n) => {
                into.extend(&buffer[..n]);
                more = true;
            }
        }
    }
    more
}

/// Ends it with all that it started.
fn end(mut child: Child) {
    let started = i32::try_from(child.id()).map(process::descendants).unwrap_or_default();
    child.kill().ok();
    for pid in started {
        kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
    }
    child.wait().ok();
}

fn one_line(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).collect();
    let end = line.floor_char_boundary(SHOWN);
    if end < line.len() { format!("{}…", &line[..end]) } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn ask(text: &str, patience: Duration) -> Result<String, String> {
        let environment =
            [("PATH", "/usr/bin:/bin"), ("HUB_TOKEN", "canary-variable")].map(|(name, value)| (OsString::from(name), value.into()));
        let place = Place { environment: &environment, folder: "/tmp".into() };
        let mut known = Secrets::default();
        assert!(known.add("FIRST", b"canary-first".to_vec()));
        said(text, &place, &known, patience).map(|said| String::from_utf8_lossy(&said).into_owned())
    }

    #[test]
    fn what_a_command_prints_is_the_value_and_what_it_complains_of_is_told_without_secrets() {
        let say = |text: &str| ask(text, PATIENCE).unwrap_or_else(|why| why);
        assert_eq!(say("cat; echo of $HUB_TOKEN; pwd; echo aside >&2"), "of canary-variable\n/tmp\n");
        assert_eq!(say("exit 3"), "its command ended with exit code 3");
        assert_eq!(say("kill -9 $$"), "its command was ended (signal: 9 (SIGKILL))");
        let complaint =
            "echo canary-printed; echo \"no: canary-printed\tcanary-first $HUB_TOKEN\" >&2; printf 'and\\033[1m more' >&2; exit 1";
        assert_eq!(say(complaint), "its command ended with exit code 1: no: *** *** *** and[1m more");
        assert_eq!(say("yes canary-many | head -c 70000"), "its command prints more than 64 kB");
        assert!(say("yes complaint >&2 & sleep 0.1; kill $!; exit 1").len() < 400);
        // What it leaves behind holds nothing up.
        assert_eq!(say("sleep 60 & echo value"), "value\n");
    }

    #[test]
    fn a_command_that_does_not_end_is_ended_with_all_that_it_started() {
        let why = ask("sleep 600 & echo $! >&2; wait", Duration::from_millis(500)).expect_err("it takes too long");
        let pid = why.strip_prefix("its command took longer than 0 s: ").and_then(|pid| pid.parse::<i32>().ok()).expect("a pid");
        while process::identify(pid).is_some() {
            std::thread::yield_now();
        }
    }
}
