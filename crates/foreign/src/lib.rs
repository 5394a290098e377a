//! What other trackers left on disk, read as a stream: TensorBoard's event files, MLflow's file store, offline runs of Weights &
//! Biases, Sacred's observer folders. Event files are also followed while they grow, and written.
//!
//! `look` says which runs lie below a path; `read` gives one of them to a `Sink`. This crate knows nothing of a neronet home.
//! Whatever the bytes are, memory is bounded, no link is followed, and nothing outside of the folder is opened.

#[doc(hidden)]
pub mod bytes;
mod clean;
mod disk;
mod error;
mod gather;
mod json;
mod lines;
mod mlflow;
mod moment;
mod names;
mod proto;
mod report;
mod sacred;
mod sink;
mod source;
pub mod tensorboard;
mod wandb;
mod yaml;

pub use error::{ForeignError, Refusal, Result};
pub use report::{Notice, Place, Report};
pub use sink::{Artifact, Metric, Output, Row, Run, Sink, Text, Wanted};
pub use source::{Kind, Look, Source, is_named_by_its_folder, look, read};
