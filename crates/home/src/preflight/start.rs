//! What can have changed between the submission and the start of a run, looked at before each start: a fraction of a millisecond.

use crate::context::Context;
use crate::error::HomeError;
use crate::submit::world_file;
use neronet_capture::space::{self, Disk, shown};
use neronet_model::journal::Sweep;
use serde::Deserialize;
use std::path::PathBuf;

/// What a run writes of itself before it has done anything, many times over. A smaller disk needs less.
const LEAST: u64 = 16_000_000;

/// Of `submit::World`.
#[derive(Deserialize)]
struct World {
    #[serde(default)]
    program: Option<PathBuf>,
}

/// Whether a run of this sweep may start now. The error says why not.
pub(crate) fn may(context: &Context, sweep: &Sweep) -> Result<(), HomeError> {
    // It has ended since it is here; that nothing starts it is looked at twice.
    if let Some(imported) = &sweep.imported {
        return Err(HomeError::Failed(format!("it was imported from {} and cannot be started", imported.from)));
    }
    if let Some(disk) = space::disk(context.home.root()) {
        has_room(&disk, sweep.settings.resources.disk)?;
    }
    // An environment that the specification names is looked at when it is made active.
    if sweep.settings.environment.python.is_some() {
        return Ok(());
    }
    let world = std::fs::read(world_file(context, sweep.id)).ok();
    let world: Option<World> = world.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if let Some(program) = world.and_then(|world| world.program)
        && std::fs::symlink_metadata(&program).is_err()
    {
        return Err(HomeError::Failed(format!(
            "{} was there when the run was submitted and is gone: put it back, or submit the run anew",
            program.display()
        )));
    }
    Ok(())
}

fn has_room(disk: &Disk, need: Option<u64>) -> Result<(), HomeError> {
    let least = need.unwrap_or(0).max(LEAST.min(disk.total / 100));
    if disk.free >= least {
        return Ok(());
    }
    let (free, mount) = (shown(disk.free), disk.mount.display());
    let by = if disk.by_quota { " by your quota" } else { "" };
    let why = match need {
        Some(need) => format!("a run needs {} ([resources] disk), and {free} are free{by} on {mount}", shown(need)),
        None => format!("No space left: {free} are free{by} on {mount}"),
    };
    Err(HomeError::Failed(format!("{why}; free some space, then `neronet retry` starts it")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_needs_what_it_says_and_never_the_last_hundredth_of_a_disk() {
        let disk = |free: u64, total: u64| Disk { mount: "/data".into(), free, total, inodes: None, by_quota: false, shares_copies: false };
        let said = |free, total, need| has_room(&disk(free, total), need).err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(said(17_000_000, 1 << 40, None), "");
        assert!(said(15_000_000, 1 << 40, None).starts_with("No space left: 15 MB are free on /data; free some space"));
        assert_eq!(said(30_000, 2_000_000, None), "");
        assert!(said(10_000, 2_000_000, None).starts_with("No space left: 10 kB"));
        assert!(said(17_000_000, 1 << 40, Some(20_000_000_000)).starts_with("a run needs 20 GB ([resources] disk), and 17 MB are free"));
    }
}
