//! A target's folder, as its agent has it: a small home, which home gives runs to, takes them back from, has them end in.

use super::tidy;
use crate::context::Context;
use crate::error::HomeError;
use crate::parcel::Parts;
use crate::travel::needed;
use crate::view::Snapshot;
use crate::world::Eyes;
use crate::{given, lease, runner, steer, targets};
use neronet_capture::code;
use neronet_model::event::Process;
use neronet_model::journal::{Entry, HomeState, Submitted};
use neronet_model::{AttemptNo, Millis, RunId, SweepId, Uid};
use neronet_schedule::Stand;
use neronet_store::files::{self, Durability};
use neronet_store::{Locked, follow, reserve};
use neronet_supervise::Secrets;
use neronet_supervise::os::clock;
use neronet_supervise::start::{self, How};
use neronet_target::parcel::Parcel;
use neronet_target::wire::{Ask, Reply, There};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

/// Of all connections that ever spoke for a target the last one has this number.
const TURN: &str = "agent.json";
const RENEWED: Duration = Duration::from_secs(60);
/// Runs in an answer.
const AT_A_TIME: usize = 20_000;
/// Whoever starts what is queued is looked after so often.
const LOOKED_AFTER: Duration = Duration::from_secs(2);
/// It is there within this, if it comes.
const STARTED: Duration = Duration::from_secs(30);

pub(super) struct Opened {
    context: Context,
    turn: u64,
    lease: Millis,
    renewed: Instant,
    eyes: Option<Eyes>,
    runner: Option<Instant>,
    /// Whoever starts what is queued was looked after; not before home has said what is to start no more.
    looked: Option<Instant>,
    /// What runs here need and no file has, and the runner that was told.
    secrets: BTreeMap<SweepId, Secrets>,
    told: Option<Process>,
    /// The last of them came then.
    secrets_at: Option<Instant>,
}

impl Opened {
    /// In the folder that the binary was brought to, by the names of home and target.
    pub(super) fn at(
        at: &dyn Fn(&Path) -> Result<Context, HomeError>,
        home: Uid,
        target: &str,
        settings: &str,
        lease: Millis,
    ) -> Result<Opened, HomeError> {
        let context = at(&super::folder_of(home, target)?)?;
        let root = context.home.root().to_path_buf();
        files::make_folder(&root)?;
        let turn = {
            let _home = context.lock()?;
            let path = root.join(targets::FILE);
            neronet_spec::targets(settings, targets::FILE)?;
            if std::fs::read_to_string(&path).ok().as_deref() != Some(settings) {
                files::replace(&path, settings.as_bytes(), Durability::Renamed)?;
            }
            let last: Option<u64> = files::read_json(&root.join(TURN))?;
            let next = last.unwrap_or(0) + 1;
            match (files::replace_json(&root.join(TURN), &next, Durability::Renamed), last) {
                (Ok(()), _) => next,
                // On a full disk it speaks in the turn of the last one: runs may have to be ended for there to be room.
                (Err(e), Some(last)) if reserve::is_want_of_room(&e) => last,
                (Err(e), _) => return Err(e.into()),
            }
        };
        tidy::is_used(&context);
        let renewed = Instant::now();
        Ok(Opened {
            context,
            turn,
            lease,
            renewed,
            eyes: None,
            runner: None,
            looked: None,
            secrets: BTreeMap::new(),
            told: None,
            secrets_at: None,
        })
    }

    /// Home has said what is to start here no more: all else may.
    pub(super) fn go_on(&mut self) {
        if self.looked.is_none() {
            // Tried again the next time.
            lease::renew(&self.context, self.lease).ok();
            self.look_after_runner();
        }
    }

    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// What is there of these runs, and what else has not ended.
    pub(super) fn reply(&self, asked: &[RunId]) -> Result<Reply, HomeError> {
        let known = self.context.home.read()?;
        let uid = self.context.home.uid()?.ok_or_else(|| HomeError::Failed("the folder has no home.json".into()))?;
        let runs = known.state.runs.all().filter(|run| asked.contains(&run.id()) || known.queue.awaits_end(run.id()));
        let runs = runs.map(|run| run.whole()).map(|run| There {
            run: run.id,
            uid: run.uid,
            attempt: AttemptNo(run.attempts),
            started: known.queue.stand(run.id) == Some(Stand::Granted),
            ended: !known.queue.awaits_end(run.id),
        });
        Ok(Reply::Opened { uid, runs: runs.collect(), journal: Some(follow::end(&self.context.home.journal())) })
    }

