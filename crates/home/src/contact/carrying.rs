//! What travels beside a contact, over a connection of its own, one thing at a time for each target: what runs left there comes home after
//! they ended, and checkpoints and inputs go there before runs are handed over that need them. What is to come is written down before the end
//! of a run is, so that it comes whoever is killed meanwhile.

use super::learning::LEAST_FREE;
use super::{AGAIN, AT_MOST, MENDED, lock, words};
use crate::context::Context;
use crate::error::HomeError;
use crate::parcel::Folder;
use crate::refused::{self, Refused};
use crate::targets::{self, folder_of};
use crate::travel::left;
use crate::travel::needed::{self, Hindrance, Needed};
use crate::travel::pushed::Known;
use crate::travel::{Going, Lost, Way};
use neronet_model::{AttemptNo, RunId};
use neronet_store::StoreError;
use neronet_store::files::{self, Durability};
use neronet_target::Trouble;
use nix::sys::eventfd::EventFd;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// In a target's folder: a file for each run of which something is to come.
const COLLECT: &str = "collect";
/// A connection that nobody needs is kept for so long.
const IDLE: Duration = Duration::from_secs(20);
const REST: Duration = Duration::from_millis(10);
/// What failed by itself is tried again after so long, and what another target is needed for.
const LATER: Duration = Duration::from_secs(300);
const ELSEWHERE: Duration = Duration::from_secs(30);
/// What is wrong here, such as a full disk, is not mended at once.
const HERE: Duration = Duration::from_secs(60);

/// Something of a run is to come from a target: it has ended there.
pub(super) fn note(target: &Path, run: RunId) -> Result<(), HomeError> {
    let folder = target.join(COLLECT);
    files::make_folder(&folder)?;
    Ok(files::replace(&folder.join(run.to_string()), b"", Durability::Synced)?)
}

/// Of which runs something is to come. What was begun has a dot before its name.
pub(crate) fn noted(target: &Path) -> Vec<RunId> {
    let entries = fs::read_dir(target.join(COLLECT)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().to_str()?.trim_start_matches('.').parse().ok());
    let mut runs: Vec<RunId> = names.map(RunId).collect();
    runs.sort_unstable();
    runs.dedup();
    runs
}

/// Whether what a run needs is where it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sent {
    Yes,
    NotYet,
    No(Hindrance),
}

/// Whether what a run left is still to come.
pub(crate) fn is_coming(context: &Context, run: RunId) -> bool {
    let folders = fs::read_dir(context.home.root().join("targets")).into_iter().flatten().flatten();
    let names = [run.to_string(), format!(".{run}")];
    folders.map(|entry| entry.path().join(COLLECT)).any(|folder| names.iter().any(|name| folder.join(name).exists()))
}

pub(super) struct Carriers {
    context: Context,
    all: Mutex<BTreeMap<String, Arc<Carrier>>>,
    changed: Arc<EventFd>,
    coming: Coming,
}

/// Of how many runs something is to come.
#[derive(Clone, Default)]
pub struct Coming(Arc<AtomicU64>);

