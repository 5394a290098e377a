//! The supervisor: reads what the command prints and writes, records it, and says at the end what it came to.
//! It never touches the command, and its successor goes on where it was, to the byte.

use crate::cause;
use crate::checkpoints::{Watcher, Writes};
use crate::config::Configuration;
use crate::files::Files;
use crate::lines::{Line, Lines};
use crate::metrics::Metrics;
use crate::os::process::{self, Alive};
use crate::os::{clock, fork};
use crate::output::Output;
use crate::position::{self, Position, StreamPosition};
use crate::record;
use crate::segment::{Writer, sealed_file};
use crate::start;
use neronet_capture::secrets;
use neronet_model::event::{Checkpoint, Event, Process, Stamped, Summary};
use neronet_model::launch::Launch;
use neronet_model::outcome::{Cause, Outcome};
use neronet_model::row::Values;
use neronet_model::{Attempt, Millis, Row, UnixMs};
use neronet_scrape::{Found, Scraper};
use neronet_store::files::{Durability, replace_json};
use neronet_store::spool;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Between two looks, and when nothing has come for `CALM`.
const BUSY: Millis = Millis(250);
const IDLE: Millis = Millis(1_000);
const CALM: Millis = Millis(10_000);
/// Read of one stream at one look.
const AT_ONCE: usize = 256 << 10;
const BUFFER: usize = 64 << 10;
/// Of a burst of rewrites only so many are looked into for metrics.
const REWRITES: usize = 64;
/// The last lines that the record of a failure keeps.
const LAST_LINES: usize = 20;
const LAST_LINE_BYTES: usize = 1_000;
/// Searching for checkpoints may take a fiftieth of the time.
const SEARCH_SHARE: u64 = 50;

/// As a child of the keeper: `word` tells that the command has ended, or by closing that the keeper is gone.
pub(crate) fn run(folder: &Path, generation: u32, keeper: Option<(OwnedFd, Millis)>) -> i32 {
    fork::set_name(c"neronet-superv");
    // The training comes first on a busy machine.
    fork::be_nice(5);
    match Supervisor::begin(folder, generation, keeper) {
        Ok(Some(mut supervisor)) => {
            let attended = supervisor.attend();
            // The process ends next, which gives everything back at once.
            std::mem::forget(supervisor);
            match attended {
                Ok(()) => 0,
                Err(e) => {
                    replace_json(&folder.join("supervisor-failed.json"), &e.to_string(), Durability::Renamed).ok();
                    1
                }
            }
        }
        Ok(None) => 0,
        Err(e) => {
            replace_json(&folder.join("supervisor-failed.json"), &e.to_string(), Durability::Renamed).ok();
            1
        }
    }
}

/// By itself, for an attempt whose keeper is gone.
pub fn adopt(folder: &Path) -> i32 {
    let generations = ["events", "metrics", "output"].iter().flat_map(|kind| spool::segments(folder, kind).unwrap_or_default());
    let last = generations.filter_map(|path| path.file_name()?.to_str()?.split('.').nth(1)?.parse::<u32>().ok()).max();
    let recorded = spool::attempt(folder, neronet_model::AttemptNo(0)).map_or(0, |attempt| attempt.supervisors_died);
    run(folder, last.unwrap_or(0).max(recorded + 1) + 1, None)
}

struct Supervisor<'a> {
    folder: &'a Path,
    launch: Launch,
    generation: u32,
    /// From the keeper while it lives.
    word: Option<OwnedFd>,
    clock_begun: Option<Millis>,
    last_t: Millis,
    command: Option<Process>,
    streams: Vec<Stream>,
    buffer: Vec<u8>,
    files: Files,
    events: Writer,
    output: Output,
    metrics: Metrics,
    checkpoints: Watcher,
    configuration: Configuration,
    secrets: Vec<String>,
    said_dropped: bool,
    summarised: Summary,
    synced_at: Millis,
    heard_at: Millis,
    searched_at: Option<Millis>,
    search_cost: Millis,
    _lock: nix::fcntl::Flock<File>,
}

