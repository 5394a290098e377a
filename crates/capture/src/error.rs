//! The one error of this crate: what was tried, where, why it failed, and what to do.

use std::fmt;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureError {
    /// What could not be done and why, e.g. `cannot read the folder: permission denied`.
    pub what: String,
    pub place: PathBuf,
    /// What the user can do about it.
    pub remedy: String,
    /// There was no room left.
    pub full: bool,
}

impl CaptureError {
    pub(crate) fn new(what: impl Into<String>, place: &Path, remedy: impl Into<String>) -> CaptureError {
        CaptureError { what: what.into(), place: place.to_path_buf(), remedy: remedy.into(), full: false }
    }

    /// An input or output error. The remedy follows from its kind.
    pub(crate) fn io(doing: &str, place: &Path, error: &std::io::Error) -> CaptureError {
        use std::io::ErrorKind as Kind;
        let remedy = match error.kind() {
            Kind::PermissionDenied => "check who may read and write there",
            Kind::NotFound => "check that it exists",
            Kind::StorageFull | Kind::QuotaExceeded => "free some space there",
            Kind::ReadOnlyFilesystem => "choose a place that can be written",
            _ => "check the disk and try again",
        };
        let full = matches!(error.kind(), Kind::StorageFull | Kind::QuotaExceeded);
        CaptureError { full, ..CaptureError::new(format!("cannot {doing}: {error}"), place, remedy) }
    }
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.place.display(), self.what, self.remedy)
    }
}

impl std::error::Error for CaptureError {}
