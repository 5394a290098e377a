//! How far a supervisor has read, so that its successor goes on exactly there: offsets and what the scraper remembers.

use neronet_scrape::State;
use neronet_store::files::{self, Durability};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

const FILE: &str = "position.json";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StreamPosition {
    /// All before this byte is in the spool.
    pub(crate) at: u64,
    /// Within a line that was cut.
    pub(crate) skipping: bool,
    pub(crate) scraper: State,
}

pub(crate) type Position = BTreeMap<String, StreamPosition>;

/// What the predecessor left. A damaged file (a power cut) is none: then reading starts at the first byte that is still there.
pub(crate) fn load(folder: &Path) -> Option<Position> {
    files::read_json(&folder.join(FILE)).ok().flatten()
}

/// Survives our death, not a power cut: after one, nothing runs any more and the spool itself tells how far it got.
pub(crate) fn save(folder: &Path, position: &Position) -> bool {
    files::replace_json(&folder.join(FILE), position, Durability::Renamed).is_ok()
}

pub(crate) fn forget(folder: &Path) {
    std::fs::remove_file(folder.join(FILE)).ok();
}
