//! What a run needs of a machine, from what its experiment says.

use neronet_model::journal::Sweep;
use neronet_model::queue::WHOLE;
use neronet_model::settings::{self, Resources};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Needs {
    pub cpus: Cpus,
    pub gpus: Gpus,
    /// Bytes that are set aside; 0 where nobody knows.
    pub memory: u64,
    pub named: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cpus {
    /// They do not count: whoever waits at a terminal has it start.
    Uncounted,
    /// As it was said: the run is bound to so many.
    Bound(u32),
    /// A part of the machine: as many as when so many runs share it, or as it has GPUs.
    Part { of: Option<u64> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Whole,
    Thousandths(u32),
    /// Bytes of its memory.
    Memory(u64),
}

impl Needs {
    /// `gpus` is what the run's own parameters make of `[resources] gpus` where that is an expression.
    pub fn of(sweep: &Sweep, gpus: Option<u32>) -> Needs {
        Needs::asked(&sweep.settings.resources, sweep.detached, sweep.parallel, gpus)
    }

    /// `detached`: nobody waits for the run at a terminal. `parallel`: how many of its sweep may run at a time.
    pub fn asked(resources: &Resources, detached: bool, parallel: Option<u64>, gpus: Option<u32>) -> Needs {
        let Resources { cpus, gpu_memory, memory, named, .. } = resources;
        let part = gpu_memory.map_or(Part::Whole, Part::Memory);
        let count = |n: u32| if n == 0 { Gpus::Hidden } else { Gpus::Count { least: n, most: n, part } };
        let gpus = match &resources.gpus {
            None if detached || gpu_memory.is_some() => Gpus::OneIfAny(part),
            None => Gpus::Inherited,
            Some(settings::Gpus::Count(n)) => count(*n),
            Some(settings::Gpus::All) => Gpus::All(part),
            Some(settings::Gpus::Range(least, most)) => Gpus::Count { least: (*least).max(1), most: *most, part },
            Some(settings::Gpus::Fraction(share)) => {
                let thousandths = ((share * f64::from(WHOLE)).ceil() as u32).clamp(1, WHOLE);
                Gpus::Count { least: 1, most: 1, part: gpu_memory.map_or(Part::Thousandths(thousandths), Part::Memory) }
            }
            Some(settings::Gpus::Expression(_)) => count(gpus.unwrap_or(1)),
        };
        let cpus = match cpus {
            Some(n) => Cpus::Bound(*n),
            None if detached => Cpus::Part { of: parallel },
            None => Cpus::Uncounted,
        };
        let named = named.iter().map(|(name, amount)| (name.clone(), *amount)).collect();
        Needs { cpus, gpus, memory: memory.unwrap_or(0), named }
    }

    /// How many GPUs it needs where there are any.
    pub(crate) fn least_gpus(&self) -> u64 {
        match self.gpus {
            Gpus::Inherited | Gpus::Hidden => 0,
            Gpus::OneIfAny(_) | Gpus::All(_) => 1,
            Gpus::Count { least, .. } => u64::from(least),
        }
    }
}