    /// Home is there. Refused where it speaks by another connection.
    pub(super) fn renew(&mut self) -> Result<(), HomeError> {
        if self.renewed.elapsed() >= RENEWED {
            self.renewed = Instant::now();
            drop(self.lock()?);
            lease::renew(&self.context, self.lease).ok();
        }
        if self.looked.is_some_and(|at| at.elapsed() >= LOOKED_AFTER) || self.runner_is_awaited() {
            self.look_after_runner();
        }
        Ok(())
    }

    /// It is just being started, and waits for what only we can tell.
    pub(super) fn runner_is_awaited(&self) -> bool {
        self.told.is_none() && self.secrets_at.is_some_and(|at| at.elapsed() < STARTED)
    }

    fn look_after_runner(&mut self) {
        self.looked = Some(Instant::now());
        // Tried again the next time.
        runner::ensure(&self.context, &mut self.runner).ok();
        let runner = runner::process(&self.context).filter(|_| !self.secrets.is_empty());
        if let Some(runner) = runner.filter(|runner| self.told.as_ref() != Some(runner))
            && self.secrets.iter().all(|(sweep, secrets)| given::tell(&self.context, *sweep, secrets).is_ok())
        {
            self.told = Some(runner);
        }
    }

    pub(super) fn machine(&mut self) -> Result<Reply, HomeError> {
        let known = self.context.home.read()?;
        let eyes = self.eyes.get_or_insert_with(Eyes::open);
        let world = eyes.look(&self.context, &known.queue);
        let place = world.places.into_iter().next().unwrap_or_default();
        Ok(Reply::Machine { now: clock::unix_now(), place: Box::new(place) })
    }

    pub(super) fn answer(&mut self, ask: Ask, body: &[u8]) -> Result<Reply, HomeError> {
        match ask {
            Ask::Hand => {
                let entry =
                    serde_json::from_slice(body).map_err(|e| HomeError::Failed(format!("what was handed over cannot be read: {e}")))?;
                self.take(entry)?;
                self.look_after_runner();
                Ok(Reply::Done)
            }
            Ask::Snapshot { hash } => {
                let there = code::is_wanted_again(&self.context.home.snapshots().join(hash.as_str()));
                Ok(if there { Reply::Done } else { Reply::Absent })
            }
            Ask::Begin { parcel: Parcel { sha256, bytes } } => Ok(Reply::At(Parts::incoming(&self.context.home)?.begin(&sha256, bytes)?)),
            Ask::Append { parcel: Parcel { sha256, bytes }, at } => {
                Ok(Reply::At(Parts::incoming(&self.context.home)?.append(&sha256, bytes, at, body)?))
            }
            Ask::Secrets { sweep } => {
                self.secrets.insert(sweep, Secrets::read(body));
                self.told = None;
                self.secrets_at = Some(Instant::now());
                self.look_after_runner();
                Ok(Reply::Done)
            }
            Ask::GiveBack { runs } => Ok(Reply::Runs(self.give_back(runs)?)),
            Ask::Fence { runs } => {
                drop(self.lock()?);
                runs.iter().for_each(|run| start::kill_all_below(&self.context.home.run(*run)));
                Ok(Reply::Done)
            }
            Ask::Ended { behind } => {
                let known = self.context.home.read()?;
                let ended = known.state.runs.all().map(|run| run.id()).filter(|run| !known.queue.awaits_end(*run));
                // What went back may have left something.
                let left = known.state.purged.keys().copied().filter(|run| *run > behind && self.context.home.run(*run).exists());
                let all: BTreeSet<RunId> = ended.filter(|run| *run > behind).chain(left).collect();
                Ok(Reply::Runs(all.into_iter().take(AT_A_TIME).collect()))
            }
            Ask::Purge { runs } => self.purge(runs),
            Ask::End { runs, by, kill } => self.end(&runs, by, if kill { How::Kill } else { How::Stop }),
            _ => Err(HomeError::Failed("asked out of turn".into())),
        }
    }

    /// Home's lock, unless another connection has begun to speak for this target.
    fn lock(&self) -> Result<Locked, HomeError> {
        let home = self.context.lock()?;
        match files::read_json::<u64>(&self.context.home.root().join(TURN))? {
            Some(turn) if turn == self.turn => Ok(home),
            _ => Err(HomeError::Failed("another connection speaks for this target by now".into())),
        }
    }

