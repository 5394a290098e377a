//! The machines that runs can be placed on, as they are now.

use crate::context::Context;
use crate::courtesy::{self, Left};
use crate::lease;
use neronet_capture::space;
use neronet_machine::{Looked, Watch, elsewhere};
use neronet_model::RunId;
use neronet_model::launch::Courtesy;
use neronet_model::queue::Machine;
use neronet_schedule::{Disk, Place, Queue, World};
use neronet_supervise::start::METRICS_VARIABLE;
use std::collections::BTreeSet;

/// Looks at this machine as often as it is asked to.
pub struct Eyes {
    watch: Watch,
    machine: Option<Machine>,
    left: Left,
    /// What is wrong with `targets.toml`, which is then as if it were not there.
    pub trouble: Option<String>,
}

impl Eyes {
    pub fn open() -> Eyes {
        Eyes { watch: Watch::open(), machine: None, left: Left::default(), trouble: None }
    }

    /// How runs stand back behind others of this machine.
    pub fn courtesy(&self) -> Courtesy {
        self.left.courtesy
    }

    pub fn has_gpus(&self) -> bool {
        self.machine.as_ref().is_some_and(|machine| !machine.gpus.is_empty())
    }

    /// This machine, with what processes use of it that are not runs of ours.
    pub fn look(&mut self, context: &Context, queue: &Queue) -> World {
        // GPUs come and go.
        let machine = self.watch.machine();
        let looked = self.watch.look();
        match courtesy::left(context, looked.on_battery.is_some(), machine.cores.len(), machine.memory) {
            Ok(left) => (self.left, self.trouble) = (left, None),
            Err(e) => self.trouble = Some(e.to_string()),
        }
        let used = machine.memory.saturating_sub(looked.memory_available);
        let disk = space::disk(context.home.root()).map(|disk| Disk { free: disk.free, all: disk.total });
        let place = Place {
            disk,
            memory_elsewhere: used.saturating_sub(queue.memory_granted(&machine.name)),
            gpus_elsewhere: elsewhere(&looked, &ours(context, &looked, queue), &queue.gpus_granted(&machine.name)),
            closed: (self.left.pause_on_battery && looked.on_battery == Some(true))
                .then(|| "the machine runs on its battery (targets.toml: pause_on_battery)".to_string())
                .or_else(|| lease::is_over(context)),
            shut: self.left.shut.clone(),
            limits: self.left.limits.clone(),
            machine: machine.clone(),
            ahead: None,
        };
        self.machine = Some(machine);
        World { places: vec![place], ..World::default() }
    }
}

/// Processes on GPUs that are of runs which were given GPUs.
fn ours(context: &Context, looked: &Looked, queue: &Queue) -> BTreeSet<i32> {
    let pids = looked.gpus.values().flat_map(|now| &now.processes).map(|holder| holder.pid);
    let has_gpus = |run: RunId| queue.grant(run).is_some_and(|grant| grant.gpus.as_ref().is_some_and(|gpus| !gpus.is_empty()));
    pids.filter(|pid| run_of(context, *pid).is_some_and(has_gpus)).collect()
}

/// The run of this home that a process belongs to, by a variable that its command was started with.
fn run_of(context: &Context, pid: i32) -> Option<RunId> {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let variable = environ.split(|b| *b == 0).find_map(|pair| pair.strip_prefix(METRICS_VARIABLE.as_bytes())?.strip_prefix(b"="))?;
    let below = std::path::Path::new(std::str::from_utf8(variable).ok()?).strip_prefix(context.home.runs()).ok()?;
    below.components().next()?.as_os_str().to_str()?.parse().ok()
}

/// This machine, by a process that looks at it once.
pub fn local(context: &Context) -> World {
    Eyes::open().look(context, &Queue::default())
}

/// This machine, for runs that ask for nothing of it.
pub(crate) fn bare() -> World {
    // What earlier runs took of its memory is no reason to wait either.
    let machine = Machine { name: "local".into(), memory: u64::MAX, ..Machine::default() };
    World { places: vec![Place { machine, ..Place::default() }], ..World::default() }
}
