//! What `neronet run` shows while it runs: one run's output as it comes, or a line a run of a sweep.

use crate::output;
use crate::session::Session;
use neronet_home::HomeError;
use neronet_home::drive::Progress;
use neronet_model::journal::HomeState;
use neronet_model::row::Steps;
use neronet_model::run::KnownEnd;
use neronet_model::{AttemptNo, Millis, Outcome, Row, RunId};
use neronet_report::words;
use neronet_store::spool;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two drawings of the table.
const REDRAW: Duration = Duration::from_millis(250);

pub(crate) struct Live<'a> {
    session: &'a Session,
    state: Arc<HomeState>,
    manner: Manner,
    followed: BTreeMap<RunId, Followed>,
    announced: usize,
    total: usize,
    /// Lines of the table on the screen, to be drawn over.
    drawn: usize,
    drawn_at: Option<Instant>,
    began: Instant,
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
        Ok(Live {
            session,
            state: session.context.home.read()?.state,
            manner,
            followed: BTreeMap::new(),
            announced: 0,
            total: runs.len(),
            drawn: 0,
            drawn_at: None,
            began: Instant::now(),
        })
    }

    /// A sentence of ours, not part of any table.
    pub(crate) fn say(&mut self, text: &str) {
        self.clear();
        output::notice(text);
    }

    pub(crate) fn show(&mut self, progress: &Progress<'_>) {
        if self.manner == Manner::Quiet {
            return;
        }
        for (run, attempt) in &progress.running {
            if !self.followed.contains_key(run) {
                let folder = self.session.context.home.attempt(*run, *attempt);
                self.followed.insert(*run, Followed::new(folder, *attempt));
                if self.manner == Manner::Lines {
                    output::print_line(&format!("run {run} started{}", self.params(*run)));
                }
            }
        }
        match self.manner {
            Manner::Output => self.followed.values_mut().for_each(Followed::print_output),
            Manner::Lines => self.announce(progress.ended),
            Manner::Table => self.draw(progress),
            Manner::Quiet => {}
        }
    }

    /// The last word on each run, and on all of them.
    pub(crate) fn finish(&mut self, ended: &BTreeMap<RunId, KnownEnd>) {
        self.clear();
        match self.manner {
            Manner::Quiet => {}
            Manner::Output => {
                for followed in self.followed.values_mut() {
                    followed.print_output();
                    // What was too quick to be seen as it came.
                    if followed.raw.is_none() {
                        followed.print_spool();
                    }
                }
                for (run, end) in ended {
                    output::notice(&self.verdict(*run, end));
                }
            }
            Manner::Lines | Manner::Table => {
                self.announce(ended);
                let finished = ended.values().filter(|end| end.outcome == Outcome::Finished).count();
                let took = words::duration(Millis(self.began.elapsed().as_millis() as u64));
                output::print_line(&format!("{finished} of {} runs finished in {took}", self.total));
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
                output::print_line(&self.verdict(run, end));
            }
            let folder = self.session.context.home.attempt(run, AttemptNo(1));
            self.followed.entry(run).or_insert_with(|| Followed::new(folder, AttemptNo(1))).announced = true;
        }
        self.announced = ended.len();
    }

    fn verdict(&self, run: RunId, end: &KnownEnd) -> String {
        let mut text = format!("run {run} {}", end.outcome);
        if let Some(cause) = end.attempt.end.as_ref().and_then(|end| end.cause.as_ref()) {
            text += &format!(": {}", words::one_line(&cause.to_string(), 300));
        }
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

    /// The parameters that tell a run from the others of its sweep.
    fn params(&self, run: RunId) -> String {
        let Some((run, sweep)) = self.state.runs.get(&run).and_then(|run| Some((run, self.state.sweeps.get(&run.sweep)?))) else {
            return String::new();
        };
        let varying = sweep.varying.iter().filter_map(|name| run.params.get(name).map(|value| format!("{name}={value}")));
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
        if self.drawn_at.is_some_and(|at| at.elapsed() < REDRAW) {
            return;
        }
        self.drawn_at = Some(Instant::now());
        let fresh = progress.ended.len() != self.announced;
        self.clear();
        if fresh {
            self.announce(progress.ended);
        }
        let mut lines = Vec::new();
        for (run, _) in &progress.running {
            let Some(followed) = self.followed.get_mut(run) else { continue };
            followed.read_rows();
            let names: Vec<String> = followed.last.keys().cloned().collect();
            let telling = self.telling(*run, names.iter());
            let Some(followed) = self.followed.get(run) else { continue };
            lines.push(format!("  run {run}{}  {}", self.params(*run), followed.line(&telling)));
        }
        let done = progress.ended.len();
        lines.push(format!("{done} of {} ended, {} running, {} queued", self.total, progress.running.len(), progress.queued));
        let width = self.session.width.saturating_sub(1);
        let shown: Vec<String> = lines.iter().map(|line| line.chars().take(width).collect()).collect();
        self.drawn = shown.len();
        output::print_line(&shown.join("\n"));
    }

    fn clear(&mut self) {
        if self.drawn > 0 {
            // Up over what was drawn, and clear to the end of the screen.
            output::print(&format!("\x1b[{}F\x1b[J", self.drawn));
            self.drawn = 0;
        }
    }
}