/// Standard output or standard error.
struct Stream {
    src: &'static str,
    path: PathBuf,
    file: Option<File>,
    lines: Lines,
    scraper: Scraper,
    /// Lines up to this byte are in the spool.
    spooled: u64,
    punched: u64,
    last_lines: VecDeque<String>,
}

/// Whether the command may still print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Running,
    Ended,
}

impl<'a> Supervisor<'a> {
    /// `None` when there is nothing to do: another works, or the record is complete.
    fn begin(folder: &'a Path, generation: u32, keeper: Option<(OwnedFd, Millis)>) -> io::Result<Option<Supervisor<'a>>> {
        let Some(lock) = start::supervisor_lock(folder)? else { return Ok(None) };
        let launch = spool::launch(folder).map_err(io::Error::other)?.ok_or_else(|| io::Error::other("there is no launch.json"))?;
        let attempt = record::read(folder, launch.attempt).map_err(io::Error::other)?;
        if attempt.end.is_some() {
            remove_raw(folder);
            return Ok(None);
        }
        let begun = attempt.begun.unwrap_or_else(clock::unix_now);
        let adopted = keeper.is_none();
        let clock_begun = match &keeper {
            Some((_, begun)) => Some(*begun),
            None if attempt.keeper.as_ref().is_some_and(process::rebooted_since) => None,
            None => Some(Millis(clock::boot_now().0.saturating_sub((clock::unix_now().0 - begun.0).max(0) as u64))),
        };
        let streams = streams(folder, &launch)?;
        let recorded = recorded_checkpoints(&launch, &attempt);
        let metrics = Metrics::new(folder, generation, &launch, begun).map_err(io::Error::other)?;
        let directory = PathBuf::from(&launch.directory);
        let files = Files::new(&directory, &launch.metrics.files, &folder.join("metrics-in.jsonl"), launch.attempt.0 > 1);
        let mut supervisor = Supervisor {
            folder,
            generation,
            word: keeper.map(|(word, _)| word),
            clock_begun,
            last_t: attempt.lasted.unwrap_or_default(),
            command: attempt.command,
            streams,
            buffer: vec![0; BUFFER],
            files,
            events: Writer::new(folder, format!("events.{generation}.jsonl")),
            output: Output::new(folder, generation, launch.limits.output_bytes)?,
            metrics,
            checkpoints: Watcher::new(&launch, begun, &recorded),
            configuration: Configuration::new(&directory, begun),
            secrets: secret_values(),
            said_dropped: false,
            summarised: Summary::default(),
            synced_at: Millis(0),
            heard_at: Millis(0),
            searched_at: None,
            search_cost: Millis(0),
            launch,
            _lock: lock,
        };
        if adopted {
            supervisor.event(Event::Watched { generation, supervisor: process::myself() });
            supervisor.keeper_lost();
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
        self.events.push(&Stamped { t, event });
    }

    fn attend(&mut self) -> io::Result<()> {
        loop {
            // Asked before reading: what is printed before the end is there to be read after it.
            let command = self.command();
            let (more, happened) = self.look(command == Command::Ended);
            if command == Command::Ended && !more && self.nothing_waits() {
                return self.end();
            }
            if more && self.nothing_waits() {
                continue;
            }
            let t = self.t();
            if happened {
                self.heard_at = t;
            }
            let pause = if t.0 < self.heard_at.0 + CALM.0 || command == Command::Ended { BUSY } else { IDLE };
            let timeout = PollTimeout::try_from(pause.0).unwrap_or(PollTimeout::ZERO);
            match &self.word {
                Some(word) if command == Command::Running => poll(&mut [PollFd::new(word.as_fd(), PollFlags::POLLIN)], timeout).ok(),
                _ => poll(&mut [], timeout).ok(),
            };
        }
    }

    fn nothing_waits(&self) -> bool {
        self.events.waiting() + self.output.waiting() + self.metrics.waiting() == 0
    }

    fn command(&mut self) -> Command {
        if let Some(word) = &self.word {
            let mut fds = [PollFd::new(word.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::ZERO) {
                Ok(0) => return Command::Running,
                Ok(_) if fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLIN)) => return Command::Ended,
                Ok(_) => {}
                Err(_) => return Command::Running,
            }
            // The pipe closed without a word: the keeper was killed.
            self.word = None;
            self.keeper_lost();
        }
        if self.command.is_none() {
            self.command = record::read(self.folder, self.launch.attempt).ok().and_then(|attempt| attempt.command);
        }
        match self.command.as_ref().map(process::alive) {
            Some(Alive::Yes | Alive::ElsewhereUnknown) => Command::Running,
            _ => Command::Ended,
        }
    }

    fn keeper_lost(&mut self) {
        let attempt = record::read(self.folder, self.launch.attempt);
        if attempt.is_ok_and(|attempt| !attempt.command_ended() && !attempt.keeper_lost) {
            self.event(Event::KeeperLost);
        }
    }

    /// One look at everything. Whether more is there to be read at once, and whether anything was new.
    fn look(&mut self, ended: bool) -> (bool, bool) {
        let t = self.t();
        let mut more = false;
        let mut happened = false;
        // While the disk takes nothing, nothing more is read: memory stays bounded and the bytes stay where they are.
        if self.flush().is_ok() {
            for i in 0..self.streams.len() {
                let got = self.read_stream(i, t, ended);
                more |= got >= AT_ONCE;
                happened |= got > 0;
            }
            let search = self.search_due(t, ended);
            if search {
                self.files.discover();
            }
            more |= self.read_files(t, ended);
            if search {
                self.search(t, ended && !more);
            }
        }
        for what in std::mem::take(&mut self.metrics.notices) {
            self.event(Event::Dropped { what });
        }
        if self.output.dropped_bytes > 0 && !self.said_dropped {
            self.said_dropped = true;
            let cap = self.launch.limits.output_bytes;
            self.event(Event::Dropped {
                what: format!("output beyond {cap} bytes: the first and the last half of that are kept, the middle is not"),
            });
        }
        let written = self.flush();
        self.metrics.write_history(false);
        if written.is_ok() && t.0 >= self.synced_at.0 + 1_000 && !ended {
            self.synced_at = t;
            self.sync().ok();
            self.remember();
        }
        (more, happened)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()?;
        self.metrics.flush()?;
        self.events.flush()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.output.sync()?;
        self.metrics.sync()?;
        self.events.sync()
    }

    fn read_stream(&mut self, i: usize, t: Millis, ended: bool) -> usize {
        let Supervisor { streams, buffer, output, metrics, events, secrets, .. } = self;
        let stream = &mut streams[i];
        let mut got = 0;
        let mut found = Found::default();
        let mut rewrites: Vec<(String, u64)> = Vec::new();
        let all = loop {
            let n = match stream.read(buffer) {
                Ok(0) | Err(_) => break true,
                Ok(n) => n,
            };
            got += n;
            let Stream { lines, scraper, spooled, src, last_lines, .. } = stream;
            let mut take = |line: Line<'_>| {
                take_line(line, t, src, secrets, spooled, last_lines, output, scraper, metrics, events, &mut found, &mut rewrites);
            };
            lines.feed(&buffer[..n], &mut take);
            if got >= AT_ONCE {
                break false;
            }
        };
        let Stream { lines, scraper, spooled, src, last_lines, .. } = stream;
        if ended && all {
            lines.finish(|line| {
                take_line(line, t, src, secrets, spooled, last_lines, output, scraper, metrics, events, &mut found, &mut rewrites);
            });
        }
        scrape_rewrites(&mut rewrites, t, src, scraper, metrics, events, &mut found);
        got
    }

