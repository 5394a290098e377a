//! Home's side of its targets: a thread for each that is wanted, which keeps a connection to it, hands over what was decided, asks runs
//! to end, and records what the target says. Whoever keeps the queue tells them what is wanted, and is told what there is.

mod carrying;
mod handing;
mod learning;
mod lost;
mod session;
mod tidying;

use crate::context::Context;
use crate::error::HomeError;
use crate::refused::{self, Refused};
use crate::travel::needed::{self, Hindrance};
pub use carrying::Coming;
use carrying::{Carrier, Carriers, Sent};
pub(crate) use carrying::{is_coming, noted};
pub(crate) use handing::send_snapshot;
use neronet_model::journal::HomeState;
use neronet_model::target::LOCAL;
use neronet_model::{AttemptNo, RunId, UnixMs};
use neronet_schedule::{Absent, Place, World};
use neronet_store::journal::Replayed;
use neronet_target::Trouble;
use nix::sys::eventfd::{EfdFlags, EventFd};
use session::Session;
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// After a connection was lost or did not come to be, doubled each time.
const AGAIN: Duration = Duration::from_secs(2);
const AT_MOST: Duration = Duration::from_secs(60);
/// What only the user can mend is looked at so often, without asking the machine.
const MENDED: Duration = Duration::from_secs(2);
/// What a target did not take is sent again after so long.
const PUT_OFF: Duration = Duration::from_secs(30);
/// A connection that nobody wants is kept for so long.
const UNWANTED: Duration = Duration::from_secs(120);

/// All of them. Dropped, they end; what they had handed over goes on.
pub struct Contacts {
    context: Context,
    changed: Arc<EventFd>,
    all: Mutex<BTreeMap<String, Kept>>,
    carriers: Carriers,
}

type Kept = (Arc<Contact>, JoinHandle<()>);

/// One target, between its thread and whoever keeps the queue.
pub(super) struct Contact {
    name: String,
    inner: Mutex<Inner>,
    told: Condvar,
    changed: Arc<EventFd>,
    leaving: AtomicBool,
    carrier: Arc<Carrier>,
}

struct Inner {
    place: Option<Place>,
    absent: Option<Absent>,
    /// Runs that it is to give back.
    back: BTreeSet<RunId>,
    /// Runs that it did not take, each with when and why.
    unsent: BTreeMap<RunId, (Instant, String)>,
    /// Something is to be done.
    work: bool,
    wanted: Instant,
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Contacts {
    /// # Errors
    /// The system gives no event descriptor.
    pub fn new(context: &Context) -> Result<Contacts, HomeError> {
        let changed = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .map_err(|e| HomeError::Failed(format!("the system gives no event descriptor: {e}")))?;
        let changed = Arc::new(changed);
        let carriers = Carriers::new(context, &changed);
        Ok(Contacts { context: context.clone(), changed, all: Mutex::default(), carriers })
    }

    /// What is still to come from targets.
    pub fn coming(&self) -> Coming {
        self.carriers.coming()
    }

    /// Readable when something has changed of what `see` gives.
    pub(crate) fn changed(&self) -> BorrowedFd<'_> {
        self.changed.as_fd()
    }

    /// Sees to it that all targets are in contact that something is wanted of, and has them look at what is decided.
    pub(crate) fn look(&self, known: &Replayed) {
        self.changed.read().ok();
        self.carriers.look();
        let mut all = lock(&self.all);
        all.retain(|_, (_, thread)| !thread.is_finished());
        for name in known.queue.targets_wanted().into_iter().filter(|name| *name != LOCAL) {
            if all.contains_key(name) {
                continue;
            }
            let inner =
                Inner { place: None, absent: None, back: BTreeSet::new(), unsent: BTreeMap::new(), work: true, wanted: Instant::now() };
            let contact = Arc::new(Contact {
                name: name.to_string(),
                inner: Mutex::new(inner),
                told: Condvar::new(),
                changed: Arc::clone(&self.changed),
                leaving: AtomicBool::new(false),
                carrier: self.carriers.of(name),
            });
            let (context, own) = (self.context.clone(), Arc::clone(&contact));
            let thread = std::thread::Builder::new().name(format!("target {name}")).stack_size(1 << 20);
            if let Ok(thread) = thread.spawn(move || own.keep(&context)) {
                all.insert(name.to_string(), (contact, thread));
            }
        }
        all.values().for_each(|(contact, _)| contact.wake());
    }

