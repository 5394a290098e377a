//! What can go wrong with the disk: what, where, and what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub enum StoreError {
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Written by a newer neronet.
    Newer {
        path: PathBuf,
        format: u32,
    },
    /// Not what it should be.
    Damaged {
        path: PathBuf,
        what: String,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Io { doing, path, source } => {
                write!(f, "cannot {doing} {}: {source}", path.display())?;
                match source.kind() {
                    io::ErrorKind::StorageFull => f.write_str("; free some space there, or choose another home with NERONET_HOME"),
                    io::ErrorKind::QuotaExceeded => {
                        f.write_str("; your quota is used up: free some space, or choose another home with NERONET_HOME")
                    }
                    io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                        f.write_str("; choose a home that you may write to with NERONET_HOME")
                    }
                    _ => Ok(()),
                }
            }
            StoreError::Newer { path, format } => write!(
                f,
                "{} was written by a newer neronet (format {format}, this one reads up to {}); use that version, or another home with NERONET_HOME",
                path.display(),
                neronet_model::FORMAT
            ),
            StoreError::Damaged { path, what } => write!(f, "{}: {what}", path.display()),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StoreError::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl StoreError {
    /// For `map_err`: names what was being done and where.
    pub fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
        let path = path.to_path_buf();
        move |source| StoreError::Io { doing, path, source }
    }
}