    fn read_files(&mut self, t: Millis, ended: bool) -> bool {
        let Supervisor { files, metrics, events, .. } = self;
        files.read(ended, |src, at, found| record_found(found, found.values.clone(), src, at, t, metrics, events))
    }

    fn search_due(&self, t: Millis, ended: bool) -> bool {
        let pause = Millis((self.search_cost.0 * SEARCH_SHARE).max(1_000));
        ended || self.searched_at.is_none_or(|at| t.0 >= at.0 + pause.0)
    }

    fn search(&mut self, t: Millis, ended: bool) {
        let began = clock::boot_now();
        let now = clock::unix_now();
        let writes = match record::read(self.folder, self.launch.attempt) {
            Ok(attempt) if ended => Writes::after(&attempt, now),
            _ => Writes::Still { now },
        };
        let mut events = self.checkpoints.look(writes, &self.metrics.marks);
        events.extend(self.configuration.look());
        for event in events {
            self.event(event);
        }
        self.searched_at = Some(t);
        self.search_cost = Millis(clock::boot_now().0 - began.0);
    }

    /// Leaves word for a successor and for listings, and gives back the disk that the raw output no longer needs.
    fn remember(&mut self) {
        let position: Position = self
            .streams
            .iter()
            .map(|stream| {
                let (at, skipping) = stream.lines.position();
                (stream.src.to_string(), StreamPosition { at, skipping, scraper: stream.scraper.state() })
            })
            .collect();
        self.write_summary();
        if position::save(self.folder, &position) {
            for stream in &mut self.streams {
                stream.punch();
            }
        }
    }

