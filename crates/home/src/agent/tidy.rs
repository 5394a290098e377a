//! What goes from a target by itself, once a day while home is there: what was begun and never finished, code that no run needs which has
//! not ended, binaries that nobody uses. Home brings each again when it is wanted. The folders of runs go only when home removes the runs.

use crate::context::Context;
use crate::error::HomeError;
use crate::gc;
use crate::parcel::{self, Parts};
use crate::runner;
use neronet_model::launch::{Courtesy, DiskTurn};
use neronet_model::size::shown;
use neronet_store::Home;
use neronet_store::walk::{Counted, Walk};
use neronet_supervise::os::courtesy;
use neronet_target::wire::Reply;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What nobody used for so long.
const UNUSED: Duration = Duration::from_secs(30 * 86_400);
/// What nobody goes on to bring.
const BROKEN: Duration = Duration::from_secs(7 * 86_400);
/// A runner may start attempts for so long after its binary was marked as used: a lease, and the days between two marks.
const LEASED: Duration = Duration::from_secs(16 * 86_400);

/// In the folder of a target, `top` being where everything is.
pub(super) fn tidy(context: &Context, top: &Path) -> Result<Reply, HomeError> {
    courtesy::stand_back(Courtesy { nice: 19, disk: Some(DiskTurn::Idle) });
    is_used(context);
    let now = SystemTime::now();
    let mut gone = gc::tidy(context, UNUSED)?;
    sweep_parts(context, top, now - BROKEN)?;
    for unused in unused_binaries(top, &context.neronet, now) {
        let bytes = unused.metadata().map_or(0, |meta| meta.len());
        if fs::remove_file(&unused).is_ok() {
            gone.push(format!("{} is gone: nobody uses it any more ({} freed)", unused.display(), shown(bytes)));
        }
    }
    let quiet = |_| {};
    let mut walk = Walk::new(Counted::Once, &quiet);
    let (own, binaries) = (walk.size(context.home.root()), walk.size(&top.join("bin")));
    Ok(Reply::Tidied { bytes: own.disk, files: own.files, binaries: binaries.disk, gone })
}

/// Marks our own binary as used.
pub(super) fn is_used(context: &Context) {
    File::open(&context.neronet).and_then(|file| file.set_modified(SystemTime::now())).ok();
}

fn sweep_parts(context: &Context, top: &Path, before: SystemTime) -> Result<(), HomeError> {
    Parts::incoming(&context.home)?.sweep(before);
    sweep_below(&context.home.runs(), 1, before);
    // What `push` brings, in a place of its own or in one of this home's.
    sweep_below(&top.join("data"), 2, before);
    Ok(())
}

fn sweep_below(folder: &Path, deep: u32, before: SystemTime) {
    // A link to one is none of ours.
    let is_folder = |path: &Path| path.symlink_metadata().is_ok_and(|meta| meta.is_dir());
    let arriving = folder.join(parcel::ARRIVING);
    if is_folder(&arriving) {
        parcel::sweep(&arriving, before);
    }
    if deep > 0 {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        entries.filter(|path| is_folder(path)).for_each(|path| sweep_below(&path, deep - 1, before));
    }
}

/// Binaries that lie there unused, for whichever home they were brought. Processes of another host that shares the folder are not seen
/// from here: whatever may have been started with a binary is told by the times of attempts that have not ended.
fn unused_binaries(top: &Path, own: &Path, now: SystemTime) -> Vec<PathBuf> {
    let entries = fs::read_dir(top.join("bin")).into_iter().flatten().flatten();
    let old = |path: &PathBuf, than: SystemTime| path.symlink_metadata().is_ok_and(|meta| meta.is_file() && modified(&meta) < than);
    let ours = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("neronet-"));
    let all: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| ours(path) && old(path, now - UNUSED)).collect();
    if all.is_empty() {
        return all;
    }
    // Where it is not known who needs what, all stays.
    let Some((oldest, runners)) = needed(top) else { return Vec::new() };
    let executing: BTreeSet<PathBuf> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|process| fs::read_link(process.path().join("exe")).ok())
        .collect();
    let before = oldest.and_then(|oldest| oldest.checked_sub(LEASED)).unwrap_or(now);
    let is_unused = |path: &PathBuf| path.as_path() != own && old(path, before) && !runners.contains(path) && !executing.contains(path);
    all.into_iter().filter(is_unused).collect()
}

