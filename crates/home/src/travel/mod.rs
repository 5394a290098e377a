//! Files between home and a target, over a connection that only reads and brings them: checkpoints and artifacts that are fetched
//! (`fetch`), data sets and checkpoints that are brought there (`push`). Several questions are on their way at once, and what is there
//! already stays.

pub mod brought;
mod fetch;
pub mod left;
pub(crate) mod needed;
mod push;
pub(crate) mod pushed;

pub use fetch::{fetch, list};
pub use push::push;

use crate::contact;
use crate::context::Context;
use crate::error::HomeError;
use crate::targets;
use neronet_model::Uid;
use neronet_target::Trouble;
use neronet_target::channel::{Asked, Channel};
use neronet_target::parcel::{Entry, Inner};
use neronet_target::ssh::Ssh;
use neronet_target::wire::{Ask, Ground, Reply};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// A disk that others use as well reads at least so many bytes a second.
const SLOWEST: u64 = 10_000_000;
/// So many questions are on their way, with up to 1 MiB each.
const AT_ONCE: usize = 16;
/// What is told of a file, besides its path, in JSON.
const OF_ENTRY: usize = 200;
/// What changes while it travels is begun anew so often.
const ROUNDS: u32 = 3;

/// A connection that reads and brings files.
pub struct Way {
    channel: Channel,
}

/// Why nothing more travels now. What has arrived stays, and is gone on with.
#[derive(Debug)]
pub enum Lost {
    Target(Trouble),
    /// Another target, from which something is to be brought to this one: its name, and what is the matter with it.
    Elsewhere(String),
    Here(HomeError),
}

impl From<Trouble> for Lost {
    fn from(trouble: Trouble) -> Lost {
        Lost::Target(trouble)
    }
}

impl From<HomeError> for Lost {
    fn from(error: HomeError) -> Lost {
        Lost::Here(error)
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lost::Target(trouble) => trouble.fmt(f),
            Lost::Elsewhere(why) => f.write_str(why),
            Lost::Here(error) => error.fmt(f),
        }
    }
}

impl Lost {
    /// For people, who know the target by its name.
    pub fn of(self, name: &str) -> HomeError {
        match self {
            Lost::Target(trouble) => HomeError::of_target(name, &trouble),
            Lost::Elsewhere(why) => HomeError::Target(why),
            Lost::Here(error) => error,
        }
    }

    /// It was this other target that was lost.
    fn at(self, other: &str) -> Lost {
        match self {
            Lost::Target(trouble) => Lost::Elsewhere(format!("{other} {}", contact::words(&trouble))),
            lost => lost,
        }
    }
}

/// How far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Going {
    pub done: u64,
    pub all: u64,
    /// Files that have their place, of those that travel.
    pub files: usize,
    pub of: usize,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// Files that travelled, and their bytes.
    pub files: usize,
    pub bytes: u64,
    /// Files that were there already.
    pub there: usize,
    /// Why others did not, each a sentence.
    pub failed: Vec<String>,
}

impl Moved {
    pub fn add(&mut self, other: Moved) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.there += other.there;
        self.failed.extend(other.failed);
    }
}

/// A file, where it comes from, and what it is to be where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traveller {
    pub from: Inner,
    /// With the path that it gets.
    pub to: Entry,
}

impl Way {
    /// `copied` is told of our own binary, where it has to be brought: how many bytes are there, and of how many.
    ///
    /// # Errors
    /// There is no such target, or it is not reached.
    pub fn open(context: &Context, name: &str, copied: &dyn Fn(u64, u64)) -> Result<Way, Lost> {
        let all = targets::all(context)?;
        let target = all.get(name).ok_or_else(|| targets::unknown(&all, name))?;
        let folder = targets::place_there(name, target)?;
        let home = named(context)?;
        let ssh = Ssh { carries_files: true, ..targets::ssh(context)? };
        let channel = targets::open(context, &ssh, (name, target), folder, copied)?;
        match channel.ask(Ask::Enter { home, target: name.to_string() }, PATIENCE)? {
            (Reply::Done, _) => {
                channel.widen();
                Ok(Way { channel })
            }
            _ => Err(Trouble::odd().into()),
        }
    }

