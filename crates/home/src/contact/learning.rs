//! What a target says, written down at home: copies of what its runs record, byte for byte, and of its journal; and what follows from
//! the journal's entries for home's own.

use super::carrying;
use crate::context::Context;
use crate::error::HomeError;
use crate::follow_up;
use crate::mirror::{self, File};
use crate::select::spans;
use crate::targets::folder_of;
use crate::travel::needed;
use neronet_capture::space;
use neronet_model::journal::Entry;
use neronet_model::run::Decision;
use neronet_model::size::shown;
use neronet_model::target::Target;
use neronet_model::{AttemptNo, Millis, RunId, Uid, UnixMs};
use neronet_schedule::{Stand, wait_after};
use neronet_store::earlier::Earlier;
use neronet_store::files::{self, Durability};
use neronet_store::{Locked, StoreError, follow, spool};
use neronet_target::wire::Piece;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// `targets/NAME/known.json`: of which folder the copy of its journal is, and how much of that home has made its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Known {
    uid: Uid,
    until: u64,
    /// How the target was reached, and where it has everything.
    address: String,
    folder: String,
}

/// Less than this between two clocks is the way and the rounding.
const OFF: u64 = 2_000;
/// So much more than was measured is no slow way, but a clock that jumped.
const JUMPED: u64 = 60_000;
/// Less room than this is left to home's own.
pub(super) const LEAST_FREE: u64 = 256 << 20;
/// Bytes that may come between two looks at that.
const LOOKED: u64 = 8 << 20;
/// No entry of a target's journal is longer: what it was given came in one frame, and of an end it says less.
const MOST_UNREAD: u64 = 8 << 20;

/// Refuses to look for runs elsewhere than where they were given to.
pub(super) fn is_same_place(context: &Context, name: &str, target: &Target, runs: &[RunId]) -> Result<(), HomeError> {
    let known: Option<Known> = files::read_json(&folder_of(context, name).join("known.json"))?;
    let (address, folder) = (target.address.to_string(), target.folder.clone().unwrap_or_default());
    match known.filter(|known| !runs.is_empty() && (known.address != address || known.folder != folder)) {
        Some(Known { address, folder, .. }) => Err(HomeError::Failed(format!(
            "runs {} were given to {address}, {folder}, and have not ended: write that back into targets.toml, or name the other place anew",
            spans(runs)
        ))),
        None => Ok(()),
    }
}

pub(super) struct Learner<'a> {
    context: &'a Context,
    target: String,
    folder: PathBuf,
    known: Known,
    /// Of the copy.
    journal: u64,
    /// The target's clock is so many milliseconds ahead of ours, as far as it was measured.
    ahead: i64,
    /// Something came that does not fit to what is here: it is to be said anew where each file ends.
    confused: bool,
    /// So many bytes may come before it is looked anew how much room there is.
    room: u64,
    /// Runs whose history was too long to be sent.
    histories: BTreeSet<RunId>,
}

