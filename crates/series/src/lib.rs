//! The points of metrics, as many as there may be: rows are folded to columns, columns are stored in blocks with a pyramid of buckets
//! over each metric, and points and drawings are read back from these. Between `model`, whose rows come in, and `store`, which has the
//! files. Pure: rows and bytes in, bytes and points out.

use serde::{Deserialize, Serialize};

mod bucket;
#[doc(hidden)]
pub mod bytes;
mod column;
mod fold;
mod point;
mod series;
mod sparse;
mod stored;

pub use bucket::Bucket;
pub use fold::{Block, Fold};
pub use point::Point;
pub use series::{Recorded, Series, Window};
pub use stored::{Bytes, Chunk, Head};

/// How far the segments of an attempt are read.
pub type Position = Vec<Until>;

/// A segment, as far as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Until {
    pub segment: String,
    /// The byte behind the last whole line.
    pub to: u64,
    /// What there was of it, a torn line at its end counted in.
    pub length: u64,
}

/// Bytes that are no block, or not that of which the head tells. To be made anew from the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the stored series is damaged")
    }
}

impl std::error::Error for Damaged {}
