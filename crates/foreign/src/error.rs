//! What ends the reading of a run: the disk, a file that is not what it must be, or whoever takes what is read.
//! What can be passed over does not end it, and is a notice of the report.

use crate::proto::Malformed;
use crate::report::Place;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a sink takes no more.
pub type Refusal = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug)]
pub enum ForeignError {
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// A file without which the run cannot be read is not what it must be.
    Unreadable {
        path: PathBuf,
        place: Place,
        what: String,
    },
    Refused(Refusal),
}

pub type Result<T> = std::result::Result<T, ForeignError>;

impl fmt::Display for ForeignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForeignError::Io { doing, path, source } => write!(f, "cannot {doing} {}: {source}", path.display()),
            ForeignError::Unreadable { path, place, what } => write!(f, "{}{place}: {what}", path.display()),
            ForeignError::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl std::error::Error for ForeignError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ForeignError::Io { source, .. } => Some(source),
            ForeignError::Unreadable { .. } => None,
            ForeignError::Refused(refusal) => Some(&**refusal),
        }
    }
}

impl From<Refusal> for ForeignError {
    fn from(refusal: Refusal) -> ForeignError {
        ForeignError::Refused(refusal)
    }
}

impl ForeignError {
    /// For `map_err`: names what was being done and where.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ForeignError {
        let path = path.to_path_buf();
        move |source| ForeignError::Io { doing, path, source }
    }

    pub(crate) fn unreadable(path: &Path, place: Place, what: impl Into<String>) -> ForeignError {
        ForeignError::Unreadable { path: path.to_path_buf(), place, what: what.into() }
    }
}

/// Why one record of a file was not read: it is none, or reading ends.
pub(crate) enum Failure {
    Malformed,
    Stop(ForeignError),
}

impl From<Malformed> for Failure {
    fn from(_: Malformed) -> Failure {
        Failure::Malformed
    }
}

impl From<ForeignError> for Failure {
    fn from(error: ForeignError) -> Failure {
        Failure::Stop(error)
    }
}
