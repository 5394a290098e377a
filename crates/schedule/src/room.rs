//! What is free on a machine, whether a run fits into it, and what it then has.

use crate::hours::Shut;
use crate::needs::{Cpus, Gpus, Needs, Part};
use crate::reason::Lack;
use neronet_model::queue::{Gpu, GpuShare, Grant, Machine, WHOLE};
use neronet_model::{RunId, SweepId, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The machines as they are at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct World {
    pub places: Vec<Place>,
    /// Sweeps of which nothing can start yet, and why: their code is being built.
    pub not_yet: BTreeMap<SweepId, String>,
    /// Targets on which nothing can start now.
    #[serde(default)]
    pub absent: BTreeMap<String, Absent>,
    /// Runs for which something is being brought to where they start, and what.
    #[serde(default)]
    pub bringing: BTreeMap<RunId, String>,
}

/// Why a target is not among the places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// `unreachable`, `needs login: neronet target login gpu1`.
    pub why: String,
    /// Since when, where that is known.
    pub since: Option<UnixMs>,
}

/// One machine, what others use of it, and what is to be left free.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Place {
    pub machine: Machine,
    pub limits: Limits,
    /// Bytes of memory that processes use which are not our runs'.
    pub memory_elsewhere: u64,
    /// The disk that runs write to, where it is known.
    pub disk: Option<Disk>,
    /// GPUs that processes use which are not our runs', each with a word on them.
    pub gpus_elsewhere: BTreeMap<String, String>,
    /// Nothing starts there for now, and why.
    pub closed: Option<String>,
    /// When nothing starts there, as far ahead as is known.
    #[serde(default)]
    pub shut: Vec<Shut>,
    /// Of a machine elsewhere, which starts by itself what it is given: so many may wait there for their turn.
    #[serde(default)]
    pub ahead: Option<u64>,
}

/// Bytes of a disk, as far as the user may have them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Disk {
    pub free: u64,
    pub all: u64,
}

/// What is left to others.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    pub leave_cores: u32,
    pub leave_memory: u64,
    pub leave_gpus: u32,
    pub max_runs: Option<u64>,
    /// How many there are of what `[resources.named]` asks for.
    pub named: BTreeMap<String, u64>,
}

/// What runs have of a machine together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Used {
    pub(crate) runs: u64,
    cpus: u32,
    cores: BTreeSet<u32>,
    memory: u64,
    disk: u64,
    /// Thousandths by GPU.
    gpus: BTreeMap<String, u32>,
    named: BTreeMap<String, u64>,
}

impl Used {
    pub(crate) fn take(&mut self, grant: &Grant) {
        self.runs += 1;
        self.cpus = self.cpus.saturating_add(grant.cpus);
        self.cores.extend(&grant.cores);
        self.memory = self.memory.saturating_add(grant.memory);
        self.disk = self.disk.saturating_add(grant.disk);
        for share in grant.gpus.iter().flatten() {
            let used = self.gpus.entry(share.id.clone()).or_default();
            *used = used.saturating_add(share.share);
        }
        for (name, amount) in &grant.named {
            let used = self.named.entry(name.clone()).or_default();
            *used = used.saturating_add(*amount);
        }
    }

    pub(crate) fn give_back(&mut self, grant: &Grant) {
        self.runs = self.runs.saturating_sub(1);
        self.cpus = self.cpus.saturating_sub(grant.cpus);
        self.cores.retain(|core| !grant.cores.contains(core));
        self.memory = self.memory.saturating_sub(grant.memory);
        self.disk = self.disk.saturating_sub(grant.disk);
        for share in grant.gpus.iter().flatten() {
            if let Some(used) = self.gpus.get_mut(&share.id) {
                *used = used.saturating_sub(share.share);
            }
        }
        self.gpus.retain(|_, used| *used > 0);
        for (name, amount) in &grant.named {
            if let Some(used) = self.named.get_mut(name) {
                *used = used.saturating_sub(*amount);
            }
        }
        self.named.retain(|_, used| *used > 0);
    }
}

