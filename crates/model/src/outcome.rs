//! States and outcomes, in the words that every listing uses.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a run is. A queued run always says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Queued,
    Starting,
    Running,
    Ended,
}

/// How an attempt, or the run with it, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Finished,
    Failed,
    Stopped,
    /// Only of a run: nobody knows how it ended, and the machine it ran on knows nothing of it any more.
    Lost,
    /// Of an attempt: its keeper was killed, so that how the command ended was seen by nobody. Of a run only where it was imported and
    /// nobody wrote down how it ended.
    Unknown,
}

/// Why an attempt ended as it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The command ended by itself with this code.
    ExitCode(i32),
    /// The same, after the exception that this line tells of.
    Exception {
        line: String,
        code: i32,
    },
    /// The same; the last line on standard error that looks like an error.
    Said {
        line: String,
        code: i32,
    },
    /// A signal that we did not send ended it.
    Signal(i32),
    /// The kernel killed it for memory.
    OutOfMemory,
    /// The framework could not get memory; the line that says so.
    FrameworkOutOfMemory(String),
    TimeLimit,
    /// Somebody asked for it: who.
    Asked(String),
    /// The program is not there.
    NotFound(String),
    /// The program is there and may not be executed.
    NotExecutable(String),
    /// An import that the environment lacks.
    MissingModule(String),
    /// The command could not be started for another reason.
    NotStarted(String),
    /// The keeper was killed.
    KeeperLost,
    /// The machine went down while it ran.
    MachineRestarted,
    /// What is on record cannot be read, for this reason.
    RecordUnreadable(String),
    /// The target it was given to knows nothing of it any more, for this reason.
    Forgotten(String),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Queued => "queued",
            State::Starting => "starting",
            State::Running => "running",
            State::Ended => "ended",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Outcome::Finished => "finished",
            Outcome::Failed => "failed",
            Outcome::Stopped => "stopped",
            Outcome::Lost => "lost",
            Outcome::Unknown => "unknown",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::ExitCode(code) => write!(f, "exit code {code}"),
            Cause::Exception { line, code } => write!(f, "{line} (exit code {code})"),
            Cause::Said { line, code } => write!(f, "exit code {code}: {line}"),
            Cause::Signal(signal) => match signal_name(*signal) {
                Some(name) => write!(f, "signal {signal} ({name})"),
                None => write!(f, "signal {signal}"),
            },
            Cause::OutOfMemory => f.write_str("out of memory (killed by the kernel)"),
            Cause::FrameworkOutOfMemory(line) => write!(f, "out of memory ({line})"),
            Cause::TimeLimit => f.write_str("time limit"),
            Cause::Asked(who) => write!(f, "stopped by {who}"),
            Cause::NotFound(program) => write!(f, "program not found: {program}"),
            Cause::NotExecutable(program) => write!(f, "not executable: {program}"),
            Cause::MissingModule(module) => write!(f, "missing module: {module}"),
            Cause::NotStarted(why) => write!(f, "could not be started: {why}"),
            Cause::KeeperLost => f.write_str("status unknown: the keeper was killed"),
            Cause::MachineRestarted => f.write_str("status unknown: the machine went down"),
            Cause::RecordUnreadable(why) => write!(f, "status unknown: its record cannot be read: {why}"),
            Cause::Forgotten(why) => write!(f, "status unknown: {why}"),
        }
    }
}

/// The name of a signal, the same on every Linux that we run on.
pub fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "HUP",
        2 => "INT",
        3 => "QUIT",
        4 => "ILL",
        6 => "ABRT",
        7 => "BUS",
        8 => "FPE",
        9 => "KILL",
        10 => "USR1",
        11 => "SEGV",
        12 => "USR2",
        13 => "PIPE",
        14 => "ALRM",
        15 => "TERM",
        24 => "XCPU",
        25 => "XFSZ",
        _ => return None,
    })
}
