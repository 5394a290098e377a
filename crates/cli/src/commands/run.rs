//! `neronet run`: from words to runs, carried out here; and `drive`, the same without a terminal.

use crate::args::{AgainWhich, Run, Submit, What};
use crate::commands::live::Live;
use crate::commands::rm::listed;
use crate::output;
use crate::session::Session;
use neronet_home::destinations::Named;
use neronet_home::drive::{Drive, Progress, Whose, Wish};
use neronet_home::follow::follow;
use neronet_home::same::Repeats;
use neronet_home::submission::Words;
use neronet_home::submit;
use neronet_home::view::Snapshot;
use neronet_home::{HomeError, json, refused};
use neronet_model::run::KnownEnd;
use neronet_model::size::grouped;
use neronet_model::{Outcome, RunId, SweepId};
use neronet_supervise::Nursery;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::process::ExitCode;

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
    start(
        session,
        &words.what,
        Named::Here,
        Repeats::Start,
        &Manner { detach: words.detach, wait: false, quiet: words.what.quiet, json: words.json },
    )
}

pub(crate) fn submit(session: &Session, words: &Submit) -> Result<ExitCode, HomeError> {
    let again = words.again.map(|which| if which == AgainWhich::All { Repeats::Again } else { Repeats::AgainFailed });
    let repeats = Repeats::meant(!words.what.command.is_empty(), again.or(words.keep.then_some(Repeats::Keep)));
    let targets = if words.target.is_empty() { Named::AsSpecified } else { Named::These(words.target.clone()) };
    start(session, &words.what, targets, repeats, &Manner { detach: true, wait: words.wait, quiet: words.what.quiet, json: words.json })
}

fn start(session: &Session, what: &What, targets: Named, repeats: Repeats, manner: &Manner) -> Result<ExitCode, HomeError> {
    let words = Words {
        spec: what.spec.clone(),
        command: what.command.clone(),
        set: what.set.clone(),
        project: what.project.clone(),
        parallel: what.parallel,
        targets,
        priority: what.priority,
        not_before: what.not_before.clone(),
        after: what.after.clone(),
        after_ok: what.after_ok.clone(),
        yes: what.yes,
        preflight: !what.no_preflight,
    };
    let meant = words.meant(&session.context, Path::new(""))?;
    if let Some(nothing) = meant.nothing(&words) {
        meant.plan.warnings.iter().for_each(|warning| output::notice(&warning.to_string()));
        output::notice(&nothing);
        if manner.json {
            output::json(&serde_json::Value::Array(Vec::new()));
        }
        return Ok(ExitCode::SUCCESS);
    }
    // Executed now, it is ready when the submission is.
    let nursery = if manner.detach { None } else { Some(Nursery::open(&session.context.neronet, &session.context.environment)?) };
    let receipt = submit::submit(&session.context, &meant.request(&words, repeats, manner.detach))?;
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
    neronet_daemon::ensure(&session.context).map_err(|e| {
        let (noun, them) = if runs.len() == 1 { ("run", "it") } else { ("runs", "them") };
        HomeError::Daemon(format!("{noun} {} queued, and nobody starts {them}: {e}", listed(runs)))
    })?;
    if !manner.quiet {
        // Nothing of them starts before their user does something.
        let snapshot = Snapshot::read(&session.context)?;
        refused::notices(&session.context, &snapshot).iter().for_each(|line| output::notice(line));
    }
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