/// A machine with what is used of it at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Room<'w> {
    pub(crate) place: &'w Place,
    pub(crate) used: Used,
    pub(crate) at: UnixMs,
}

impl<'w> Room<'w> {
    pub(crate) fn new(place: &'w Place, used: Option<&Used>, at: UnixMs) -> Room<'w> {
        Room { place, used: used.cloned().unwrap_or_default(), at }
    }

    /// As if nobody used it: what can ever fit.
    pub(crate) fn empty(place: &'w Place) -> Room<'w> {
        Room { place, used: Used::default(), at: UnixMs(0) }
    }

    fn cores(&self) -> u32 {
        let all = self.place.machine.cores.len() as u32;
        all.saturating_sub(self.place.limits.leave_cores).max(1)
    }

    fn memory(&self) -> u64 {
        let Limits { leave_memory, .. } = self.place.limits;
        self.place.machine.memory.saturating_sub(leave_memory)
    }

    /// What a run that needs this would have here, or what is not there. `ever`: had it all to itself, whatever others do.
    pub(crate) fn fit(&self, needs: &Needs, ever: bool) -> Result<Grant, Lack> {
        let Place { machine, limits, closed, .. } = self.place;
        if let Some(why) = closed.as_ref().filter(|_| !ever) {
            return Err(Lack::Closed(why.clone()));
        }
        if let Some(lack) = self.place.is_shut(self.at, needs.time).filter(|_| !ever) {
            return Err(lack);
        }
        if limits.max_runs.is_some_and(|most| self.used.runs >= most) {
            return Err(Lack::Runs { most: limits.max_runs.unwrap_or_default() });
        }
        let gpus = self.gpus(needs, ever)?;
        let (cpus, cores) = self.cpus(needs, gpus.as_deref().unwrap_or_default())?;
        let elsewhere = if ever { 0 } else { self.place.memory_elsewhere };
        let free = self.memory().saturating_sub(elsewhere).saturating_sub(self.used.memory);
        // What earlier runs took says nothing for certain: where nothing else of ours runs, it is tried.
        let usual = if self.used.runs == 0 { needs.usual_memory.min(free) } else { needs.usual_memory };
        let memory = needs.memory.max(usual);
        if memory > free {
            return Err(Lack::Memory { needs: memory, free, all: self.memory() });
        }
        if let Some(disk) = &self.place.disk {
            // How much of theirs the others have written by now is not known, so all of it is still set aside.
            let free = if ever { disk.all } else { disk.free.saturating_sub(self.used.disk) };
            if needs.disk > free {
                return Err(Lack::Disk { needs: needs.disk, free, all: disk.all });
            }
        }
        for (name, amount) in &needs.named {
            let all = limits.named.get(name).copied().unwrap_or(0);
            let free = all.saturating_sub(self.used.named.get(name).copied().unwrap_or(0));
            if *amount > free {
                return Err(Lack::Named { name: name.clone(), needs: *amount, all });
            }
        }
        Ok(Grant { machine: machine.name.clone(), cpus, cores, memory, disk: needs.disk, gpus, named: needs.named.clone() })
    }

    fn cpus(&self, needs: &Needs, gpus: &[GpuShare]) -> Result<(u32, Vec<u32>), Lack> {
        let all = self.cores();
        let (wanted, bound) = match needs.cpus {
            Cpus::Uncounted => return Ok((0, Vec::new())),
            Cpus::Bound(n) => (n, true),
            Cpus::Part { of: Some(of) } => ((u64::from(all) / of.max(1)).max(1) as u32, false),
            Cpus::Part { of: None } => {
                // The same part of the processors as of the GPUs; without any, as much as with one.
                let there = (self.place.machine.gpus.len() as u64).max(1) * u64::from(WHOLE);
                let taken: u64 = gpus.iter().map(|gpu| u64::from(gpu.share)).sum();
                // With more GPUs than processors none keeps a GPU from being used.
                let (least, taken) = if gpus.is_empty() { (1, u64::from(WHOLE)) } else { (0, taken) };
                ((u64::from(all) * taken / there).clamp(least.min(u64::from(all)), u64::from(all)) as u32, false)
            }
        };
        let free = all.saturating_sub(self.used.cpus);
        // More runs than processors: those that were allowed together start together.
        let crowded = matches!(needs.cpus, Cpus::Part { of: Some(of) } if of > u64::from(all));
        if wanted > free && !crowded {
            return Err(Lack::Cpus { needs: wanted, free, all });
        }
        let free_cores = self.place.machine.cores.iter().rev().filter(|core| !self.used.cores.contains(core));
        // Those with the lowest numbers are left to others.
        let mut cores: Vec<u32> = if bound { free_cores.take(wanted as usize).copied().collect() } else { Vec::new() };
        cores.sort_unstable();
        Ok((if crowded { 0 } else { wanted }, cores))
    }

    fn gpus(&self, needs: &Needs, ever: bool) -> Result<Option<Vec<GpuShare>>, Lack> {
        let all = &self.place.machine.gpus;
        let leave = self.place.limits.leave_gpus as usize;
        let (least, most, part) = match needs.gpus {
            Gpus::Inherited => return Ok(None),
            Gpus::Hidden => return Ok(Some(Vec::new())),
            Gpus::OneIfAny(_) if all.is_empty() => return Ok(None),
            Gpus::OneIfAny(part) => (1, 1, part),
            Gpus::All(_) if all.is_empty() => return Ok(None),
            // All that runs may have.
            Gpus::All(part) => {
                let count = all.len().saturating_sub(leave).max(1) as u32;
                (count, count, part)
            }
            Gpus::Count { least, most, part } => (least, most, part),
        };
        let elsewhere = |gpu: &Gpu| !ever && self.place.gpus_elsewhere.contains_key(&gpu.id);
        let in_use = |gpu: &Gpu| self.used.gpus.get(&gpu.id).copied().unwrap_or(0);
        let mut fitting: Vec<(u32, &Gpu, u32)> = Vec::new();
        let mut untouched = 0;
        for gpu in all.iter().filter(|gpu| !elsewhere(gpu)) {
            let share = match part {
                Part::Whole => Some(WHOLE),
                Part::Thousandths { least, usual } => Some(least.max(share_of(gpu, usual).unwrap_or(WHOLE))),
                Part::Memory(bytes) => share_of(gpu, bytes),
            };
            let used = in_use(gpu);
            untouched += usize::from(used == 0);
            if let Some(share) = share.filter(|share| used.saturating_add(*share) <= WHOLE) {
                fitting.push((used, gpu, share));
            }
        }
        // Those that are in part use first, so that whole ones stay for whoever needs a whole one.
        fitting.sort_by_key(|(used, gpu, _)| (std::cmp::Reverse(*used), gpu.index));
        let mut may_touch = untouched.saturating_sub(leave);
        let chosen: Vec<GpuShare> = fitting
            .into_iter()
            .filter(|(used, ..)| {
                let may = *used > 0 || may_touch > 0;
                may_touch -= usize::from(*used == 0 && may);
                may
            })
            .take(most as usize)
            .map(|(_, gpu, share)| GpuShare { id: gpu.id.clone(), share, vendor: gpu.vendor })
            .collect();
        if (chosen.len() as u32) < least {
            let others = self.place.gpus_elsewhere.iter().filter(|_| !ever).map(|(gpu, who)| (gpu.clone(), who.clone())).collect();
            let all = all.len().saturating_sub(leave) as u32;
            let memory = if let Part::Memory(bytes) = part { Some(bytes) } else { None };
            return Err(Lack::Gpus { needs: least, free: chosen.len() as u32, all, memory, others });
        }
        Ok(Some(chosen))
    }
}

/// What so many bytes are of a GPU's memory; nothing where it has less. Rounded down: three times a third is one.
fn share_of(gpu: &Gpu, bytes: u64) -> Option<u32> {
    match (bytes, gpu.memory) {
        (0, _) => Some(1),
        // Nobody knows what it has, so nobody shares it.
        (_, 0) => Some(WHOLE),
        (bytes, all) => (bytes <= all).then(|| ((u128::from(bytes) * u128::from(WHOLE) / u128::from(all)) as u32).max(1)),
    }
}
