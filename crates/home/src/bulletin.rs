//! What whoever keeps the queue decided last and saw of the machine, for other processes that tell why runs wait.

use crate::context::Context;
use crate::seat;
use neronet_schedule::{Decided, World};
use neronet_store::files::{self, Durability};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bulletin {
    pub(crate) decided: Decided,
    pub(crate) world: World,
}

fn path(context: &Context) -> PathBuf {
    context.home.root().join("queue.json")
}

/// Best effort: without it others work it out by themselves.
pub(crate) fn write(context: &Context, bulletin: &Bulletin) {
    files::replace_json(&path(context), bulletin, Durability::Renamed).ok();
}

/// Nothing where nobody keeps the queue.
pub(crate) fn read(context: &Context) -> Option<Bulletin> {
    seat::is_taken(&context.home).then(|| files::read_json(&path(context)).ok().flatten()).flatten()
}
