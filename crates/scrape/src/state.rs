//! What earlier lines mean for later ones. Small: it is kept with every position in a run's output.

use crate::columns::Columns;
use serde::{Deserialize, Serialize};

/// What a [`crate::Scraper`] remembers between lines. Restored, it goes on exactly as if it had never stopped.
#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Of the last header such as `Epoch 3/50`; always finite.
    pub(crate) epoch: Option<f64>,
    pub(crate) epochs: Option<f64>,
    /// Of the last header such as `Iteration 100`.
    pub(crate) step: Option<i64>,
    pub(crate) steps: Option<i64>,
    /// Between `Traceback (most recent call last)` and the exception's line.
    pub(crate) traceback: bool,
    pub(crate) block: Option<Block>,
    /// A step, an epoch or a value was read: what comes now is hardly configuration.
    #[serde(default)]
    pub(crate) training: bool,
    /// A table of which rows may follow.
    #[serde(default)]
    pub(crate) table: Option<Columns>,
    /// That the last line of values was about.
    #[serde(default)]
    pub(crate) part: Option<Part>,
    /// The last step of the training itself.
    #[serde(default)]
    pub(crate) trained: Option<i64>,
    /// A table of names and values, complete at its closing line.
    pub(crate) grid: Option<Grid>,
}

/// A part of the data that is gone through batch by batch, with the step at its end.
#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) step: Option<i64>,
    pub(crate) steps: Option<i64>,
}

/// A printed configuration, one `name: value` a line.
#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Block {
    /// By a line such as `Arguments:`, so that few names can end it.
    #[serde(default)]
    pub(crate) announced: bool,
    /// Open parents with their indentation, outermost first.
    pub(crate) parents: Vec<(u16, String)>,
    /// Hashes of the names so far: one that comes again is a series, and the block is over.
    pub(crate) seen: Vec<u32>,
}

/// The rows of a table so far: names with the text of their values, so that states compare even with NaN inside.
#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Grid {
    pub(crate) section: String,
    pub(crate) rows: Vec<(String, String)>,
}
