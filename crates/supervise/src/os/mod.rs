//! All that depends on the system. The rest of the crate is plain code over these few calls.

pub mod clock;
pub mod courtesy;
pub mod exchange;
pub mod fork;
mod kernel_file;
pub mod memory;
pub mod process;
pub mod terminal;
