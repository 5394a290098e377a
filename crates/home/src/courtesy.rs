//! What is left of this machine to others: `[targets.local]` of `targets.toml`, and what suits a laptop where that says nothing.

use crate::context::Context;
use crate::error::HomeError;
use crate::{hours, targets};
use jiff::tz::TimeZone;
use neronet_model::launch::{Courtesy, DiskTurn};
use neronet_schedule::{Limits, Shut};

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Left {
    pub limits: Limits,
    pub courtesy: Courtesy,
    /// When nothing starts here.
    pub shut: Vec<Shut>,
    /// Nothing starts while the machine runs on its battery.
    pub pause_on_battery: bool,
}

/// Of a laptop a core is left where it has so many, and memory where it has so much.
const CORES: usize = 4;
const MEMORY: u64 = 8 << 30;

/// What is not said is as it suits the machine: a laptop stays usable.
pub(crate) fn left(context: &Context, laptop: bool, cores: usize, memory: u64) -> Result<Left, HomeError> {
    let (cores_left, memory_left, nice) = match laptop {
        true => (u32::from(cores >= CORES), if memory >= MEMORY { memory / 8 } else { 0 }, 10),
        false => (0, 0, 0),
    };
    let Some(local) = targets::local(context)? else {
        let limits = Limits { leave_cores: cores_left, leave_memory: memory_left, ..Limits::default() };
        return Ok(Left { limits, courtesy: Courtesy { nice, disk: None }, ..Left::default() });
    };
    let shut = hours::shut(&local, &TimeZone::system(), context.now());
    Ok(Left {
        shut,
        limits: Limits {
            leave_cores: local.leave_cores.unwrap_or(cores_left),
            leave_memory: local.leave_memory.unwrap_or(memory_left),
            leave_gpus: local.leave_gpus.unwrap_or(0),
            max_runs: local.max_runs,
            named: local.named,
        },
        courtesy: Courtesy { nice: local.nice.unwrap_or(nice), disk: local.idle_disk.unwrap_or(false).then_some(DiskTurn::Idle) },
        pause_on_battery: local.pause_on_battery.unwrap_or(false),
    })
}
