//! Metrics from the text that training scripts print, with no change to their code. Pure: text in, findings out.
//!
//! A line goes through [`Scraper::line`]: the researcher's own patterns first, then the built-in readers. What a script
//! writes for us or keeps in files goes through [`metrics_line`], [`Table`], [`json_document`] and [`json_rows`].
//! [`learn`] tells what would be read from a whole log.
//!
//! What was decided, where scripts differ:
//!
//! - Names keep their spelling; blanks become `_`, a unit in brackets goes (`Val Loss (px)` is `Val_Loss`). A word for a part
//!   of the data at the head of a line or of its part holds for the names behind it: `Test: [10/78] Loss 1.2` is `Test_Loss`.
//!   Where names in a line have such words of their own, one at the end without is left alone (`val loss 0.4 acc 0.8` behind
//!   `train loss 0.5`). Names in JSON, dictionaries and CSV stay as they are.
//! - `Accuracy: 9826/10000 (98%)` is 98.26, worked out; the printed percentage where the two disagree. Other percentages are
//!   the number before the sign. Of `0.31 (0.35)` and `0.9 ± 0.1` the first number counts.
//! - `1,000` is a thousand as a step or an epoch; as a value a comma is believed only with a fraction behind it (`1,234.5`).
//! - A logging library's time, logger, place and level are no part of a message: `12:00:01 INFO train loss=0.5` reads as
//!   `train loss=0.5`.
//! - Settings (`lr`, `weight_decay`, `kl_coef`) are metrics beside steps and epochs and after any value; in a printed
//!   configuration, and alone before the training, they are configuration.
//! - JSON and dictionaries with neither step, epoch nor result lose names that tell of the machine, and are left alone where
//!   only whole numbers remain.
//! - COCO's evaluation is AP, AP50, AP75, APs, APm, APl, AR1, AR10, AR100, ARs and so on; -1 is nothing.
//! - Times, sizes, speeds, memory and counts of parameters in free text are not recorded; a pattern reads them.
//! - ` * Acc@1 71.3` behind lines `Test: [ 10/196] …` sums them up: it is `Test_Acc@1` at the last of their steps.
//! - An epoch holds until the next one, also for `Test accuracy: 0.9` after the last; a step that stands alone on its line
//!   likewise. Lines that begin with `Best`, `Final` or `Overall` are summaries.
//! - A box of names and values (`| loss | 0.3 |`) is read as a whole at its closing line.
//! - The lists of names are in `names.rs`. Where a line is in doubt nothing is read.

mod coco;
mod columns;
mod config;
mod found;
mod grid;
pub mod learn;
mod lexer;
mod literal;
mod names;
mod pairs;
mod patterns;
mod prefix;
mod scraper;
mod state;
mod structured;
mod table;

pub use found::Found;
pub use patterns::Ignore;
pub use scraper::Scraper;
pub use state::State;
pub use structured::{json_document, json_rows, metrics_line};
pub use table::Table;
