//! One connection to a target: from its greeting until it is lost.

use super::handing::{self, Unsent};
use super::learning::{self, Learner};
use super::tidying::Tidying;
use super::{Contact, PUT_OFF, lock, lost};
use crate::context::Context;
use crate::error::HomeError;
use crate::select::spans;
use crate::{at_target, live, mirror, target_file, targets};
use neronet_model::journal::Sweep;
use neronet_model::run::KnownEnd;
use neronet_model::target::Target;
use neronet_model::{AttemptNo, Millis, RunId, SweepId, Uid};
use neronet_schedule::Away;
use neronet_store::journal::Replayed;
use neronet_store::spool;
use neronet_target::Trouble;
use neronet_target::channel::Channel;
use neronet_target::wire::{Ask, Followed, Place, Reply, There};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// So long a target starts what it was given when home is not heard of.
const LEASE: Millis = Millis(14 * 86_400_000);
/// So many runs may wait there for their turn.
const AHEAD: u64 = 64;
const PATIENCE: Duration = Duration::from_secs(60);
/// Of what is recorded there: to be told at least that there is nothing new, and beyond that.
const NEWS: Millis = Millis(10_000);
const SILENCE: Duration = Duration::from_secs(25);
/// Files of runs in one question.
const AT_A_TIME: usize = 4_000;
/// The machine is looked at so often.
const LOOK: Duration = Duration::from_secs(30);
const LOOK_AT_GPUS: Duration = Duration::from_secs(5);
/// And that is written down so often, for those who ask when it is not reached.
const NOTED: Duration = Duration::from_secs(120);
/// Secrets that were not to be had are looked for again after so long.
const SECRETS_AGAIN: Duration = Duration::from_secs(300);
/// What brought nothing new is asked for again after so long.
const REST: Duration = Duration::from_millis(100);
/// It is looked so often whether somebody looks at a run.
const TICK: Duration = Duration::from_secs(1);

/// That a run is to end as it was handed over, and whether at once.
type End = (RunId, u64, AttemptNo, bool);

pub(super) struct Session<'a> {
    context: &'a Context,
    name: String,
    target: Target,
    /// Of the file that says so.
    stamp: Option<(i64, i64, u64)>,
    channel: Arc<Channel>,
    learner: Arc<Mutex<Learner<'a>>>,
    /// What the target is known to have: by run and epoch.
    there: BTreeSet<(RunId, u64)>,
    /// Sweeps whose secrets it was told.
    secrets: BTreeSet<SweepId>,
    /// Sweeps whose secrets were not to be had, or not taken.
    without: BTreeMap<SweepId, Instant>,
    told: BTreeSet<End>,
    /// What it did not do when it was asked: it is asked again.
    refused: BTreeMap<End, Instant>,
    /// Each with whether somebody looks at it; once that was said.
    followed: Option<BTreeMap<RunId, bool>>,
    looked: Option<Instant>,
    outdated: bool,
    /// What was seen of the machine was written down.
    noted: Option<Instant>,
}

fn failed(e: impl Into<HomeError>) -> Trouble {
    Trouble::Failed(e.into().to_string())
}

