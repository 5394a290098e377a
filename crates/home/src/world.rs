//! The machines that runs can be placed on, as they are now.

use crate::context::Context;
use neronet_model::queue::Machine;
use neronet_schedule::{Limits, Place, World};

/// This machine.
pub fn local(_context: &Context) -> World {
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u32;
    let machine = Machine { name: "local".into(), cores: (0..cores).collect(), memory: memory(), gpus: Vec::new() };
    World { places: vec![Place { machine, limits: Limits::default(), ..Place::default() }], ..World::default() }
}

/// Bytes.
fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kb = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kb.unwrap_or(0).saturating_mul(1024)
}
