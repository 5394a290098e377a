//! What the queue is told of runs, and what it gives them. `schedule` decides with it; the journal holds it.

use crate::id::RunId;
use crate::time::{Millis, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A machine that runs can be placed on, as it is when nobody uses it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Machine {
    /// Of its target; this machine is `local`.
    pub name: String,
    /// Numbers of the processors that may be used.
    pub cores: Vec<u32>,
    /// Bytes.
    pub memory: u64,
    pub gpus: Vec<Gpu>,
}

/// A GPU, or a part of one that the driver shows as a device of its own (MIG).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Gpu {
    /// By which it is made visible: a UUID where the driver has one, else its number.
    pub id: String,
    /// Its place in the order of the PCI bus; a part has that of its GPU.
    pub index: u32,
    pub name: String,
    pub vendor: GpuVendor,
    /// Bytes; 0 where the driver does not say.
    pub memory: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GpuVendor {
    #[default]
    Nvidia,
    Amd,
}

/// What one attempt has of a machine, from its start to its end.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Grant {
    pub machine: String,
    /// How many processors count as taken.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cpus: u32,
    /// The processors that it is bound to; none: it may use any.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cores: Vec<u32>,
    /// Bytes that are set aside.
    #[serde(default, skip_serializing_if = "is_default")]
    pub memory: u64,
    /// Bytes of the disk that are set aside.
    #[serde(default, skip_serializing_if = "is_default")]
    pub disk: u64,
    /// Nothing: what was visible at submission stays so. Empty: none is visible.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gpus: Option<Vec<GpuShare>>,
    /// Licences and the like, by name.
    #[serde(default, skip_serializing_if = "is_default")]
    pub named: BTreeMap<String, u64>,
}

/// A GPU, or some of its memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GpuShare {
    pub id: String,
    /// Thousandths of the GPU.
    pub share: u32,
    #[serde(default)]
    pub vendor: GpuVendor,
}

/// All of one.
pub const WHOLE: u32 = 1_000;

/// Where a run goes in the order of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    First,
    Last,
    Before(RunId),
    After(RunId),
}

/// Another run that must have ended first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    pub run: RunId,
    /// It must have finished, not only ended.
    pub ok: bool,
}

/// What a submission says of its place in the queue, for all its runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Wishes {
    /// Higher ones start first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub not_before: Option<UnixMs>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub after: Vec<Dependency>,
    /// Nothing more of the sweep starts once its runs had GPUs for so long together.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gpu_time: Option<Millis>,
    /// The sweep is held when so many of its runs failed of the same cause.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hold_after: Option<u32>,
}

impl Wishes {
    pub fn is_default(&self) -> bool {
        *self == Wishes::default()
    }
}

/// What the runs of a project may have at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quota {
    #[serde(default, skip_serializing_if = "is_default")]
    pub runs: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub gpus: Option<u32>,
}
