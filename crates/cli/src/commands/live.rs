//! What `neronet run` shows while it runs: one run's output as it comes, or a line a run of a sweep.

use crate::commands::followed::Followed;
use crate::commands::lines::{self, Line};
use crate::commands::page::with_reason;
use crate::commands::screen::Screen;
use crate::output;
use crate::session::Session;
use neronet_home::HomeError;
use neronet_home::drive::Progress;
use neronet_home::{masked, waiting};
use neronet_model::journal::HomeState;
use neronet_model::outcome::Cause;
use neronet_model::run::KnownEnd;
use neronet_model::{AttemptNo, Millis, Outcome, RunId, SweepId, UnixMs};
use neronet_report::words;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two drawings of the table.
const REDRAW: Duration = Duration::from_millis(250);
/// Between two looks at when all will have ended, and how much longer than a look that is at least.
const LOOK_AHEAD: Duration = Duration::from_secs(5);
const FIRST_LOOK: Duration = Duration::from_secs(1);
const LOOK_SELDOM: u32 = 100;
/// Between two lines that say how far it is, where there is no terminal. Of one run it is said once, if it takes that long.
const REMIND: Duration = Duration::from_secs(60);

pub(crate) struct Live<'a> {
    session: &'a Session,
    state: Arc<HomeState>,
    /// Values that are never shown.
    secrets: BTreeMap<SweepId, Vec<String>>,
    manner: Manner,
    followed: BTreeMap<RunId, Followed>,
    announced: usize,
    total: usize,
    /// The runs are of more than one, so that each is named with its own.
    several_experiments: bool,
    /// Why runs could not be started, as far as that was told.
    told: BTreeSet<String>,
    /// When all will probably have ended, and when that is looked at again.
    done: Option<UnixMs>,
    look_ahead_at: Instant,
    reminded: Option<Instant>,
    /// Lines of the table on the screen, to be drawn over.
    drawn: usize,
    drawn_at: Option<Instant>,
    began: Instant,
    out: Screen,
    err: Screen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Quiet,
    /// One run: what it prints.
    Output,
    /// A table that is drawn over.
    Table,
    /// No terminal: a line when a run starts and ends.
    Lines,
}

