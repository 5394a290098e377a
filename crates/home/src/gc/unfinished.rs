//! What was begun and never finished, as its maker was killed, and what is left of runs that were removed for good. Only where neronet
//! itself writes: never in a work copy.

use super::shared::GONE;
use super::{Found, Kind, rests};
use crate::context::Context;
use crate::view::Snapshot;
use neronet_model::RunId;
use neronet_schedule::Stand;
use neronet_store::spool;
use neronet_store::walk::Walk;
use std::path::Path;

pub(super) fn find(context: &Context, snapshot: &Snapshot, walk: &mut Walk<'_>, found: &mut Found, tell: &dyn Fn(u64)) {
    let home = &context.home;
    for (run, uid) in &snapshot.state.purged {
        let folder = home.run(*run);
        if folder.symlink_metadata().is_ok() {
            found.add(walk, Kind::Removed, folder, "its run was removed for good");
        }
        if let Some(cached) = context.series_of(*uid).filter(|cached| cached.symlink_metadata().is_ok()) {
            found.add(walk, Kind::CachedSeries, cached, "its run was removed for good");
        }
    }
    for folder in [home.root().to_path_buf(), home.root().join("sweeps"), home.private(), home.snapshots(), context.cache.clone()] {
        of_folder(&folder, walk, found);
    }
    for (at, run) in snapshot.state.runs.briefs().map(|(id, _)| id).filter(|run| !is_at_work(snapshot, *run)).enumerate() {
        tell(at as u64);
        let folder = home.run(run);
        of_folder(&folder, walk, found);
        for n in spool::attempts_of(&folder).unwrap_or_default() {
            of_folder(&home.attempt(run, n), walk, found);
        }
    }
}

fn is_at_work(snapshot: &Snapshot, run: RunId) -> bool {
    !matches!(snapshot.queue.stand(run), Some(Stand::Ended(_)))
}

fn of_folder(folder: &Path, walk: &mut Walk<'_>, found: &mut Found) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(maker) = name.to_str().and_then(maker) else { continue };
        if rests(&entry.path()) && !maker.is_some_and(lives) {
            found.add(walk, Kind::Unfinished, entry.path(), "begun more than a day ago, and never finished");
        }
    }
}

/// By its name, whether something is unfinished, and which process made it, where that says so.
fn maker(name: &str) -> Option<Option<i32>> {
    if name == ".work.part" || name.starts_with(GONE) {
        return Some(None);
    }
    let number = |text: &str| text.split('-').next().and_then(|pid| pid.parse().ok());
    if let Some(rest) = name.strip_prefix(".new-") {
        return Some(number(rest));
    }
    let (rest, last) = name.strip_suffix(".new")?.rsplit_once('.')?;
    // Of the cache, of a file that is replaced, of one that is being sealed.
    let is_ours =
        number(last).is_some_and(|_: i32| last.contains('-') || rest.starts_with('.')) || (last == "zst" && rest.starts_with('.'));
    is_ours.then(|| number(last))
}

fn lives(pid: i32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unfinished_is_known_by_its_name() {
        for (name, expected) in [
            (".queue.json.4711.new", Some(Some(4711))),
            ("code-0123456789abcdef.4711-00ff00ff00ff00ff.new", Some(Some(4711))),
            (".new-4711-00ff00ff00ff00ff", Some(Some(4711))),
            (".metrics.1.jsonl.zst.new", Some(None)),
            (".work.part", Some(None)),
            (".gone-abc", Some(None)),
            ("mine.new", None),
            ("a.1.new", None),
            ("launch.json", None),
            (".queue.json.new", None),
        ] {
            assert_eq!(maker(name), expected, "{name}");
        }
    }
}
