//! The keeper: parent of one command. It acts (starts, signals, kills) and records; it reads nothing of what the command does, unless
//! that is over before there is a supervisor.

use crate::command;
use crate::os::fork::{self, Reaped};
use crate::os::memory::{self, Kills};
use crate::os::{clock, process};
use crate::record::Record;
use crate::secrets::Secrets;
use crate::start::{self, How, Request};
use crate::steps;
use crate::supervisor::{self, FromKeeper};
use crate::word::{self, Heard, Line, Word};
use neronet_model::event::Event;
use neronet_model::launch::Launch;
use neronet_model::outcome::Cause;
use neronet_model::{FORMAT, Millis};
use neronet_store::{StoreError, files, spool};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

/// How long what a command left behind may take to end after TERM.
const LEFT_BEHIND_GRACE: Millis = Millis(3_000);
/// A command that is over sooner is read by its keeper: to fork a supervisor would take longer than all that it did. Where checkpoints
/// are named, or steps follow, there is one from the first instruction on, as it has to see them being saved.
const SUPERVISED_AFTER: Millis = Millis(20);
const WATCHES_WITHIN: u16 = 1_000;
/// How often a supervisor that dies at once is replaced while nothing is left to do but read.
const LAST_READERS: u32 = 5;

/// Keeps one attempt: from the launch in `folder` to the end in its record. Returns the process's exit status.
pub(crate) fn keep(folder: &Path, secrets: Secrets) -> i32 {
    match Keeper::begin(folder, secrets) {
        Ok(Some(mut keeper)) => {
            keeper.start_work();
            keeper.attend();
            keeper.record.close();
            0
        }
        // Another keeper was here before: an attempt is begun once.
        Ok(None) => 0,
        Err(e) => {
            // Whoever started us reads these words from the pipe that is our standard output; who looks later finds this file
            // instead of a record, if the disk takes one.
            let why = StoreError::io("begin the attempt in", folder)(e).to_string();
            nix::unistd::write(io::stdout(), why.as_bytes()).ok();
            files::replace(&folder.join("keeper-failed"), why.as_bytes(), files::Durability::Renamed).ok();
            1
        }
    }
}

struct Keeper<'a> {
    folder: &'a Path,
    launch: Launch,
    secrets: Secrets,
    record: Record,
    begun: Millis,
    me: i32,
    signals: SignalFd,
    kills_before: Kills,
    command: Option<Pid>,
    /// The number of the step that follows when what runs ends well; as many as there are when none does.
    next_step: usize,
    supervisor: Option<Supervisor>,
    generation: u32,
    quick_deaths: u32,
    /// When the first supervisor is due, or the next one, after several died at once.
    supervise_at: Option<Millis>,
    phase: Phase,
    time_limit_at: Option<Millis>,
    kill_at: Option<Millis>,
    /// It has lived for a while, and probably goes on to.
    settled: bool,
    /// How it ended, when the disk would not take it yet. Nobody else saw it, so it is tried until it is written.
    unwritten: Option<Event>,
    /// How it ended, written and not durable yet: that comes while the supervisor reads the rest, and before we go.
    undurable: Option<Event>,
}

struct Supervisor {
    pid: Pid,
    line: Line,
    since: Millis,
    watches: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// The command ended; what it left behind is being ended.
    Clearing,
    /// Nothing runs, and a step follows when the supervisor has put everything until now on record.
    Between,
    /// Nothing runs; the supervisor reads the rest.
    Reading,
}