    /// For whoever lists runs; the spool has it all, so a failure costs nothing.
    fn write_summary(&mut self) {
        if self.summarised != self.metrics.summary {
            self.summarised = self.metrics.summary.clone();
            let path = PathBuf::from(&self.launch.run_directory).join("summary.json");
            replace_json(&path, &self.summarised, Durability::Renamed).ok();
        }
    }

    /// The command has ended and all it printed is in the spool.
    fn end(&mut self) -> io::Result<()> {
        let attempt = record::read(self.folder, self.launch.attempt).map_err(io::Error::other)?;
        let (outcome, cause) = self.verdict(&attempt);
        self.sync()?;
        let mut segments = self.output.sealed()?;
        for path in spool::segments(self.folder, "metrics").map_err(io::Error::other)? {
            match self.metrics.sealed() {
                Some(current) if path.file_name().is_some_and(|name| name == current.name.as_str()) => segments.push(current),
                _ => segments.push(sealed_file(&path)?),
            }
        }
        for path in spool::segments(self.folder, "events").map_err(io::Error::other)? {
            if !path.ends_with(format!("events.{}.jsonl", self.generation)) {
                segments.push(sealed_file(&path)?);
            }
        }
        self.metrics.write_history(true);
        let summary = self.metrics.summary.clone();
        let last_lines = if outcome == Outcome::Finished { Vec::new() } else { self.last_lines() };
        let at = attempt.begun.unwrap_or(UnixMs(0)).plus(attempt.lasted.unwrap_or_else(|| self.t()));
        self.event(Event::Ended { outcome, cause, at, last_lines, segments, summary });
        // A full disk must not turn a finished run into an unknown one: wait for room as long as it takes.
        while self.events.flush().and_then(|()| self.events.sync()).is_err() {
            poll(&mut [], PollTimeout::from(1_000u16)).ok();
        }
        self.write_summary();
        position::forget(self.folder);
        remove_raw(self.folder);
        Ok(())
    }

    fn verdict(&self, attempt: &Attempt) -> (Outcome, Option<Cause>) {
        if !attempt.command_ended() && attempt.keeper.as_ref().is_some_and(process::rebooted_since) {
            return (Outcome::Unknown, Some(Cause::MachineRestarted));
        }
        let (outcome, cause) = attempt.verdict();
        (outcome, cause::refine(outcome, cause, &self.last_lines()))
    }

