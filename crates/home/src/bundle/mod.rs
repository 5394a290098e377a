//! Bundles: runs for a colleague in one file, with their specification, code, curves, output and checkpoints, and without secrets.
//! `pack` writes one, `clean` takes out what is nobody else's business; `import::bundle` reads one.

mod clean;
mod pack;

pub use pack::{Packed, Wanted, Which, pack};

use neronet_model::journal::{Member, Sweep};
use neronet_model::run::KnownEnd;
use neronet_model::{Params, Uid, UnixMs};
use serde::{Deserialize, Serialize};

/// Of what the head says.
pub(crate) const FORMAT: u32 = 1;

/// The head of a bundle: what the journal says of the runs, and which files follow.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) format: u32,
    pub(crate) at: UnixMs,
    pub(crate) sweeps: Vec<Packet>,
    /// In the order in which they follow.
    pub(crate) files: Vec<File>,
}

/// A sweep, and those of its runs that are in the bundle.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Packet {
    pub(crate) sweep: Sweep,
    /// What `sweeps/N.json` holds.
    #[serde(default)]
    pub(crate) world: Option<serde_json::Value>,
    pub(crate) runs: Vec<Packaged>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Packaged {
    /// With the number that it had; its files are named by that.
    pub(crate) member: Member,
    /// The run that it goes on from, which need not be in the bundle.
    #[serde(default)]
    pub(crate) after: Option<Uid>,
    /// Parameters that later attempts had.
    #[serde(default)]
    pub(crate) changes: Params,
    pub(crate) end: KnownEnd,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct File {
    /// `runs/42/…` or `snapshots/HASH/…`.
    pub(crate) path: String,
    pub(crate) bytes: u64,
}