/// One attempt's spool, read as it grows.
struct Followed {
    folder: PathBuf,
    announced: bool,
    at: BTreeMap<PathBuf, u64>,
    steps: Steps,
    last: BTreeMap<String, f64>,
    row: Option<Row>,
    step: Option<i64>,
    /// Time and progress of the first row, from which the rate is reckoned.
    first: Option<(Millis, f64)>,
    /// Standard output and error, once they are there. They can be read to their end even when they are removed meanwhile.
    raw: Option<(File, File)>,
}

/// Rows that are further behind than this are passed over: the live view shows now.
const BEHIND: u64 = 4 << 20;

impl Followed {
    fn new(folder: PathBuf, _attempt: AttemptNo) -> Followed {
        Followed {
            folder,
            announced: false,
            at: BTreeMap::new(),
            steps: Steps::default(),
            last: BTreeMap::new(),
            row: None,
            step: None,
            first: None,
            raw: None,
        }
    }

    fn read_rows(&mut self) {
        for path in spool::segments(&self.folder, "metrics").unwrap_or_default() {
            let length = std::fs::metadata(&path).map_or(0, |meta| meta.len());
            let mut from = self.at.get(&path).copied().unwrap_or(0);
            if length > from + BEHIND {
                // In the middle of a line most likely: that one does not parse and is passed over.
                from = length - BEHIND / 4;
            }
            let read = spool::lines(&path, from, |line| {
                if let Ok(row) = serde_json::from_slice::<Row>(line) {
                    self.take(row);
                }
            });
            self.at.insert(path, read.unwrap_or(from));
        }
    }

    fn take(&mut self, row: Row) {
        self.step = self.steps.of(&row).or(self.step);
        for (name, value) in &row.m.0 {
            self.last.insert(name.clone(), *value);
        }
        if let (None, Some(done)) = (self.first, progress(&row)) {
            self.first = Some((row.t, done));
        }
        // A summary at the end must not hide how far the training is.
        if row.step.is_some() || row.epoch.is_some() || self.row.is_none() {
            self.row = Some(row);
        }
    }

    /// step 3/50  loss 0.31  acc 91.2  1.3/s  ETA 2 min
    fn line(&self, telling: &[String]) -> String {
        let Some(row) = &self.row else { return "running".into() };
        let of = |at: String, total: Option<String>| total.map_or(at.clone(), |total| format!("{at}/{total}"));
        let mut parts = Vec::new();
        if let Some(epoch) = row.epoch {
            parts.push(format!("epoch {}", of(words::number(epoch), row.epochs.map(words::number))));
        }
        if let Some(step) = row.step {
            parts.push(format!("step {}", of(step.to_string(), row.steps.map(|steps| steps.to_string()))));
        }
        parts.extend(telling.iter().filter_map(|name| self.last.get(name).map(|value| format!("{name} {}", words::number(*value)))));
        if let (Some((t, first)), Some(done)) = (self.first, progress(row)) {
            let seconds = Millis(row.t.0.saturating_sub(t.0)).seconds();
            if seconds > 0.0 && done > first {
                let rate = (done - first) / seconds;
                parts.push(pace(rate));
                if let Some(total) = total(row) {
                    let left = Millis(((total - done).max(0.0) / rate * 1000.0) as u64);
                    parts.push(format!("ETA {}", words::duration(left)));
                }
            }
        }
        parts.join("  ")
    }

    /// The bytes themselves as they come, progress bars included.
    fn print_output(&mut self) {
        if self.raw.is_none() {
            let open = |name: &str| File::open(self.folder.join("raw").join(name)).ok();
            self.raw = open("stdout").zip(open("stderr"));
        }
        let Some((stdout, stderr)) = &mut self.raw else { return };
        output::copy(stdout);
        output::copy_to_stderr(stderr);
    }

    fn print_spool(&self) {
        spool::output(&self.folder, |chunk| if chunk.src == "e" { output::notice(&chunk.text) } else { output::print(&chunk.text) }).ok();
    }
}

/// Steps a second, or the time of a step where that reads better.
fn pace(rate: f64) -> String {
    match rate {
        _ if rate >= 10.0 => format!("{rate:.0}/s"),
        _ if rate >= 0.5 => format!("{rate:.1}/s"),
        _ => format!("{} each", words::duration(Millis((1000.0 / rate) as u64))),
    }
}

/// How far a training is, in steps of the finest counter that has a total, else the finest there is.
fn progress(row: &Row) -> Option<f64> {
    match (row.epoch, row.epochs, row.step, row.steps) {
        (Some(epoch), Some(_), Some(step), Some(steps)) if steps > 0 => Some((epoch - 1.0) * steps as f64 + step as f64),
        (Some(epoch), Some(_), _, _) => Some(epoch),
        (_, _, Some(step), _) => Some(step as f64),
        (epoch, _, None, _) => epoch,
    }
}

fn total(row: &Row) -> Option<f64> {
    match (row.epochs, row.steps) {
        (Some(epochs), Some(steps)) if row.step.is_some() && steps > 0 => Some(epochs * steps as f64),
        (Some(epochs), _) => Some(epochs),
        (None, Some(steps)) => Some(steps as f64),
        (None, None) => None,
    }
}