    /// What was said last: on standard error, else on standard output.
    fn last_lines(&self) -> Vec<String> {
        let said = self.streams.iter().rev().find(|stream| !stream.last_lines.is_empty());
        said.map(|stream| stream.last_lines.iter().cloned().collect()).unwrap_or_default()
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of the supervisor that a line touches, borrowed apart from the stream that it came from"
)]
fn take_line(
    line: Line<'_>,
    t: Millis,
    src: &'static str,
    secrets: &[String],
    spooled: &mut u64,
    last_lines: &mut VecDeque<String>,
    output: &mut Output,
    scraper: &mut Scraper,
    metrics: &mut Metrics,
    events: &mut Writer,
    found: &mut Found,
    rewrites: &mut Vec<(String, u64)>,
) {
    let text = masked(line.text, secrets);
    if line.rewritten {
        rewrites.push((text.into_owned(), line.end));
        if rewrites.len() > 4 * REWRITES {
            rewrites.drain(..3 * REWRITES);
        }
        return;
    }
    // Values in the bar that this line ends come before those of the line.
    scrape_rewrites(rewrites, t, src, scraper, metrics, events, found);
    if line.end > *spooled {
        output.line(t.0, src, line.end, &text);
        *spooled = line.end;
        // The oldest line makes room for the newest, its memory included.
        let mut last = if last_lines.len() == LAST_LINES { last_lines.pop_front().unwrap_or_default() } else { String::new() };
        last.clear();
        last.push_str(beginning(&text));
        last_lines.push_back(last);
    }
    scrape(&text, line.end, t, src, scraper, metrics, events, found);
}

/// As much of a line as the record of a failure keeps.
fn beginning(line: &str) -> &str {
    &line[..line.floor_char_boundary(LAST_LINE_BYTES)]
}

/// Known values only: what merely looks like a secret may as well be a metric's name.
fn masked<'a>(text: Cow<'a, str>, known: &[String]) -> Cow<'a, str> {
    known.iter().fold(text, |text, secret| if text.contains(secret) { text.replace(secret, secrets::MASK).into() } else { text })
}

/// A progress bar tells its values in what it writes over. Of very many only the newest are worth the time.
fn scrape_rewrites(
    rewrites: &mut Vec<(String, u64)>,
    t: Millis,
    src: &str,
    scraper: &mut Scraper,
    metrics: &mut Metrics,
    events: &mut Writer,
    found: &mut Found,
) {
    let skip = rewrites.len().saturating_sub(REWRITES);
    for (text, end) in rewrites.drain(..).skip(skip) {
        scrape(&text, end, t, src, scraper, metrics, events, found);
    }
}

#[expect(clippy::too_many_arguments, reason = "as for take_line")]
fn scrape(
    text: &str,
    end: u64,
    t: Millis,
    src: &str,
    scraper: &mut Scraper,
    metrics: &mut Metrics,
    events: &mut Writer,
    found: &mut Found,
) {
    scraper.line(text, found);
    if !found.is_empty() {
        let values = std::mem::take(&mut found.values);
        record_found(found, values, src, end, t, metrics, events);
    }
}

/// `values`: those of `found`, owned.
fn record_found(found: &Found, values: Vec<(String, f64)>, src: &str, at: u64, t: Millis, metrics: &mut Metrics, events: &mut Writer) {
    if metrics.has(src, at) {
        return;
    }
    for (name, value) in &found.tags {
        events.push(&Stamped { t, event: Event::Tag { name: name.clone(), value: value.clone() } });
    }
    if !found.config.is_empty() {
        let values: BTreeMap<String, String> = found
            .config
            .iter()
            .map(|(name, value)| (name.clone(), if secrets::is_secret_name(name) { "***".into() } else { value.clone() }))
            .collect();
        events.push(&Stamped { t, event: Event::Config { source: src.to_string(), values } });
    }
    let Found { step, steps, epoch, epochs, time, .. } = *found;
    if values.is_empty() && step.is_none() && epoch.is_none() {
        return;
    }
    metrics.add(Row { t, src: src.to_string(), at, step, steps, epoch, epochs, time, m: Values(values) });
}

