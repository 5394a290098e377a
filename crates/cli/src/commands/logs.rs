//! `neronet logs`: what a run printed, attempt by attempt.

use crate::args::Logs;
use crate::commands::{page, read, stream};
use crate::output;
use crate::session::Session;
use neronet_home::HomeError;
use neronet_model::{Attempt, AttemptNo, RunId, State};
use neronet_report::{Style, words};
use neronet_store::follow::Watch;
use neronet_store::lines::{self, Damage};
use neronet_store::spool::{self, Chunk};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(200);
/// Between two looks at home: a keeper may have died, another attempt may have been decided on.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) fn logs(session: &Session, words: &Logs) -> Result<ExitCode, HomeError> {
    let snapshot = read::snapshot(session)?;
    let views = snapshot.views_meant(&session.context, std::slice::from_ref(&words.run));
    let view = read::one(session, &snapshot, &views, &words.run, &words.reach)?;
    let run = view.id;
    let folder = session.context.home.run(run);
    let attempts = spool::attempts_of(&folder)?;
    if let Some(n) = words.attempt.filter(|n| !attempts.contains(&AttemptNo(*n))) {
        let there = attempts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let there = if there.is_empty() { "none has begun".to_string() } else { format!("there are: {there}") };
        return Err(HomeError::Words(format!("run {run} has no attempt {n}; {there}")));
    }
    let mut printer = Printer {
        session,
        words,
        run,
        read: BTreeMap::new(),
        headed: None,
        tail: words.tail.map(|_| VecDeque::new()),
        any: false,
        damaged: BTreeMap::new(),
    };
    printer.print_new()?;
    printer.print_tail();
    if words.follow && view.state() != State::Ended {
        if view.state() == State::Queued {
            output::notice(&format!("run {run} is queued: {}", view.reason().unwrap_or("it waits for its turn")));
        }
        follow(session, &mut printer)?;
    }
    let mut damage = Damage::default();
    printer.damaged.values().for_each(|found| damage += if view.state() == State::Ended { found.of_ended() } else { *found });
    damage.notice("the output").iter().for_each(|notice| output::notice(notice));
    if !printer.any {
        let status = page::with_reason(&view.status(), view.reason());
        output::notice(&format!("run {run} has printed nothing{} ({status})", if words.stderr { " to standard error" } else { "" }));
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what comes until the run has ended.
fn follow(session: &Session, printer: &mut Printer<'_>) -> Result<(), HomeError> {
    let mut watched: Option<(AttemptNo, Watch)> = None;
    let mut looked: Option<Instant> = None;
    loop {
        let is_time = looked.is_none_or(|at| at.elapsed() >= LOOK);
        if is_time {
            looked = Some(Instant::now());
        }
        let n = spool::attempts_of(&session.context.home.run(printer.run))?.into_iter().next_back();
        if let Some(n) = n {
            let folder = session.context.home.attempt(printer.run, n);
            if is_time {
                spool::watch(&folder);
                spool::watch(session.context.home.root());
            }
            if watched.as_ref().is_none_or(|(known, _)| *known != n) {
                watched = Watch::of(&folder).ok().map(|watch| (n, watch));
            }
        }
        wait(watched.as_ref().map(|(_, watch)| watch));
        // Asked before the output is read: what an ended attempt printed is then all there.
        let last = spool::attempts_of(&session.context.home.run(printer.run))?.into_iter().next_back();
        let ended = last.is_some_and(|n| printer.attempt(n).is_ok_and(|attempt| attempt.end.is_some()));
        printer.print_new()?;
        if ended || is_time {
            let snapshot = read::snapshot(session)?;
            let view = snapshot.view_of(&session.context, printer.run);
            if view.is_none_or(|view| view.state() == State::Ended) {
                printer.print_new()?;
                return Ok(());
            }
        }
    }
}

/// Until something of the attempt has changed, or it is time.
fn wait(watch: Option<&Watch>) {
    let mut fds: Vec<PollFd<'_>> = watch.iter().map(|watch| PollFd::new(watch.as_fd(), PollFlags::POLLIN)).collect();
    poll(&mut fds, PollTimeout::try_from(POLL).unwrap_or(PollTimeout::MAX)).ok();
    watch.iter().for_each(|watch| watch.drain());
}

struct Printer<'s> {
    session: &'s Session,
    words: &'s Logs,
    run: RunId,
    /// How far each segment has been read.
    read: BTreeMap<PathBuf, u64>,
    /// The attempt whose heading was printed last.
    headed: Option<AttemptNo>,
    /// The last lines so far, until they are printed.
    tail: Option<VecDeque<String>>,
    any: bool,
    /// What of each segment cannot be read.
    damaged: BTreeMap<PathBuf, Damage>,
}

impl Printer<'_> {
    fn attempt(&self, n: AttemptNo) -> Result<Attempt, HomeError> {
        Ok(spool::attempt(&self.session.context.home.attempt(self.run, n), n)?)
    }

    fn print_new(&mut self) -> Result<(), HomeError> {
        let attempts = spool::attempts_of(&self.session.context.home.run(self.run))?;
        let several = attempts.len() > 1 && self.words.attempt.is_none();
        for n in attempts.into_iter().filter(|n| self.words.attempt.is_none_or(|only| only == n.0)) {
            if several && self.headed < Some(n) {
                let heading = self.heading(n);
                self.take(&heading);
                self.headed = Some(n);
            } else {
                self.headed = self.headed.max(Some(n));
            }
            for path in spool::segments(&self.session.context.home.attempt(self.run, n), "output")? {
                let from = self.read.get(&path).copied().unwrap_or(0);
                let (to, damage) = lines::typed(&path, from, |chunk: Chunk| {
                    if !self.words.stderr || chunk.src == "e" {
                        self.any = true;
                        self.take(&chunk.text);
                    }
                })?;
                let known = self.damaged.entry(path.clone()).or_default();
                // What was not whole has been looked at again.
                known.tail = 0;
                *known += damage;
                self.read.insert(path, to);
            }
        }
        Ok(())
    }

    fn heading(&self, n: AttemptNo) -> String {
        let mut title = format!("--- attempt {n}");
        if let Ok(attempt) = self.attempt(n) {
            title.extend(attempt.begun.map(|at| format!(", {}", words::local_time(at))));
            title.extend(attempt.resumed_from.map(|from| format!(", from {from}")));
        }
        format!("{}\n", page::paint(self.session, &title, Style::Strong))
    }

    fn take(&mut self, text: &str) {
        let Some(tail) = &mut self.tail else { return self.print(text) };
        for line in text.split_inclusive('\n') {
            // What follows an unfinished line belongs to it.
            match tail.back_mut() {
                Some(last) if !last.ends_with('\n') => last.push_str(line),
                _ => tail.push_back(line.to_string()),
            }
        }
        while tail.len() > self.words.tail.unwrap_or(0) {
            tail.pop_front();
        }
    }

    fn print_tail(&mut self) {
        for line in self.tail.take().into_iter().flatten() {
            self.print(&line);
        }
    }

    fn print(&self, text: &str) {
        // Into a file or a pipe it goes as it came.
        if self.session.terminal {
            output::print(&stream::safe(text, self.session.color));
        } else {
            output::print(text);
        }
    }
}