impl<'a> Learner<'a> {
    /// `uid`: of the folder there. The copy of another one's journal is worth nothing for this one; nor is one that has more than the
    /// journal itself, whose length is `theirs`.
    pub(super) fn new(context: &'a Context, name: &str, target: &Target, uid: Uid, theirs: Option<u64>) -> Result<Learner<'a>, HomeError> {
        let folder = folder_of(context, name);
        let (address, place) = (target.address.to_string(), target.folder.clone().unwrap_or_default());
        let journal = folder.join("journal");
        let known: Option<Known> = files::read_json(&folder.join("known.json"))?;
        // A power cut may have taken the end of the copy, and left the word of how much of it is known.
        let ours = follow::end(&journal);
        let fits = |known: &Known| known.uid == uid && known.until <= ours && theirs.is_none_or(|theirs| ours <= theirs);
        let until = known.filter(fits).map(|known| known.until);
        if until.is_none() {
            files::remove_folder(&journal).ok();
        }
        let known = Known { uid, until: until.unwrap_or(0), address, folder: place };
        files::make_folder(&journal)?;
        files::replace_json(&folder.join("known.json"), &known, Durability::Synced)?;
        // Half an entry, as a kill may leave it, is fetched anew.
        let mut end = known.until;
        while let Some((next, _)) = follow::behind(&journal, end)?.last() {
            end = *next;
        }
        let copy = journal.join("1.log");
        if copy.metadata().is_ok_and(|meta| meta.len() > end) {
            let cut = OpenOptions::new().write(true).open(&copy).and_then(|file| file.set_len(end));
            cut.map_err(StoreError::io("shorten", &copy))?;
        }
        Ok(Learner {
            context,
            target: name.to_string(),
            folder,
            known,
            journal: end,
            ahead: 0,
            confused: false,
            room: 0,
            histories: BTreeSet::new(),
        })
    }

    pub(super) fn journal(&self) -> u64 {
        self.journal
    }

    pub(super) fn ahead_by(&mut self, ahead: i64) {
        self.ahead = ahead;
    }

    pub(super) fn is_confused(&self) -> bool {
        self.confused
    }

    pub(super) fn is_clear(&mut self) {
        self.confused = false;
    }

    /// In their order: when the journal says that something has ended, all that led to it is here. Whether anything was new.
    pub(super) fn take(&mut self, pieces: &[Piece], mut body: &[u8]) -> Result<bool, HomeError> {
        self.find_room(body.len() as u64)?;
        let (mut said, mut new) = (false, false);
        // What is said of runs that it was not given counts for nothing, nor what is said of attempts before that.
        let there: BTreeMap<RunId, AttemptNo> = match pieces.iter().any(|piece| piece.run.is_some()) {
            true => self.context.home.read()?.queue.away_at(&self.target).map(|(run, _, away)| (run, away.from)).collect(),
            false => BTreeMap::new(),
        };
        for piece in pieces {
            let Some((bytes, rest)) = body.split_at_checked(piece.bytes as usize) else {
                return Err(HomeError::Failed("its agent sent less than it said".into()));
            };
            body = rest;
            match piece.run {
                Some(run) => new |= self.take_of_run(run, there.get(&run).copied(), piece, bytes)?,
                // It may say that something has ended of which not all is here.
                None if self.confused => {}
                None => match piece.from.filter(|from| *from <= self.journal) {
                    Some(from) => {
                        let put = append(&self.folder.join("journal").join("1.log"), from, bytes)?;
                        if put.is_none() {
                            return Err(HomeError::Failed(format!("the copy of its journal in {} was cut short", self.folder.display())));
                        }
                        // Somebody may have set its clock since it was looked at.
                        let ahead = piece.now.map(|theirs| theirs.0.saturating_sub(self.context.now().0));
                        self.ahead = ahead.filter(|ahead| ahead.abs_diff(self.ahead) > JUMPED).unwrap_or(self.ahead);
                        let end = from + bytes.len() as u64;
                        said |= end > self.journal;
                        self.journal = self.journal.max(end);
                    }
                    None => self.confused = true,
                },
            }
        }
        if !body.is_empty() {
            return Err(HomeError::Failed("its agent sent more than it said".into()));
        }
        new |= said && self.learn()?;
        if self.journal - self.known.until > MOST_UNREAD {
            return Err(HomeError::Failed("what its agent sends as its journal is none".into()));
        }
        Ok(new)
    }

    /// Whatever targets have to say, what is decided here still finds room.
    fn find_room(&mut self, bytes: u64) -> Result<(), HomeError> {
        if bytes > self.room {
            let root = self.context.home.root();
            let free = space::disk(root).map_or(u64::MAX, |disk| disk.free);
            if free < LEAST_FREE {
                let (left, least) = (shown(free), shown(LEAST_FREE));
                return Err(HomeError::Failed(format!(
                    "{} has {left} free, and nothing is taken from targets below {least} (`neronet du`)",
                    root.display()
                )));
            }
            self.room = LOOKED;
        }
        self.room = self.room.saturating_sub(bytes);
        Ok(())
    }

    /// `from`: the first attempt that the target was given.
    fn take_of_run(&mut self, run: RunId, from: Option<AttemptNo>, piece: &Piece, bytes: &[u8]) -> Result<bool, HomeError> {
        let file = File::of(&piece.path).filter(|file| file.is_appended == piece.from.is_some());
        let Some(file) = file else {
            let what = piece.path.escape_debug();
            return Err(HomeError::Failed(format!("its agent sent a file '{what}' of run {run}, which nobody asked for")));
        };
        if from.is_none_or(|from| file.attempt.is_some_and(|attempt| attempt < from)) {
            return Ok(false);
        }
        if file.is_for_the_end() && bytes.is_empty() {
            return Ok(self.histories.insert(run));
        }
        let path = self.context.home.run(run).join(&file.path);
        let write = |confused: &mut bool| match piece.from {
            None => Ok(files::replace(&path, bytes, Durability::Renamed).map(|()| false)?),
            Some(from) => append(&path, from, bytes).map(|put| {
                *confused |= put.is_none();
                put.is_some_and(|put| put > 0)
            }),
        };
        if let Ok(new) = write(&mut self.confused) {
            return Ok(new);
        }
        // It is the first of its folder.
        files::make_folder(path.parent().unwrap_or(&path))?;
        write(&mut self.confused)
    }

    /// Makes home's own what the journal says beyond what is known. Whether there was any of that.
    fn learn(&mut self) -> Result<bool, HomeError> {
        let mut any = false;
        loop {
            let entries = follow::behind(&self.folder.join("journal"), self.known.until)?;
            let Some(until) = entries.last().map(|(end, _)| *end) else { return Ok(any) };
            let all: Vec<Vec<Entry>> = entries.iter().map(|(_, entry)| entry.parts().into_iter().cloned().collect()).collect();
            for run in all.iter().flat_map(|parts| ended(parts)) {
                // Nobody sends again what home has said to have.
                let folder = self.context.home.run(run);
                sync(&folder)?;
                carrying::note(&self.folder, run)?;
                if self.histories.remove(&run) {
                    let made = Earlier::history(&folder).and_then(|history| history.write(&folder, run));
                    made.unwrap_or_else(|e| (self.context.say)(&format!("run {run}: its history cannot be made: {e}")));
                }
            }
            let mut home = self.context.lock()?;
            for parts in all {
                let ended: BTreeSet<RunId> = ended(&parts).collect();
                let mut new: Vec<Entry> = parts.into_iter().filter_map(|part| self.learned(&home, part, &ended)).collect();
                new.extend(self.held_by(&home, &new));
                over(&new).try_for_each(|(run, n)| forget(self.context, run, AttemptNo(n.0.saturating_add(1))))?;
                any |= !new.is_empty();
                match new.len() {
                    0 => {}
                    1 => home.decide(new.remove(0))?,
                    // What was decided together is known together: no run has ended that is tried again.
                    _ => home.decide(Entry::Together(new))?,
                }
            }
            drop(home);
            self.known.until = until;
            files::replace_json(&self.folder.join("known.json"), &self.known, Durability::Renamed)?;
        }
    }

    /// What follows from these ends for runs that the target does not have: it holds none but its own, and counts none but its own.
    fn held_by(&self, home: &Locked, new: &[Entry]) -> Vec<Entry> {
        let ends = new.iter().filter_map(|entry| if let Entry::Ended { run, end } = entry { Some((*run, end)) } else { None });
        // What cannot be found out holds nothing.
        let follow_ups = ends.filter_map(|(run, end)| follow_up::entries(self.context, (home.state(), home.queue()), run, end, None).ok());
        follow_ups.flatten().filter(|entry| matches!(entry, Entry::Held { .. })).collect()
    }

    /// Of what a target said together, with the end of these runs, what home did not know.
    fn learned(&self, home: &Locked, mut part: Entry, ended: &BTreeSet<RunId>) -> Option<Entry> {
        let queue = home.queue();
        let is_there = |run: RunId| queue.away(run).is_some_and(|away| away.target == self.target);
        self.by_our_clock(home, &mut part);
        match part {
            Entry::Started { at, run, attempt, mut grant, driver } => {
                let known = queue.away(run).is_some_and(|away| away.started);
                grant.machine.clone_from(&self.target);
                let new = is_there(run) && !known && queue.awaits(run, attempt);
                new.then_some(Entry::Started { at, run, attempt, grant, driver })
            }
            Entry::Returned { run, attempt } => {
                let new = is_there(run) && queue.stand(run) == Some(Stand::Granted);
                new.then_some(Entry::Returned { run, attempt })
            }
            Entry::Ended { run, end } => {
                let new = is_there(run) && queue.awaits(run, end.attempt.n);
                new.then_some(Entry::Ended { run, end })
            }
            Entry::Decided { at, decision } => {
                let (run, n) = (decision.run, decision.attempt.0);
                let known = home.state().runs.get(&run).map_or(u64::MAX, |run| run.attempts);
                let over = || !queue.awaits_end(run) || ended.contains(&run);
                // One after the other.
                let is_next = known.checked_add(1) == Some(n) || (n == known && over());
                let new = is_there(run) && decision.because.is_some() && is_next;
                // Home counts what failed by itself.
                new.then(|| Entry::Decided { at, decision: Decision { failures: 0, ..needed::told(self.context, &decision) } })
            }
            Entry::Held { at, runs, by, why } => {
                // It may not have started what was given room.
                let waits = |run: &RunId| is_there(*run) && (queue.waits_at(*run).is_some() || ended.contains(run));
                let runs: Vec<RunId> = runs.into_iter().filter(waits).collect();
                (!runs.is_empty()).then_some(Entry::Held { at, runs, by, why })
            }
            _ => None,
        }
    }

    /// Moments as home's clock has them, none of them still to come. What a run's own record says stays as it was written.
    fn by_our_clock(&self, home: &Locked, entry: &mut Entry) {
        let now = self.context.now();
        let by = |ahead: i64, at: &mut UnixMs| {
            if ahead.unsigned_abs() >= OFF {
                *at = UnixMs(at.0.saturating_sub(ahead)).min(now);
            }
        };
        let ours = |at: &mut UnixMs| by(self.ahead, at);
        match entry {
            Entry::Started { at, .. } | Entry::Held { at, .. } => ours(at),
            Entry::Decided { at, decision } => {
                let wait = decision.not_before.map(|due| Millis(due.0.saturating_sub(at.0).max(0).unsigned_abs()));
                // Its clock may have been set between the two: never for longer than our settings say.
                let sweep = home.state().runs.get(&decision.run).and_then(|run| home.state().sweeps.get(&run.sweep));
                let most = sweep.and_then(|sweep| wait_after(&sweep.settings.retry, sweep.settings.retry.times));
                ours(at);
                decision.not_before = wait.zip(most).map(|(wait, most)| at.plus(wait.min(most)));
            }
            Entry::Ended { run, end } => {
                // All of an attempt is by the clock that it began by, whatever became of that since: home knows when that was.
                let begun = end.attempt.begun.zip(home.queue().granted_at(*run));
                let then = begun.map(|(theirs, ours)| theirs.0.saturating_sub(ours.0));
                let ahead = then.filter(|then| then.abs_diff(self.ahead) > JUMPED).unwrap_or(self.ahead);
                end.started.iter_mut().chain(&mut end.attempt.begun).for_each(|at| by(ahead, at));
                end.attempt.end.iter_mut().for_each(|end| by(ahead, &mut end.at));
            }
            _ => {}
        }
    }
}

/// Runs that have ended, and are not tried again there, each with its last attempt.
fn over(parts: &[Entry]) -> impl Iterator<Item = (RunId, AttemptNo)> {
    let goes_on = |run: RunId| parts.iter().any(|part| matches!(part, Entry::Decided { decision, .. } if decision.run == run));
    parts.iter().filter_map(move |part| match part {
        Entry::Ended { run, end } if !goes_on(*run) => Some((*run, end.attempt.n)),
        _ => None,
    })
}

/// What a target recorded of attempts that nobody has begun, from this one on: home, or another target, begins them from here on, and
/// whoever finds their folder takes them for begun.
pub(super) fn forget(context: &Context, run: RunId, from: AttemptNo) -> Result<(), HomeError> {
    let unbegun = spool::attempts_of(&context.home.run(run))?.into_iter().filter(|n| *n >= from);
    Ok(unbegun.map(|n| context.home.attempt(run, n)).try_for_each(|folder| files::remove_folder(&folder))?)
}

fn ended(parts: &[Entry]) -> impl Iterator<Item = RunId> {
    parts.iter().filter_map(|part| if let Entry::Ended { run, .. } = part { Some(*run) } else { None })
}

/// Puts bytes behind those that are there; those of them that are there already stay as they are. How many that were; nothing where
/// some before them are not there.
fn append(path: &Path, from: u64, bytes: &[u8]) -> Result<Option<usize>, HomeError> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(StoreError::io("open", path))?;
    let put = || {
        let there = file.metadata()?.len();
        let known = usize::try_from(there.saturating_sub(from)).unwrap_or(usize::MAX);
        if there < from {
            return Ok(None);
        }
        let new = bytes.get(known..).unwrap_or_default();
        file.write_all_at(new, there)?;
        Ok(Some(new.len()))
    };
    Ok(put().map_err(StoreError::io("write", path))?)
}

pub(super) fn sync(folder: &Path) -> Result<(), HomeError> {
    for file in mirror::files(folder) {
        let path = folder.join(file.path);
        let synced = std::fs::File::open(&path).and_then(|file| file.sync_data());
        synced.map_err(StoreError::io("make durable", &path))?;
    }
    Ok(())
}