impl Coming {
    pub fn runs(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// For one target.
pub(super) struct Carrier {
    name: String,
    inner: Mutex<Inner>,
    told: Condvar,
    leaving: AtomicBool,
    /// Told when something has come.
    changed: Arc<EventFd>,
}

#[derive(Default)]
struct Inner {
    sends: BTreeMap<(RunId, AttemptNo), Waiting>,
    /// For which run something is on its way now, and how far it is, in hundredths.
    going: Option<((RunId, AttemptNo), u64)>,
    /// Why nothing is on its way.
    away: Option<String>,
    /// What did not come to be: it is tried again then, and all else first. With why, where that is not this target's.
    later: BTreeMap<Key, (Instant, Option<String>)>,
    work: bool,
    thread: Option<JoinHandle<()>>,
}

/// What a run waits for.
struct Waiting {
    needed: Needed,
    /// What was looked at since is new enough for it.
    since: Instant,
    sent: Sent,
}

enum Job {
    Send((RunId, AttemptNo), Needed, Instant),
    Collect(RunId),
}

/// Of what is sent for an attempt, or of what comes from a run.
type Key = (RunId, Option<AttemptNo>);

impl Job {
    fn key(&self) -> Key {
        match self {
            Job::Send((run, n), ..) => (*run, Some(*n)),
            Job::Collect(run) => (*run, None),
        }
    }
}

impl Carriers {
    pub(super) fn new(context: &Context, changed: &Arc<EventFd>) -> Carriers {
        Carriers { context: context.clone(), all: Mutex::default(), changed: Arc::clone(changed), coming: Coming::default() }
    }

    pub(super) fn coming(&self) -> Coming {
        self.coming.clone()
    }

    pub(super) fn of(&self, name: &str) -> Arc<Carrier> {
        let new = || Carrier {
            name: name.to_string(),
            inner: Mutex::default(),
            told: Condvar::new(),
            leaving: AtomicBool::new(false),
            changed: Arc::clone(&self.changed),
        };
        Arc::clone(lock(&self.all).entry(name.to_string()).or_insert_with(|| Arc::new(new())))
    }

    /// Sees to it that what is to come comes, also what was to come before this process was there.
    pub(super) fn look(&self) {
        let folders = fs::read_dir(self.context.home.root().join("targets")).into_iter().flatten().flatten();
        let mut runs = 0;
        for entry in folders {
            let (noted, name) = (noted(&entry.path()).len(), entry.file_name().into_string());
            // Of one that was taken out of targets.toml it comes when that names it again.
            if let Some(name) = name.ok().filter(|name| noted > 0 && targets::has(&self.context, name)) {
                runs += noted as u64;
                self.of(&name).begin(&self.context);
            }
        }
        self.coming.0.store(runs, Ordering::SeqCst);
        let all: Vec<Arc<Carrier>> = lock(&self.all).values().cloned().collect();
        all.iter().filter(|carrier| carrier.is_awaited()).for_each(|carrier| carrier.begin(&self.context));
    }

    /// What is being brought to targets, by the run that waits for it.
    pub(super) fn bringing(&self) -> BTreeMap<RunId, String> {
        lock(&self.all).values().flat_map(|carrier| carrier.bringing()).collect()
    }

    /// All that a run waited for is there.
    pub(super) fn forget(&self, run: RunId, n: AttemptNo) {
        lock(&self.all).values().for_each(|carrier| carrier.forget(run, n));
    }

    /// They end when they have come to the end of what they do.
    pub(super) fn leave(&self) {
        for carrier in lock(&self.all).values() {
            carrier.leaving.store(true, Ordering::SeqCst);
            carrier.wake();
        }
    }
}

impl Carrier {
    /// Whether all that a run needs is there; has it sent else.
    pub(super) fn sent(self: &Arc<Carrier>, context: &Context, run: RunId, n: AttemptNo, needed: Needed) -> Sent {
        let mut inner = lock(&self.inner);
        let waiting = inner.sends.entry((run, n)).or_insert_with(|| Waiting { needed, since: Instant::now(), sent: Sent::NotYet });
        let sent = waiting.sent.clone();
        match sent {
            Sent::NotYet => {
                drop(inner);
                self.begin(context);
            }
            // It may be handed over once more, when the other end has lost it.
            Sent::Yes | Sent::No(_) => drop(inner.sends.remove(&(run, n))),
        }
        sent
    }

    fn is_awaited(&self) -> bool {
        lock(&self.inner).sends.values().any(|waiting| waiting.sent == Sent::NotYet)
    }

    /// Nobody waits for what this attempt needs any more.
    pub(super) fn forget(&self, run: RunId, n: AttemptNo) {
        lock(&self.inner).sends.remove(&(run, n));
    }

    fn begin(self: &Arc<Carrier>, context: &Context) {
        let mut inner = lock(&self.inner);
        inner.work = true;
        if inner.thread.as_ref().is_none_or(JoinHandle::is_finished) && !self.is_leaving() {
            let (context, own) = (context.clone(), Arc::clone(self));
            let thread = std::thread::Builder::new().name(format!("carry {}", self.name)).stack_size(1 << 20);
            // Tried again with the next look.
            inner.thread = thread.spawn(move || own.keep(&context)).ok();
        }
        self.told.notify_all();
    }

    fn wake(&self) {
        lock(&self.inner).work = true;
        self.told.notify_all();
    }

    fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst)
    }

