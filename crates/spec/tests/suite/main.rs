//! The specification as its users meet it: what is read, what is refused and with which words, and what a process sees.

mod calls;
mod commands;
mod malformed;
mod malformed_commands;
mod quoting;
mod reading;
