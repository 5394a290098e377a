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
pub mod follow;
mod follow_up;
pub mod inputs;
pub mod json;
mod length;
pub mod listing;
mod live;
pub mod masked;
pub mod nearest;
pub mod objective;
mod planned;
pub mod port;
pub mod preflight;
pub mod reconcile;
mod recover;
pub mod same;
pub mod seat;
mod secrets;
pub mod select;
pub mod smoke;
pub mod stages;
mod starter;
pub mod steer;
pub mod submit;
pub mod targets;
pub mod view;
mod waiting;
pub mod world;

pub use context::Context;
pub use error::HomeError;
