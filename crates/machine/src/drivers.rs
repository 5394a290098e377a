//! All drivers of this machine, asked one after the other.

use crate::gpus::{AGAIN, Seen};
use crate::nvml::Nvml;
use crate::words::Words;
use crate::{amd, smi};
use std::ffi::{CString, OsString};
use std::path::PathBuf;
use std::time::Instant;

/// Where drivers are looked for.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// Of /proc and /sys.
    pub(crate) root: PathBuf,
    /// NVIDIA's library: the first that can be loaded.
    pub(crate) nvml: Vec<CString>,
    pub(crate) smi: Option<OsString>,
    /// Whether processes are named.
    pub(crate) words: bool,
}

impl Places {
    pub(crate) fn quiet() -> Places {
        // Windows brings its own for Linux, beside where libraries usually are.
        let nvml = [c"libnvidia-ml.so.1", c"/usr/lib/wsl/lib/libnvidia-ml.so.1"].map(CString::from).to_vec();
        Places { root: "/".into(), nvml, smi: None, words: false }
    }

    pub(crate) fn usual() -> Places {
        Places { smi: Some("nvidia-smi".into()), words: true, ..Places::quiet() }
    }
}

pub(crate) struct Drivers {
    places: Places,
    nvml: Option<Nvml>,
    /// NVIDIA's driver was not there: it is not looked for before.
    again: Option<Instant>,
    words: Words,
}

impl Drivers {
    pub(crate) fn at(places: Places) -> Drivers {
        Drivers { places, nvml: None, again: None, words: Words::default() }
    }

    /// Nothing where there is no driver at all.
    pub(crate) fn look(&mut self) -> Option<Vec<Seen>> {
        let (nvidia, amd) = (self.nvidia(), amd::look_under(&self.places.root));
        if nvidia.is_none() && amd.is_none() {
            return None;
        }
        let mut seen: Vec<Seen> = nvidia.into_iter().chain(amd).flatten().collect();
        if self.places.words {
            let holders = seen.iter_mut().flat_map(|seen| &mut seen.now.processes);
            holders.for_each(|holder| holder.word = self.words.of(&self.places.root, holder.pid));
        }
        Some(seen)
    }

    fn nvidia(&mut self) -> Option<Vec<Seen>> {
        if self.again.is_some_and(|again| Instant::now() < again) {
            return None;
        }
        let nvml = self.nvml.take().or_else(|| self.places.nvml.iter().find_map(|library| Nvml::open(library)));
        let seen = nvml.and_then(|nvml| Some((nvml.look()?, nvml)));
        let seen = match seen {
            Some((seen, nvml)) => {
                self.nvml = Some(nvml);
                Some(seen)
            }
            None => self.places.smi.as_ref().and_then(|program| smi::look(program)),
        };
        self.again = seen.is_none().then(|| Instant::now() + AGAIN);
        seen
    }
}
