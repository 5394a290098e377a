//! What a run needs of a machine, from what its experiment says.

use crate::learned::Learned;
use neronet_model::journal::Sweep;
use neronet_model::queue::WHOLE;
use neronet_model::settings::{self, Resources, Settings};
use neronet_model::time::Millis;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Needs {
    pub cpus: Cpus,
    pub gpus: Gpus,
    /// Bytes that are set aside; 0 where nobody says.
    pub memory: u64,
    /// What earlier runs took, where nobody says: no reason not to start where nothing else runs.
    pub usual_memory: u64,
    /// Bytes of the disk.
    pub disk: u64,
    pub named: BTreeMap<String, u64>,
    /// It takes no longer.
    pub time: Option<Millis>,
}

/// What runs need, by where they execute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Demand {
    anywhere: Needs,
    /// On targets where it is something else.
    on: Vec<(String, Needs)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Cpus {
    /// They do not count: whoever waits at a terminal has it start.
    Uncounted,
    /// As it was said: the run is bound to so many.
    Bound(u32),
    /// A part of the machine: as many as when so many runs share it, or as it has GPUs.
    Part { of: Option<u64> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Gpus {
    /// What was visible at submission stays so.
    Inherited,
    Hidden,
    /// One where the machine has any.
    OneIfAny(Part),
    Count {
        least: u32,
        most: u32,
        part: Part,
    },
    All(Part),
}

/// How much of each GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Part {
    Whole,
    /// `usual`: bytes that earlier runs took of one, or 0.
    Thousandths {
        least: u32,
        usual: u64,
    },
    /// Bytes of its memory.
    Memory(u64),
}

impl Needs {
    /// `gpus` is what the run's own parameters make of `[resources] gpus` where that is an expression.
    pub fn of(sweep: &Sweep, gpus: Option<u32>) -> Needs {
        Needs::by(&sweep.settings, sweep, gpus)
    }

    fn by(settings: &Settings, sweep: &Sweep, gpus: Option<u32>) -> Needs {
        let needs = Needs::asked(&settings.resources, sweep.detached, sweep.parallel, gpus);
        Needs { time: settings.time_limit, ..needs }
    }

    /// `detached`: nobody waits for the run at a terminal. `parallel`: how many of its sweep may run at a time.
    pub fn asked(resources: &Resources, detached: bool, parallel: Option<u64>, gpus: Option<u32>) -> Needs {
        let Resources { cpus, gpu_memory, memory, disk, named, .. } = resources;
        let part = gpu_memory.map_or(Part::Whole, Part::Memory);
        let count = |n: u32| if n == 0 { Gpus::Hidden } else { Gpus::Count { least: n, most: n, part } };
        let gpus = match &resources.gpus {
            None if detached || gpu_memory.is_some() => Gpus::OneIfAny(part),
            None => Gpus::Inherited,
            Some(settings::Gpus::Count(n)) => count(*n),
            Some(settings::Gpus::All) => Gpus::All(part),
            Some(settings::Gpus::Range(least, most)) => Gpus::Count { least: (*least).max(1), most: *most, part },
            Some(settings::Gpus::Fraction(share)) => {
                // Three times a third is one.
                let share = Part::Thousandths { least: ((share * f64::from(WHOLE)) as u32).clamp(1, WHOLE), usual: 0 };
                Gpus::Count { least: 1, most: 1, part: gpu_memory.map_or(share, Part::Memory) }
            }
            Some(settings::Gpus::Expression(_)) => count(gpus.unwrap_or(1)),
        };
        let cpus = match cpus {
            Some(n) => Cpus::Bound(*n),
            None if detached => Cpus::Part { of: parallel },
            None => Cpus::Uncounted,
        };
        let named = named.iter().map(|(name, amount)| (name.clone(), *amount)).collect();
        Needs { cpus, gpus, memory: memory.unwrap_or(0), usual_memory: 0, disk: disk.unwrap_or(0), named, time: None }
    }

    /// With what earlier runs took where the experiment does not say what it needs.
    pub(crate) fn with(&self, learned: &Learned) -> Needs {
        let mut needs = self.clone();
        if needs.memory == 0 {
            needs.usual_memory = learned.memory().unwrap_or(0);
        }
        if let Gpus::Count { part: Part::Thousandths { usual, .. }, .. } = &mut needs.gpus {
            *usual = learned.gpu_memory().unwrap_or(0);
        }
        needs.time = needs.time.or(learned.longest());
        needs
    }

    /// How many GPUs it cannot do without.
    fn least_gpus(&self) -> u64 {
        match self.gpus {
            Gpus::Inherited | Gpus::Hidden | Gpus::OneIfAny(_) | Gpus::All(_) => 0,
            Gpus::Count { least, .. } => u64::from(least),
        }
    }
}

impl Demand {
    pub(crate) fn of(sweep: &Sweep, gpus: Option<u32>) -> Demand {
        let anywhere = Needs::of(sweep, gpus);
        let on = sweep.targets.iter().map(|target| (target.clone(), Needs::by(sweep.settings.on_target(target), sweep, gpus)));
        let on = on.filter(|(_, needs)| *needs != anywhere).collect();
        Demand { anywhere, on }
    }

    pub(crate) fn at(&self, machine: &str) -> &Needs {
        self.on.iter().find(|(name, _)| name == machine).map_or(&self.anywhere, |(_, needs)| needs)
    }

    pub(crate) fn with(&self, learned: &Learned) -> Demand {
        let on = self.on.iter().map(|(name, needs)| (name.clone(), needs.with(learned))).collect();
        Demand { anywhere: self.anywhere.with(learned), on }
    }

    /// With no more GPUs than so many, where more would do.
    pub(crate) fn at_most<'d>(demand: Cow<'d, Demand>, gpus: u64) -> Cow<'d, Demand> {
        let over = |needs: &Needs| matches!(needs.gpus, Gpus::Count { most, .. } if u64::from(most) > gpus);
        if !over(&demand.anywhere) && !demand.on.iter().any(|(_, needs)| over(needs)) {
            return demand;
        }
        let mut demand = demand.into_owned();
        for needs in std::iter::once(&mut demand.anywhere).chain(demand.on.iter_mut().map(|(_, needs)| needs)) {
            if let Gpus::Count { most, .. } = &mut needs.gpus {
                *most = (*most).min(u32::try_from(gpus).unwrap_or(u32::MAX));
            }
        }
        Cow::Owned(demand)
    }

    /// How many GPUs it cannot do without, wherever it is.
    pub(crate) fn least_gpus(&self) -> u64 {
        self.on.iter().map(|(_, needs)| needs).chain([&self.anywhere]).map(Needs::least_gpus).min().unwrap_or(0)
    }
}
