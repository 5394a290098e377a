//! The queue through its public door.

#[path = "../kit/mod.rs"]
mod kit;
