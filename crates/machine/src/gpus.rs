//! The GPUs as their drivers tell of them, asked by a thread: a driver may take seconds to wake up, and hangs where a GPU does.

use crate::drivers::{Drivers, Places};
use neronet_model::queue::Gpu;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Without an answer for so long, what the last one said holds no more.
const STALE: Duration = Duration::from_secs(30);
/// A driver that was not there may have been loaded since.
pub(crate) const AGAIN: Duration = Duration::from_secs(60);

/// A GPU and what is used of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seen {
    pub gpu: Gpu,
    pub now: Use,
}

/// What is used of a GPU at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Use {
    /// Bytes, by all together.
    pub memory: u64,
    /// In percent, where the driver says.
    pub utilisation: Option<u32>,
    /// Those that compute. Where the driver shows none, there may be some in other containers.
    pub processes: Vec<Holder>,
    /// Bytes that programs hold which only draw on a screen.
    pub drawing: u64,
}

/// A process that uses a GPU.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Holder {
    pub pid: i32,
    /// Bytes, where the driver says.
    pub memory: Option<u64>,
    /// Whose and what it is, for people: `anna: python`. Empty where that was not asked for.
    pub word: String,
}

/// Asks the drivers. Cheap until the first look; where there are none it remembers that for a while.
pub struct Gpus {
    places: Places,
    asker: Option<Asker>,
    last: Vec<Seen>,
    /// No driver was there: it is not looked for before.
    again: Option<Instant>,
}

struct Asker {
    ask: Sender<()>,
    answers: Receiver<Vec<Seen>>,
    /// Since when it owes an answer.
    asked: Option<Instant>,
}

impl Gpus {
    /// By the libraries and files of the drivers alone: no other program is started.
    pub fn quiet() -> Gpus {
        Gpus::at(Places::quiet())
    }

    /// By all means, with words on the processes.
    pub fn open() -> Gpus {
        Gpus::at(Places::usual())
    }

    pub(crate) fn at(places: Places) -> Gpus {
        Gpus { places, asker: None, last: Vec::new(), again: None }
    }

    /// In the order of the bus; those that vanished are absent. What cannot be learned within `patience` is as the last answer
    /// said: with none at all, it is asked now and heard at the next look.
    pub fn look(&mut self, patience: Duration) -> &[Seen] {
        if self.asker.is_none() && self.again.is_none_or(|again| again <= Instant::now()) {
            self.asker = Asker::start(self.places.clone());
            self.again = Some(Instant::now() + AGAIN);
        }
        let Some(asker) = &mut self.asker else { return &self.last };
        let mut there = asker.hear(Duration::ZERO, &mut self.last);
        if there {
            // An answer that came too late for the last look is old by now.
            if asker.asked.is_none() {
                asker.ask.send(()).ok();
                asker.asked = Some(Instant::now());
            }
            there = asker.hear(patience, &mut self.last);
        }
        if !there {
            self.last.clear();
            self.asker = None;
        }
        &self.last
    }
}

impl Asker {
    fn start(places: Places) -> Option<Asker> {
        let (ask, asked) = channel();
        let (answer, answers) = channel();
        let work = move || {
            let mut drivers = Drivers::at(places);
            while asked.recv().is_ok()
                && let Some(seen) = drivers.look()
                && answer.send(seen).is_ok()
            {}
        };
        thread::Builder::new().name("gpus".into()).spawn(work).ok()?;
        Some(Asker { ask, answers, asked: None })
    }

    /// Takes the answer that it owes. False when it found no driver and is gone.
    fn hear(&mut self, patience: Duration, last: &mut Vec<Seen>) -> bool {
        let Some(since) = self.asked else { return true };
        match self.answers.recv_timeout(patience) {
            Ok(seen) => (*last, self.asked) = (seen, None),
            Err(RecvTimeoutError::Timeout) if since.elapsed() > STALE => last.clear(),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        true
    }
}

/// Whether a process has a GPU's device open, as all do that compute with one. Only of processes that are ours to look into.
pub fn uses_a_gpu(pid: i32) -> bool {
    let devices = [Path::new("/dev/nvidiactl"), Path::new("/dev/kfd"), Path::new("/dev/dxg")];
    if !devices.iter().any(|device| device.exists()) {
        return false;
    }
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter_map(|file| file.path().read_link().ok()).any(|file| devices.contains(&file.as_path()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stand_in::{StandIn, wait_for};
    use std::io::Write;

    #[test]
    fn a_driver_that_hangs_keeps_nobody_waiting() {
        let stand_in = StandIn::new();
        let (fifo, awake) = (stand_in.path("fifo"), stand_in.path("awake"));
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("made");
        let (shown, is_awake) = (fifo.display(), awake.display());
        stand_in.smi(&format!("[ -e {is_awake} ] || read line < {shown}\ncase $1 in *gpu=*) echo '0, GPU-1, A, 8, 1, 7';; esac"));
        let mut gpus = Gpus::at(stand_in.places());
        let began = Instant::now();
        assert_eq!(gpus.look(Duration::ZERO), []);
        assert_eq!(gpus.look(Duration::from_millis(1)), []);
        assert!(began.elapsed() < Duration::from_secs(5), "it waited for the driver");
        // It comes back, and is heard.
        std::fs::write(&awake, "").expect("written");
        // Opened for both, it waits for nobody.
        let mut line = std::fs::OpenOptions::new().read(true).write(true).open(&fifo).expect("opened");
        line.write_all(b"\n").expect("written");
        wait_for(|| !gpus.look(Duration::from_millis(50)).is_empty());
        assert_eq!(gpus.look(Duration::from_secs(20))[0].now, Use { memory: 1 << 20, utilisation: Some(7), ..Use::default() });
    }

    #[test]
    fn without_a_driver_nothing_is_asked_again_for_a_while() {
        let stand_in = StandIn::new();
        let mut gpus = Gpus::at(stand_in.places());
        assert_eq!(gpus.look(Duration::from_secs(20)), []);
        assert!(gpus.asker.is_none() && gpus.again.is_some());
        assert_eq!(gpus.look(Duration::from_secs(20)), []);
        assert!(gpus.asker.is_none(), "no thread");
    }

    #[test]
    fn a_process_without_a_gpu_uses_none() {
        assert!(!uses_a_gpu(std::process::id() as i32));
    }
}
