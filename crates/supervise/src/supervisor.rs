//! The supervisor: reads what the command prints and writes, records it, and says at the end what it came to.
//! It never touches the command, and its successor goes on where it was, to the byte.

mod ending;
mod usage;

use crate::adoption::{last_sign, next_generation};
use crate::checkpoints::{Version, Writes};
use crate::config::Configuration;
use crate::files::Files;
use crate::metrics::Metrics;
use crate::os::process::{self, Alive};
use crate::os::{clock, fork};
use crate::output::Output;
use crate::position::{self, Position};
use crate::record;
use crate::secrets::Secrets;
use crate::segment::Writer;
use crate::spooler::{Spooler, Told, secret_values};
use crate::start::{self, How};
use crate::stream::{self, AT_ONCE, End, Stream};
use crate::watcher::Watcher;
use crate::word::{Heard, Line, Word};
use neronet_model::event::{Checkpoint, Event, Process, Summary};
use neronet_model::launch::Launch;
use neronet_model::outcome::Cause;
use neronet_model::{Attempt, Millis};
use neronet_store::files::{Durability, replace_json};
use neronet_store::spool::{self, Segments};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use std::cell::OnceCell;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Between two looks, and when nothing has come for `CALM`.
const BUSY: Millis = Millis(250);
const IDLE: Millis = Millis(1_000);
/// While somebody looks on.
const WATCHED: Millis = Millis(25);
const CALM: Millis = Millis(10_000);
/// However much is printed, the training comes first: after each look we rest so many times as long as it took, unless so much
/// lies there unread.
const REST: u64 = 2;
const MOST_BEHIND: u64 = 64 << 20;
const BUFFER: usize = 64 << 10;
/// However often something is saved, the next look comes no sooner.
const BREATH: Millis = Millis(20);
/// Searching for checkpoints may take a fiftieth of the time.
const SEARCH_SHARE: u64 = 50;

/// Why the last supervisor that died of an error did.
pub(crate) const FAILED: &str = "supervisor-failed.json";

/// What a keeper tells its supervisor.
pub(crate) struct FromKeeper {
    pub(crate) generation: u32,
    /// Nothing where all is over.
    pub(crate) line: Option<Line>,
    /// Since the machine's boot.
    pub(crate) begun: Millis,
    pub(crate) launch: Launch,
    pub(crate) secrets: Secrets,
}

/// As a child of the keeper, or by itself.
pub(crate) fn run(folder: &Path, keeper: Option<FromKeeper>) -> i32 {
    fork::set_name(c"neronet-superv");
    // The training comes first on a busy machine.
    fork::be_nice(5);
    match Supervisor::begin(folder, keeper) {
        Ok(Some(mut supervisor)) => {
            let attended = supervisor.attend();
            // The process ends next, which gives everything back at once.
            std::mem::forget(supervisor);
            match attended {
                Ok(()) => 0,
                Err(e) => {
                    replace_json(&folder.join(FAILED), &e.to_string(), Durability::Renamed).ok();
                    1
                }
            }
        }
        Ok(None) => 0,
        Err(e) => {
            replace_json(&folder.join(FAILED), &e.to_string(), Durability::Renamed).ok();
            1
        }
    }
}

/// In the keeper itself: reads what a command left that was over before it was supervised, and says in the keeper's record what it
/// came to. That is durable then. False when a supervisor is to try.
pub(crate) fn finish(folder: &Path, keeper: FromKeeper) -> bool {
    let read = || match Supervisor::begin(folder, Some(keeper))? {
        Some(mut ours) => ours.attend().map(|()| true),
        // Somebody holds the launch.
        None => Ok(false),
    };
    matches!(catch_unwind(AssertUnwindSafe(read)), Ok(io::Result::Ok(true)))
}

