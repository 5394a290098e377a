//! The commands by which people see and arrange runs, through the real binary: whole answers, and the shape of the JSON.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod arranging;
mod checking;
mod contracts;
mod drafting;
mod drawing;
mod errors;
mod listing;
mod showing;
mod world;
