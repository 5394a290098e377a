//! What this machine has, and who uses it now: processors, memory, GPUs, the battery.
//!
//! `Watch` looks; `elsewhere` says which GPUs others use. Drivers are asked by a thread that nobody waits for longer than he wants
//! to (`gpus`), as they may hang where a GPU does: NVIDIA's by its library (`nvml`), else by `nvidia-smi` (`smi`), AMD's by what it
//! writes below /sys (`amd`). Where there is no driver there are no GPUs, and that is no error.

mod amd;
mod drivers;
mod elsewhere;
mod gpus;
mod host;
mod nvml;
mod smi;
mod visible;
mod watch;
mod words;

#[cfg(test)]
mod stand_in;

pub use elsewhere::elsewhere;
pub use gpus::{Gpus, Holder, Seen, Use, uses_a_gpu};
pub use watch::{Looked, Watch};