struct Supervisor<'a> {
    folder: &'a Path,
    launch: Launch,
    generation: u32,
    /// To the keeper while it lives.
    line: Option<Line>,
    /// What the keeper said last, until it is done.
    told: Option<Word>,
    clock_begun: Option<Millis>,
    last_t: Millis,
    /// Without a keeper it is ours to end what does not end when it was asked to.
    kill_at: Option<Millis>,
    command: Option<Process>,
    streams: Vec<Stream>,
    buffer: Vec<u8>,
    files: Files,
    spool: Spooler,
    checkpoints: Watcher,
    usage: usage::Usage,
    configuration: Configuration,
    said_dropped: bool,
    summarised: Option<Summary>,
    /// A sync failed.
    keep_raw: bool,
    /// Known once the command has ended.
    writes_after: OnceCell<Writes>,
    synced_at: Millis,
    heard_at: Millis,
    searched_at: Option<Millis>,
    search_cost: Millis,
    _lock: nix::fcntl::Flock<File>,
}

/// Whether the command may still print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Running,
    /// It ended well, and a step waits until all of it is on record.
    Next,
    Ended,
}

impl<'a> Supervisor<'a> {
    /// `None` when there is nothing to do: another works, or the record is complete.
    fn begin(folder: &'a Path, keeper: Option<FromKeeper>) -> io::Result<Option<Supervisor<'a>>> {
        let Some(lock) = start::supervisor_lock(folder)? else { return Ok(None) };
        // Counted under the lock, so that no other can take the same.
        let generation = keeper.as_ref().map_or_else(|| next_generation(folder), |keeper| keeper.generation);
        let launch = match keeper.as_ref() {
            Some(keeper) => keeper.launch.clone(),
            None => spool::launch(folder).map_err(io::Error::other)?.ok_or_else(|| io::Error::other("there is no launch.json"))?,
        };
        let earlier = Segments::of(folder).map_err(io::Error::other)?;
        let attempt = spool::attempt_of(&launch, folder, &earlier).map_err(io::Error::other)?;
        if attempt.end.is_some() {
            remove_raw(folder);
            return Ok(None);
        }
        let begun = attempt.begun.unwrap_or_else(clock::unix_now);
        let adopted = keeper.is_none();
        let clock_begun = match &keeper {
            Some(keeper) => Some(keeper.begun),
            None if attempt.keeper.as_ref().is_some_and(process::rebooted_since) => None,
            None => record::clock_at_beginning(folder),
        };
        let told = keeper.as_ref().map(|keeper| (keeper.secrets.clone(), Vec::new()));
        let (secrets, lost) = told.unwrap_or_else(|| Secrets::found_again(&launch, &attempt));
        let streams = stream::open(folder, &launch, &earlier, position::load(folder).as_ref())?;
        let recorded = recorded_checkpoints(&launch, &attempt);
        // By the clock of the file system, which lags behind ours: what is written in the first milliseconds is the attempt's own.
        let since_ns = Version::of(&folder.join(spool::LAUNCH)).map_or(i128::from(begun.0) * 1_000_000, |launched| launched.changed_ns);
        let spool = Spooler {
            events: match &keeper {
                Some(FromKeeper { line: None, .. }) => Writer::behind(folder, spool::KEEPER)?,
                _ => Writer::new(folder, format!("events.{generation}.jsonl")),
            },
            output: Output::new(folder, generation, launch.limits.output_bytes, &earlier)?,
            metrics: Metrics::new(folder, generation, &launch, begun, &earlier).map_err(io::Error::other)?,
            told: Told::default(),
            secrets: secret_values(&launch, &secrets),
        };
        let directory = PathBuf::from(&launch.directory);
        let files = Files::new(&directory, &launch, &folder.join("metrics-in.jsonl"));
        // Where the clock of the beginning is of another boot, time goes on from what is on record.
        let on_record = if adopted { last_sign(folder) } else { None };
        let mut supervisor = Supervisor {
            folder,
            generation,
            told: keeper.as_ref().filter(|keeper| keeper.line.is_none()).map(|_| Word::Over),
            line: keeper.and_then(|keeper| keeper.line),
            clock_begun,
            last_t: attempt.lasted.max(on_record).unwrap_or_default(),
            kill_at: None,
            command: attempt.command,
            streams,
            buffer: vec![0; BUFFER],
            files,
            spool,
            checkpoints: Watcher::new(&launch, begun, since_ns, &recorded),
            usage: usage::Usage::of(&launch),
            configuration: Configuration::new(&directory, since_ns),
            said_dropped: false,
            // A first attempt that tells nothing needs no summary; that of an earlier one must not stand for another.
            summarised: (launch.attempt.0 == 1).then(Summary::default),
            keep_raw: false,
            writes_after: OnceCell::new(),
            synced_at: Millis(0),
            heard_at: Millis(0),
            searched_at: None,
            search_cost: Millis(0),
            launch,
            _lock: lock,
        };
        supervisor.line.iter().for_each(|line| line.say(Word::Watching));
        if adopted {
            supervisor.event(Event::Watched { generation, supervisor: process::myself() });
            supervisor.keeper_lost();
            lost.into_iter().for_each(|what| supervisor.event(Event::Dropped { what }));
        }
        Ok(Some(supervisor))
    }

    fn t(&mut self) -> Millis {
        if let Some(begun) = self.clock_begun {
            self.last_t = self.last_t.max(Millis(clock::boot_now().0.saturating_sub(begun.0)));
        }
        self.last_t
    }

    fn event(&mut self, event: Event) {
        let t = self.t();
        self.spool.event(t, event);
    }

    fn attend(&mut self) -> io::Result<()> {
        loop {
            // Asked before reading: what is printed before the end is there to be read after it.
            let command = self.command();
            if command == Command::Running {
                self.see_to_the_end();
            }
            let began = Instant::now();
            let (more, happened) = self.look(command != Command::Running);
            if command == Command::Running {
                self.look_at_usage();
            }
            if command != Command::Running && !more && self.spool.nothing_waits() {
                if command == Command::Ended {
                    return self.end();
                }
                if self.begin_anew() {
                    continue;
                }
            }
            self.pass_over_floods();
            if more && self.spool.nothing_waits() {
                let behind: u64 = self.streams.iter().map(Stream::behind).sum();
                if command == Command::Running && behind < MOST_BEHIND {
                    self.wait(Millis(began.elapsed().as_millis() as u64 * REST), command);
                }
                continue;
            }
            let t = self.t();
            if happened {
                self.heard_at = t;
            }
            let pause = if spool::is_watched(self.folder) {
                WATCHED
            } else if t.0 < self.heard_at.0 + CALM.0 || command != Command::Running {
                BUSY
            } else {
                IDLE
            };
            self.wait(pause, command);
        }
    }

    /// Output that comes faster than it can be read, for so long that the disk would fill.
    fn pass_over_floods(&mut self) {
        let most = self.launch.limits.output_bytes;
        let passed: Vec<u64> = self.streams.iter_mut().filter_map(|stream| stream.pass_over(most)).collect();
        for bytes in passed {
            let what = format!("{bytes} bytes of output were passed over: more than {most} bytes waited to be read");
            self.event(Event::Dropped { what });
        }
    }

    /// Until it is time to look again, the keeper has a word, or something was saved.
    fn wait(&self, pause: Millis, command: Command) {
        let poll_for = |fds: &mut [PollFd<'_>], time: u64| poll(fds, PollTimeout::try_from(time).unwrap_or(PollTimeout::ZERO)).unwrap_or(0);
        let word = self.line.as_ref().filter(|_| command == Command::Running).map(|line| PollFd::new(line.as_fd(), PollFlags::POLLIN));
        let mut words: Vec<PollFd<'_>> = word.into_iter().collect();
        if poll_for(&mut words, BREATH.0.min(pause.0)) == 0 {
            words.extend(self.checkpoints.woken_by().map(|saves| PollFd::new(saves, PollFlags::POLLIN)));
            poll_for(&mut words, pause.0.saturating_sub(BREATH.0));
        }
    }

    fn command(&mut self) -> Command {
        if self.told == Some(Word::Over) {
            return Command::Ended;
        }
        if let Some(line) = &self.line {
            match line.heard() {
                Heard::Nothing => {}
                Heard::Word(word) => self.told = Some(word),
                // Without the word that all is over: it was killed.
                Heard::Gone => (self.line, self.told, self.command) = (None, None, None),
            }
            match self.told {
                Some(Word::Over) => return Command::Ended,
                Some(Word::Next) => return Command::Next,
                Some(Word::Watching) => self.told = None,
                None if self.line.is_some() => return Command::Running,
                None => self.keeper_lost(),
            }
        }
        if self.command.is_none() {
            self.command = spool::attempt(self.folder, self.launch.attempt).ok().and_then(|attempt| attempt.command);
        }
        match self.command.as_ref().map(process::alive) {
            Some(Alive::Yes | Alive::ElsewhereUnknown) => Command::Running,
            // What a shell had started may live on without it.
            _ if !start::processes_of(&self.launch).is_empty() => Command::Running,
            _ => Command::Ended,
        }
    }

    /// Does the keeper's part when that is gone: what was asked to end, or is over its time, and does not end is ended after the
    /// grace.
    fn see_to_the_end(&mut self) {
        if self.line.is_some() {
            return;
        }
        let now = clock::boot_now();
        let graced = Millis(now.0.saturating_add(self.launch.stop.grace.0));
        if self.kill_at.is_none()
            && let Ok(Some(request)) = start::request(self.folder)
        {
            let kills = request.how == How::Kill;
            self.kill_at = Some(if kills { now } else { graced });
            // What the keeper wrote it also did.
            if spool::attempt(self.folder, self.launch.attempt).is_ok_and(|attempt| attempt.asked.is_none()) {
                let signal = if kills { Signal::SIGKILL } else { start::stop_signal(&self.launch) };
                self.event(Event::Asked { why: Cause::Asked(request.who), signal: signal as i32 });
                start::signal_all(&start::processes_of(&self.launch), signal);
            }
        }
        let limit = self.clock_begun.zip(self.launch.time_limit).map(|(begun, limit)| begun.0.saturating_add(limit.0));
        if self.kill_at.is_none() && limit.is_some_and(|limit| limit <= now.0) {
            let signal = start::stop_signal(&self.launch);
            self.event(Event::Asked { why: Cause::TimeLimit, signal: signal as i32 });
            start::signal_all(&start::processes_of(&self.launch), signal);
            self.kill_at = Some(graced);
        }
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill_at = Some(Millis(now.0 + 1_000));
            start::signal_all(&start::processes_of(&self.launch), Signal::SIGKILL);
        }
    }

    fn keeper_lost(&mut self) {
        let attempt = spool::attempt(self.folder, self.launch.attempt);
        if attempt.is_ok_and(|attempt| !attempt.command_ended() && !attempt.keeper_lost) {
            self.event(Event::KeeperLost);
        }
    }

    /// One look at everything. Whether more is there to be read at once, and whether anything was new.
    fn look(&mut self, ended: bool) -> (bool, bool) {
        let t = self.t();
        let mut more = false;
        let mut happened = false;
        let writes = self.writes(ended);
        let end = match writes {
            Writes::Still { .. } => End::NotYet,
            Writes::NoMore if !self.hides_ends() => End::Complete,
            _ => End::Cut,
        };
        // While the disk takes nothing, nothing more is read: memory stays bounded and the bytes stay where they are.
        if self.spool.flush().is_ok() {
            for stream in &mut self.streams {
                let got = stream.read(t, end, &mut self.spool, &mut self.buffer);
                more |= got >= AT_ONCE;
                happened |= got > 0;
            }
            let last = ended && !more;
            let search = self.search_due(t, last);
            let began = clock::boot_now();
            if search {
                self.files.discover();
            }
            let discovered = Millis(clock::boot_now().0 - began.0);
            let spool = &mut self.spool;
            while self.files.read(end == End::Complete, search, |src, at, written, found| {
                spool.found(found, src, at, (spool.metrics.since(written.when, t), written.again));
            }) {
                more = true;
                if !last || spool.flush().is_err() {
                    break;
                }
            }
            // All that was printed before is read now.
            self.checkpoints.note(self.spool.metrics.marks.now(), clock::unix_now());
            if search {
                self.search(t, if more { self.writes(false) } else { writes });
                self.search_cost.0 += discovered.0;
            }
        }
        for what in self.spool.metrics.notices.drain(..).chain(self.files.notices.drain(..)).collect::<Vec<_>>() {
            self.event(Event::Dropped { what });
        }
        if self.spool.output.dropped_bytes > 0 && !self.said_dropped {
            self.said_dropped = true;
            let cap = self.launch.limits.output_bytes;
            self.event(Event::Dropped {
                what: format!("output beyond {cap} bytes: the first and the last half of that are kept, the middle is not"),
            });
        }
        let written = self.spool.flush();
        self.spool.metrics.write_history(false);
        if written.is_ok() && t.0 >= self.synced_at.0 + 1_000 {
            self.sync(t);
        }
        (more, happened)
    }

    /// Makes durable what there is, and gives the disk back what a successor would not read again.
    fn sync(&mut self, t: Millis) {
        if self.synced_at == Millis(0) {
            let run = PathBuf::from(&self.launch.run_directory);
            for path in [self.folder.join(spool::LAUNCH), run.join("run.json"), run.join("params.json")] {
                File::open(path).and_then(|file| file.sync_all()).ok();
            }
        }
        self.synced_at = t;
        if let Err(e) = self.spool.sync() {
            self.unsafe_record(&e);
        }
        if !self.keep_raw {
            self.remember();
        }
    }

    /// What the disk refused once may be gone although a later sync succeeds: the raw output is kept from here on.
    fn unsafe_record(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.keep_raw, true) {
            let what = format!(
                "the disk failed to take the record ({error}): what was printed since then stays in raw.stdout and raw.stderr as well"
            );
            self.event(Event::Dropped { what });
        }
    }

