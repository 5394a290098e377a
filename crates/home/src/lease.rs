//! How long a target starts by itself what it was given: until home has not been heard of for so long, or the machine was started
//! anew. On the target; home renews it whenever it is heard of.

use crate::context::Context;
use crate::error::HomeError;
use neronet_model::Millis;
use neronet_store::files::{self, Durability};
use neronet_supervise::os::{clock, process};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// By a clock that never jumps, and counts from the machine's start.
#[derive(Debug, Serialize, Deserialize)]
struct Lease {
    boot: String,
    until: Millis,
    lasts: Millis,
}

fn path(context: &Context) -> PathBuf {
    context.home.root().join("lease.json")
}

pub(crate) fn renew(context: &Context, lasts: Millis) -> Result<(), HomeError> {
    let until = Millis(clock::boot_now().0.saturating_add(lasts.0));
    Ok(files::replace_json(&path(context), &Lease { boot: process::myself().boot, until, lasts }, Durability::Renamed)?)
}

/// Why nothing starts here for now. A home that is no target's has no lease.
pub(crate) fn is_over(context: &Context) -> Option<String> {
    let lease: Lease = files::read_json(&path(context)).ok().flatten()?;
    if lease.boot != process::myself().boot {
        return Some("home has not been heard of since the machine was started".into());
    }
    let days = lease.lasts.0 / 86_400_000;
    (clock::boot_now() > lease.until).then(|| format!("home has not been heard of for {days} days"))
}
