//! Snapshots, builds and private environments that no run has any more, those in the trash counted in. That is decided while home is
//! ours; what was used a moment ago stays, as a submission may be about to name it.

use super::{Collected, Found, Item, Kind, rests, rests_for};
use crate::build::{self, Unused};
use crate::context::Context;
use crate::error::HomeError;
use crate::view::Snapshot;
use neronet_model::SweepId;
use neronet_model::journal::HomeState;
use neronet_store::walk::{Counted, Walk};
use neronet_store::{Locked, StoreError};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A snapshot on its way out is called so, until it is gone.
pub(super) const GONE: &str = ".gone-";

pub(super) fn find(context: &Context, snapshot: &Snapshot, walk: &mut Walk<'_>, found: &mut Found) {
    // What a damaged record says of who has what is not all of it.
    if !snapshot.damage.is_empty() {
        found.notes.push("the journal is damaged: snapshots, builds and environments stay, as nobody knows whose they are".into());
        return;
    }
    for place in unused_snapshots(context, &snapshot.state) {
        found.add(walk, Kind::Snapshots, place, "no run has this code any more");
    }
    for place in unused_builds(context, &snapshot.state) {
        found.add(walk, Kind::Builds, place, "no run has it any more");
    }
    for place in unused_environments(context, &snapshot.state) {
        found.add(walk, Kind::Private, place, "all runs of its sweep were removed");
    }
}

fn names(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path()))).collect()
}

fn unused_snapshots(context: &Context, state: &HomeState) -> Vec<PathBuf> {
    let used: BTreeSet<SweepId> = state.runs.briefs().map(|(_, run)| run.sweep).collect();
    let used: BTreeSet<&str> =
        used.iter().filter_map(|sweep| state.sweeps.get(sweep)).filter_map(|sweep| sweep.code.snapshot.as_deref()).collect();
    let all = names(&context.home.snapshots()).into_iter();
    let unused = all.filter(|(name, _)| !name.starts_with('.') && !used.contains(name.as_str()));
    unused.map(|(_, place)| place).filter(|place| rests(place)).collect()
}

fn unused_builds(context: &Context, state: &HomeState) -> Vec<PathBuf> {
    build::unused_places(context, state)
        .into_iter()
        .filter(|place| rests(place) || (!place.exists() && rests(&place.with_extension("log"))))
        .collect()
}

/// Of sweeps that the journal knows, and of which no run is left.
fn unused_environments(context: &Context, state: &HomeState) -> Vec<PathBuf> {
    let used: BTreeSet<SweepId> = state.runs.briefs().map(|(_, run)| run.sweep).collect();
    let unused = |name: &str| {
        let sweep: Option<SweepId> = name.strip_prefix("sweep-")?.strip_suffix(".environ")?.parse().ok();
        sweep.filter(|sweep| state.sweeps.contains_key(sweep) && !used.contains(sweep))
    };
    names(&context.home.private()).into_iter().filter(|(name, _)| unused(name).is_some()).map(|(_, path)| path).collect()
}

pub(super) fn collect(context: &Context, found: &Found, done: &mut Collected) {
    let of = |kind: Kind| found.items.iter().filter(move |item| item.kind == kind);
    if of(Kind::Snapshots).chain(of(Kind::Builds)).chain(of(Kind::Private)).next().is_none() {
        return;
    }
    let taken = context.lock().map(|home| take(context, &home, found, done));
    let (snapshots, builds) = match taken {
        Ok(taken) => taken,
        Err(e) => return done.failed.push(e.to_string()),
    };
    // All that takes long comes when others have home again.
    for (item, place) in snapshots {
        done.take(item, super::remove(&place));
    }
    for (item, build) in builds {
        done.take(item, build.remove().map_err(HomeError::from));
    }
}