    fn search_due(&self, t: Millis, ended: bool) -> bool {
        let pause = Millis((self.search_cost.0 * SEARCH_SHARE).max(1_000));
        ended || self.searched_at.is_none_or(|at| t.0 >= at.0 + pause.0)
    }

    /// Whether the command may still write.
    fn writes(&self, ended: bool) -> Writes {
        if !ended {
            return Writes::Still { now: clock::unix_now() };
        }
        if self.told == Some(Word::Next) {
            return Writes::NoMore;
        }
        if let Some(known) = self.writes_after.get() {
            return *known;
        }
        match spool::attempt(self.folder, self.launch.attempt) {
            Ok(attempt) => *self.writes_after.get_or_init(|| Writes::after(&attempt)),
            Err(_) => Writes::CutShort { at: None },
        }
    }

    fn search(&mut self, t: Millis, writes: Writes) {
        let began = clock::boot_now();
        let mut events = self.checkpoints.look(writes, &self.spool.metrics.marks);
        events.extend(self.configuration.look());
        for event in events {
            self.event(event);
        }
        self.searched_at = Some(t);
        self.search_cost = Millis(clock::boot_now().0 - began.0);
    }

    /// Leaves word for a successor and for listings, and gives back the disk that the raw output no longer needs.
    fn remember(&mut self) {
        let position: Position = self.streams.iter().map(Stream::position).collect();
        self.write_summary(false);
        if position::save(self.folder, &position) {
            for stream in &mut self.streams {
                stream.punch(self.launch.secrets.is_empty());
            }
        }
    }

    /// For whoever lists runs; the spool has it all, so a failure costs nothing.
    fn write_summary(&mut self, last: bool) {
        let summary = self.spool.metrics.of_run(last);
        if self.summarised.as_ref() != Some(&summary) {
            let path = PathBuf::from(&self.launch.run_directory).join("summary.json");
            replace_json(&path, &summary, Durability::Renamed).ok();
            self.summarised = Some(summary);
        }
    }
}

/// Of earlier attempts and of this one, oldest first.
fn recorded_checkpoints(launch: &Launch, attempt: &Attempt) -> Vec<Checkpoint> {
    let attempts = Path::new(&launch.run_directory).join("attempts");
    let earlier = (1..launch.attempt.0).filter_map(|n| spool::attempt(&attempts.join(n.to_string()), neronet_model::AttemptNo(n)).ok());
    earlier.flat_map(|attempt| attempt.checkpoints).chain(attempt.checkpoints.iter().cloned()).collect()
}

fn remove_raw(folder: &Path) {
    // Whoever shows them has them open and reads on.
    spool::STREAMS.iter().for_each(|stream| drop(std::fs::remove_file(spool::raw(folder, stream))));
}