    fn rest(&self, time: Duration) {
        let inner = lock(&self.inner);
        drop(self.told.wait_timeout_while(inner, time, |_| !self.is_leaving()));
    }

    fn keep(&self, context: &Context) {
        let (mut way, mut known, mut patience) = (None, Known::default(), AGAIN);
        while !self.is_leaving() {
            let is_target = targets::has(context, &self.name);
            let Some(job) = self.next(context).filter(|_| is_target) else {
                let inner = lock(&self.inner);
                let later = inner.later.values().filter(|_| is_target);
                let due = later.map(|(at, _)| at.saturating_duration_since(Instant::now()).max(REST)).min();
                let idle = |inner: &mut Inner| !inner.work && !self.is_leaving();
                let waited = self.told.wait_timeout_while(inner, due.unwrap_or(IDLE), idle);
                let (mut inner, waited) = waited.unwrap_or_else(PoisonError::into_inner);
                inner.work = false;
                if waited.timed_out() && due.is_none() {
                    return;
                }
                continue;
            };
            if let Some(refused) = refused::of(context, &self.name).filter(Refused::is_left_to_the_user) {
                self.is_away(Some(refused.words(&self.name)));
                self.until_mended(context);
                continue;
            }
            let began = Instant::now();
            let carried = self.carry(context, (&mut way, &mut known), &job);
            self.is_away(match &carried {
                Err(Lost::Target(trouble)) => Some(words(trouble)),
                Err(Lost::Here(error)) => Some(error.to_string()),
                Err(Lost::Elsewhere(_)) | Ok(()) => None,
            });
            let Err(lost) = carried else {
                patience = AGAIN;
                lock(&self.inner).later.remove(&job.key());
                continue;
            };
            // What is there by then is to be looked at.
            (way, known) = (None, Known::default());
            match lost {
                Lost::Target(Trouble::NeedsLogin(_)) => {
                    refused::log(context, &self.name);
                    self.until_mended(context);
                }
                Lost::Elsewhere(why) => self.try_later(&job, ELSEWHERE, Some(why)),
                Lost::Target(trouble) => {
                    // One that is away says so itself; what is wrong with one that is there only this does.
                    if let Trouble::Failed(_) | Trouble::Garbled(_) = trouble {
                        (context.say)(&format!("{}: {trouble}", self.name));
                        self.try_later(&job, LATER, None);
                    }
                    self.rest(patience.saturating_sub(began.elapsed()));
                    patience = (patience * 2).min(AT_MOST);
                }
                Lost::Here(e) => {
                    (context.say)(&format!("{}: {e}", self.name));
                    self.try_later(&job, LATER, None);
                    self.rest(HERE);
                }
            }
        }
    }

    fn try_later(&self, job: &Job, after: Duration, why: Option<String>) {
        lock(&self.inner).later.insert(job.key(), (Instant::now() + after, why));
        self.changed.write(1).ok();
    }

    /// Whoever waits for a checkpoint comes first.
    fn next(&self, context: &Context) -> Option<Job> {
        let noted = noted(&folder_of(context, &self.name));
        let mut inner = lock(&self.inner);
        let Inner { sends, later, .. } = &mut *inner;
        later.retain(|(run, n), _| n.map_or_else(|| noted.contains(run), |n| sends.contains_key(&(*run, n))));
        let is_due = |key: Key| later.get(&key).is_none_or(|(at, _)| *at <= Instant::now());
        let send = sends.iter().find(|((run, n), waiting)| waiting.sent == Sent::NotYet && is_due((*run, Some(*n))));
        if let Some((run, Waiting { needed, since, .. })) = send {
            return Some(Job::Send(*run, needed.clone(), *since));
        }
        noted.into_iter().find(|run| is_due((*run, None))).map(Job::Collect)
    }

