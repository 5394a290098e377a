//! What the world looked like when a run was submitted: the code, git's facts, the environment, the devices.
//!
//! `code::survey` looks at the folder, `code::store` freezes it under its hash, `code::materialise` makes a run's own copy of it.
//! `environment` and `devices` describe the machine from files alone; `interpreter`, `imports` and `space` tell what would keep a
//! run from starting there, `network` whether other machines share it; `secrets` keeps what must not be recorded out of the record.

pub mod code;
pub mod data;
pub mod devices;
pub mod environment;
mod error;
pub mod imports;
pub mod interpreter;
pub mod network;
mod packages;
pub mod secrets;
mod sign;
pub mod space;
mod system;

pub use error::CaptureError;
pub use sign::{hash, hex, unique};
pub use system::System;
