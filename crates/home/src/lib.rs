//! What home does: submissions, starting runs, watching them, asking them to end, everything that is listed.
//! A command calls it in its own process; a daemon would serve the same functions.

pub mod begin;
mod build;
pub mod clone;
pub mod code;
pub mod compare;
pub mod configure;
pub mod context;
pub mod control;
pub mod devices;
pub mod drive;
pub mod error;
pub mod estimate;
pub mod export;
pub mod filling;
pub mod filter;
pub mod inputs;
pub mod json;
mod length;
pub mod listing;
pub mod masked;
pub mod nearest;
pub mod objective;
mod planned;
pub mod port;
pub mod preflight;
pub mod reconcile;
pub mod same;
mod secrets;
pub mod select;
pub mod smoke;
pub mod stages;
pub mod steer;
pub mod submit;
pub mod targets;
pub mod view;

pub use context::Context;
pub use error::HomeError;
