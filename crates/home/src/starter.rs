//! Has attempts started: with their sweep's environment, secrets and built code, which are found out once.

use crate::begin::{Wanted, begin};
use crate::build::{self, Build, Running};
use crate::context::Context;
use crate::error::HomeError;
use crate::secrets::{self, Place};
use crate::submit::environment_of;
use crate::there;
use neronet_model::SweepId;
use neronet_model::journal::Sweep;
use neronet_store::StoreError;
use neronet_supervise::start::Started;
use neronet_supervise::{Nursery, Secrets};
use nix::errno::Errno;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct Starter<'a> {
    context: &'a Context,
    /// By sweep: each has its own environment.
    nurseries: BTreeMap<SweepId, Nursery>,
    /// Found out once, as somebody may have to type a passphrase for them, and so is that they cannot be.
    secrets: BTreeMap<SweepId, Result<Secrets, String>>,
    /// Sweeps whose code is built, or needs no build.
    built: BTreeSet<SweepId>,
    /// What is built now. One at a time: each takes all cores that it can get.
    building: Option<(SweepId, Box<Running>)>,
}

const WITHOUT_SECRETS: &str = "waits for home, which has its secrets";

/// What the system may be short of for a while.
const SHORTAGES: [Errno; 4] = [Errno::EMFILE, Errno::ENFILE, Errno::EAGAIN, Errno::ENOMEM];

fn errno_of(error: &HomeError) -> Option<Errno> {
    match error {
        HomeError::Home(StoreError::Io { source, .. }) => source.raw_os_error().map(Errno::from_raw),
        _ => None,
    }
}

/// What is short now is there again when a run has ended.
pub(crate) fn is_shortage(error: &HomeError) -> bool {
    errno_of(error).is_some_and(|errno| SHORTAGES.contains(&errno))
}

impl<'a> Starter<'a> {
    pub(crate) fn new(context: &'a Context, nursery: Option<(SweepId, Nursery)>) -> Starter<'a> {
        Starter { context, nurseries: nursery.into_iter().collect(), secrets: BTreeMap::new(), built: BTreeSet::new(), building: None }
    }

    pub(crate) fn needs_build(&self, sweep: &Sweep) -> bool {
        !self.built.contains(&sweep.id) && there::here(sweep).settings.code.build.is_some()
    }

    /// On a target: whether home has not sent its secrets yet.
    pub(crate) fn lacks_secrets(&self, sweep: &Sweep) -> bool {
        let given = self.context.given.as_ref().filter(|_| !sweep.settings.secrets.is_empty());
        given.is_some_and(|given| given.of(sweep.id).is_none())
    }

    /// Why nothing of a sweep can start yet.
    pub(crate) fn waits(&self, sweep: &Sweep) -> Option<&'static str> {
        match self.lacks_secrets(sweep) {
            true => Some(WITHOUT_SECRETS),
            false => self.needs_build(sweep).then_some("waits for its code to be built"),
        }
    }

    pub(crate) fn is_building(&self) -> bool {
        self.building.is_some()
    }

    /// Whether a sweep's code is built. Begins that, unless another one is being built, or says why it failed.
    pub(crate) fn is_built(&mut self, sweep: &Sweep) -> Result<bool, HomeError> {
        if !self.needs_build(sweep) {
            return Ok(true);
        }
        let build = match self.building.take_if(|(whose, _)| *whose == sweep.id) {
            Some((_, running)) => running.look(self.context)?,
            None if self.building.is_some() => return Ok(false),
            None => build::begin(self.context, &there::here(sweep))?,
        };
        match build {
            Build::Ready => Ok(self.built.insert(sweep.id)),
            Build::Elsewhere => Ok(false),
            Build::Running(running) => {
                self.building = Some((sweep.id, running));
                Ok(false)
            }
        }
    }

    pub(crate) fn start(&mut self, sweep: &Sweep, wanted: &Wanted) -> Result<Started, HomeError> {
        let sweep = &*there::here(sweep);
        let started = self.begin(sweep, wanted);
        if started.as_ref().is_err_and(|e| errno_of(e) == Some(Errno::EPIPE)) {
            // The nursery was killed; it is replaced as a supervisor is.
            self.nurseries.remove(&sweep.id);
            return self.begin(sweep, wanted);
        }
        started
    }

    fn begin(&mut self, sweep: &Sweep, wanted: &Wanted) -> Result<Started, HomeError> {
        let secrets = self.secrets.entry(sweep.id).or_insert_with(|| match &self.context.given {
            Some(given) if !sweep.settings.secrets.is_empty() => given.of(sweep.id).ok_or_else(|| WITHOUT_SECRETS.to_string()),
            _ => secrets::resolve(self.context, sweep),
        });
        let secrets = secrets.as_ref().map_err(|why| HomeError::Failed(why.clone()))?;
        let nursery = match self.nurseries.entry(sweep.id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Nursery::open(&self.context.neronet, &environment_of(self.context, sweep.id))?),
        };
        begin(self.context, nursery, sweep, wanted, secrets)
    }

    /// Of the secrets of a sweep those that are known: to whoever started its runs all, to others what lies in the environment.
    pub(crate) fn known_secrets(&self, sweep: SweepId) -> Secrets {
        if let Some(Ok(secrets)) = self.secrets.get(&sweep) {
            return secrets.clone();
        }
        let state = self.context.home.read().map(|known| known.state).unwrap_or_default();
        state.sweeps.get(&sweep).map(|sweep| Place::of(self.context, sweep).known(&sweep.settings)).unwrap_or_default()
    }

    /// A nursery that did not do what it was told is not told again.
    pub(crate) fn forget_nursery(&mut self, sweep: SweepId) {
        self.nurseries.remove(&sweep);
    }

    /// Lets go of what is held for sweeps that start nothing more. A build that nobody waits for ends.
    pub(crate) fn keep_only(&mut self, still: impl Fn(SweepId) -> bool) {
        self.nurseries.retain(|sweep, _| still(*sweep));
        self.secrets.retain(|sweep, _| still(*sweep));
        self.building.take_if(|(sweep, _)| !still(*sweep));
    }

    pub(crate) fn stop_building(&mut self) {
        self.building = None;
    }
}
