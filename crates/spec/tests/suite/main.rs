//! The specification as its users meet it: what is read, what is refused and with which words, and what a process sees.

mod calls;
mod commands;
mod documented;
mod files;
mod filling;
mod malformed;
mod malformed_commands;
mod malformed_files;
mod malformed_keys;
mod malformed_stages;
mod malformed_sweeps;
mod messages;
mod quoting;
mod reading;
mod rows;
mod schema;
mod sweeping;
