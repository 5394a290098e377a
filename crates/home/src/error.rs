//! What can go wrong, by what the exit code must say.

use neronet_capture::CaptureError;
use neronet_spec::Problems;
use neronet_store::StoreError;
use neronet_target::Trouble;
use std::{fmt, io};

#[derive(Debug)]
pub enum HomeError {
    /// The words were wrong: exit code 2.
    Words(String),
    /// They name what is not there: exit code 2.
    Absent(String),
    /// So were those of the specification, each at its place.
    Spec(Problems),
    /// The thing asked for failed: exit code 1.
    Failed(String),
    /// Home could not be reached: exit code 3.
    Home(StoreError),
    /// The same, of what another crate keeps there.
    Snapshots(CaptureError),
    /// Nor could the daemon: exit code 3.
    Daemon(String),
    /// Nor could a target: exit code 3.
    Target(String),
}

impl fmt::Display for HomeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HomeError::Words(text)
            | HomeError::Absent(text)
            | HomeError::Failed(text)
            | HomeError::Daemon(text)
            | HomeError::Target(text) => f.write_str(text),
            HomeError::Spec(problems) => problems.fmt(f),
            HomeError::Home(error) => error.fmt(f),
            HomeError::Snapshots(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for HomeError {}

impl From<StoreError> for HomeError {
    fn from(error: StoreError) -> HomeError {
        HomeError::Home(error)
    }
}

impl From<Problems> for HomeError {
    fn from(problems: Problems) -> HomeError {
        HomeError::Spec(problems)
    }
}

impl From<CaptureError> for HomeError {
    fn from(error: CaptureError) -> HomeError {
        HomeError::Failed(error.to_string())
    }
}

impl HomeError {
    /// Of a target that was not reached, or could not do what was asked, with what to do about it.
    pub fn of_target(name: &str, trouble: &Trouble) -> HomeError {
        HomeError::Target(format!("{name}: {trouble}\n{}", trouble.advice(name)))
    }

    /// Of a file outside home, by the name that its reader knows.
    pub fn unwritable(name: &str, error: &io::Error) -> HomeError {
        let advice = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; free some space there, or write to another disk",
            _ => "",
        };
        HomeError::Failed(format!("{name} cannot be written: {error}{advice}"))
    }

    pub fn exit_code(&self) -> u8 {
        match self {
            HomeError::Words(_) | HomeError::Absent(_) | HomeError::Spec(_) => 2,
            HomeError::Failed(_) => 1,
            HomeError::Home(_) | HomeError::Snapshots(_) | HomeError::Daemon(_) | HomeError::Target(_) => 3,
        }
    }
}
