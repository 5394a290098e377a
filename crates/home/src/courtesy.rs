//! What is left of this machine to others: `[targets.local]` of `targets.toml`, and what suits a laptop where that says nothing.

use crate::context::Context;
use crate::error::HomeError;
use crate::targets::{self, wrong};
use neronet_model::launch::{Courtesy, DiskTurn};
use neronet_model::size;
use neronet_schedule::Limits;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Value;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Left {
    pub limits: Limits,
    pub courtesy: Courtesy,
    /// Nothing starts while the machine runs on its battery.
    pub pause_on_battery: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Local {
    leave_cores: Option<u32>,
    leave_memory: Option<String>,
    leave_gpus: Option<u32>,
    max_runs: Option<u64>,
    #[serde(default)]
    named: BTreeMap<String, u64>,
    nice: Option<i32>,
    idle_disk: Option<bool>,
    pause_on_battery: Option<bool>,
}

const NICEST: i32 = 19;
/// Of a laptop a core is left where it has so many, and memory where it has so much.
const CORES: usize = 4;
const MEMORY: u64 = 8 << 30;

/// What is not said is as it suits the machine: a laptop stays usable.
pub(crate) fn left(context: &Context, laptop: bool, cores: usize, memory: u64) -> Result<Left, HomeError> {
    let mut table = targets::local(context)?;
    table.remove("vars");
    let local: Local =
        Value::Table(table).try_into().map_err(|e: toml::de::Error| wrong(context, format!("[targets.local]: {}", e.message())))?;
    let leave_memory = match local.leave_memory {
        Some(text) => size::parse(&text)
            .ok_or_else(|| wrong(context, format!("[targets.local]: '{text}' is no size for leave_memory; write \"4 GB\"")))?,
        None if laptop && memory >= MEMORY => memory / 8,
        None => 0,
    };
    let nice = local.nice.unwrap_or(if laptop { 10 } else { 0 });
    if !(0..=NICEST).contains(&nice) {
        return Err(wrong(context, format!("[targets.local]: nice = {nice} is not between 0 and {NICEST}")));
    }
    Ok(Left {
        limits: Limits {
            leave_cores: local.leave_cores.unwrap_or(u32::from(laptop && cores >= CORES)),
            leave_memory,
            leave_gpus: local.leave_gpus.unwrap_or(0),
            max_runs: local.max_runs,
            named: local.named,
        },
        courtesy: Courtesy { nice, disk: local.idle_disk.unwrap_or(false).then_some(DiskTurn::Idle) },
        pause_on_battery: local.pause_on_battery.unwrap_or(false),
    })
}