impl<'a> Live<'a> {
    pub(crate) fn new(session: &'a Session, runs: &[RunId], quiet: bool) -> Result<Live<'a>, HomeError> {
        let manner = match (quiet, runs.len(), session.terminal) {
            (true, _, _) => Manner::Quiet,
            (_, 1, _) => Manner::Output,
            (_, _, true) => Manner::Table,
            _ => Manner::Lines,
        };
        let state = session.context.home.read()?.state;
        let experiments: BTreeSet<&str> = runs.iter().filter_map(|run| state.runs.get(run)).map(|run| &*run.experiment).collect();
        let several_experiments = experiments.len() > 1;
        let sweeps: BTreeSet<SweepId> = runs.iter().filter_map(|run| state.runs.get(run)).map(|run| run.sweep).collect();
        let secrets =
            sweeps.into_iter().filter_map(|sweep| Some((sweep, masked::known(&session.context, state.sweeps.get(&sweep)?)))).collect();
        Ok(Live {
            session,
            state,
            secrets,
            manner,
            followed: BTreeMap::new(),
            announced: 0,
            total: runs.len(),
            several_experiments,
            told: BTreeSet::new(),
            done: None,
            // Whatever is over at once waits for no answer.
            look_ahead_at: Instant::now() + FIRST_LOOK,
            reminded: None,
            drawn: 0,
            drawn_at: None,
            began: Instant::now(),
            out: Screen::new(&std::io::stdout()),
            err: Screen::new(&std::io::stderr()),
        })
    }

    /// A sentence of ours, not part of any table.
    pub(crate) fn say(&mut self, text: &str) {
        self.clear();
        output::notice(text);
    }

    pub(crate) fn show(&mut self, progress: &Progress<'_>) {
        self.out.push();
        if self.manner == Manner::Quiet || self.out.is_lost() {
            // Nobody reads any more; the runs go on.
            return;
        }
        if self.manner == Manner::Lines {
            // What ended made room for what starts.
            self.announce(progress.ended);
        }
        for (run, attempt) in &progress.running {
            if !self.followed.contains_key(run) {
                let folder = self.session.context.home.attempt(*run, *attempt);
                self.followed.insert(*run, Followed::new(folder, self.has_secrets(*run)));
                if self.manner == Manner::Lines {
                    let line = format!("{} started{}", self.name(*run), self.params(*run));
                    self.out.put_line(&line);
                }
            }
        }
        match self.manner {
            Manner::Output => {
                for followed in self.followed.values_mut() {
                    followed.print_output(&mut self.out, &mut self.err);
                }
                self.foretell(progress);
            }
            Manner::Table => self.draw(progress),
            Manner::Lines => self.remind(progress),
            Manner::Quiet => {}
        }
    }

    /// Says now and then how far it is, once it is known when it ends.
    fn remind(&mut self, progress: &Progress<'_>) {
        self.look_ahead(progress);
        if self.done.is_some() && self.reminded.is_none_or(|at| at.elapsed() >= REMIND) {
            self.reminded = Some(Instant::now());
            let line = self.standing(progress);
            self.out.put_line(&line);
        }
    }

    fn foretell(&mut self, progress: &Progress<'_>) {
        if self.reminded.is_some() {
            return;
        }
        self.look_ahead(progress);
        let now = self.session.context.now();
        if let Some(at) = self.done.filter(|at| *at > now.plus(Millis(REMIND.as_millis() as u64))) {
            self.reminded = Some(Instant::now());
            let begun = if progress.running.is_empty() { "queued, " } else { "" };
            output::notice(&format!("{begun}done about {}", waiting::clock(at, now)));
        }
    }

    fn look_ahead(&mut self, progress: &Progress<'_>) {
        let now = Instant::now();
        if now >= self.look_ahead_at {
            self.done = (progress.done)();
            self.look_ahead_at = now + LOOK_AHEAD.max(now.elapsed() * LOOK_SELDOM);
        }
    }

    fn standing(&self, progress: &Progress<'_>) -> String {
        let counts = [progress.ended.len(), progress.running.len(), progress.queued];
        standing(self.total, counts, self.done, self.session.context.now())
    }

    /// The last word on each run, and on all of them.
    pub(crate) fn finish(&mut self, ended: &BTreeMap<RunId, KnownEnd>) {
        self.clear();
        match self.manner {
            // Who wants no output wants to know what failed all the same.
            Manner::Quiet => {
                for (run, end) in ended.iter().filter(|(_, end)| end.outcome == Outcome::Failed) {
                    let verdict = self.verdict(*run, end);
                    output::notice(&verdict);
                }
            }
            Manner::Output => {
                for followed in self.followed.values_mut() {
                    // All of it now, however long it is and however slowly it is taken.
                    while followed.print_output(&mut self.out, &mut self.err) {
                        self.out.finish();
                        self.err.finish();
                    }
                    followed.print_spool(&mut self.out, &mut self.err);
                }
                self.out.end_line();
                self.err.end_line();
                self.out.finish();
                self.err.finish();
                for (run, end) in ended {
                    output::notice(&self.verdict(*run, end));
                }
            }
            Manner::Lines | Manner::Table => {
                self.announce(ended);
                let finished = ended.values().filter(|end| end.outcome == Outcome::Finished).count();
                let took = words::duration(Millis(self.began.elapsed().as_millis() as u64));
                self.out.put_line(&format!("{finished} of {} runs finished in {took}", self.total));
                self.out.finish();
            }
        }
    }

    fn announce(&mut self, ended: &BTreeMap<RunId, KnownEnd>) {
        if ended.len() == self.announced {
            return;
        }
        let fresh: Vec<RunId> =
            ended.keys().filter(|run| self.followed.get(run).is_none_or(|followed| !followed.announced)).copied().collect();
        for run in fresh {
            if let Some(end) = ended.get(&run) {
                let line = self.verdict(run, end);
                self.out.put_line(&line);
            }
            let folder = self.session.context.home.attempt(run, AttemptNo(1));
            let masked = self.has_secrets(run);
            self.followed.entry(run).or_insert_with(|| Followed::new(folder, masked)).announced = true;
        }
        self.announced = ended.len();
    }

    fn has_secrets(&self, run: RunId) -> bool {
        let sweep = self.state.runs.get(&run).and_then(|run| self.state.sweeps.get(&run.sweep));
        sweep.is_some_and(|sweep| !sweep.settings.secrets.is_empty())
    }

    fn verdict(&mut self, run: RunId, end: &KnownEnd) -> String {
        let mut reason = end.attempt.reason().map(|reason| words::one_line(&reason, 300));
        let cause = end.attempt.end.as_ref().and_then(|end| end.cause.as_ref());
        // A build that fails ends all runs of its sweep.
        if let (Some(Cause::NotStarted(_)), Some(why)) = (cause, &mut reason)
            && !self.told.insert(why.clone())
        {
            *why = "for the same reason".to_string();
        }
        let mut text = format!("{} {}", self.name(run), with_reason(&end.outcome.to_string(), reason.as_deref()));
        if let Some(lasted) = end.attempt.lasted {
            text += &format!(" after {}", words::duration(lasted));
        }
        let shown: Vec<String> = self
            .telling(run, end.metrics.keys())
            .into_iter()
            .filter_map(|name| end.metrics.get(&name).map(|extent| format!("{name} {}", words::number(extent.last))))
            .collect();
        if !shown.is_empty() {
            text += &format!(", {}", shown.join(", "));
        }
        if self.total > 1 {
            text += &self.params(run);
        }
        text
    }

    /// `run 3`, behind its experiment where there are several.
    fn name(&self, run: RunId) -> String {
        let experiment = self.experiment(run);
        if experiment.is_empty() { format!("run {run}") } else { format!("{experiment} run {run}") }
    }

    fn experiment(&self, run: RunId) -> String {
        let known = self.state.runs.get(&run).filter(|_| self.several_experiments);
        known.map(|run| words::one_line(&run.experiment, 40)).unwrap_or_default()
    }

    /// The parameters that tell a run from the others of its sweep.
    fn params(&self, run: RunId) -> String {
        let Some((run, sweep)) = self.state.runs.get(&run).and_then(|run| Some((run, self.state.sweeps.get(&run.sweep)?))) else {
            return String::new();
        };
        let params = masked::params(&run.params, &sweep.varying, || self.secrets.get(&sweep.id).cloned().unwrap_or_default());
        let varying = sweep.varying.iter().filter_map(|name| params.get(name).map(|value| format!("{name}={value}")));
        let text: Vec<String> = varying.collect();
        if text.is_empty() { String::new() } else { format!("  {}", words::one_line(&text.join(" "), 80)) }
    }

    /// Up to three metrics that say most: the objectives, then losses, then accuracies, then what there is.
    fn telling<'n>(&self, run: RunId, names: impl Iterator<Item = &'n String>) -> Vec<String> {
        let sweep = self.state.runs.get(&run).and_then(|run| self.state.sweeps.get(&run.sweep));
        let objectives: Vec<&str> =
            sweep.map(|sweep| sweep.settings.objectives.iter().map(|objective| objective.metric.as_str()).collect()).unwrap_or_default();
        let rank = |name: &str| {
            let lower = name.to_ascii_lowercase();
            match objectives.iter().position(|objective| *objective == name) {
                Some(at) => at,
                None if lower.contains("loss") => 10,
                None if lower.contains("acc") => 11,
                None => 12,
            }
        };
        let mut names: Vec<String> = names.cloned().collect();
        names.sort_by_key(|name| (rank(name), name.len()));
        names.truncate(3);
        names
    }

