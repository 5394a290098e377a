//! What runs beside the researcher's process, on the machine where it runs, with nobody else there.
//!
//! The **keeper** acts: it starts the command, passes on what it is asked, ends the whole tree when it must, and durably
//! writes how it ended. The **supervisor** observes: it reads the output, writes the spool and says what it all came to.
//! Either can be killed at any instant: the keeper replaces the supervisor; the supervisor outlives the keeper.

mod adoption;
pub mod cause;
pub mod checkpoints;
mod command;
mod config;
mod events;
pub mod files;
pub mod found;
mod globs;
pub mod keep;
mod keeper;
mod lines;
mod marks;
mod metrics;
mod nursery;
pub mod os;
mod output;
mod outputs;
pub mod position;
mod record;
pub mod retold;
mod saves;
pub mod secrets;
mod segment;
mod spooler;
pub mod start;
mod steps;
mod stream;
mod supervisor;
mod watcher;
mod word;

pub use adoption::adopt;
pub use nursery::{Nursery, nurse};
pub use secrets::Secrets;
