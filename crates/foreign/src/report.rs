//! What is said when a run has been read: how much it was, what was passed over, what was damaged. Bounded, whatever the files hold.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

const MOST_NOTICES: usize = 100;
const MOST_KINDS: usize = 100;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Bytes of the files that were read.
    pub bytes: u64,
    pub rows: u64,
    /// Values in these rows.
    pub points: u64,
    pub texts: u64,
    pub artifacts: u64,
    /// What neronet has no place for, by kind: images, histograms, graphs.
    pub passed: BTreeMap<String, u64>,
    pub notices: Vec<Notice>,
    /// Further notices, which are not kept.
    pub more_notices: u64,
}

/// Something that the reader went on behind: damage, a link, a value that means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub path: PathBuf,
    pub place: Place,
    pub what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The file or folder as a whole.
    Whole,
    /// From 0.
    Byte(u64),
    /// From 1.
    Line(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Whole => Ok(()),
            Place::Byte(byte) => write!(f, ": byte {byte}"),
            Place::Line(line) => write!(f, ":{line}"),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: {}", self.path.display(), self.place, self.what)
    }
}

impl Report {
    /// Something else than a point was passed over.
    pub(crate) fn pass(&mut self, kind: &str) {
        if let Some(count) = self.passed.get_mut(kind) {
            *count += 1;
            return;
        }
        let kind = if self.passed.len() < MOST_KINDS { kind } else { "others" };
        *self.passed.entry(crate::clean::name(kind.as_bytes())).or_default() += 1;
    }

    pub(crate) fn notice(&mut self, path: &Path, place: Place, what: impl Into<String>) {
        if self.notices.len() < MOST_NOTICES {
            self.notices.push(Notice { path: path.to_path_buf(), place, what: what.into() });
        } else {
            self.more_notices += 1;
        }
    }
}