impl<'a> Session<'a> {
    pub(super) fn open(context: &'a Context, contact: &Contact) -> Result<Session<'a>, Trouble> {
        let name = contact.name.clone();
        let stamp = targets::stamp(context);
        let all = targets::all(context).map_err(failed)?;
        let target = all.get(&name).cloned().ok_or_else(|| Trouble::Failed("it is not in targets.toml any more".into()))?;
        let folder = targets::place_there(&name, &target).map_err(failed)?;
        let known = context.home.read().map_err(failed)?;
        let runs: Vec<RunId> = known.queue.away_at(&name).map(|(run, ..)| run).collect();
        drop(known);
        learning::is_same_place(context, &name, &target, &runs).map_err(failed)?;
        let ssh = targets::ssh(context).map_err(failed)?;
        let channel = targets::open(context, &ssh, (&name, &target), folder, &|_, _| {})?;
        let home = context.home.uid().map_err(failed)?.ok_or_else(|| Trouble::Failed("home has no name yet".into()))?;
        let settings = target_file::as_local(&target);
        let reply = channel.ask(Ask::Open { home, target: name.clone(), settings, lease: LEASE, runs }, PATIENCE)?;
        let (Reply::Opened { uid, runs, journal }, _) = reply else { return Err(Trouble::odd()) };
        let learner = Learner::new(context, &name, &target, uid, journal).map_err(failed)?;
        let mut session = Session {
            context,
            name,
            target,
            stamp,
            channel: Arc::new(channel),
            learner: Arc::new(Mutex::new(learner)),
            there: BTreeSet::new(),
            secrets: BTreeSet::new(),
            without: BTreeMap::new(),
            told: BTreeSet::new(),
            refused: BTreeMap::new(),
            followed: None,
            looked: None,
            outdated: false,
            noted: None,
        };
        session.compare(uid, &runs)?;
        Ok(session)
    }

    /// Makes what home believes to be there and what is there agree.
    fn compare(&mut self, uid: Uid, runs: &[There]) -> Result<(), Trouble> {
        let known = self.context.home.read().map_err(failed)?;
        // Whoever has the other one must not have it ended by us, nor we its end.
        let is_ours = |there: &&There| match known.state.runs.get(&there.run) {
            Some(run) => run.uid == there.uid,
            None => there.run.0 <= known.state.last_run,
        };
        let why = |other: &There| {
            format!(
                "run {} there is another one ({}) than any here: two homes have the same name, as when one is a copy of the other or was set back",
                other.run, other.uid
            )
        };
        let (runs, others): (Vec<&There>, Vec<&There>) = runs.iter().partition(is_ours);
        if let Some(other) = others.iter().find(|other| !other.ended) {
            return Err(Trouble::Failed(why(other)));
        }
        // What has the number of one that has ended there cannot go there; all else can.
        let taken = others.into_iter().filter(|other| known.queue.waits_at(other.run).is_some_and(|away| away.target == self.name));
        let taken: Vec<(RunId, String)> = taken.map(|other| (other.run, why(other))).collect();
        let there: BTreeMap<RunId, &There> = runs.iter().map(|there| (there.run, *there)).collect();
        let mut lost = Vec::new();
        for (run, attempt, away) in known.queue.away_at(&self.name) {
            match there.get(&run) {
                Some(there) if there.attempt >= attempt => drop(self.there.insert((run, away.epoch))),
                // It has not arrived, or went with the folder before anything was heard of it: it is handed over anew.
                _ if taken.iter().any(|(taken, _)| *taken == run) => {}
                _ if !away.started && !self.context.home.attempt(run, attempt).exists() => {}
                _ => lost.push((run, attempt)),
            }
        }
        // What home knows nothing of any more, has elsewhere by now, or knows to have ended: the machine may have been set back.
        let stray = |there: &&There| !there.ended && !known.queue.has(&self.name, there.run);
        let stray: Vec<&There> = runs.into_iter().filter(stray).collect();
        let (running, waiting): (Vec<&There>, Vec<&There>) = stray.into_iter().partition(|there| there.started);
        let waiting: Vec<(RunId, AttemptNo)> = waiting.into_iter().map(|there| (there.run, there.attempt)).collect();
        let running: Vec<RunId> = running.into_iter().map(|there| there.run).collect();
        let any_purged = !known.state.purged.is_empty();
        drop(known);
        if any_purged {
            self.purge()?;
        }
        if !lost.is_empty() {
            // Without a record, it may still run.
            self.tell(Ask::Fence { runs: lost.iter().map(|(run, _)| *run).collect() })?;
        }
        if !waiting.is_empty() {
            self.tell(Ask::GiveBack { runs: waiting })?;
        }
        if !running.is_empty() {
            let by = "neronet, as it belongs to this target no more".to_string();
            self.tell(Ask::End { runs: running, by, kill: true })?;
        }
        taken.into_iter().try_for_each(|(run, why)| handing::hold(self.context, &self.name, vec![run], &why)).map_err(failed)?;
        lost::lose(self.context, &self.name, uid, lost).map_err(failed)
    }

    /// What it does not do, as its disk is full, say, is told again with the next connection.
    fn tell(&self, ask: Ask) -> Result<(), Trouble> {
        match self.channel.ask(ask, PATIENCE) {
            Err(Trouble::Failed(why)) => {
                (self.context.say)(&format!("{}: {why}", self.name));
                Ok(())
            }
            told => told.map(drop),
        }
    }

    /// What was removed at home for good goes there, too.
    fn purge(&self) -> Result<(), Trouble> {
        let mut behind = RunId(0);
        loop {
            let (Reply::Runs(ended), _) = self.channel.ask(Ask::Ended { behind }, PATIENCE)? else { return Err(Trouble::odd()) };
            // Whatever it answers, it comes to an end.
            let Some(last) = ended.iter().max().filter(|last| **last > behind) else { return Ok(()) };
            behind = *last;
            let known = self.context.home.read().map_err(failed)?;
            let runs: Vec<RunId> = ended.into_iter().filter(|run| known.state.purged.contains_key(run)).collect();
            drop(known);
            if !runs.is_empty() {
                self.channel.ask(Ask::Purge { runs }, PATIENCE)?;
            }
        }
    }

    /// Until it is lost, nobody wants it, or the target is to be told other settings. Why it was lost.
    pub(super) fn keep(mut self, contact: &Contact) -> Option<Trouble> {
        // What there is to hear is heard while something long is being sent.
        let begun = self.look(contact).and_then(|()| self.away()).and_then(|away| {
            // Before it starts what waits there.
            self.have_ended(&away)?;
            self.follow(&away)
        });
        if let Err(trouble) = begun {
            return Some(trouble);
        }
        contact.wake();
        let (channel, learner) = (Arc::clone(&self.channel), Arc::clone(&self.learner));
        std::thread::scope(|scope| {
            let news = std::thread::Builder::new().name("news".into()).stack_size(1 << 20).spawn_scoped(scope, move || {
                let lost = read_news(&channel, &learner);
                contact.wake();
                lost
            });
            let news = match news {
                Ok(news) => news,
                Err(e) => return Some(Trouble::Failed(e.to_string())),
            };
            let mut tidying = Tidying::default();
            let mut end = None;
            while end.is_none() && !contact.is_leaving() && contact.is_wanted(self.context) && !news.is_finished() {
                contact.wait(TICK);
                if self.is_outdated() {
                    break;
                }
                tidying.look(scope, (self.context, &self.name), &self.channel);
                end = self.look(contact).and_then(|()| self.work(contact)).err();
            }
            // Whoever waits for news hears that there are none any more.
            self.channel.close();
            let lost = news.join().unwrap_or(None);
            if contact.is_leaving() || !contact.is_wanted(self.context) || self.outdated { None } else { end.or(lost) }
        })
    }

    /// Whether `targets.toml` says something else of it by now: it is told when a connection is opened.
    fn is_outdated(&mut self) -> bool {
        let now = targets::stamp(self.context);
        if now != self.stamp {
            self.stamp = now;
            self.outdated = targets::all(self.context).is_ok_and(|all| all.get(&self.name) != Some(&self.target));
        }
        self.outdated
    }

    /// What the machine has, for whoever keeps the queue.
    fn look(&mut self, contact: &Contact) -> Result<(), Trouble> {
        let gpus = lock(&contact.inner).place.as_ref().is_some_and(|place| !place.machine.gpus.is_empty());
        let every = if gpus { LOOK_AT_GPUS } else { LOOK };
        if self.looked.is_some_and(|at| at.elapsed() < every) {
            return Ok(());
        }
        let before = self.context.now();
        let (Reply::Machine { now, place }, _) = self.channel.ask(Ask::Machine, PATIENCE)? else { return Err(Trouble::odd()) };
        let middle = (before.0 + self.context.now().0) / 2;
        let ahead = now.0.saturating_sub(middle);
        lock(&self.learner).ahead_by(ahead);
        let mut place: Place = *place;
        // Its hours are by its clock.
        place.shift_hours(ahead.saturating_neg());
        place.machine.name.clone_from(&self.name);
        place.ahead = Some(AHEAD);
        self.looked = Some(Instant::now());
        if self.noted.is_none_or(|at| at.elapsed() >= NOTED) {
            self.noted = self.looked;
            at_target::saw(self.context, &self.name, &place);
        }
        contact.is_there(place);
        Ok(())
    }

    /// What was given to this target and has not ended.
    fn away(&self) -> Result<Vec<(RunId, AttemptNo, Away)>, Trouble> {
        let known = self.context.home.read().map_err(failed)?;
        Ok(known.queue.away_at(&self.name).map(|(run, n, away)| (run, n, away.clone())).collect())
    }

    fn has_arrived(&self, run: RunId, away: &Away) -> bool {
        self.there.contains(&(run, away.epoch))
    }

    /// Does what was decided of this target since.
    fn work(&mut self, contact: &Contact) -> Result<(), Trouble> {
        self.end_unsent(contact)?;
        let known = self.context.home.read().map_err(failed)?;
        let away: Vec<(RunId, AttemptNo, Away)> = known.queue.away_at(&self.name).map(|(run, n, away)| (run, n, away.clone())).collect();
        let back = std::mem::take(&mut lock(&contact.inner).back);
        let new = away.iter().filter(|(run, _, away)| !self.has_arrived(*run, away)).map(|(run, ..)| *run);
        let new = contact.to_be_sent(known.queue.in_order(new));
        let new = {
            let _quiet = lock(&self.learner);
            handing::ready(self.context, &known, (contact, &self.target), new).map_err(failed)?
        };
        let parcels = handing::parcels(self.context, &known, (&self.name, &self.target), &new).map_err(failed)?;
        let secret = self.secret(&known, &away, &new);
        // Whoever changes home meanwhile would have to copy what is known.
        drop(known);
        // Before it has them: of one that ends at once nothing would be asked for any more.
        self.follow(&away)?;
        contact.no_more_to_send(&back);
        self.take_back(back, &away)?;
        self.have_ended(&away)?;
        let unfit = self.send_secrets(contact, secret)?;
        for parcel in parcels.into_iter().filter(|parcel| !parcel.runs.iter().any(|run| unfit.contains(run))) {
            let sent = match parcel.send_code(self.context, &self.channel) {
                Ok(()) if !self.are_still_to_go(contact, &parcel.runs)? => continue,
                Ok(()) => parcel.hand_over(&self.channel),
                unsent => unsent,
            };
            match sent {
                Ok(()) => {
                    let arrived = away.iter().filter(|(run, ..)| parcel.runs.contains(run)).map(|(run, _, away)| (*run, away.epoch));
                    self.there.extend(arrived.collect::<Vec<_>>());
                }
                Err(unsent) => self.not_sent(contact, parcel.runs, unsent)?,
            }
        }
        Ok(())
    }

    /// Somebody may have wanted an end to one, or have it elsewhere, while their code was on its way. What is left of them goes next.
    fn are_still_to_go(&mut self, contact: &Contact, runs: &[RunId]) -> Result<bool, Trouble> {
        self.end_unsent(contact)?;
        let away = self.away()?;
        self.have_ended(&away)?;
        let all = runs.iter().all(|run| away.iter().any(|(known, ..)| known == run));
        if !all {
            contact.wake();
        }
        Ok(all)
    }

    /// What somebody wants an end to before it has arrived there ends here.
    fn end_unsent(&self, contact: &Contact) -> Result<(), Trouble> {
        let unsent = self.away()?.into_iter().filter(|(run, _, away)| !self.has_arrived(*run, away));
        let ends = unsent.filter_map(|(run, n, away)| {
            let (by, _) = away.asked?;
            Some((run, live::stopped_before_start(n, &by, self.context.now())))
        });
        let ends: Vec<(RunId, KnownEnd)> = ends.collect();
        let _quiet = lock(&self.learner);
        for (run, end) in &ends {
            learning::forget(self.context, *run, end.attempt.n).map_err(failed)?;
            contact.carrier.forget(*run, end.attempt.n);
        }
        lost::write_down(self.context, ends).map_err(failed)
    }

    /// Sweeps whose secrets it is still to be told, each with those of its runs that are new there.
    fn secret(&self, known: &Replayed, away: &[(RunId, AttemptNo, Away)], new: &[RunId]) -> BTreeMap<SweepId, (Arc<Sweep>, Vec<RunId>)> {
        let mut secret: BTreeMap<SweepId, (Arc<Sweep>, Vec<RunId>)> = BTreeMap::new();
        for (run, ..) in away {
            let sweep = known.state.runs.get(run).and_then(|run| known.state.sweeps.get(&run.sweep));
            let is_to_be_told =
                |sweep: &&Arc<Sweep>| !self.secrets.contains(&sweep.id) && !sweep.settings.on_target(&self.name).secrets.is_empty();
            if let Some(sweep) = sweep.filter(is_to_be_told) {
                let (_, runs) = secret.entry(sweep.id).or_insert_with(|| (Arc::clone(sweep), Vec::new()));
                runs.extend(Some(*run).filter(|run| new.contains(run)));
            }
        }
        // Somebody may be asked for them, or be waited for: not all the time, unless runs wait for them.
        let rests = |sweep: &SweepId| self.without.get(sweep).is_some_and(|at| at.elapsed() < SECRETS_AGAIN);
        secret.retain(|sweep, (_, runs)| !runs.is_empty() || !rests(sweep));
        secret
    }

    /// Gives the runs that cannot be sent, as a secret of theirs is not to be had.
    fn send_secrets(&mut self, contact: &Contact, secret: BTreeMap<SweepId, (Arc<Sweep>, Vec<RunId>)>) -> Result<BTreeSet<RunId>, Trouble> {
        let mut unfit = BTreeSet::new();
        for (sweep, runs) in secret.into_values() {
            match handing::send_secrets(self.context, &self.channel, &sweep, (&self.name, &self.target)) {
                Ok(()) => drop(self.secrets.insert(sweep.id)),
                Err(unsent) => {
                    self.without.insert(sweep.id, Instant::now());
                    unfit.extend(&runs);
                    self.not_sent(contact, runs, unsent)?;
                }
            }
        }
        Ok(unfit)
    }

    /// What cannot be sent waits for somebody to mend that; all else goes on.
    fn not_sent(&self, contact: &Contact, runs: Vec<RunId>, unsent: Unsent) -> Result<(), Trouble> {
        match unsent {
            // It was asked, and answered: there may be no room for these.
            Unsent::Trouble(Trouble::Failed(_)) | Unsent::Unfit(_) if runs.is_empty() => Ok(()),
            Unsent::Trouble(Trouble::Failed(why)) => {
                if contact.put_off(&runs, &why) {
                    (self.context.say)(&format!("{} does not take runs {}: {why}", self.name, spans(&runs)));
                }
                Ok(())
            }
            Unsent::Trouble(trouble) => Err(trouble),
            Unsent::Unfit(why) => {
                let _quiet = lock(&self.learner);
                handing::hold(self.context, &self.name, runs, &why).map_err(failed)
            }
        }
    }

    /// Says of which runs home wants to know everything.
    fn follow(&mut self, away: &[(RunId, AttemptNo, Away)]) -> Result<(), Trouble> {
        // To look at each of many runs every second takes longer than everything else.
        let any = spool::is_watched(self.context.home.root());
        let is_watched = |run: RunId, n: AttemptNo| any && spool::is_watched(&self.context.home.attempt(run, n));
        let runs: BTreeMap<RunId, bool> = away.iter().map(|(run, n, _)| (*run, is_watched(*run, *n))).collect();
        let learner = lock(&self.learner);
        if self.followed.as_ref() == Some(&runs) && !learner.is_confused() {
            return Ok(());
        }
        let (anew, journal) = (learner.is_confused(), learner.journal());
        let is_known = |run: &RunId| self.followed.as_ref().is_some_and(|followed| followed.contains_key(run));
        drop(learner);
        let (new, known): (Vec<_>, Vec<_>) = runs.iter().partition(|(run, _)| anew || !is_known(run));
        let mut told: Vec<Followed> =
            known.into_iter().map(|(run, watched)| Followed { run: *run, files: Vec::new(), watched: *watched }).collect();
        let mut files = 0;
        for (run, watched) in new {
            let copies = mirror::copies(&self.context.home.run(*run), *run);
            files += copies.files.len();
            told.push(Followed { watched: *watched, ..copies });
            if files > AT_A_TIME {
                // What was told of these is known from here on.
                self.channel.ask(Ask::Follow { journal, runs: told.clone() }, PATIENCE)?;
                told.iter_mut().for_each(|known| known.files.clear());
                files = 0;
            }
        }
        self.channel.ask(Ask::Follow { journal, runs: told }, PATIENCE)?;
        lock(&self.learner).is_clear();
        self.followed = Some(runs);
        Ok(())
    }

    fn take_back(&mut self, runs: BTreeSet<RunId>, away: &[(RunId, AttemptNo, Away)]) -> Result<(), Trouble> {
        let asked: Vec<(RunId, AttemptNo)> = away.iter().filter(|(run, ..)| runs.contains(run)).map(|(run, n, _)| (*run, *n)).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let back = match self.channel.ask(Ask::GiveBack { runs: asked }, PATIENCE) {
            Ok((Reply::Runs(back), _)) => back,
            Ok(_) => return Err(Trouble::odd()),
            // It has no room to write that down, say: they stay there for now.
            Err(Trouble::Failed(_)) => return Ok(()),
            Err(trouble) => return Err(trouble),
        };
        let runs: Vec<RunId> = back.into_iter().filter(|run| runs.contains(run)).collect();
        if runs.is_empty() {
            return Ok(());
        }
        let _quiet = lock(&self.learner);
        handing::take_back(self.context, &self.name, runs).map_err(failed)
    }

    fn have_ended(&mut self, away: &[(RunId, AttemptNo, Away)]) -> Result<(), Trouble> {
        // What waits there would start in the place of what runs there.
        let (running, waiting): (Vec<_>, Vec<_>) = away.iter().partition(|(.., away)| away.started);
        for (run, n, away) in waiting.into_iter().chain(running) {
            let Some((by, kill)) = away.asked.as_ref().filter(|_| self.has_arrived(*run, away)) else { continue };
            let key = (*run, away.epoch, *n, *kill);
            let rests = self.refused.get(&key).is_some_and(|at| at.elapsed() < PUT_OFF);
            if rests || self.told.contains(&key) {
                continue;
            }
            match self.channel.ask(Ask::End { runs: vec![*run], by: by.clone(), kill: *kill }, PATIENCE) {
                // The others are told all the same.
                Err(Trouble::Failed(why)) => {
                    if self.refused.insert(key, Instant::now()).is_none() {
                        (self.context.say)(&format!("run {run} on {}: it cannot be ended yet: {why}", self.name));
                    }
                }
                told => drop(told.map(|_| self.told.insert(key))?),
            }
        }
        Ok(())
    }
}

/// Records what the target says, as it says it. Why that ended.
fn read_news(channel: &Channel, learner: &Mutex<Learner<'_>>) -> Option<Trouble> {
    loop {
        match channel.ask(Ask::More { patience: NEWS }, SILENCE) {
            Ok((Reply::Pieces(pieces), body)) => {
                match lock(learner).take(&pieces, &body) {
                    Ok(true) => {}
                    // Whatever it answers, nobody asks without rest.
                    Ok(false) => std::thread::sleep(REST),
                    Err(e) => return Some(failed(e)),
                }
            }
            Ok(_) => return Some(Trouble::odd()),
            Err(trouble) => return Some(trouble),
        }
    }
}
