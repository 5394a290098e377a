//! What home decided and learned, entry by entry, and the state that the entries add up to.
//! `HomeState::apply` is the only place where home's state changes: live and on replay.

use crate::event::Process;
use crate::id::{AttemptNo, RunId, SweepId, Uid};
use crate::keyed::Keys;
use crate::params::Params;
use crate::queue::{Grant, Place, Quota, Wishes};
use crate::run::{Decision, Ending, KnownEnd, Run};
use crate::runs::Runs;
use crate::settings::Settings;
use crate::time::{Millis, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One record of the journal. Externally tagged: values keep their written form only that way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// Everything that one submission made, in one record: all of it is there or none.
    Submitted(Vec<Submitted>),
    /// Another attempt of a run that ended.
    Decided {
        at: UnixMs,
        decision: Decision,
    },
    /// Home learned how an attempt ended. Can be learned again from the spool, so it is not synced by itself.
    Ended {
        run: RunId,
        end: Box<KnownEnd>,
    },
    Tagged {
        runs: Vec<RunId>,
        add: Vec<String>,
        remove: Vec<String>,
    },
    Noted {
        run: RunId,
        note: Option<String>,
    },
    Trashed {
        at: UnixMs,
        runs: Vec<RunId>,
    },
    Restored {
        runs: Vec<RunId>,
    },
    /// Gone from the disk for good. The ids stay taken.
    Purged {
        runs: Vec<RunId>,
    },
    /// Another process carries out the sweep from now on.
    Driven {
        sweep: SweepId,
        driver: Process,
    },
    /// A queued run was given what it needs, and is being started. Not synced: what a power cut takes with it no longer runs.
    Started {
        at: UnixMs,
        run: RunId,
        attempt: AttemptNo,
        grant: Box<Grant>,
        /// The process that starts it.
        driver: Process,
    },
    /// It was not started after all, and is queued as before.
    Returned {
        run: RunId,
        attempt: AttemptNo,
    },
    /// Queued runs belong to a target from now on, which starts them as it has room, whether home is there or not. Durable before the
    /// target hears of it.
    Handed {
        at: UnixMs,
        target: String,
        /// Of each handing over another one, so that the target knows an old one from a new one.
        epoch: u64,
        runs: Vec<Handed>,
    },
    /// The target said that it has not started them, and will not.
    HandedBack {
        target: String,
        runs: Vec<RunId>,
    },
    /// Runs that belong to a target are to end there; it is told when it is reached.
    Asked {
        at: UnixMs,
        runs: Vec<RunId>,
        by: String,
        /// At once, not after the stop signal.
        #[serde(default)]
        kill: bool,
    },
    /// Not to be started until they are released.
    Held {
        at: UnixMs,
        runs: Vec<RunId>,
        /// Who or what holds them.
        by: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    Released {
        runs: Vec<RunId>,
    },
    Prioritised {
        runs: Vec<RunId>,
        priority: i64,
    },
    /// In their order among themselves.
    Moved {
        runs: Vec<RunId>,
        to: Place,
    },
    /// Without a quota a project may have what there is.
    Limited {
        project: String,
        quota: Option<Quota>,
    },
    /// All of them or none.
    Together(Vec<Entry>),
    /// An entry that somebody may ask for twice, not knowing whether the first time was heard.
    Keyed {
        at: UnixMs,
        key: String,
        /// What was asked for, as a hash.
        #[serde(default)]
        request: String,
        /// What was answered, where the runs of the entry do not say it all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<String>,
        entry: Box<Entry>,
    },
}

impl Entry {
    /// The runs that it touches, in their order.
    pub fn runs(&self) -> Vec<RunId> {
        match self {
            Entry::Submitted(all) => all.iter().flat_map(|submitted| &submitted.members).map(|member| member.id).collect(),
            Entry::Decided { decision, .. } => vec![decision.run],
            Entry::Ended { run, .. } | Entry::Noted { run, .. } | Entry::Started { run, .. } | Entry::Returned { run, .. } => vec![*run],
            Entry::Tagged { runs, .. }
            | Entry::Trashed { runs, .. }
            | Entry::Restored { runs }
            | Entry::Purged { runs }
            | Entry::Held { runs, .. }
            | Entry::Released { runs }
            | Entry::Prioritised { runs, .. }
            | Entry::HandedBack { runs, .. }
            | Entry::Asked { runs, .. }
            | Entry::Moved { runs, .. } => runs.clone(),
            Entry::Handed { runs, .. } => runs.iter().map(|handed| handed.run).collect(),
            Entry::Driven { .. } | Entry::Limited { .. } => Vec::new(),
            Entry::Together(all) => all.iter().flat_map(Entry::runs).collect(),
            Entry::Keyed { entry, .. } => entry.runs(),
        }
    }

    /// The entries that it is made of.
    pub fn parts(&self) -> Vec<&Entry> {
        match self {
            Entry::Together(all) => all.iter().flat_map(Entry::parts).collect(),
            Entry::Keyed { entry, .. } => entry.parts(),
            single => vec![single],
        }
    }

    /// As it is called in the journal.
    pub fn name(&self) -> &'static str {
        match self {
            Entry::Submitted(_) => "submitted",
            Entry::Decided { .. } => "decided",
            Entry::Ended { .. } => "ended",
            Entry::Tagged { .. } => "tagged",
            Entry::Noted { .. } => "noted",
            Entry::Trashed { .. } => "trashed",
            Entry::Restored { .. } => "restored",
            Entry::Purged { .. } => "purged",
            Entry::Driven { .. } => "driven",
            Entry::Started { .. } => "started",
            Entry::Returned { .. } => "returned",
            Entry::Handed { .. } => "handed",
            Entry::HandedBack { .. } => "handed-back",
            Entry::Asked { .. } => "asked",
            Entry::Held { .. } => "held",
            Entry::Released { .. } => "released",
            Entry::Prioritised { .. } => "prioritised",
            Entry::Moved { .. } => "moved",
            Entry::Limited { .. } => "limited",
            Entry::Together(_) => "together",
            Entry::Keyed { .. } => "keyed",
        }
    }
}

