//! How far a supervisor has read, so that its successor goes on exactly there: offsets and what the scraper remembers.

use neronet_scrape::{Found, Scraper, State};
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

impl StreamPosition {
    /// Whether it can be of this stream: nobody has read beyond its end.
    pub(crate) fn is_of(&self, stream: &Path) -> bool {
        std::fs::metadata(stream).is_ok_and(|stream| self.at <= stream.len())
    }
}

/// What the predecessor left. A damaged file (a power cut) is none: then reading starts at the first byte that is still there.
pub(crate) fn load(folder: &Path) -> Option<Position> {
    files::read_json(&folder.join(FILE)).ok().flatten()
}

/// Survives our death, not a power cut: after one, nothing runs any more and the spool itself tells how far it got.
pub(crate) fn save(folder: &Path, position: &Position) -> bool {
    files::replace_json(&folder.join(FILE), position, Durability::Renamed).is_ok()
}

/// Reads a position of any bytes, for whoever tests that: what is one says the same when it was saved again, and lines can be read by
/// it. Panics where that is not so.
#[doc(hidden)]
pub fn fuzz(bytes: &[u8], folder: &Path) {
    if std::fs::write(folder.join(FILE), bytes).is_err() {
        return;
    }
    let Some(position) = load(folder) else { return };
    assert!(save(folder, &position) && load(folder).as_ref() == Some(&position), "it is read back as something else");
    for stream in position.into_values() {
        let Ok(mut scraper) = Scraper::new(&[], &[]) else { continue };
        scraper.restore(stream.scraper);
        let mut found = Found::default();
        for line in ["epoch 3 loss 0.5", "| a | b |", "| 1 | 2 |", "{\"loss\": 1}", "loss=0.25 acc=0.75", "    1    2    3"] {
            scraper.line(line, &mut found);
        }
    }
}

pub(crate) fn forget(folder: &Path) {
    std::fs::remove_file(folder.join(FILE)).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_beyond_the_end_is_of_another_stream() {
        let folder = tempfile::tempdir().expect("a folder");
        let stream = folder.path().join("raw.stdout");
        let at = |at| StreamPosition { at, skipping: false, scraper: State::default() };
        assert!(!at(0).is_of(&stream));
        std::fs::write(&stream, "0123456789").expect("written");
        assert!(at(10).is_of(&stream) && !at(11).is_of(&stream));
    }
}
