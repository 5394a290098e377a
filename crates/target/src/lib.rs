//! The way to other machines: the user's own ssh, what a machine says of itself, and what is in the way.
//!
//! Whoever wants something of a target goes through here; what is done there is decided elsewhere (`home`).

pub mod binary;
pub mod channel;
mod ciphers;
pub mod folder;
pub mod frame;
mod last_words;
mod on_terminal;
mod opening;
pub mod parcel;
pub mod passed_on;
pub mod probe;
pub mod shell;
pub mod ssh;
mod trouble;
pub mod wire;

pub use passed_on::{Ended, PassedOn, Said, Signals, attended};
pub use trouble::Trouble;