/// A run that a target is to start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Handed {
    pub run: RunId,
    pub attempt: AttemptNo,
    /// What it will probably have there at once; without it, it waits there for its turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Box<Grant>>,
}

/// One experiment's part of a submission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submitted {
    pub sweep: Sweep,
    pub members: Vec<Member>,
}

/// What the runs of one sweep share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    pub id: SweepId,
    pub at: UnixMs,
    pub project: String,
    pub experiment: String,
    pub settings: Arc<Settings>,
    /// Names that vary between the runs.
    pub varying: Vec<String>,
    /// So many at a time at most.
    #[serde(default)]
    pub parallel: Option<u64>,
    /// The process that starts the runs; when it is gone, what is still queued waits for somebody to ask.
    pub driver: Process,
    pub detached: bool,
    pub code: Code,
    pub host: String,
    pub user: String,
    /// The specification as it was written, and its path.
    pub spec: Option<SpecSource>,
    /// Each run goes on from the best of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub best_of: Vec<RunId>,
    #[serde(default, skip_serializing_if = "Wishes::is_default")]
    pub wishes: Wishes,
    /// Where its runs may execute, the first that has room; none: on this machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Its runs were brought here when they had ended: nothing of them can be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
}

/// Where runs came from that this home did not start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    pub at: UnixMs,
    /// Who recorded them: `MLflow`, `neronet`.
    pub from: String,
    /// What was read.
    pub path: String,
    /// What the run is called there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpecSource {
    pub path: String,
    pub text: String,
    /// The files that it includes, each once, by the path that `path`'s folder and theirs make.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub included: Vec<Included>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Included {
    pub path: String,
    pub text: String,
}

/// Which code the runs execute.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Code {
    /// Hash of the snapshot; without one the runs execute in place.
    pub snapshot: Option<String>,
    /// Why they execute in place, if not because the spec says so.
    pub in_place_because: Option<String>,
    /// The top of what the snapshot holds, as it was called at submission.
    pub top: String,
    /// The folder of the spec (or where the command was typed) below `top`; empty at the top itself.
    pub below: String,
    pub git: Option<Git>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Git {
    /// Empty in a repository without a commit.
    pub commit: String,
    /// Empty when detached.
    pub branch: String,
    pub dirty: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    pub id: RunId,
    pub uid: Uid,
    #[serde(serialize_with = "crate::params::exactly")]
    pub params: Params,
    /// The run that it goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<RunId>,
    /// What `[resources] gpus` comes to, where it is an expression of parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpus: Option<u32>,
    /// What a spreadsheet's row says of it beside the parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Everything that the journal says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HomeState {
    pub runs: Runs,
    pub sweeps: BTreeMap<SweepId, Arc<Sweep>>,
    /// The last decision on each run that has more than one attempt.
    pub decisions: BTreeMap<RunId, Decision>,
    pub last_run: u64,
    pub last_sweep: u64,
    /// What was asked for under a key in the last day.
    pub keys: Keys,
    /// Runs that were removed for good: what may still lie around of them may go.
    pub purged: BTreeMap<RunId, Uid>,
}