    /// Puts the targets into the world, those that are there and those that are not.
    pub(crate) fn see(&self, world: &mut World) {
        world.places.retain(|place| place.ahead.is_none());
        world.absent.clear();
        world.bringing = self.carriers.bringing();
        for (name, (contact, _)) in lock(&self.all).iter() {
            let inner = lock(&contact.inner);
            world.places.extend(inner.place.clone());
            world.bringing.extend(inner.unsent.iter().map(|(run, (_, why))| (*run, format!("cannot be sent there yet: {why}"))));
            let absent = || inner.absent.clone().unwrap_or(Absent { why: "is being connected".into(), since: None });
            if inner.place.is_none() {
                world.absent.insert(name.clone(), absent());
            }
        }
    }

    /// What a run that starts here waits for, as what it goes on from lies on a target: has that brought.
    pub(crate) fn awaits(&self, state: &HomeState, run: RunId) -> Option<String> {
        let n = AttemptNo(state.runs.get(&run).map_or(1, |run| run.attempts));
        // What cannot be read is told when the run is started.
        let Some((target, needed)) = needed::elsewhere(&self.context, state, run).ok().flatten() else {
            self.carriers.forget(run, n);
            return None;
        };
        let words = needed.words(&target);
        match self.carriers.of(&target).sent(&self.context, run, n, needed) {
            Sent::NotYet => Some(words),
            Sent::Yes => None,
            Sent::No(Hindrance::Never(why) | Hindrance::Unfit(why)) => {
                (self.context.say)(&format!("run {run}: what it goes on from does not come from {target}: {why}"));
                None
            }
        }
    }

    /// Asks a target for runs that wait there.
    pub(crate) fn give_back(&self, target: &str, run: RunId) {
        if let Some((contact, _)) = lock(&self.all).get(target) {
            lock(&contact.inner).back.insert(run);
        }
    }
}

impl Drop for Contacts {
    fn drop(&mut self) {
        self.carriers.leave();
        let all = std::mem::take(&mut *lock(&self.all));
        for (contact, _) in all.values() {
            contact.leaving.store(true, Ordering::SeqCst);
            contact.wake();
        }
        all.into_values().for_each(|(_, thread)| drop(thread.join()));
    }
}

impl Contact {
    fn wake(&self) {
        lock(&self.inner).work = true;
        self.told.notify_all();
    }

    fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst)
    }

    /// Until there is work, or it is time.
    fn wait(&self, patience: Duration) {
        let inner = lock(&self.inner);
        let idle = |inner: &mut Inner| !inner.work && !self.is_leaving();
        let (mut inner, _) = self.told.wait_timeout_while(inner, patience, idle).unwrap_or_else(PoisonError::into_inner);
        inner.work = false;
    }

    /// Nothing but leaving ends it sooner.
    fn rest(&self, time: Duration) {
        let inner = lock(&self.inner);
        drop(self.told.wait_timeout_while(inner, time, |_| !self.is_leaving()));
    }

    fn is_there(&self, place: Place) {
        let mut inner = lock(&self.inner);
        if inner.place.as_ref() != Some(&place) {
            (inner.place, inner.absent) = (Some(place), None);
            self.changed.write(1).ok();
        }
    }

    /// Since when it is away is the first time that this was said.
    fn is_away(&self, why: String, at: UnixMs) {
        let mut inner = lock(&self.inner);
        let since = inner.absent.as_ref().and_then(|absent| absent.since).or(Some(at));
        let absent = Absent { why, since };
        if inner.place.is_some() || inner.absent.as_ref() != Some(&absent) {
            (inner.place, inner.absent) = (None, Some(absent));
            inner.unsent.clear();
            self.changed.write(1).ok();
        }
    }

    /// It does not take these for now. Whether that is news.
    fn put_off(&self, runs: &[RunId], why: &str) -> bool {
        let mut inner = lock(&self.inner);
        let new = !runs.iter().any(|run| inner.unsent.contains_key(run));
        inner.unsent.extend(runs.iter().map(|run| (*run, (Instant::now(), why.to_string()))));
        self.changed.write(1).ok();
        new
    }

    /// They are on their way to another.
    fn no_more_to_send(&self, runs: &BTreeSet<RunId>) {
        lock(&self.inner).unsent.retain(|run, _| !runs.contains(run));
    }

    /// Those of the runs which are not there that are to be sent now.
    fn to_be_sent(&self, mut runs: Vec<RunId>) -> Vec<RunId> {
        let mut inner = lock(&self.inner);
        let before = inner.unsent.len();
        inner.unsent.retain(|run, _| runs.contains(run));
        if inner.unsent.len() < before {
            self.changed.write(1).ok();
        }
        runs.retain(|run| inner.unsent.get(run).is_none_or(|(at, _)| at.elapsed() >= PUT_OFF));
        runs
    }

    /// Asked of the queue itself: whoever keeps it rests while all that runs runs elsewhere.
    fn is_wanted(&self, context: &Context) -> bool {
        let wanted = context.home.read().is_ok_and(|known| known.queue.targets_wanted().contains(self.name.as_str()));
        let mut inner = lock(&self.inner);
        if wanted {
            inner.wanted = Instant::now();
        }
        inner.wanted.elapsed() < UNWANTED
    }

    fn keep(&self, context: &Context) {
        let mut patience = AGAIN;
        while !self.is_leaving() && self.is_wanted(context) {
            if let Some(refused) = refused::of(context, &self.name).filter(Refused::is_left_to_the_user) {
                self.is_away(refused.words(&self.name), refused.at);
                refused::log(context, &self.name);
                self.until_mended(context);
                continue;
            }
            let began = Instant::now();
            let trouble = match Session::open(context, self) {
                Ok(session) => {
                    let opened = Instant::now();
                    let trouble = session.keep(self);
                    // One that is lost at once, again and again, is not asked all the time.
                    if opened.elapsed() > patience {
                        patience = AGAIN;
                    }
                    trouble
                }
                Err(trouble) => Some(trouble),
            };
            let Some(trouble) = trouble else { continue };
            if self.is_leaving() {
                return;
            }
            let now = refused::of(context, &self.name).filter(|_| matches!(trouble, Trouble::NeedsLogin(_) | Trouble::HostKey(_)));
            self.is_away(now.map_or_else(|| words(&trouble), |now| now.words(&self.name)), context.now());
            refused::log(context, &self.name);
            match &trouble {
                Trouble::NeedsLogin(_) => self.until_mended(context),
                _ => {
                    self.rest(patience.saturating_sub(began.elapsed()));
                    patience = (patience * 2).min(AT_MOST);
                }
            }
        }
    }

    /// Asked again without its user, some servers close the account.
    fn until_mended(&self, context: &Context) {
        refused::until_mended(context, &self.name, || {
            self.rest(MENDED);
            !self.is_leaving() && self.is_wanted(context)
        });
    }
}

/// Why a target is not there, as it stands behind its name.
pub(crate) fn words(trouble: &Trouble) -> String {
    match trouble {
        Trouble::NeedsLogin(_) => "needs login".to_string(),
        Trouble::HostKey(_) => "has another host key than it had".to_string(),
        Trouble::Busy(_) => "busy (its sshd takes no more sessions on one connection)".to_string(),
        Trouble::Unreachable(_) | Trouble::Silent(_) => "unreachable".to_string(),
        Trouble::NoPlace(_) => format!("cannot be used: {trouble}"),
        Trouble::Garbled(said) | Trouble::Failed(said) | Trouble::NoSsh(said) => format!("cannot be used: {said}"),
    }
}