/// Code that no run needs which has not ended, and that nobody wanted for so long. Whoever wants it brings it again.
pub(super) fn collect_unneeded(context: &Context, unused: Duration, done: &mut Collected) -> Result<(), HomeError> {
    let rests = |place: &Path| rests_for(place, unused);
    if names(&context.home.snapshots()).iter().all(|(name, place)| name.starts_with('.') || !rests(place)) {
        return Ok(());
    }
    let home = context.lock()?;
    if !home.replayed().damage.is_empty() {
        return Ok(());
    }
    let state = home.state();
    let sweeps: BTreeSet<SweepId> =
        state.runs.briefs().filter(|(run, _)| home.queue().awaits_end(*run)).map(|(_, run)| run.sweep).collect();
    let needed: BTreeSet<&str> =
        sweeps.iter().filter_map(|sweep| state.sweeps.get(sweep)).filter_map(|sweep| sweep.code.snapshot.as_deref()).collect();
    let unneeded = names(&context.home.snapshots()).into_iter();
    let unneeded = unneeded.filter(|(name, place)| !name.starts_with('.') && !needed.contains(name.as_str()) && rests(place));
    let mut taken = Vec::new();
    for (_, place) in unneeded {
        match take_snapshot(&place) {
            Ok(gone) => taken.extend(gone),
            Err(e) => done.failed.push(e.to_string()),
        }
    }
    drop(home);
    let quiet = |_| {};
    let mut walk = Walk::new(Counted::WhenLast, &quiet);
    for path in taken {
        let (size, why) = (walk.size(&path), "no run needs this code now".to_string());
        let item = Item { kind: Kind::Snapshots, run: None, path, size, why };
        done.take(&item, super::remove(&item.path));
    }
    Ok(())
}

type Taken<'f> = (Vec<(&'f Item, PathBuf)>, Vec<(&'f Item, Unused)>);

/// Takes them out of use, as far as nobody has them now.
fn take<'f>(context: &Context, home: &Locked, found: &'f Found, done: &mut Collected) -> Taken<'f> {
    let state = home.state();
    let of = |kind: Kind, there: Vec<PathBuf>| {
        let there: BTreeSet<PathBuf> = there.into_iter().collect();
        found.items.iter().filter(move |item| item.kind == kind && there.contains(&item.path))
    };
    let mut snapshots = Vec::new();
    for item in of(Kind::Snapshots, unused_snapshots(context, state)) {
        match take_snapshot(&item.path) {
            Ok(place) => snapshots.extend(place.map(|place| (item, place))),
            Err(e) => done.failed.push(e.to_string()),
        }
    }
    let builds = of(Kind::Builds, unused_builds(context, state)).filter_map(|item| Some((item, Unused::take(item.path.clone())?)));
    let builds = builds.collect();
    for item in of(Kind::Private, unused_environments(context, state)) {
        done.take(item, super::remove(&item.path));
    }
    (snapshots, builds)
}

/// Puts it where nobody finds it. A submission that found it just before has left its mark on it: then it comes back.
fn take_snapshot(place: &Path) -> Result<Option<PathBuf>, StoreError> {
    let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let gone = place.with_file_name(format!("{GONE}{name}"));
    std::fs::rename(place, &gone).map_err(StoreError::io("rename", place))?;
    if rests(&gone) {
        return Ok(Some(gone));
    }
    // Where it was stored anew meanwhile, that one stays.
    std::fs::rename(&gone, place).ok();
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gc::REST;
    use std::fs::File;
    use std::time::SystemTime;

    #[test]
    fn a_snapshot_that_somebody_just_found_comes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("abc");
        std::fs::create_dir(&place).expect("made");
        assert_eq!(take_snapshot(&place).expect("renamed"), None);
        assert!(place.is_dir());
        let before = SystemTime::now() - 2 * REST;
        File::open(&place).and_then(|folder| folder.set_modified(before)).expect("ours");
        assert_eq!(take_snapshot(&place).expect("renamed"), Some(folder.path().join(".gone-abc")));
        assert!(!place.exists());
    }
}