/// Of earlier attempts and of this one, oldest first.
fn recorded_checkpoints(launch: &Launch, attempt: &Attempt) -> Vec<Checkpoint> {
    let attempts = Path::new(&launch.run_directory).join("attempts");
    let earlier = (1..launch.attempt.0).filter_map(|n| spool::attempt(&attempts.join(n.to_string()), neronet_model::AttemptNo(n)).ok());
    earlier.flat_map(|attempt| attempt.checkpoints).chain(attempt.checkpoints.iter().cloned()).collect()
}

fn streams(folder: &Path, launch: &Launch) -> io::Result<Vec<Stream>> {
    let position = position::load(folder);
    let mut spooled: BTreeMap<String, u64> = BTreeMap::new();
    let mut last: BTreeMap<String, VecDeque<String>> = BTreeMap::new();
    spool::output(folder, |chunk| {
        let lines = last.entry(chunk.src.clone()).or_default();
        lines.extend(chunk.text.lines().map(|line| beginning(line).to_string()));
        lines.drain(..lines.len().saturating_sub(LAST_LINES));
        spooled.insert(chunk.src, chunk.at);
    })
    .map_err(io::Error::other)?;
    let limit = usize::try_from(launch.limits.line_bytes).unwrap_or(usize::MAX).max(16);
    let mut streams = Vec::new();
    for (src, name) in [("o", "stdout"), ("e", "stderr")] {
        let path = folder.join("raw").join(name);
        let mut scraper = Scraper::new(&launch.metrics.patterns, &launch.metrics.ignore).map_err(io::Error::other)?;
        let lines = match position.as_ref().and_then(|position| position.get(src)) {
            Some(known) => {
                scraper.restore(known.scraper.clone());
                Lines::from(known.at, known.skipping, limit)
            }
            None => Lines::from(first_data(&path), false, limit),
        };
        let spooled = spooled.get(src).copied().unwrap_or(0);
        let last_lines = last.remove(src).unwrap_or_default();
        streams.push(Stream { src, path, file: None, lines, scraper, spooled, punched: 0, last_lines });
    }
    Ok(streams)
}

/// The first byte that is still on the disk: what was read and recorded before may have been given back.
fn first_data(path: &Path) -> u64 {
    let Ok(file) = File::open(path) else { return 0 };
    nix::unistd::lseek(&file, 0, nix::unistd::Whence::SeekData).map_or(0, |at| u64::try_from(at).unwrap_or(0))
}

impl Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.file.is_none() {
            self.file = Some(OpenOptions::new().read(true).write(true).open(&self.path)?);
        }
        let Some(file) = self.file.as_mut() else { return Ok(0) };
        file.seek(SeekFrom::Start(self.lines.at()))?;
        file.read(bytes)
    }

    fn punch(&mut self) {
        let (at, _) = self.lines.position();
        let whole = at & !0xffff;
        if let (Some(file), true) = (&self.file, whole > self.punched) {
            let holes = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
            // Where the file system cannot, the raw output stays until the end.
            fallocate(file, holes, self.punched as i64, (whole - self.punched) as i64).ok();
            self.punched = whole;
        }
    }
}

/// Values that must not reach the record by way of the output. Short ones are words that stand everywhere.
fn secret_values() -> Vec<String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let variables: Vec<(String, String)> = std::env::vars_os().filter_map(text).collect();
    let mut values: Vec<String> = secrets::secret_values(&variables).into_iter().filter(|value| value.len() >= 8).collect();
    // One that holds another goes first, else its rest would stay.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values
}

fn remove_raw(folder: &Path) {
    std::fs::remove_dir_all(folder.join("raw")).ok();
}