impl HomeState {
    /// `at`: at which byte of the journal the entry stands, which is how what is not kept here is found again.
    pub fn apply(&mut self, entry: Entry, at: u64) {
        match entry {
            Entry::Submitted(all) => all.into_iter().for_each(|submitted| self.submitted(submitted)),
            Entry::Decided { decision, .. } => {
                if let Some(run) = self.runs.get_mut(&decision.run) {
                    run.attempts = run.attempts.max(decision.attempt.0);
                    let lasted = run.ending.take().and_then(|ending| ending.lasted).unwrap_or_default();
                    run.earlier = Millis(run.earlier.0.saturating_add(lasted.0));
                    decision.changes.iter().for_each(|(name, value)| run.changes.set(name, value.clone()));
                    self.decisions.insert(decision.run, decision);
                }
            }
            Entry::Ended { run, end } => {
                if let Some(run) = self.runs.get_mut(&run) {
                    // What was learned of an earlier attempt says nothing of the run once a later one was decided on.
                    if end.attempt.n.0 >= run.attempts {
                        run.ending = Some(Box::new(Ending::of(&end, at)));
                    }
                }
            }
            Entry::Tagged { runs, add, remove } => {
                self.each(&runs, |run| {
                    run.tags.extend(add.iter().cloned());
                    run.tags.retain(|tag| !remove.contains(tag));
                });
            }
            Entry::Noted { run, note } => self.each(&[run], |run| run.note.clone_from(&note)),
            Entry::Trashed { at: then, runs } => self.each(&runs, |run| run.trashed = Some(then)),
            Entry::Restored { runs } => self.each(&runs, |run| run.trashed = None),
            Entry::Purged { runs } => {
                for id in runs {
                    self.purged.extend(self.runs.remove(&id).map(|run| (id, run.uid)));
                    self.decisions.remove(&id);
                }
            }
            Entry::Driven { sweep, driver } => {
                if let Some(sweep) = self.sweeps.get_mut(&sweep) {
                    Arc::make_mut(sweep).driver = driver;
                }
            }
            Entry::Together(all) => all.into_iter().for_each(|entry| self.apply(entry, at)),
            Entry::Keyed { at: asked, key, request, answer, entry } => {
                self.keys.remember(key, asked, request, answer, &entry);
                self.apply(*entry, at);
            }
            // What the queue makes of these is in `schedule`.
            Entry::Started { .. }
            | Entry::Returned { .. }
            | Entry::Handed { .. }
            | Entry::HandedBack { .. }
            | Entry::Asked { .. }
            | Entry::Held { .. }
            | Entry::Released { .. }
            | Entry::Prioritised { .. }
            | Entry::Moved { .. }
            | Entry::Limited { .. } => {}
        }
    }

    /// The process that starts the run's last attempt, or started it.
    pub fn driver(&self, run: &Run) -> Option<&Process> {
        let decision = self.decisions.get(&run.id).filter(|decision| decision.attempt.0 == run.attempts);
        decision.and_then(|decision| decision.driver.as_ref()).or_else(|| Some(&self.sweeps.get(&run.sweep)?.driver))
    }

    fn submitted(&mut self, Submitted { sweep, members }: Submitted) {
        self.last_sweep = self.last_sweep.max(sweep.id.0);
        let mut sweep = sweep;
        // Mostly an experiment is submitted again as it was: what is the same is held once.
        if let Some(before) = self.sweeps.values().next_back().filter(|before| before.settings == sweep.settings) {
            sweep.settings = Arc::clone(&before.settings);
        }
        let experiment: Arc<str> = sweep.experiment.as_str().into();
        for Member { id, uid, params, after, tags, note, gpus: _ } in members {
            self.last_run = self.last_run.max(id.0);
            let run = Run {
                id,
                uid,
                sweep: sweep.id,
                experiment: Arc::clone(&experiment),
                params,
                changes: Params::new(),
                after,
                created: sweep.at,
                tags: tags.into_iter().collect(),
                note,
                trashed: None,
                attempts: 1,
                earlier: Millis(0),
                ending: None,
            };
            self.runs.insert(id, run);
            self.purged.remove(&id);
        }
        self.sweeps.insert(sweep.id, Arc::new(sweep));
    }

    fn each(&mut self, ids: &[RunId], mut change: impl FnMut(&mut Run)) {
        for id in ids {
            if let Some(run) = self.runs.get_mut(id) {
                change(run);
            }
        }
    }
}
