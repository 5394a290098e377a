//! What the supervisor does when a command has ended and all that it printed is read: it makes room for the next step, or says
//! what the attempt came to.

use super::{Supervisor, remove_raw};
use crate::cause;
use crate::os::process;
use crate::outputs;
use crate::position::{self, Position};
use crate::segment::sealed_files;
use crate::stream::Stream;
use crate::word::Word;
use neronet_model::event::{Event, Segment};
use neronet_model::left::{Artifact, Left};
use neronet_model::outcome::{Cause, Outcome};
use neronet_model::{Attempt, UnixMs};
use neronet_store::spool::{self, Segments};
use nix::poll::{PollTimeout, poll};
use std::borrow::Cow;
use std::io;

impl Supervisor<'_> {
    /// Whether what ended last may have ended well although a program that it called did not.
    pub(super) fn hides_ends(&self) -> bool {
        let step = (!self.launch.steps.is_empty()).then(|| spool::attempt(self.folder, self.launch.attempt).ok()).flatten();
        let step = step.as_ref().and_then(|attempt| attempt.step());
        let launched = step.and_then(|step| self.launch.steps.iter().find(|launched| launched.name == step.name));
        launched.map_or(self.launch.hides_ends, |step| step.hides_ends)
    }

    /// All that the command left is on record: the keeper may start the next one, of which nothing belongs to what was before.
    /// False when the disk does not take where a successor would have to begin.
    pub(super) fn begin_anew(&mut self) -> bool {
        if let Err(e) = self.spool.sync() {
            self.unsafe_record(&e);
        }
        self.streams.iter_mut().for_each(Stream::begin_anew);
        self.checkpoints.begin_anew(self.spool.metrics.marks.begin_anew());
        let position: Position = self.streams.iter().map(Stream::position).collect();
        if !self.keep_raw && !position::save(self.folder, &position) {
            return false;
        }
        self.told = None;
        self.line.iter().for_each(|line| line.say(Word::Next));
        true
    }

    /// The command has ended and all it printed is in the spool.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let there = Segments::of(self.folder).map_err(io::Error::other)?;
        let attempt = spool::attempt_of(&self.launch, self.folder, &there).map_err(io::Error::other)?;
        let (outcome, cause) = self.verdict(&attempt);
        self.tell_usage(true);
        self.files.damage().into_iter().for_each(|what| self.event(Event::Dropped { what }));
        if let Err(e) = self.spool.sync() {
            self.unsafe_record(&e);
        }
        let mut segments = self.spool.output.sealed(&there)?;
        segments.extend(sealed_files(there.of_kind("metrics"), self.spool.metrics.sealed())?);
        let own = format!("events.{}.jsonl", self.generation);
        segments.extend(sealed_files(there.of_kind("events").filter(|path| !path.ends_with(&own)), None)?);
        segments.extend(self.outputs(&attempt, &there)?);
        self.spool.metrics.write_history(true);
        let summary = self.spool.metrics.of_attempt();
        let last_lines = if outcome == Outcome::Finished { Vec::new() } else { self.last_lines() };
        let at = attempt.begun.unwrap_or(UnixMs(0)).plus(attempt.lasted.unwrap_or_else(|| self.t()));
        self.event(Event::Ended { outcome, cause, at, last_lines, segments, summary });
        // A full disk must not turn a finished run into an unknown one: wait for room as long as it takes.
        while self.spool.events.flush().and(self.spool.events.sync()).is_err() {
            poll(&mut [], PollTimeout::from(1_000u16)).ok();
        }
        self.write_summary(true);
        position::forget(self.folder);
        if !self.keep_raw {
            remove_raw(self.folder);
        }
        Ok(())
    }

    /// Lists what the attempt left. The list of a supervisor that was killed meanwhile stays beside that of its successor, which
    /// counts.
    fn outputs(&mut self, attempt: &Attempt, there: &Segments) -> io::Result<Vec<Segment>> {
        let mut segments = sealed_files(there.of_kind(spool::OUTPUTS), None)?;
        let checkpoints = attempt.checkpoints.iter().map(|checkpoint| checkpoint.path.as_str()).collect();
        let mut found = outputs::look(self.folder, &self.launch, &checkpoints);
        for left in &mut found.left {
            if let Left::Artifact(Artifact { path, .. }) | Left::Other { path, .. } = left {
                *path = self.spool.masked(Cow::Borrowed(path)).into_owned();
            }
        }
        found.notices.into_iter().for_each(|what| self.event(Event::Dropped { what }));
        match outputs::record(self.folder, self.generation, &found.left) {
            Ok(segment) => segments.extend(segment),
            Err(e) => {
                let what = format!("the list of the files that were left cannot be written ({e}): they are in the run's folder");
                self.event(Event::Dropped { what });
            }
        }
        Ok(segments)
    }

    fn verdict(&self, attempt: &Attempt) -> (Outcome, Option<Cause>) {
        if !attempt.command_ended() && attempt.keeper.as_ref().is_some_and(process::rebooted_since) {
            return (Outcome::Unknown, Some(Cause::MachineRestarted));
        }
        let (outcome, cause) = attempt.verdict();
        let of_errors = self.streams.last().is_some_and(|stream| !stream.last_lines().is_empty());
        let shown: Vec<&str> =
            [&self.launch.shown].into_iter().chain(self.launch.steps.iter().map(|step| &step.shown)).map(String::as_str).collect();
        (outcome, cause::refine(outcome, cause, &self.last_lines(), of_errors.then_some(shown.join(" ").as_str())))
    }

    /// What was said last: on standard error, else on standard output.
    fn last_lines(&self) -> Vec<String> {
        let said = self.streams.iter().rev().find(|stream| !stream.last_lines().is_empty());
        said.map(|stream| stream.last_lines().iter().cloned().collect()).unwrap_or_default()
    }
}