    fn draw(&mut self, progress: &Progress<'_>) {
        if self.out.is_behind() || self.drawn_at.is_some_and(|at| at.elapsed() < REDRAW) {
            return;
        }
        self.drawn_at = Some(Instant::now());
        let fresh = progress.ended.len() != self.announced;
        self.clear();
        if fresh {
            self.announce(progress.ended);
        }
        let mut table = Vec::new();
        for (run, _) in &progress.running {
            let Some(followed) = self.followed.get_mut(run) else { continue };
            followed.read_rows();
            let names: Vec<String> = followed.last.keys().cloned().collect();
            let telling = self.telling(*run, names.iter());
            let Some(followed) = self.followed.get(run) else { continue };
            table.push(Line {
                experiment: self.experiment(*run),
                run: format!("run {run}"),
                params: self.params(*run).trim_start().to_string(),
                fields: followed.fields(&telling),
            });
        }
        let width = self.session.width.saturating_sub(1);
        let mut lines = lines::fitted(&table, width);
        self.look_ahead(progress);
        lines.push(self.standing(progress));
        // More than the screen holds could not be drawn over.
        let room = output::terminal_height().map_or(usize::MAX, |height| height.saturating_sub(2).max(2));
        if lines.len() > room {
            let last = lines.split_off(lines.len() - 1);
            let hidden = lines.split_off(room - 2).len();
            lines.push(format!("  and {hidden} more"));
            lines.extend(last);
        }
        let shown: Vec<String> = lines.iter().map(|line| words::cut(line, width)).collect();
        self.drawn = shown.len();
        self.out.put_line(&shown.join("\n"));
    }

    fn clear(&mut self) {
        if self.drawn > 0 {
            // Line by line: what is cleared as a screen, some terminals keep in what can be scrolled back to.
            let up = format!("\x1b[{}F", self.drawn);
            self.out.put(format!("{up}{}{up}", "\x1b[2K\x1b[1E".repeat(self.drawn)).as_bytes());
            self.drawn = 0;
        }
    }
}

/// `12 of 200 ended, 2 running, 186 queued, all done about 17:40`. When it should have been over, nobody knows when it will be.
fn standing(total: usize, [ended, running, queued]: [usize; 3], done: Option<UnixMs>, now: UnixMs) -> String {
    let done = done.filter(|at| *at > now).map(|at| format!(", all done about {}", waiting::clock(at, now)));
    format!("{ended} of {total} ended, {running} running, {queued} queued{}", done.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_all_will_have_ended_is_said_where_it_is_known() {
        let now = UnixMs(1_795_000_000_000);
        let said = |done| standing(200, [12, 2, 186], done, now);
        let soon = UnixMs(now.0 + 60_000);
        assert_eq!(said(None), "12 of 200 ended, 2 running, 186 queued");
        assert_eq!(said(Some(now)), said(None));
        assert_eq!(said(Some(soon)), format!("{}, all done about {}", said(None), waiting::clock(soon, now)));
    }
}
