//! What the crate draws and writes, seen from outside: samples compared with stored pictures, and properties that hold for any data.

mod golden;
mod million;
mod properties;
mod samples;
