//! The secrets of an attempt on their way: from home in the message to the nursery, by forking to the keeper, from there to the
//! command's environment and, by forking again, to each supervisor, which masks them. They are in no file and in no argument.
//!
//! What remains: memory may be swapped out by the system. A supervisor that takes up an attempt whose keeper and supervisor were
//! both killed gets the values from the environment of the command while a process of that lives, and from whoever started it.
//! Where neither has one (a `command:` secret, found out by a process that is gone as well), what was printed last is recorded
//! with that value, and the record says that it may be. Nobody else could have known it without writing it down.

use crate::os::process::{self, Alive};
use crate::start;
use neronet_model::Attempt;
use neronet_model::launch::Launch;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

/// All of an attempt, with their names: they travel in one message, and the system takes no longer variables.
pub const MOST: usize = 128 << 10;
/// Shorter lines stand everywhere: masking them would spoil the record.
pub const SHORTEST: usize = 6;
/// Of the environment of a process.
const ENVIRONMENT: u64 = 4 << 20;
/// Processes of an attempt that are asked.
const PROCESSES: usize = 64;

/// Variables and their values. Memory is overwritten when it is let go.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Vec<(String, Vec<u8>)>);

impl Secrets {
    /// False when it is too much: nothing is added then.
    pub fn add(&mut self, name: &str, value: Vec<u8>) -> bool {
        let bytes = self.0.iter().map(|(name, value)| name.len() + value.len() + 2).sum::<usize>();
        let fits = bytes + name.len() + value.len() + 2 <= MOST;
        if fits {
            self.0.push((name.to_string(), value));
        }
        fits
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|(_, value)| value.as_slice())
    }

    /// What must not be shown or recorded: texts are masked line by line.
    pub fn lines(&self) -> Vec<String> {
        self.values().flat_map(lines).collect()
    }

    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_str(), OsStr::from_bytes(value)))
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// As `NAME=VALUE`, each behind a NUL byte.
    pub fn write(&self, message: &mut Vec<u8>) {
        for (name, value) in &self.0 {
            message.push(0);
            message.extend(name.as_bytes());
            message.push(b'=');
            message.extend(value);
        }
    }

    /// What `write` made.
    pub fn read(message: &[u8]) -> Secrets {
        let mut secrets = Secrets::default();
        for (name, value) in message.split(|b| *b == 0).filter_map(pair) {
            // Whoever wrote it saw to its length.
            secrets.add(name, value.to_vec());
        }
        secrets
    }

    /// For a supervisor that takes up an attempt, with sentences for the record on those that are lost.
    pub(crate) fn found_again(launch: &Launch, attempt: &Attempt) -> (Secrets, Vec<String>) {
        if launch.secrets.is_empty() {
            return Default::default();
        }
        let mut told = Vec::new();
        std::io::stdin().take(MOST as u64).read_to_end(&mut told).ok();
        let mut secrets = Secrets::read(&told);
        told.fill(0);
        let command = attempt.command.as_ref().filter(|command| process::alive(command) == Alive::Yes).map(|command| command.pid);
        for pid in command.into_iter().chain(start::processes_of(launch)).take(PROCESSES) {
            let mut environment = Vec::new();
            let read = File::open(format!("/proc/{pid}/environ")).and_then(|file| file.take(ENVIRONMENT).read_to_end(&mut environment));
            let pairs = environment.split(|b| *b == 0).filter_map(pair).filter(|_| read.is_ok());
            for (name, value) in pairs.filter(|(name, _)| launch.secrets.iter().any(|known| known == name)) {
                if !secrets.0.iter().any(|(own, known)| own == name && known == value) {
                    secrets.add(name, value.to_vec());
                }
            }
            environment.fill(0);
        }
        let lost = launch.secrets.iter().filter(|name| !secrets.has(name));
        let words = |name| format!("the value of the secret {name} was lost with the keeper: where it was printed last, it is not masked");
        let lost = lost.map(words).collect();
        (secrets, lost)
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        for (_, value) in &mut self.0 {
            value.fill(0);
            // Else it is left out, as nobody reads it any more.
            std::hint::black_box(value);
        }
    }
}

/// The lines of a value that are long enough to be told from other text, as they are and as JSON has them.
pub fn lines(value: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(value);
    let long = text.lines().map(str::trim).filter(|line| line.len() >= SHORTEST);
    // With a quote in it, JSON has another form of it.
    let written = |line: &str| {
        let json = serde_json::to_string(line).ok()?;
        Some(json[1..json.len() - 1].to_string()).filter(|written| written != line)
    };
    long.flat_map(|line| written(line).into_iter().chain([line.to_string()])).collect()
}

fn pair(variable: &[u8]) -> Option<(&str, &[u8])> {
    let at = variable.iter().position(|b| *b == b'=')?;
    Some((std::str::from_utf8(&variable[..at]).ok()?, &variable[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(pairs: &[(String, Vec<u8>)]) -> Secrets {
        let mut secrets = Secrets::default();
        assert!(pairs.iter().all(|(name, value)| secrets.add(name, value.clone())));
        secrets
    }

    proptest! {
        #[test]
        fn they_arrive_as_they_were_sent(pairs in prop::collection::vec(("[A-Z_]{1,8}", prop::collection::vec(1u8.., 0..50)), 0..5)) {
            let secrets = of(&pairs);
            let mut message = Vec::new();
            secrets.write(&mut message);
            prop_assert!(Secrets::read(&message) == secrets);
        }
    }

    #[test]
    fn they_are_bounded_and_masked_by_the_line() {
        let mut secrets = of(&[("A".into(), b"first line\n 12345 \nlast-line \xff".to_vec())]);
        assert_eq!(secrets.lines(), ["first line", "last-line \u{fffd}"]);
        assert_eq!(lines(b"in \"quotes\""), [r#"in \"quotes\""#, r#"in "quotes""#]);
        assert!(secrets.add("B", vec![b'x'; 64 << 10]) && !secrets.add("C", vec![b'x'; 64 << 10]) && secrets.add("D", Vec::new()));
        assert!(!secrets.has("C"));
    }
}
