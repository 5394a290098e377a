//! `neronet run`: from words to runs, carried out here; and `drive`, the same without a terminal.

use crate::args::{AgainWhich, Reach, Run, Submit, What};
use crate::commands::live::Live;
use crate::commands::read;
use crate::commands::rm::listed;
use crate::commands::sheet;
use crate::output;
use crate::session::Session;
use crate::slips;
use neronet_home::drive::{Drive, Progress, Whose, Wish};
use neronet_home::follow::follow;
use neronet_home::listing::project_of;
use neronet_home::same::Repeats;
use neronet_home::submit::{self, Request};
use neronet_home::view::Snapshot;
use neronet_home::wishes::Asked;
use neronet_home::{HomeError, json};
use neronet_model::queue::Dependency;
use neronet_model::run::KnownEnd;
use neronet_model::{Outcome, RunId, SweepId};
use neronet_spec::Plan;
use neronet_supervise::Nursery;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// More runs than this are rarely meant: they need `--yes`.
pub(crate) const MANY: u64 = 1_000;

/// How the runs are shown, and whether we stay.
pub(crate) struct Manner {
    /// Whoever keeps the queue carries them out.
    pub(crate) detach: bool,
    /// We stay until they have ended all the same.
    pub(crate) wait: bool,
    pub(crate) quiet: bool,
    pub(crate) json: bool,
}

pub(crate) fn run(session: &Session, words: &Run) -> Result<ExitCode, HomeError> {
    start(session, &words.what, Repeats::Start, &Manner { detach: words.detach, wait: false, quiet: words.what.quiet, json: words.json })
}

pub(crate) fn submit(session: &Session, words: &Submit) -> Result<ExitCode, HomeError> {
    let repeats = match (words.again, words.keep) {
        // What is typed anew is meant anew.
        _ if !words.what.command.is_empty() => Repeats::Start,
        (Some(AgainWhich::All), _) => Repeats::Again,
        (Some(AgainWhich::Failed), _) => Repeats::AgainFailed,
        (None, true) => Repeats::Keep,
        (None, false) => Repeats::OnlyNew,
    };
    start(session, &words.what, repeats, &Manner { detach: true, wait: words.wait, quiet: words.what.quiet, json: words.json })
}

