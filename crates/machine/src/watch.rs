//! The machine as it is, and as it is used at this moment.

use crate::gpus::{Gpus, Use};
use crate::host;
use crate::visible::Visible;
use neronet_capture::space;
use neronet_model::queue::Machine;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A driver that sleeps needs some seconds to wake up. It is given them once.
const FIRST: Duration = Duration::from_secs(5);
/// Whoever looks again has the last answer.
const LATER: Duration = Duration::from_millis(50);

/// Looks at this machine whenever it is asked to.
pub struct Watch {
    gpus: Gpus,
    patience: Duration,
    visible: Visible,
    /// Of /proc and /sys.
    root: PathBuf,
}

/// What is used of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Looked {
    /// Bytes.
    pub memory_available: u64,
    /// By id. Those that vanished are absent.
    pub gpus: BTreeMap<String, Use>,
    /// Nothing where it has no battery.
    pub on_battery: Option<bool>,
}

impl Watch {
    /// Cheap: drivers are first asked at the first look.
    pub fn open() -> Watch {
        Watch { gpus: Gpus::open(), patience: FIRST, visible: Visible::of_environment(), root: "/".into() }
    }

    /// What it has for us: what our own affinity, control group and `CUDA_VISIBLE_DEVICES` leave of it. Waits some seconds for a
    /// driver that sleeps, the first time.
    pub fn machine(&mut self) -> Machine {
        let patience = std::mem::replace(&mut self.patience, LATER);
        let gpus = self.visible.of(self.gpus.look(patience)).into_iter().map(|seen| seen.gpu).collect();
        Machine { name: "local".into(), cores: host::cores(), memory: space::memory().total.unwrap_or(0), gpus }
    }

    /// What is used of it now. A driver that is slow to answer is heard at the next look.
    pub fn look(&mut self) -> Looked {
        let gpus = self.visible.of(self.gpus.look(LATER)).into_iter().map(|seen| (seen.gpu.id, seen.now)).collect();
        let memory = space::memory();
        Looked { memory_available: memory.available.unwrap_or(u64::MAX), gpus, on_battery: host::on_battery_under(&self.root) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drivers::Places;
    use crate::elsewhere;
    use crate::stand_in::{StandIn, wait_for};
    use std::collections::BTreeSet;

    fn watch_at(places: Places, visible: Visible) -> Watch {
        Watch { root: places.root.clone(), gpus: Gpus::at(places), patience: FIRST, visible }
    }

    #[test]
    fn a_machine_has_what_it_leaves_us_and_gpus_come_and_go() {
        let stand_in = StandIn::with_nvml("gpu A 1000 400 5 0 0 0\nproc 77 390\ngpu B 2000 1 0 0 0 0\ngpu C 3000 1 0 0 0 0\n");
        stand_in.put("proc/77/cmdline", "/usr/bin/python3\0");
        stand_in.put("sys/class/power_supply/BAT0/type", "Battery");
        let mut watch = watch_at(stand_in.places(), Visible { cuda: Some("0,2".into()), ..Visible::default() });
        let machine = watch.machine();
        let gpus: Vec<_> = machine.gpus.iter().map(|gpu| (gpu.name.as_str(), gpu.index, gpu.memory >> 20)).collect();
        assert_eq!(gpus, [("A", 0, 1000), ("C", 2, 3000)], "B is hidden from us");
        assert_eq!(machine.name, "local");
        assert!(machine.memory > 0 && !machine.cores.is_empty());
        let looked = watch.look();
        assert!((1..=machine.memory).contains(&looked.memory_available));
        assert_eq!(looked.on_battery, Some(false));
        let (a, c) = (&machine.gpus[0].id, &machine.gpus[1].id);
        assert_eq!(looked.gpus.keys().collect::<Vec<_>>(), [a, c]);
        assert_eq!((looked.gpus[a].memory >> 20, looked.gpus[a].utilisation), (400, Some(5)));
        let used = elsewhere(&looked, &BTreeSet::new(), &BTreeSet::new());
        assert!(used.len() == 1 && used[a].ends_with(": python3"), "{used:?}");
        assert_eq!(elsewhere(&looked, &BTreeSet::from([77]), &BTreeSet::new()), BTreeMap::new());
        stand_in.gpus("gpu A 1000 0 0 0 0 0 lost\ngpu B 2000 1 0 0 0 0\ngpu C 3000 1 0 0 0 0\n");
        wait_for(|| watch.look().gpus.keys().eq([c]));
        stand_in.unload();
        wait_for(|| watch.look().gpus.is_empty());
    }

    #[test]
    fn this_machine_can_be_looked_at() {
        let mut watch = Watch::open();
        assert!(!watch.machine().cores.is_empty());
        assert!(watch.look().memory_available > 0);
    }
}