impl Keeper<'_> {
    fn begin(folder: &Path, secrets: Secrets) -> io::Result<Option<Keeper<'_>>> {
        let launch = spool::launch(folder).map_err(io::Error::other)?.ok_or_else(|| io::Error::other("there is no launch.json"))?;
        let begun = clock::boot_now();
        let mut record = match Record::create(folder, begun) {
            Ok(record) => record,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            Err(e) => return Err(e),
        };
        let mut set = SigSet::empty();
        for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1, Signal::SIGUSR2] {
            set.add(signal);
        }
        set.thread_block()?;
        let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
        fork::set_handler(Signal::SIGHUP, &ignore);
        fork::set_handler(Signal::SIGPIPE, &ignore);
        fork::set_name(c"neronet-keeper");
        fork::become_subreaper()?;
        let signals = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let me = process::myself();
        let pid = me.pid;
        let steps = launch.steps.iter().map(|step| step.name.clone()).collect();
        record.write(Event::Begun { keeper: me, at: clock::unix_now(), clock: begun, version: FORMAT, steps })?;
        let time_limit_at = launch.time_limit.map(|limit| Millis(begun.0.saturating_add(limit.0)));
        Ok(Some(Keeper {
            folder,
            launch,
            secrets,
            record,
            begun,
            me: pid,
            signals,
            kills_before: Kills::so_far(),
            command: None,
            next_step: 0,
            supervisor: None,
            generation: 0,
            quick_deaths: 0,
            supervise_at: None,
            phase: Phase::Running,
            time_limit_at,
            kill_at: None,
            settled: false,
            unwritten: None,
            undurable: None,
        }))
    }

    fn start_work(&mut self) {
        if self.launch.steps_only {
            self.phase = Phase::Between;
            self.start_supervisor();
        } else if let Err(cause) = self.start_command(&self.launch.clone()) {
            return self.not_started(cause);
        }
        if start::request(self.folder).is_ok_and(|request| request.is_some()) {
            // Asked before we could be: the signal, if there was one as well, says the same.
            while let Ok(Some(_)) = self.signals.read_signal() {}
            self.asked();
        }
    }

    fn start_next_step(&mut self) {
        let Some(step) = self.launch.steps.get(self.next_step).cloned() else { return };
        self.next_step += 1;
        self.phase = Phase::Running;
        self.kills_before = Kills::so_far();
        let checkpoints = steps::checkpoints(&self.launch, &step);
        let (checkpoint, best) = checkpoints.as_ref().map(|known| (known.latest.clone(), known.best.clone())).unwrap_or_default();
        self.note(Event::Step { name: step.name.clone(), checkpoint, best });
        let started = checkpoints.and_then(|known| self.start_command(&steps::launch_of(&self.launch, &step, &known)));
        if let Err(cause) = started {
            self.not_started(cause);
        }
    }

    fn step_follows(&self) -> bool {
        self.next_step < self.launch.steps.len()
    }

    fn no_step_follows(&mut self) {
        self.next_step = self.launch.steps.len();
    }

    fn not_started(&mut self, cause: Cause) {
        self.no_step_follows();
        self.note_durably(Event::NotStarted { cause });
        self.phase = Phase::Clearing;
    }

    fn see_to_supervisor(&mut self) {
        let can_wait = self.launch.checkpoints.paths.is_empty() && self.launch.steps.is_empty();
        if self.supervisor.is_none() && self.supervise_at.is_none() && !can_wait {
            self.start_supervisor();
        }
    }

    /// What a command saves in its first instant can only be told whole by whoever sees it being saved. A supervisor that does not come
    /// to that keeps no command waiting.
    fn let_supervisor_watch(&mut self) {
        if let Some(supervisor) = self.supervisor.as_mut().filter(|supervisor| !supervisor.watches) {
            poll(&mut [PollFd::new(supervisor.line.as_fd(), PollFlags::POLLIN)], WATCHES_WITHIN).ok();
            supervisor.watches = supervisor.line.heard() == Heard::Word(Word::Watching);
        }
    }

    fn start_command(&mut self, launch: &Launch) -> Result<(), Cause> {
        command::prepare(self.folder, launch, &self.secrets).and_then(|waiting| {
            let pid = waiting.pid;
            self.command = Some(pid);
            // On the record before its first instruction, so that whoever comes after us knows whom to look for.
            self.note(Event::Started { command: process::identify_child(pid.as_raw()) });
            self.see_to_supervisor();
            // Durable before its first instruction: a power cut from then on leaves an attempt that was begun.
            self.record.sync().map_err(|e| Cause::NotStarted(format!("its record cannot be made durable: {e}")))?;
            self.let_supervisor_watch();
            waiting.release(launch)?;
            if self.supervisor.is_none() && self.supervise_at.is_none() {
                self.supervise_at = Some(Millis(clock::boot_now().0 + SUPERVISED_AFTER.0));
            }
            Ok(())
        })
    }

    /// Until everything has ended and is recorded.
    fn attend(&mut self) {
        loop {
            while let Some(reaped) = fork::reap() {
                self.child_ended(reaped);
            }
            let now = clock::boot_now();
            self.act_on_time(now);
            self.make_durable();
            let done = self.supervisor.is_none() && self.supervise_at.is_none() && self.unwritten.is_none();
            if self.phase == Phase::Reading && done {
                return;
            }
            self.wait(now);
            if self.phase == Phase::Between && self.supervisor.as_ref().is_some_and(|known| known.line.heard() == Heard::Word(Word::Next)) {
                self.start_next_step();
            }
            while let Ok(Some(info)) = self.signals.read_signal() {
                match Signal::try_from(info.ssi_signo as i32) {
                    Ok(Signal::SIGTERM | Signal::SIGINT) => self.asked(),
                    // The researcher's own signals: ours to pass on, not to understand.
                    Ok(signal @ (Signal::SIGUSR1 | Signal::SIGUSR2)) => self.signal_command(signal),
                    _ => {}
                }
            }
        }
    }

    fn wait(&mut self, now: Millis) {
        let again = self.unwritten.as_ref().map(|_| Millis(now.0 + 1_000));
        let settles_at = Millis(self.begun.0 + memory::SETTLES.0);
        if !self.settled && settles_at <= now {
            self.settled = true;
            memory::let_go_of_code();
        }
        let settles = Some(settles_at).filter(|_| !self.settled);
        let next = [self.time_limit_at, self.kill_at, self.supervise_at, again, settles].into_iter().flatten().min();
        let timeout = match next {
            // The time that the machine sleeps counts, which no poll sees.
            Some(at) => PollTimeout::try_from(at.0.saturating_sub(now.0).min(30_000)).unwrap_or(PollTimeout::MAX),
            None => PollTimeout::NONE,
        };
        let answer = self.supervisor.as_ref().filter(|_| self.phase == Phase::Between).map(|known| known.line.as_fd());
        let mut fds: Vec<PollFd<'_>> =
            [self.signals.as_fd()].into_iter().chain(answer).map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        poll(&mut fds, timeout).ok();
    }

    fn act_on_time(&mut self, now: Millis) {
        if self.time_limit_at.is_some_and(|at| at <= now) {
            self.time_limit_at = None;
            if self.phase == Phase::Running || self.step_follows() {
                self.ask(Cause::TimeLimit);
            }
        }
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill_at = None;
            self.kill_tree();
        }
        if let Some(event) = self.unwritten.take() {
            self.note_durably(event);
        }
        // The supervisor reads how it ended, so that comes first.
        let written = self.unwritten.is_none();
        let cleared = self.phase == Phase::Clearing && written && !process::has_children_besides(self.me, self.supervisor_pid());
        if cleared || (self.phase == Phase::Between && !self.step_follows()) {
            self.phase = if self.step_follows() { Phase::Between } else { Phase::Reading };
            self.kill_at = None;
            self.tell_supervisor();
            if self.phase == Phase::Reading && self.generation == 0 {
                self.read_rest();
            }
        }
        if self.supervise_at.is_some_and(|at| at <= now) {
            self.supervise_at = None;
            self.start_supervisor();
        }
    }

    fn supervisor_pid(&self) -> i32 {
        self.supervisor.as_ref().map_or(-1, |supervisor| supervisor.pid.as_raw())
    }

    /// Somebody sent TERM: the request beside the launch says who and how; without one it is the signal itself.
    fn asked(&mut self) {
        let request = start::request(self.folder).ok().flatten();
        let (who, how) = match request {
            Some(Request { who, how }) => (who, how),
            None => ("a signal to the keeper".to_string(), How::Stop),
        };
        if self.phase != Phase::Running && !self.step_follows() {
            return;
        }
        match how {
            How::Stop => self.ask(Cause::Asked(who)),
            How::Kill => {
                self.no_step_follows();
                self.note(Event::Asked { why: Cause::Asked(who), signal: Signal::SIGKILL as i32 });
                self.kill_tree();
            }
        }
    }

    /// Asks the command to end, and sees to it after the grace.
    fn ask(&mut self, why: Cause) {
        let signal = start::stop_signal(&self.launch);
        self.no_step_follows();
        self.note(Event::Asked { why, signal: signal as i32 });
        self.signal_command(signal);
        self.kill_at.get_or_insert(Millis(clock::boot_now().0.saturating_add(self.launch.stop.grace.0)));
    }

    fn signal_command(&self, signal: Signal) {
        if let (Some(command), Phase::Running) = (self.command, self.phase) {
            killpg(command, signal).ok();
            // A stopped process would only learn of it when it is woken.
            killpg(command, Signal::SIGCONT).ok();
        }
    }

    /// Ends every descendant but the supervisor, those that changed session included. New ones may appear while we look,
    /// so it looks until there are none; what hangs in the kernel is tried again later.
    fn kill_tree(&mut self) {
        let supervisor = self.supervisor_pid();
        let mut killed = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let fresh: Vec<i32> =
                process::descendants(self.me).into_iter().filter(|pid| *pid != supervisor && !killed.contains(pid)).collect();
            if fresh.is_empty() {
                break;
            }
            for pid in fresh {
                kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
                killed.insert(pid);
            }
        }
        if !killed.is_empty() {
            self.note(Event::Killed { processes: killed.len() as u32 });
            self.kill_at = Some(Millis(clock::boot_now().0 + 1_000));
        }
    }

    fn child_ended(&mut self, reaped: Reaped) {
        if self.supervisor.as_ref().is_some_and(|supervisor| supervisor.pid.as_raw() == reaped.pid) {
            self.supervisor_ended(reaped);
        } else if self.command.is_some_and(|command| command.as_raw() == reaped.pid) {
            self.command_ended(reaped);
        }
        // Else an orphan of the command that came to us: nothing to say of it.
    }

    fn command_ended(&mut self, reaped: Reaped) {
        let command = self.command.take();
        if self.phase != Phase::Running {
            return;
        }
        if reaped.code != Some(0) {
            self.no_step_follows();
        }
        if !self.step_follows() {
            self.time_limit_at = None;
        }
        let killed = reaped.signal == Some(9) || reaped.code == Some(137);
        let out_of_memory = killed && self.kills_before.more_in(Kills::so_far());
        let Reaped { code, signal, user_ms, system_ms, peak_memory_kb, .. } = reaped;
        let event = Event::Exited { code, signal, user_ms, system_ms, peak_memory_kb, out_of_memory };
        if self.step_follows() || self.record.write(event.clone()).is_err() {
            self.note_durably(event);
        } else {
            self.undurable = Some(event);
        }
        self.phase = Phase::Clearing;
        if !process::has_children_besides(self.me, self.supervisor_pid()) {
            return;
        }
        let supervisor = self.supervisor_pid();
        let left: Vec<i32> = process::descendants(self.me).into_iter().filter(|pid| *pid != supervisor).collect();
        if !left.is_empty() {
            self.note(Event::LeftBehind { processes: left.len() as u32 });
        }
        if let Some(command) = command {
            killpg(command, Signal::SIGTERM).ok();
        }
        for pid in left {
            kill(Pid::from_raw(pid), Signal::SIGTERM).ok();
        }
        self.kill_at = Some(Millis(clock::boot_now().0 + LEFT_BEHIND_GRACE.0));
    }

    /// All is over, and nobody was there to read.
    fn read_rest(&mut self) {
        self.generation += 1;
        self.supervise_at = None;
        if !self.launch.outputs.keep.is_empty() {
            // To hash them may take a while.
            self.make_durable();
        }
        self.record.end_line();
        if supervisor::finish(self.folder, self.for_supervisor(None)) {
            // In one file with what the supervisor's part has made durable.
            self.undurable = None;
        } else {
            self.record.others_wrote();
            self.start_supervisor();
        }
    }

    fn for_supervisor(&self, line: Option<Line>) -> FromKeeper {
        let (launch, secrets) = (self.launch.clone(), self.secrets.clone());
        FromKeeper { generation: self.generation, line, begun: self.begun, launch, secrets }
    }

    fn start_supervisor(&mut self) {
        let now = clock::boot_now();
        let Ok((ours, theirs)) = word::line() else {
            self.supervise_at = Some(Millis(now.0 + 1_000));
            return;
        };
        self.generation += 1;
        let generation = self.generation;
        let forked = fork::fork_into(|| {
            fork::close_all_but(&[theirs.as_raw_fd()]);
            SigSet::empty().thread_set_mask().ok();
            supervisor::run(self.folder, Some(self.for_supervisor(Some(theirs))))
        });
        match forked {
            Ok(pid) => {
                self.supervisor = Some(Supervisor { pid, line: ours, since: now, watches: false });
                self.note(Event::Watched { generation, supervisor: process::identify_child(pid.as_raw()) });
                self.tell_supervisor();
            }
            Err(_) => self.supervise_at = Some(Millis(now.0 + 1_000)),
        }
    }

    fn tell_supervisor(&self) {
        let word = match self.phase {
            Phase::Running | Phase::Clearing => return,
            Phase::Between => Word::Next,
            Phase::Reading => Word::Over,
        };
        self.supervisor.iter().for_each(|supervisor| supervisor.line.say(word));
    }

    fn supervisor_ended(&mut self, reaped: Reaped) {
        let Some(supervisor) = self.supervisor.take() else { return };
        if self.phase == Phase::Reading && reaped.code == Some(0) {
            return;
        }
        let how = match (reaped.signal, reaped.code) {
            (Some(signal), _) => Cause::Signal(signal).to_string(),
            (None, code) => Cause::ExitCode(code.unwrap_or(-1)).to_string(),
        };
        self.note(Event::SupervisorDied { generation: self.generation, how });
        let now = clock::boot_now();
        let quick = now.0.saturating_sub(supervisor.since.0) < 5_000;
        self.quick_deaths = if quick { self.quick_deaths + 1 } else { 0 };
        if self.quick_deaths > LAST_READERS {
            match self.phase {
                // Home finishes the reading when it next looks.
                Phase::Reading => return,
                // What is on record must do.
                Phase::Between => return self.start_next_step(),
                Phase::Running | Phase::Clearing => {}
            }
        }
        // At once as a rule; ever slower when it cannot live, up to a minute.
        let pause = if self.quick_deaths <= 3 { 0 } else { 500u64 << (self.quick_deaths - 3).min(7) };
        self.supervise_at = Some(Millis(now.0 + pause));
    }

    fn make_durable(&mut self) {
        if let Some(event) = self.undurable.take()
            && self.record.sync().is_err()
        {
            self.unwritten = Some(event);
        }
    }

    fn note_durably(&mut self, event: Event) {
        if self.record.write_durably(event.clone()).is_err() {
            self.unwritten = Some(event);
        }
    }

    fn note(&mut self, event: Event) {
        // What is not durable may be lost in a power cut, so it may also be lost on a full disk.
        self.record.write(event).ok();
    }
}