fn start(session: &Session, words: &What, repeats: Repeats, manner: &Manner) -> Result<ExitCode, HomeError> {
    if words.spec.is_some() && !words.command.is_empty() {
        return Err(HomeError::Words("give a specification or a command after --, not both".into()));
    }
    let (plan, start) = if words.command.is_empty() {
        read_spec(session, words.spec.as_deref(), &words.set)?
    } else {
        let plan = neronet_spec::of_command(&words.command, &words.set)?;
        (plan, session.context.folder.clone())
    };
    if plan.experiments.is_empty() {
        plan.warnings.iter().for_each(|warning| output::notice(&warning.to_string()));
        output::notice(&format!("note: {}", sheet::nothing(words.spec.as_deref().unwrap_or_default())));
        if manner.json {
            output::json(&serde_json::Value::Array(Vec::new()));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let count: u64 = plan.experiments.iter().map(neronet_spec::Experiment::count).fold(0, u64::saturating_add);
    if count > MANY && !words.yes {
        return Err(HomeError::Words(format!(
            "this makes {} runs; `neronet check` shows a sample of them, `--yes` starts them",
            grouped(count)
        )));
    }
    // A bare command belongs where `ls` looks for it.
    let here = || (!words.command.is_empty()).then(|| project_of(&session.context.folder));
    let project = words.project.clone().or_else(here);
    // Executed now, it is ready when the submission is.
    let nursery = if manner.detach { None } else { Some(Nursery::open(&session.context.neronet, &session.context.environment)?) };
    let preflight = !words.no_preflight;
    let wishes = Asked { priority: words.priority, not_before: words.not_before.clone(), after: after(session, words)? };
    let request =
        Request { plan: &plan, start: &start, project, detached: manner.detach, parallel: words.parallel, wishes, repeats, preflight };
    let receipt = submit::submit(&session.context, &request)?;
    for note in &receipt.notes {
        output::notice(&if note.starts_with("warning:") || note.starts_with("note:") { note.clone() } else { format!("note: {note}") });
    }
    if receipt.runs.is_empty() {
        if manner.json {
            output::json(&serde_json::Value::Array(Vec::new()));
        }
        return Ok(ExitCode::SUCCESS);
    }
    if manner.detach {
        return hand_over(session, &receipt.runs, manner);
    }
    let nursery = receipt.sweeps.first().copied().zip(nursery);
    watched(session, &receipt.runs, manner, |signals, watch| {
        Drive::new(&session.context, Whose::These(receipt.runs.iter().copied().collect()), nursery)?.carry_out(Some(signals), watch)
    })
}

/// The runs that those wait for which are submitted.
fn after(session: &Session, words: &What) -> Result<Vec<Dependency>, HomeError> {
    if words.after.is_empty() && words.after_ok.is_empty() {
        return Ok(Vec::new());
    }
    let snapshot = read::snapshot(session)?;
    let views = snapshot.views(&session.context);
    let named = |words: &[String], ok: bool| -> Result<Vec<Dependency>, HomeError> {
        let chosen = read::chosen(session, &snapshot, &views, words, &Reach { all: false })?;
        Ok(chosen.iter().map(|view| Dependency { run: view.run.id, ok }).collect())
    };
    let ok = named(&words.after_ok, true)?;
    let ended = named(&words.after, false)?.into_iter().filter(|dependency| ok.iter().all(|other| other.run != dependency.run));
    Ok(ended.chain(ok.iter().copied()).collect())
}

/// The specification that is meant where none is named.
pub(crate) fn default_spec(session: &Session) -> Option<&'static str> {
    neronet_spec::DEFAULT_NAMES.into_iter().find(|name| session.context.folder.join(name).exists())
}

/// The plan of a specification, and the folder that its paths are relative to.
pub(crate) fn read_spec(session: &Session, spec: Option<&str>, set: &[String]) -> Result<(Plan, PathBuf), HomeError> {
    let Some(named) = spec.or_else(|| default_spec(session)) else {
        return Err(HomeError::Words(format!(
            "there is no neronet.toml in {}; write one, name another file, or run a command without any: neronet run -- CMD",
            session.context.folder.display()
        )));
    };
    if let Some(named) = sheet::named(named) {
        return sheet::plan(session, named, set);
    }
    let (file, only) = match named.rsplit_once(':') {
        Some((file, name)) if !Path::new(named).exists() => (file, Some(name)),
        _ => (named, None),
    };
    let path = Path::new(file);
    let is_command = path.extension().is_some_and(|ending| !["toml", "yaml", "yml"].map(Some).contains(&ending.to_str()))
        || (path.extension().is_none() && !path.exists());
    if is_command {
        let there = if path.exists() { "" } else { ", and there is no such file" };
        return Err(HomeError::Words(format!(
            "'{file}' is no specification, whose name ends in .toml or .yaml{there}; to run a command: {}",
            slips::as_command(&[file.to_string()])
        )));
    }
    let plan = neronet_spec::load(path, only, set)?;
    let folder = path.parent().map_or_else(|| session.context.folder.clone(), |parent| session.context.folder.join(parent));
    Ok((plan, folder))
}

/// 100000 as 100,000.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Another attempt of these runs, which were decided on: here, or by whoever keeps the queue.
pub(crate) fn carry_out(session: &Session, runs: &[RunId], manner: &Manner) -> Result<ExitCode, HomeError> {
    if manner.detach {
        return hand_over(session, runs, manner);
    }
    watched(session, runs, manner, |signals, watch| {
        Drive::new(&session.context, Whose::These(runs.iter().copied().collect()), None)?.carry_out(Some(signals), watch)
    })
}

/// Carries out with progress on the terminal, which may ask to stop or to leave.
fn watched(
    session: &Session,
    runs: &[RunId],
    manner: &Manner,
    carry_out: impl FnOnce(BorrowedFd<'_>, &mut dyn FnMut(&Progress<'_>) -> Wish) -> Result<BTreeMap<RunId, KnownEnd>, HomeError>,
) -> Result<ExitCode, HomeError> {
    let (set, signals) = signals()?;
    let mut live = Live::new(session, runs, manner.quiet || manner.json)?;
    let mut wish = Wish::GoOn;
    let mut left = false;
    let ended = carry_out(signals.as_fd(), &mut |progress| {
        while let Ok(Some(info)) = signals.read_signal() {
            wish = match (Signal::try_from(info.ssi_signo as i32), wish) {
                (Ok(Signal::SIGHUP), _) => continue,
                (Ok(Signal::SIGTERM), _) => Wish::Leave,
                (_, Wish::GoOn) => Wish::Stop,
                _ => Wish::Kill,
            };
            live.say(match wish {
                Wish::Leave => "leaving: what runs goes on, what is queued is not started",
                Wish::Stop => "asking the runs to stop; Ctrl-C once more kills them",
                _ => "killing the runs",
            });
        }
        left = wish == Wish::Leave;
        live.show(progress);
        wish
    })?;
    // Nothing is left to be asked: any signal may end what keeps us printing.
    set.thread_unblock().ok();
    live.finish(&ended);
    if manner.json {
        print_json(session, runs)?;
    }
    let all_finished = !left && ended.values().all(|end| end.outcome == Outcome::Finished);
    Ok(if all_finished { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Ctrl-C is a question to us, not to the runs: they are in sessions of their own. The signals that ask us to end, blocked until
/// the set of them is unblocked, and where they are read meanwhile.
pub(crate) fn signals() -> Result<(SigSet, SignalFd), HomeError> {
    let mut set = SigSet::empty();
    set.add(Signal::SIGINT);
    set.add(Signal::SIGTERM);
    // A terminal that is closed takes its screen along and nothing else.
    set.add(Signal::SIGHUP);
    set.thread_block().map_err(|e| HomeError::Failed(format!("signals cannot be blocked: {e}")))?;
    let signals = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        .map_err(|e| HomeError::Failed(format!("signals cannot be read: {e}")))?;
    Ok((set, signals))
}

fn print_json(session: &Session, runs: &[RunId]) -> Result<(), HomeError> {
    let snapshot = Snapshot::read(&session.context)?;
    let listed = runs.iter().filter_map(|run| snapshot.view_of(&session.context, *run)).map(|view| json::listed(&view)).collect();
    output::json(&serde_json::Value::Array(listed));
    Ok(())
}

/// Leaves runs to whoever keeps the queue, and stays only if that is wished.
fn hand_over(session: &Session, runs: &[RunId], manner: &Manner) -> Result<ExitCode, HomeError> {
    neronet_daemon::ensure(&session.context)?;
    if manner.wait {
        return watched(session, runs, manner, |signals, watch| follow(&session.context, runs, signals, watch));
    }
    if manner.json {
        print_json(session, runs)?;
    } else if !manner.quiet {
        by_experiment(session, runs)?.iter().for_each(|line| output::print_line(line));
        let noun = if runs.len() == 1 { "run" } else { "runs" };
        output::print_line(&format!("{noun} {} queued; `neronet queue` shows when they start, `neronet logs -f` follows", listed(runs)));
    }
    Ok(ExitCode::SUCCESS)
}

/// Sweeps that are told one by one.
const SWEEPS: usize = 20;

/// `fine: 4 runs (11-14), after pre`, where there are several experiments.
fn by_experiment(session: &Session, runs: &[RunId]) -> Result<Vec<String>, HomeError> {
    let state = session.context.home.read()?.state;
    let mut sweeps: BTreeMap<SweepId, Vec<RunId>> = BTreeMap::new();
    for run in runs.iter().filter_map(|run| state.runs.get(run)) {
        sweeps.entry(run.sweep).or_default().push(run.id);
    }
    let more = sweeps.len().saturating_sub(SWEEPS);
    let line = |(sweep, runs): (&SweepId, &Vec<RunId>)| {
        let sweep = state.sweeps.get(sweep)?;
        let after = sweep.settings.stage.as_ref().map(|stage| format!(", after {}", stage.after)).unwrap_or_default();
        let noun = if runs.len() == 1 { "run" } else { "runs" };
        Some(format!("{}: {} {noun} ({}){after}", sweep.experiment, grouped(runs.len() as u64), listed(runs)))
    };
    let several = sweeps.len() > 1;
    let lines = sweeps.iter().take(SWEEPS).filter(|_| several).filter_map(line);
    Ok(lines.chain((more > 0).then(|| format!("and {more} more"))).collect())
}
