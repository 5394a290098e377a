//! A home for a moment: a folder of its own outside the user's home, gone when it is dropped.

use crate::context::Context;
use crate::error::HomeError;
use neronet_capture::hex;
use neronet_store::{Home, StoreError, files};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PREFIX: &str = "neronet-smoke.";
/// Locked for as long as somebody is at work in the folder.
const AT_WORK: &str = "at-work.lock";
/// What is younger may not have its lock yet.
const SETTLED: Duration = Duration::from_secs(60);

pub(super) struct Scratch {
    /// As the user's own, but for its home.
    pub(super) context: Context,
    folder: PathBuf,
    _at_work: Flock<File>,
}

impl Scratch {
    pub(super) fn new(context: &Context) -> Result<Scratch, HomeError> {
        let parent = parent(context);
        files::make_folder(&parent)?;
        remove_abandoned(&parent);
        let folder = parent.join(format!("{PREFIX}{}", hex(&context.random()?)));
        DirBuilder::new().mode(0o700).create(&folder).map_err(StoreError::io("make the folder", &folder))?;
        match settle(context, &folder) {
            Ok((context, at_work)) => Ok(Scratch { context, folder, _at_work: at_work }),
            Err(e) => {
                files::remove_folder(&folder).ok();
                Err(e)
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(e) = files::remove_folder(&self.folder) {
            (self.context.say)(&format!("{} is yours to remove: {e}", self.folder.display()));
        }
    }
}

fn settle(context: &Context, folder: &Path) -> Result<(Context, Flock<File>), HomeError> {
    let lock = folder.join(AT_WORK);
    let file = File::create(&lock).map_err(StoreError::io("open", &lock))?;
    let at_work = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| StoreError::io("lock", &lock)(errno.into()))?;
    // What the machine's variables are is no different here. Without the file there are none.
    let targets = folder.join(crate::targets::FILE);
    match std::fs::copy(context.home.root().join(crate::targets::FILE), &targets) {
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(StoreError::io("copy", &targets)(e).into()),
    }
    // A neronet that is started from within belongs here too.
    let mut environment = context.environment.clone();
    environment.retain(|(name, _)| name != "NERONET_HOME");
    environment.push(("NERONET_HOME".into(), folder.into()));
    let context = Context { home: Home::at(folder)?, environment, passing: true, key: None, given: None, ..context.clone() };
    // A home once it was locked: where it lies below the code, it is no part of that.
    drop(context.lock()?);
    Ok((context, at_work))
}

/// Where temporary things are wanted, else beside what can be made again, which is likelier to have room than /tmp.
fn parent(context: &Context) -> PathBuf {
    match context.variable("TMPDIR").filter(|folder| !folder.is_empty()) {
        Some(named) => context.folder.join(named),
        None if context.cache.starts_with(context.home.root()) => PathBuf::from("/tmp"),
        None => context.cache.clone(),
    }
}

/// What a smoke test that was killed has left.
fn remove_abandoned(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let age = || entry.metadata().and_then(|meta| meta.modified()).ok().and_then(|made| made.elapsed().ok());
        if !is_ours || age().is_none_or(|age| age < SETTLED) {
            continue;
        }
        let lock = File::open(entry.path().join(AT_WORK));
        if lock.is_ok_and(|lock| Flock::lock(lock, FlockArg::LockExclusiveNonblock).is_ok()) {
            files::remove_folder(&entry.path()).ok();
        }
    }
}
