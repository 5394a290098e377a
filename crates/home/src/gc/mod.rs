//! What may go: found first (`find`), taken away only when somebody asks for that (`collect`). Nothing goes of runs that have not ended,
//! that execute in place, that have a tag or a note, or that another run still goes on from; and where it is not sure, nothing goes.

mod checkpoints;
mod needed;
mod shared;
pub mod trash;
mod unfinished;

use crate::context::Context;
use crate::error::HomeError;
use crate::view::Snapshot;
use neronet_model::settings::Keep;
use neronet_model::{RunId, size};
use neronet_store::walk::{Counted, Size, Unread, Walk};
use neronet_store::{files, reserve};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What nobody needs may be what somebody is just about to: younger than this it stays.
const REST: Duration = Duration::from_secs(24 * 3_600);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Trash,
    Removed,
    CachedSeries,
    Unfinished,
    Private,
    Snapshots,
    Builds,
    Checkpoints,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Trash => "trash",
            Kind::Removed => "removed",
            Kind::CachedSeries => "cached series",
            Kind::Unfinished => "unfinished",
            Kind::Private => "private",
            Kind::Snapshots => "snapshots",
            Kind::Builds => "builds",
            Kind::Checkpoints => "checkpoints",
        }
    }
}

/// One thing that may go.
#[derive(Debug, Clone)]
pub struct Item {
    pub kind: Kind,
    pub run: Option<RunId>,
    pub path: PathBuf,
    pub size: Size,
    pub why: String,
}

/// What to look for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'r> {
    /// Only checkpoints of these; else whatever may go in all of home.
    pub runs: Option<&'r [RunId]>,
    /// In place of what the specifications of these runs say.
    pub keep: Option<Keep>,
}

#[derive(Debug, Default)]
pub struct Found {
    /// By kind.
    pub items: Vec<Item>,
    /// Runs of which checkpoints would go without their tag or note, and how much that is.
    pub protected: Vec<RunId>,
    pub protected_size: Size,
    /// The same of those that other runs still go on from.
    pub needed: Vec<RunId>,
    /// What should be known beside it.
    pub notes: Vec<String>,
    pub unread: Unread,
}

/// What became of it.
#[derive(Debug, Default)]
pub struct Collected {
    pub items: Vec<Item>,
    /// Sentences on what could not be taken away.
    pub failed: Vec<String>,
}

/// Looks for what may go; nothing is changed. `tell` is told how many runs were looked at.
pub fn find(context: &Context, snapshot: &Snapshot, asked: Asked<'_>, tell: &dyn Fn(u64)) -> Result<Found, HomeError> {
    let quiet = |_| {};
    let mut walk = Walk::new(Counted::WhenLast, &quiet);
    let mut found = Found::default();
    if asked.runs.is_none() {
        trash::find(context, snapshot, &mut walk, &mut found)?;
        unfinished::find(context, snapshot, &mut walk, &mut found, tell);
        shared::find(context, snapshot, &mut walk, &mut found);
    }
    checkpoints::find(context, snapshot, asked, &mut walk, &mut found, tell);
    found.unread = walk.unread;
    found.items.sort_by_key(|item| (item.kind, item.run));
    Ok(found)
}

/// Takes away what was found, as far as it still may go. First what needs no record: that makes room where there is none.
pub fn collect(context: &Context, found: &Found, keep: Option<Keep>, tell: &dyn Fn(u64)) -> Collected {
    let mut done = Collected::default();
    let of = |kind: Kind| found.items.iter().filter(move |item| item.kind == kind);
    for item in of(Kind::CachedSeries).chain(of(Kind::Unfinished)).chain(of(Kind::Removed)) {
        done.take(item, remove(&item.path));
    }
    shared::collect(context, found, &mut done);
    trash::collect(context, of(Kind::Trash), &mut done);
    checkpoints::collect(context, found, keep, &mut done, tell);
    reserve::take(context.home.root());
    done
}

/// On a target, by itself: what was begun and never finished, and code that no run there needs which has not
/// ended and that nobody wanted for so long. Gives a sentence on each kind.
pub(crate) fn tidy(context: &Context, unused: Duration) -> Result<Vec<String>, HomeError> {
    let quiet = |_| {};
    let snapshot = Snapshot::read(context)?;
    let (mut walk, mut found, mut done) = (Walk::new(Counted::WhenLast, &quiet), Found::default(), Collected::default());
    unfinished::find(context, &snapshot, &mut walk, &mut found, &quiet);
    shared::find(context, &snapshot, &mut walk, &mut found);
    drop(snapshot);
    // What is left of runs that went back home or elsewhere may be gone on from: home says when it goes.
    for item in found.items.iter().filter(|item| matches!(item.kind, Kind::CachedSeries | Kind::Unfinished)) {
        done.take(item, remove(&item.path));
    }
    shared::collect(context, &found, &mut done);
    shared::collect_unneeded(context, unused, &mut done)?;
    let mut kinds: BTreeMap<Kind, (usize, u64)> = BTreeMap::new();
    for item in &done.items {
        let (count, bytes) = kinds.entry(item.kind).or_default();
        (*count, *bytes) = (*count + 1, *bytes + item.size.disk);
    }
    let sentence = |(kind, (count, bytes)): (Kind, (usize, u64))| format!("{}: {count} gone, {} freed", kind.name(), size::shown(bytes));
    Ok(kinds.into_iter().map(sentence).chain(done.failed).collect())
}

impl Collected {
    fn take(&mut self, item: &Item, removed: Result<(), HomeError>) {
        match removed {
            Ok(()) => self.items.push(item.clone()),
            Err(e) => self.failed.push(e.to_string()),
        }
    }
}

/// A file, a link or a folder with all that is in it. What is gone already was removed.
fn remove(path: &Path) -> Result<(), HomeError> {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => Ok(files::remove_folder(path)?),
        Ok(_) => match std::fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(HomeError::Failed(format!("cannot remove {}: {e}", path.display()))),
            _ => Ok(()),
        },
        Err(_) => Ok(()),
    }
}

/// Nobody has changed it for a day.
fn rests(path: &Path) -> bool {
    rests_for(path, REST)
}

fn rests_for(path: &Path, time: Duration) -> bool {
    let changed = path.symlink_metadata().and_then(|meta| meta.modified());
    changed.is_ok_and(|changed| SystemTime::now().duration_since(changed).is_ok_and(|rests| rests >= time))
}

impl Found {
    fn add(&mut self, walk: &mut Walk<'_>, kind: Kind, path: PathBuf, why: &str) {
        let size = walk.size(&path);
        self.items.push(Item { kind, run: None, path, size, why: why.into() });
    }
}