    /// Asks for several things in order, some of them on their way at once.
    fn each<'w, T>(
        &'w self,
        all: impl Iterator<Item = (T, Ask, Duration)>,
        mut each: impl FnMut(T, Result<(Reply, Vec<u8>), String>) -> Result<(), Lost>,
    ) -> Result<(), Lost> {
        let mut all = all.fuse();
        let mut waiting: VecDeque<(T, Duration, Asked<'w>)> = VecDeque::new();
        loop {
            while waiting.len() < AT_ONCE
                && let Some((what, ask, patience)) = all.next()
            {
                waiting.push_back((what, patience, self.channel.send(ask, &[])?));
            }
            let Some((what, patience, asked)) = waiting.pop_front() else { return Ok(()) };
            each(what, answered(asked, patience)?)?;
        }
    }
}

/// A sentence on what patterns name and cannot travel.
pub fn stays_there(left_out: u64) -> String {
    format!("{left_out} more cannot be fetched: links that lead elsewhere, pipes, names that are no text")
}

/// Home's name, which it gets with its first lock.
pub(crate) fn named(context: &Context) -> Result<Uid, HomeError> {
    if let Some(uid) = context.home.uid()? {
        return Ok(uid);
    }
    drop(context.lock()?);
    context.home.uid()?.ok_or_else(|| HomeError::Failed("home has no name yet".into()))
}

/// An answer, or why this one thing cannot be done.
fn answered(asked: Asked<'_>, patience: Duration) -> Result<Result<(Reply, Vec<u8>), String>, Trouble> {
    match asked.wait(patience) {
        Ok(answer) => Ok(Ok(answer)),
        Err(Trouble::Failed(why)) => Ok(Err(why)),
        Err(trouble) => Err(trouble),
    }
}

/// So long it may take to hash a file.
fn while_hashed(bytes: u64) -> Duration {
    PATIENCE + Duration::from_secs(bytes / SLOWEST)
}

/// As many as a frame has room for, at least one.
pub(crate) fn page(entries: &[Entry], most: usize) -> &[Entry] {
    let mut bytes = 0;
    // Of a character of a path JSON makes six at most.
    let fit = entries.iter().take_while(|entry| {
        bytes += entry.path.as_str().len() * 6 + OF_ENTRY;
        bytes <= most
    });
    let fit = fit.count().max(1);
    entries.get(..fit).unwrap_or(entries)
}

/// Refuses what is neither one of a run's own files nor a checkpoint: what else lies in its folder is its record.
///
/// # Errors
/// It is.
pub(crate) fn may_be_brought(ground: &Ground, path: &Inner) -> Result<(), HomeError> {
    if matches!(ground, Ground::Folder(_)) || is_of_run(path) || path.as_str() == needed::STAGE {
        return Ok(());
    }
    Err(HomeError::Failed(format!("'{path}' is nothing that is brought into the folder of a run")))
}

/// Whether a path within a run's folder is that of a file which the run itself left.
pub(crate) fn is_of_run(path: &Inner) -> bool {
    matches!(path.as_str().split_once('/'), Some(("work" | "checkpoints", _)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use neronet_model::{RunId, UnixMs};

    fn inner(path: &str) -> Inner {
        Inner::try_from(path.to_string()).expect("a path")
    }

    #[test]
    fn a_runs_record_is_nothing_that_travels() {
        let run = Ground::Run(RunId(5));
        for path in ["work/ck/1.pt", "checkpoints/1.pt", "work/a"] {
            assert!(may_be_brought(&run, &inner(path)).is_ok() && is_of_run(&inner(path)), "{path}");
        }
        for path in ["work", "run.json", "attempts/1/keeper.jsonl", "workshop/a", "files/a.yaml", ".arriving/a"] {
            assert!(may_be_brought(&run, &inner(path)).is_err() && !is_of_run(&inner(path)), "{path}");
            assert!(may_be_brought(&Ground::Folder("data".into()), &inner(path)).is_ok(), "{path}");
        }
    }

    #[test]
    fn pages_have_room_in_a_frame_and_something_in_them() {
        let entry = |path: &str| Entry { path: inner(path), bytes: u64::MAX, modified: UnixMs(i64::MIN), mode: 0o777, sha256: None };
        let all: Vec<Entry> = (0..100).map(|n| entry(&format!("{}\u{1}/{n}", "\u{1}".repeat(200)))).collect();
        let some = page(&all, 10_000);
        assert!(!some.is_empty() && some.len() < 10 && serde_json::to_vec(some).expect("JSON").len() <= 10_000);
        assert_eq!((page(&all, 1).len(), page(&[], 1).len(), page(&all, usize::MAX).len()), (1, 0, 100));
    }
}
