//! `neronet queue`, `hold`, `release`, `move`, `priority`, `quota`: what waits, in which order, and how that is changed.

use crate::args::{Hold, Move, Priority, Queue, Quota as QuotaWords, Which};
use crate::commands::listing::{Listing, Wanted};
use crate::commands::page::{LONGEST, count};
use crate::commands::read;
use crate::output;
use crate::session::Session;
use neronet_home::listing::{assignment, duration};
use neronet_home::queue::{self, Standing};
use neronet_home::select::spans;
use neronet_home::varying::varying;
use neronet_home::view::{Snapshot, View};
use neronet_home::{HomeError, refused, waiting};
use neronet_model::queue::{Place, Quota};
use neronet_model::size::grouped;
use neronet_model::{RunId, UnixMs};
use neronet_report::{Cell, Column, Style, Table, words};
use serde_json::Value;
use std::process::ExitCode;

/// Queued runs that are shown where nothing else is asked for.
const SHOWN: usize = 50;
/// Columns of the parameters that differ.
const LONG: usize = 48;

pub(crate) fn queue(session: &Session, words: Queue) -> Result<ExitCode, HomeError> {
    if words.json {
        let snapshot = read::snapshot(session)?;
        output::json(&Value::Array(queue::listed(&session.context, &snapshot, words.limit.unwrap_or(usize::MAX))));
    } else {
        Wanted::Queue(words).listing(session)?.print(session);
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn listing(session: &Session, words: &Queue) -> Result<Listing, HomeError> {
    let (snapshot, mut notices) = read::snapshot_and_notices(session)?;
    let standing = queue::standing(&session.context, &snapshot);
    let view = |run: &RunId| snapshot.view_of(&session.context, *run);
    let running: Vec<View<'_>> = standing.running.iter().filter_map(view).collect();
    let first = standing.queued.iter().take(words.limit.unwrap_or(SHOWN));
    let queued: Vec<(View<'_>, Option<UnixMs>)> = first.filter_map(|(run, at)| Some((view(run)?, *at))).collect();
    if standing.running.is_empty() && standing.queued.is_empty() {
        notices.push("nothing is queued and nothing runs; `neronet submit` puts runs in the queue".into());
        return Ok(Listing::nothing(notices));
    }
    let below = below(session, &snapshot, &standing, queued.len());
    Ok(Listing { notices, table: Some(table(session, &running, &queued)), below })
}

fn table(session: &Session, running: &[View<'_>], queued: &[(View<'_>, Option<UnixMs>)]) -> Table {
    let all: Vec<&View<'_>> = running.iter().chain(queued.iter().map(|(view, _)| view)).collect();
    let varying = varying(&all);
    let now = session.now();
    let mut table = Table {
        columns: vec![
            Column::right("id"),
            Column::left("experiment"),
            Column::left("with").spare(1),
            Column::left("state").whole(),
            Column::left("starts").whole(),
            Column::left("why"),
        ],
        ..Table::default()
    };
    let mut row = |view: &View<'_>, state: Cell, starts: String| {
        let with = words::one_line(&assignment(view, &varying), LONG);
        let why = words::one_line(view.reason().unwrap_or_default(), LONGEST);
        let plain = |text: String| Cell::plain(text);
        let (id, experiment) = (view.id.to_string(), view.run().experiment.to_string());
        table.rows.push(vec![plain(id), plain(experiment), plain(with), state, plain(starts), plain(why)]);
    };
    for view in running {
        let since = duration(view, now).map(|took| format!("{} ago", words::duration(took))).unwrap_or_default();
        row(view, Cell::styled(view.status(), Style::Good), since);
    }
    for (view, at) in queued {
        let starts = at.map(|at| if at <= now { "now".into() } else { format!("about {}", waiting::clock(at, now)) }).unwrap_or_default();
        row(view, Cell::plain("queued"), starts);
    }
    if varying.is_empty() {
        table.columns.remove(2);
        table.rows.iter_mut().for_each(|row| drop(row.remove(2)));
    }
    table
}

fn below(session: &Session, snapshot: &Snapshot, standing: &Standing, shown: usize) -> Vec<String> {
    let queued = grouped(standing.queued.len() as u64);
    let mut lines = vec![format!("{} started, {queued} queued", count(standing.running.len(), "run"))];
    if shown < standing.queued.len() {
        lines.push(format!("{} of {queued} queued runs shown (--limit)", grouped(shown as u64)));
    }
    lines.extend(refused::notices(&session.context, snapshot));
    lines.extend(standing.done.map(|at| format!("all done about {}", waiting::clock(at, session.now()))));
    for (project, quota) in snapshot.queue.quotas() {
        let runs = quota.runs.map(|runs| count(runs as usize, "run"));
        let gpus = quota.gpus.map(|gpus| count(gpus as usize, "GPU"));
        let both: Vec<String> = runs.into_iter().chain(gpus).collect();
        lines.push(format!("project {project} may have {} at a time", both.join(" and ")));
    }
    lines
}

pub(crate) fn hold(session: &Session, words: &Hold) -> Result<ExitCode, HomeError> {
    steer(session, &words.which, |views| queue::hold(&session.context, views, words.because.clone()), "held")
}

pub(crate) fn release(session: &Session, words: &Which) -> Result<ExitCode, HomeError> {
    steer(session, words, |views| queue::release(&session.context, views), "released")
}

pub(crate) fn priority(session: &Session, words: &Priority) -> Result<ExitCode, HomeError> {
    let done = format!("now of priority {}", words.priority);
    let which = Which { which: vec![words.which.clone()], reach: words.reach.clone() };
    steer(session, &which, |views| queue::prioritise(&session.context, views, words.priority), &done)
}

pub(crate) fn place(session: &Session, words: &Move) -> Result<ExitCode, HomeError> {
    let to = match (words.first, words.last, words.before, words.behind) {
        (true, ..) => Place::First,
        (_, true, ..) => Place::Last,
        (_, _, Some(run), _) => Place::Before(RunId(run)),
        (_, _, _, Some(run)) => Place::After(RunId(run)),
        _ => return Err(HomeError::Words("say where to: --first, --last, --before RUN or --behind RUN".into())),
    };
    let which = Which { which: words.which.clone(), reach: words.reach.clone() };
    steer(session, &which, |views| queue::place(&session.context, views, to), "moved")
}

fn steer(
    session: &Session,
    words: &Which,
    act: impl FnOnce(&[&View<'_>]) -> Result<(), HomeError>,
    done: &str,
) -> Result<ExitCode, HomeError> {
    let snapshot = read::snapshot(session)?;
    let views = snapshot.views_meant(&session.context, &words.which);
    let chosen = read::chosen(session, &snapshot, &views, &words.which, &words.reach)?;
    act(&chosen)?;
    let runs: Vec<RunId> = chosen.iter().map(|view| view.id).collect();
    output::print_line(&format!("{} {} {done}", if runs.len() == 1 { "run" } else { "runs" }, spans(&runs)));
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn quota(session: &Session, words: &QuotaWords) -> Result<ExitCode, HomeError> {
    let limited = words.runs.is_some() || words.gpus.is_some();
    if !limited && !words.none {
        return Err(HomeError::Words("say what the project may have at a time: --runs N, --gpus N, or --none for no limit".into()));
    }
    queue::limit(&session.context, &words.project, limited.then_some(Quota { runs: words.runs, gpus: words.gpus }))?;
    let told = if limited { "limited; `neronet queue` shows it" } else { "no longer limited" };
    output::print_line(&format!("project {} {told}", words.project));
    Ok(ExitCode::SUCCESS)
}
