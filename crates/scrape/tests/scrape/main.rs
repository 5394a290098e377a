//! The readers against logs as training scripts write them, and against anything at all.
//!
//! Each `corpus/NAME.log` has its findings in `NAME.expected`. `NERONET_SCRAPE_REGENERATE=1` writes those anew: read the
//! difference before you keep it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod corpus;
mod lines;
mod random;
