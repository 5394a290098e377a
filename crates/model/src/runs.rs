//! The runs of a home, by number. Those that come from what is stored stay packed until somebody looks at all of one: a list of a
//! hundred thousand is filtered by what can be said of each in brief.

use crate::id::{RunId, SweepId};
use crate::outcome::Outcome;
use crate::run::{Ending, Run};
use crate::time::{Millis, UnixMs};
use crate::value::Value;
use std::collections::btree_map::Values;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::iter::Peekable;
use std::sync::Arc;

/// Runs as they are stored, in the order of their numbers. `at`: its place among them.
pub trait Shelf: fmt::Debug + Send + Sync {
    fn ids(&self) -> &[RunId];
    fn run(&self, at: usize) -> &Run;
    fn brief(&self, at: usize) -> Brief;
    fn has_ended(&self, at: usize) -> bool;
    /// The names of its parameters, in their order, and a number that is the same wherever these are.
    fn names(&self, at: usize) -> (usize, &[Arc<str>]);
    /// What stands for the value of a parameter: the same for the same value of the same name.
    fn code(&self, at: usize, name: &str) -> Option<u32>;
    fn value(&self, name: &str, code: u32) -> Option<Value>;
}

/// What has the same length of every run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Brief {
    pub sweep: SweepId,
    pub after: Option<RunId>,
    pub created: UnixMs,
    pub trashed: Option<UnixMs>,
    pub attempts: u64,
    pub earlier: Millis,
    pub is_tagged: bool,
    pub ending: Option<BriefEnding>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BriefEnding {
    pub outcome: Outcome,
    pub has_reason: bool,
    pub started: Option<UnixMs>,
    pub begun: Option<UnixMs>,
    pub ended: Option<UnixMs>,
    pub lasted: Option<Millis>,
}

impl Ending {
    pub fn brief(&self) -> BriefEnding {
        let Ending { outcome, reason, started, begun, ended, lasted, at: _ } = self;
        BriefEnding { outcome: *outcome, has_reason: reason.is_some(), started: *started, begun: *begun, ended: *ended, lasted: *lasted }
    }
}

impl Run {
    pub fn brief(&self) -> Brief {
        Brief {
            sweep: self.sweep,
            after: self.after,
            created: self.created,
            trashed: self.trashed,
            attempts: self.attempts,
            earlier: self.earlier,
            is_tagged: !self.tags.is_empty(),
            ending: self.ending.as_deref().map(Ending::brief),
        }
    }
}

/// One of the runs, of which not all may have been unpacked.
#[derive(Debug, Clone, Copy)]
pub enum Known<'a> {
    Whole(&'a Run),
    Shelved(&'a dyn Shelf, usize),
}

impl<'a> Known<'a> {
    pub fn id(self) -> RunId {
        match self {
            Known::Whole(run) => run.id,
            Known::Shelved(shelf, at) => shelf.ids().get(at).copied().unwrap_or(RunId(0)),
        }
    }

    pub fn whole(self) -> &'a Run {
        match self {
            Known::Whole(run) => run,
            Known::Shelved(shelf, at) => shelf.run(at),
        }
    }

    pub fn brief(self) -> Brief {
        match self {
            Known::Whole(run) => run.brief(),
            Known::Shelved(shelf, at) => shelf.brief(at),
        }
    }

    pub fn has_ended(self) -> bool {
        match self {
            Known::Whole(run) => run.ending.is_some(),
            Known::Shelved(shelf, at) => shelf.has_ended(at),
        }
    }

    pub fn has_param(self, name: &str) -> bool {
        match self {
            Known::Whole(run) => run.params.get(name).is_some(),
            Known::Shelved(shelf, at) => shelf.names(at).1.iter().any(|known| **known == *name),
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Runs {
    /// Those that are not on the shelf, or have changed since.
    own: BTreeMap<RunId, Run>,
    shelf: Option<Arc<dyn Shelf>>,
    /// What of the shelf is no longer true.
    gone: BTreeSet<RunId>,
}

impl Runs {
    pub fn of_shelf(shelf: Arc<dyn Shelf>) -> Runs {
        Runs { shelf: Some(shelf), ..Runs::default() }
    }

    fn shelved(&self, id: &RunId) -> Option<Known<'_>> {
        let shelf = self.shelf.as_deref()?;
        let at = shelf.ids().binary_search(id).ok().filter(|_| !self.gone.contains(id))?;
        Some(Known::Shelved(shelf, at))
    }

    pub fn known(&self, id: &RunId) -> Option<Known<'_>> {
        self.own.get(id).map(Known::Whole).or_else(|| self.shelved(id))
    }

    pub fn get(&self, id: &RunId) -> Option<&Run> {
        self.known(id).map(Known::whole)
    }

    pub fn get_mut(&mut self, id: &RunId) -> Option<&mut Run> {
        if !self.own.contains_key(id) {
            let run = self.shelved(id)?.whole().clone();
            self.insert(*id, run);
        }
        self.own.get_mut(id)
    }

    pub fn insert(&mut self, id: RunId, run: Run) {
        self.hide(id);
        self.own.insert(id, run);
    }

    pub fn remove(&mut self, id: &RunId) -> Option<Run> {
        let shelved = self.shelved(id).map(|known| known.whole().clone());
        self.hide(*id);
        self.own.remove(id).or(shelved)
    }

    fn hide(&mut self, id: RunId) {
        if self.shelf.as_ref().is_some_and(|shelf| shelf.ids().binary_search(&id).is_ok()) {
            self.gone.insert(id);
        }
    }

    pub fn len(&self) -> usize {
        self.own.len() + self.shelf.as_ref().map_or(0, |shelf| shelf.ids().len()) - self.gone.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them in the order of their numbers, none unpacked.
    pub fn all(&self) -> All<'_> {
        All { own: self.own.values().peekable(), shelf: self.shelf.as_deref(), next: 0, gone: &self.gone, left: self.len() }
    }

    /// What can be said of each in brief, in the order of their numbers.
    pub fn briefs(&self) -> impl Iterator<Item = (RunId, Brief)> {
        self.all().map(|run| (run.id(), run.brief()))
    }

    /// All of them in the order of their numbers, each unpacked as it comes.
    pub fn values(&self) -> impl Iterator<Item = &Run> {
        self.all().map(Known::whole)
    }
}

/// Goes through those of the shelf and the others, which have no number in common.
pub struct All<'a> {
    own: Peekable<Values<'a, RunId, Run>>,
    shelf: Option<&'a dyn Shelf>,
    next: usize,
    gone: &'a BTreeSet<RunId>,
    left: usize,
}

impl<'a> Iterator for All<'a> {
    type Item = Known<'a>;

    fn next(&mut self) -> Option<Known<'a>> {
        self.left = self.left.saturating_sub(1);
        let Some((shelf, ids)) = self.shelf.map(|shelf| (shelf, shelf.ids())) else { return self.own.next().map(Known::Whole) };
        while ids.get(self.next).is_some_and(|id| !self.gone.is_empty() && self.gone.contains(id)) {
            self.next += 1;
        }
        let Some(id) = ids.get(self.next) else { return self.own.next().map(Known::Whole) };
        if let Some(run) = self.own.next_if(|run| run.id < *id) {
            return Some(Known::Whole(run));
        }
        self.next += 1;
        Some(Known::Shelved(shelf, self.next - 1))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for All<'_> {}

impl PartialEq for Runs {
    fn eq(&self, other: &Runs) -> bool {
        self.len() == other.len() && self.values().eq(other.values())
    }
}