    fn carry(&self, context: &Context, (way, known): (&mut Option<Way>, &mut Known), job: &Job) -> Result<(), Lost> {
        let way = match way {
            Some(way) => way,
            None => way.insert(Way::open(context, &self.name, &|_, _| {})?),
        };
        match job {
            Job::Collect(run) => self.collect(context, way, *run),
            Job::Send(key, needed, since) => {
                let sent = needed::send(context, (&self.name, way), needed, (known, *since), &mut |going| self.is_so_far(*key, going));
                let mut inner = lock(&self.inner);
                inner.going = None;
                let sent = sent?.map_or(Sent::Yes, Sent::No);
                if let Some(waiting) = inner.sends.get_mut(key) {
                    waiting.sent = sent;
                }
                Ok(())
            }
        }
    }

    /// For whoever waits.
    fn is_away(&self, why: Option<String>) {
        let mut inner = lock(&self.inner);
        if inner.away != why {
            inner.away = why;
            self.changed.write(1).ok();
        }
    }

    fn is_so_far(&self, key: (RunId, AttemptNo), Going { done, all, .. }: &Going) {
        let now = Some((key, done.saturating_mul(100) / (*all).max(1)));
        let mut inner = lock(&self.inner);
        if inner.going != now {
            inner.going = now;
            self.changed.write(1).ok();
        }
    }

    /// The runs for which something is on its way or waits for that, each with a word on it.
    fn bringing(&self) -> Vec<(RunId, String)> {
        let inner = lock(&self.inner);
        let waiting = inner.sends.iter().filter(|(_, waiting)| waiting.sent == Sent::NotYet);
        let told = |(key, Waiting { needed, .. }): (&(RunId, AttemptNo), &Waiting)| {
            let elsewhere = inner.later.get(&(key.0, Some(key.1))).and_then(|(_, why)| why.as_ref());
            let far = match (elsewhere, &inner.away, inner.going) {
                (Some(why), ..) => format!(": {why}"),
                (None, Some(why), _) => format!(": {} {why}", self.name),
                (None, None, Some((going, far))) if going == *key => format!(": {far} %"),
                _ => String::new(),
            };
            (key.0, format!("{}{far}", needed.words(&self.name)))
        };
        waiting.map(told).collect()
    }

    fn collect(&self, context: &Context, way: &Way, run: RunId) -> Result<(), Lost> {
        let folder = folder_of(context, &self.name).join(COLLECT);
        let (noted, begun) = (folder.join(run.to_string()), folder.join(format!(".{run}")));
        // What it leaves from now on is noted anew.
        fs::rename(&noted, &begun).ok();
        let known = context.home.read().map_err(HomeError::from)?;
        let wanted = known.state.runs.get(&run).map(|run| left::by_itself(context, &known.state, run, &self.name));
        let wanted = wanted.transpose()?.unwrap_or_default();
        drop(known);
        if !wanted.is_empty() {
            let into = Folder::made(&context.home.run(run))?.sparing(LEAST_FREE);
            let (moved, _) = left::bring(way, run, &left::exactly(wanted), (&into, &|path| Some(path.clone())), &mut |_| {})?;
            for why in moved.failed {
                (context.say)(&format!("run {run}: it does not come from {}: {why}", self.name));
            }
        }
        fs::remove_file(&begun).map_err(StoreError::io("remove", &begun)).map_err(HomeError::from)?;
        self.changed.write(1).ok();
        Ok(())
    }

    /// Asked again without its user, some servers close the account.
    fn until_mended(&self, context: &Context) {
        refused::until_mended(context, &self.name, || {
            self.rest(MENDED);
            !self.is_leaving()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_come_is_on_record_until_it_has() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(noted(folder.path()).is_empty());
        for run in [12, 5, 12] {
            note(folder.path(), RunId(run)).expect("noted");
        }
        let collect = folder.path().join(COLLECT);
        fs::rename(collect.join("5"), collect.join(".5")).expect("begun");
        fs::write(collect.join("other"), "").expect("written");
        assert_eq!(noted(folder.path()), [RunId(5), RunId(12)]);
    }
}