    /// Writes down runs that are to be started here, those that are new.
    fn take(&self, entry: Entry) -> Result<(), HomeError> {
        let mut home = self.lock()?;
        let mut new = Vec::new();
        let parts = match entry {
            Entry::Together(parts) => parts,
            one => vec![one],
        };
        for part in parts {
            match part {
                Entry::Submitted(all) => {
                    let left = all.into_iter().map(|submitted| unknown(home.state(), submitted)).collect::<Result<Vec<_>, _>>()?;
                    let left: Vec<Submitted> = left.into_iter().filter(|submitted| !submitted.members.is_empty()).collect();
                    if !left.is_empty() {
                        new.push(Entry::Submitted(left));
                    }
                }
                Entry::Decided { decision, .. }
                    if home.state().runs.get(&decision.run).is_some_and(|run| run.attempts >= decision.attempt.0) => {}
                Entry::Decided { at, decision } => new.push(Entry::Decided { at, decision: needed::taken(&self.context, &decision) }),
                Entry::Prioritised { runs, priority } => {
                    let other: Vec<RunId> = runs.into_iter().filter(|run| home.queue().priority(*run) != priority).collect();
                    if !other.is_empty() {
                        new.push(Entry::Prioritised { runs: other, priority });
                    }
                }
                other => return Err(HomeError::Failed(format!("an entry '{}' is not handed over", other.name()))),
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        Ok(home.decide(Entry::Together(new))?)
    }

    /// Those that nobody has started, and that nobody will start from now on.
    fn give_back(&self, runs: Vec<(RunId, AttemptNo)>) -> Result<Vec<RunId>, HomeError> {
        let mut home = self.lock()?;
        // A power cut may have taken the word that it was started, and left what that made: whoever would start it finds that, held or not.
        let is_begun = |(run, n): &(RunId, AttemptNo)| self.context.home.attempt(*run, *n).exists();
        let begun = runs.iter().filter(|(run, _)| home.queue().stand(*run) == Some(Stand::Queued) && home.queue().is_held(*run));
        let begun: Vec<RunId> = begun.filter(|one| is_begun(one)).map(|(run, _)| *run).collect();
        if !begun.is_empty() {
            home.decide(Entry::Released { runs: begun })?;
        }
        let waits = |(run, n): &(RunId, AttemptNo)| match (home.queue().stand(*run), home.state().runs.get(run)) {
            (Some(Stand::Queued), Some(known)) => known.attempts == n.0 && !is_begun(&(*run, *n)),
            (stand, _) => stand.is_none(),
        };
        let back: Vec<RunId> = runs.into_iter().filter(waits).map(|(run, _)| run).collect();
        let known: Vec<RunId> = back.iter().copied().filter(|run| home.queue().stand(*run).is_some()).collect();
        if !known.is_empty() {
            // Whoever releases them has seen what failed: that is counted anew here, too.
            let held: Vec<RunId> = known.iter().copied().filter(|run| home.queue().is_held(*run)).collect();
            home.decide(Entry::Together(vec![Entry::Released { runs: held }, Entry::Purged { runs: known }]))?;
        }
        Ok(back)
    }

    /// Takes ended runs away for good.
    fn purge(&self, runs: Vec<RunId>) -> Result<Reply, HomeError> {
        let mut home = self.lock()?;
        let runs: Vec<RunId> = runs.into_iter().filter(|run| !home.queue().awaits_end(*run)).collect();
        home.decide(Entry::Purged { runs: runs.clone() })?;
        drop(home);
        runs.iter().try_for_each(|run| files::remove_folder(&self.context.home.run(*run)))?;
        Ok(Reply::Done)
    }

    fn end(&self, runs: &[RunId], by: String, how: How) -> Result<Reply, HomeError> {
        drop(self.lock()?);
        let asked = Context { user: by, ..self.context.clone() };
        let snapshot = Snapshot::read(&asked)?;
        let views: Vec<_> = runs.iter().filter_map(|run| snapshot.view_of(&asked, *run)).collect();
        let left = steer::ask(&asked, &views.iter().collect::<Vec<_>>(), how)?;
        // Home asks again, and may come to another host of the same cluster then.
        let is_elsewhere = |(run, _): &&(RunId, String)| {
            let n = AttemptNo(snapshot.state.runs.get(run).map_or(1, |run| run.attempts));
            start::host_elsewhere(&asked.home.attempt(*run, n), n).is_some()
        };
        match left.iter().find(is_elsewhere) {
            Some((_, why)) => Err(HomeError::Failed(why.clone())),
            None => Ok(Reply::Done),
        }
    }
}

/// Those of a submission that are not there yet.
fn unknown(state: &HomeState, mut submitted: Submitted) -> Result<Submitted, HomeError> {
    for member in &submitted.members {
        if let Some(known) = state.runs.get(&member.id).filter(|known| known.uid != member.uid) {
            return Err(HomeError::Failed(format!(
                "run {} is there already and is another one ({}): two homes have the same name, as when one is a copy of the other",
                member.id, known.uid
            )));
        }
    }
    submitted.members.retain(|member| state.runs.get(&member.id).is_none());
    Ok(submitted)
}