/// Of all targets there: when the oldest attempt was begun that has not ended, and the binaries of runners. Nothing where one cannot be
/// read.
fn needed(top: &Path) -> Option<(Option<SystemTime>, BTreeSet<PathBuf>)> {
    let (mut oldest, mut runners) = (None::<SystemTime>, BTreeSet::new());
    for home in fs::read_dir(top).ok()?.flatten() {
        for target in fs::read_dir(home.path()).into_iter().flatten().flatten() {
            let root = target.path();
            if !root.join("home.json").is_file() {
                continue;
            }
            let home = Home::at(&root).ok()?;
            let known = home.read().ok().filter(|known| known.damage.is_empty())?;
            runners.extend(runner::binary(&home));
            for (run, n) in known.queue.granted() {
                let launch = home.attempt(run, n).join("launch.json");
                // One that is just being started has none yet.
                let Ok(meta) = launch.metadata() else { continue };
                oldest = Some(oldest.map_or_else(|| modified(&meta), |known| known.min(modified(&meta))));
            }
        }
    }
    Some((oldest, runners))
}

fn modified(meta: &fs::Metadata) -> SystemTime {
    meta.modified().unwrap_or_else(|_| SystemTime::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn what_nobody_goes_on_to_bring_goes_wherever_it_was_to_be() {
        let folder = tempfile::tempdir().expect("a folder");
        let (data, now) = (folder.path().join("data"), SystemTime::now());
        let put = |place: &str, days: u32| {
            let arriving = data.join(place).join(parcel::ARRIVING);
            fs::create_dir_all(&arriving).expect("made");
            fs::write(arriving.join("1.part"), "x").expect("written");
            let file = File::options().write(true).open(arriving.join("1.part")).expect("there");
            file.set_modified(now - days * DAY).expect("ours");
            arriving.join("1.part")
        };
        let (top, named, own, new) = (put("", 8), put("cifar", 8), put("HOME/cifar", 8), put("new", 6));
        sweep_below(&data, 2, now - BROKEN);
        assert_eq!([top, named, own, new].map(|part| part.exists()), [false, false, false, true]);
    }

    #[test]
    fn a_binary_goes_when_it_was_not_used_for_long_and_nobody_may_need_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let (top, now) = (folder.path(), SystemTime::now());
        let bin = top.join("bin");
        fs::create_dir(&bin).expect("made");
        let put = |name: &str, days: u32| {
            fs::write(bin.join(name), "x").expect("written");
            let file = File::options().write(true).open(bin.join(name)).expect("there");
            file.set_modified(now - days * DAY).expect("ours");
            bin.join(name)
        };
        let own = put("neronet-0.3-own", 90);
        let old = put("neronet-0.1-old", 90);
        let broken = put("neronet-0.1-old.part.77", 40);
        put("neronet-0.2-used", 20);
        put("mine", 90);
        let unused = || {
            let mut unused = unused_binaries(top, &own, now);
            unused.sort();
            unused
        };
        assert_eq!(unused(), [old.clone(), broken.clone()]);
        // What a runner there was started from stays.
        let target = top.join("01JDYZ3M5T0000000000000000/gpu1");
        let home = Home::at(&target).expect("a home");
        drop(home.lock([0; 10], 0, |_| {}).expect("locked"));
        let process = serde_json::json!({"host": "h", "boot": "b", "pid_namespace": 1, "pid": 1, "start": 1});
        let notice = serde_json::json!({"process": process, "binary": old});
        fs::write(target.join("runner.json"), notice.to_string()).expect("written");
        assert_eq!(unused(), [broken]);
        // Nor does anything go where a home there cannot be read.
        fs::remove_file(target.join("journal/1.log"))
            .and_then(|()| fs::create_dir(target.join("journal/1.log")))
            .expect("no file any more");
        assert_eq!(unused(), Vec::<PathBuf>::new());
    }
}
