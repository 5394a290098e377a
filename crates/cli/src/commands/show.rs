//! `neronet show`: everything about a run.

use crate::args::Show;
use crate::commands::check::wishes;
use crate::commands::ls::state_style;
use crate::commands::page::{Page, count, with_reason};
use crate::commands::read;
use crate::output;
use crate::session::Session;
use neronet_home::begin::Frozen;
use neronet_home::compare::{commit, gpus, world};
use neronet_home::listing::{assignment, duration};
use neronet_home::select::spans;
use neronet_home::submit::World;
use neronet_home::view::View;
use neronet_home::{HomeError, inputs, json, masked, steer, travel};
use neronet_model::event::{By, Extent};
use neronet_model::left::Artifact;
use neronet_model::outcome::Cause;
use neronet_model::run::run_outcome;
use neronet_model::settings::Resume;
use neronet_model::target::LOCAL;
use neronet_model::{Attempt, AttemptNo, Millis, Outcome, RunId, State, UnixMs};
use neronet_report::{Cell, Column, Style, Table, words};
use neronet_store::spool;
use std::process::ExitCode;

/// Lines, packages, files that are shown of a long list.
const SOME: usize = 12;

pub(crate) fn show(session: &Session, words: &Show) -> Result<ExitCode, HomeError> {
    let snapshot = read::snapshot(session)?;
    let mut views = snapshot.views_meant(&session.context, std::slice::from_ref(&words.run));
    // What is in the trash can still be looked at.
    views.extend(neronet_home::listing::trashed(&session.context, &snapshot).into_iter().filter(|_| words.run != "last"));
    let view = read::one(session, &snapshot, &views, &words.run, &words.reach)?;
    if words.json {
        output::json(&json::shown(&session.context, view));
        return Ok(ExitCode::SUCCESS);
    }
    let attempts = json::examined(&session.context, view);
    let world = world(&session.context, view);
    let frozen = Frozen::of(&session.context, view.id);
    let mut page = Page::new(session);
    what(session, &mut page, view);
    state_of(session, &mut page, view, &attempts);
    params(&mut page, view);
    command(session, &mut page, view, frozen.as_ref());
    code(session, &mut page, view, &world);
    inputs_of(&mut page, frozen.as_ref(), &world);
    environment(&mut page, &world);
    metrics(&mut page, view);
    attempts_of(session, &mut page, view, &attempts);
    steps(&mut page, &attempts);
    checkpoints(session, &mut page, &attempts);
    left(session, &mut page, view);
    away(session, &mut page, view);
    config(&mut page, &attempts);
    notices(&mut page, &attempts);
    output::print(&page.text);
    Ok(ExitCode::SUCCESS)
}

fn when(session: &Session, at: Option<UnixMs>) -> String {
    at.map(|at| format!("{} ({})", words::local_time(at), words::age(at, session.now()))).unwrap_or_default()
}

fn what(session: &Session, page: &mut Page<'_>, view: &View<'_>) {
    page.heading(&format!("Run {}", view.id));
    page.facts(&[
        ("project", view.sweep.project.clone()),
        ("experiment", view.run().experiment.to_string()),
        ("sweep", format!("{} (`neronet ls sweep:{}`)", view.run().sweep, view.run().sweep)),
        ("target", if view.target() == LOCAL { String::new() } else { view.target().to_string() }),
        ("goes on from", after(view)),
        ("asked for", wishes(&view.sweep.wishes, view.sweep.wishes.not_before.map(words::local_time))),
        ("imported", imported(session, view)),
        ("submitted", when(session, Some(view.run().created))),
        ("by", by(view)),
        ("tags", view.run().tags.iter().map(|tag| format!("@{tag}")).collect::<Vec<_>>().join(" ")),
        // One of several lines stands below, as it was written.
        ("note", view.run().note.clone().filter(|note| !note.contains('\n')).unwrap_or_default()),
        (
            "trash",
            view.run().trashed.map(|at| format!("since {}; `neronet restore {}`", words::local_time(at), view.id)).unwrap_or_default(),
        ),
        ("uid", view.run().uid.to_string()),
        ("folder", session.context.home.run(view.id).display().to_string()),
    ]);
    if let Some(note) = view.run().note.as_ref().filter(|note| note.contains('\n')) {
        page.heading("Note");
        page.block(note);
    }
}

/// Of an imported run perhaps nobody wrote down one or the other.
fn by(view: &View<'_>) -> String {
    let (user, host) = (&view.sweep.user, &view.sweep.host);
    match (user.is_empty(), host.is_empty()) {
        (false, false) => format!("{user} on {host}"),
        (true, false) => format!("on {host}"),
        _ => user.clone(),
    }
}

fn imported(session: &Session, view: &View<'_>) -> String {
    let Some(imported) = &view.sweep.imported else { return String::new() };
    let name = if imported.name.is_empty() { String::new() } else { format!(" '{}'", imported.name) };
    format!("from {}{name}, {}, {}", imported.from, imported.path, when(session, Some(imported.at)))
}

/// The run of another experiment that it goes on from, or is to.
fn after(view: &View<'_>) -> String {
    let best_of = &view.sweep.best_of;
    let named = |run: RunId, of: &str| format!("run {run}{of} (`neronet show {run}`)");
    match (view.after(), best_of.is_empty()) {
        (Some(run), true) => named(run, ""),
        (Some(run), false) => named(run, &format!(", the best of {}", spans(best_of))),
        (None, true) => String::new(),
        (None, false) => format!("the best of {}", spans(best_of)),
    }
}

fn state_of(session: &Session, page: &mut Page<'_>, view: &View<'_>, attempts: &[Attempt]) {
    page.heading("State");
    page.line(&with_reason(&view.status(), view.reason()), state_style(view));
    page.facts(&[
        ("started", when(session, view.started())),
        ("ended", when(session, view.ended())),
        ("took", duration(view, session.now()).map(words::duration).unwrap_or_default()),
    ]);
    let last_lines = attempts.last().and_then(|attempt| attempt.end.as_ref()).map(|end| end.last_lines.as_slice()).unwrap_or_default();
    if view.outcome().is_some_and(|outcome| outcome != Outcome::Finished) && !last_lines.is_empty() {
        page.line("its last lines:", Style::Plain);
        page.block(&last_lines[last_lines.len().saturating_sub(SOME)..].iter().map(|line| format!("| {line}\n")).collect::<String>());
    }
    let step = attempts.last().and_then(Attempt::first_step_left);
    let commands = hints(session, view, step.is_some())
        .into_iter()
        .map(|(command, does)| (format!("neronet {command} {}", view.id), does.to_string()));
    let commands: Vec<(String, String)> = commands.collect();
    page.facts(&commands.iter().map(|(command, does)| (command.as_str(), does.clone())).collect::<Vec<_>>());
}

/// What can be done about it: commands, and what they do.
fn hints(session: &Session, view: &View<'_>, step_left: bool) -> Vec<(&'static str, &'static str)> {
    let resume = view.sweep.settings.resume.as_ref();
    let goes_on = match resume.is_some_and(steer::names_the_best_alone) {
        true => "goes on from its best checkpoint",
        false => "goes on from its latest checkpoint",
    };
    let retry = if step_left { "goes on with the step that is left" } else { "starts it from scratch" };
    match (view.state(), view.outcome()) {
        (State::Running | State::Starting, _) => vec![("logs -f", "follows it"), ("stop", "asks it to stop")],
        (State::Ended, Some(Outcome::Finished) | None) | (State::Queued, _) => Vec::new(),
        (State::Ended, _) if view.sweep.imported.is_some() => vec![("logs", "prints all of its output")],
        (State::Ended, _) if !step_left && resume.is_some_and(|resume| can_resume(session, view, resume)) => {
            vec![("resume", goes_on), ("retry", retry)]
        }
        (State::Ended, _) => vec![("logs", "prints all of its output"), ("retry", retry)],
    }
}

/// Whether there is something to go on from. Where the script looks for that itself, nobody else knows.
fn can_resume(session: &Session, view: &View<'_>, resume: &Resume) -> bool {
    let found = || steer::find_checkpoints(&session.context, view).ok();
    *resume == Resume::Automatic || found().is_some_and(|found| steer::handed_over(&found, resume).is_some())
}

fn params(page: &mut Page<'_>, view: &View<'_>) {
    if view.params().is_empty() {
        return;
    }
    page.heading("Parameters");
    let varies = |name: &str| view.sweep.varying.iter().any(|varying| varying == name);
    let facts: Vec<(&str, String)> =
        view.params().iter().map(|(name, value)| (name, format!("{value}{}", if varies(name) { "  (varies)" } else { "" }))).collect();
    page.facts(&facts);
}

fn command(session: &Session, page: &mut Page<'_>, view: &View<'_>, frozen: Option<&Frozen>) {
    page.heading("Command");
    // Before it has begun the command is still a template.
    page.block(&frozen.map_or_else(|| masked::template(&session.context, view.sweep), |frozen| frozen.command.clone()));
    page.facts(&[
        ("in", frozen.map(|frozen| frozen.directory.trim_end_matches('/').to_string()).unwrap_or_default()),
        ("specification", view.sweep.spec.as_ref().map(|spec| spec.path.clone()).unwrap_or_default()),
    ]);
}

fn code(session: &Session, page: &mut Page<'_>, view: &View<'_>, world: &World) {
    let code = &view.sweep.code;
    page.heading("Code");
    let frozen = match (&code.snapshot, &code.in_place_because) {
        (None, _) if view.sweep.imported.is_some() => String::new(),
        (Some(hash), _) => session.context.home.snapshots().join(hash).display().to_string(),
        (None, Some(why)) => format!("not frozen, executed in place: {why}"),
        (None, None) => "not frozen, executed in place as the specification says".to_string(),
    };
    let git = code.git.as_ref();
    page.facts(&[
        ("from", code.top.clone()),
        ("commit", git.map(|git| commit(&git.commit, git.dirty)).unwrap_or_default()),
        ("branch", git.map(|git| git.branch.clone()).unwrap_or_default()),
        ("snapshot", frozen),
    ]);
    if code.snapshot.is_none() {
        return;
    }
    let left_out = world.left_out.iter().map(|(path, why)| format!("left out: {path} ({why})"));
    let large = world.large.iter().map(|(path, size)| format!("linked, not copied: {path} ({})", words::bytes(*size)));
    some(page, left_out.chain(large).collect());
}

fn some(page: &mut Page<'_>, lines: Vec<String>) {
    lines.iter().take(SOME).for_each(|line| page.line(line, Style::Plain));
    if lines.len() > SOME {
        page.line(&format!("and {} more (--json has all)", lines.len() - SOME), Style::Faint);
    }
}

fn inputs_of(page: &mut Page<'_>, frozen: Option<&Frozen>, world: &World) {
    let all = inputs::of_run(frozen, world);
    if all.is_empty() {
        return;
    }
    page.heading("Inputs");
    let facts: Vec<(&str, String)> = all.into_iter().map(|seen| (seen.name.as_str(), inputs::described(seen))).collect();
    page.facts(&facts);
}

fn environment(page: &mut Page<'_>, world: &World) {
    let environment = &world.environment;
    page.heading("Environment");
    let python = environment.python.as_ref().map(|python| {
        let name = python.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        let version = python.version.as_ref().map(|version| format!("{version}{name}, ")).unwrap_or(name);
        format!("{version}{}", python.interpreter.display())
    });
    let system = &environment.system;
    let cpu = system.cpu.as_ref().map(|cpu| format!("{cpu}, {}", count(system.cores as usize, "core")));
    let packages =
        if environment.packages.is_empty() { String::new() } else { format!("{} (--json lists them)", environment.packages.len()) };
    page.facts(&[
        ("python", python.unwrap_or_default()),
        ("packages", packages),
        ("modules", environment.modules.join(", ")),
        ("system", system.os.clone()),
        ("cpu", cpu.unwrap_or_default()),
        ("memory", system.memory_bytes.map(words::bytes).unwrap_or_default()),
        ("gpus", gpus(world)),
        ("driver", world.devices.drivers.join(", ")),
    ]);
    let editable = environment.editable.iter().map(|(name, folder)| format!("editable: {name} from {}", folder.display()));
    some(page, editable.collect());
}

fn metrics(page: &mut Page<'_>, view: &View<'_>) {
    if view.metrics().is_empty() {
        return;
    }
    page.heading("Metrics");
    page.table(&metrics_table(view));
}

pub(crate) fn metrics_table(view: &View<'_>) -> Table {
    let number = |value: f64| Cell::styled(words::number(value), if value.is_finite() { Style::Plain } else { Style::Bad });
    let rows = view.metrics().iter().map(|(name, extent)| {
        let goal = view.sweep.settings.objectives.iter().find(|objective| objective.metric == *name);
        let name = goal.map_or(name.clone(), |objective| format!("{name} ({})", neronet_home::objective::word(objective.goal)));
        let [last, min, max] = [extent.last, extent.min, extent.max].map(number);
        vec![Cell::plain(name), last, min, max, Cell::plain(at(extent)), Cell::plain(extent.points.to_string())]
    });
    Table {
        columns: [Column::left("name")].into_iter().chain(["last", "min", "max", "at", "points"].map(Column::right)).collect(),
        rows: rows.collect(),
    }
}

/// Where its last point stands; the count of one that has no place is among the points already.
fn at(extent: &Extent) -> String {
    let step = words::number(extent.step);
    match extent.by {
        Some(By::Step) => format!("step {step}"),
        Some(By::Epoch) => format!("epoch {step}"),
        Some(By::Count) => String::new(),
        None => step,
    }
}

fn attempts_of(session: &Session, page: &mut Page<'_>, view: &View<'_>, attempts: &[Attempt]) {
    page.heading("Attempts");
    let table = Table {
        columns: ["n", "outcome", "started", "took", "cpu", "memory", "how it ended"].map(Column::left).to_vec(),
        rows: attempts.iter().map(|attempt| attempt_row(attempt, view.sweep.imported.is_some())).collect(),
    };
    page.table(&table);
    if attempts.is_empty() {
        page.line("none has begun", Style::Plain);
    }
    let launch = |n: AttemptNo| spool::launch(&session.context.home.attempt(view.id, n)).ok().flatten();
    let mut before = launch(AttemptNo(1)).map(|launch| launch.shown);
    for attempt in attempts.iter().filter(|attempt| attempt.n.0 > 1) {
        let Some(launch) = launch(attempt.n) else { continue };
        if launch.steps_only {
            let step = launch.steps.first().map(|step| step.name.as_str()).unwrap_or_default();
            page.line(&format!("attempt {} went on with step {step}", attempt.n), Style::Plain);
        } else if before.as_ref() != Some(&launch.shown) {
            page.line(&format!("attempt {} ran: {}", attempt.n, launch.shown), Style::Plain);
            before = Some(launch.shown);
        }
    }
}

/// Of an `imported` one nothing is lost that anybody here had.
fn attempt_row(attempt: &Attempt, imported: bool) -> Vec<Cell> {
    let end = attempt.end.as_ref();
    let outcome = |of: Outcome| if imported { of } else { run_outcome(of) };
    let mut how: Vec<String> = attempt.reason().into_iter().collect();
    if let Some(from) = &attempt.resumed_from {
        how.push(format!("went on from {from}"));
    }
    [
        attempt.n.to_string(),
        end.map(|end| outcome(end.outcome).to_string()).unwrap_or_else(|| "running".into()),
        attempt.begun.map(words::local_time).unwrap_or_default(),
        attempt.lasted.map(words::duration).unwrap_or_default(),
        attempt.cpu_ms.map(|ms| words::duration(Millis(ms))).unwrap_or_default(),
        memory(attempt),
        how.join(", "),
    ]
    .map(Cell::plain)
    .to_vec()
}

fn memory(attempt: &Attempt) -> String {
    let held = attempt.peak_memory_kb.map(|kb| words::bytes(kb * 1024));
    let of_gpus = attempt.peak_gpu_memory.map(|bytes| format!("{} of GPUs", words::bytes(bytes)));
    held.into_iter().chain(of_gpus).collect::<Vec<_>>().join(", ")
}

fn steps(page: &mut Page<'_>, attempts: &[Attempt]) {
    let all = json::steps(attempts);
    if all.is_empty() {
        return;
    }
    page.heading("Steps");
    let rows = all.into_iter().map(|(attempt, step)| {
        let given: Vec<&str> = [&step.checkpoint, &step.best].into_iter().flatten().map(String::as_str).collect();
        let end = match (step.exit_code, step.signal) {
            (Some(code), _) => code.to_string(),
            (None, Some(signal)) => Cause::Signal(signal).to_string(),
            (None, None) => String::new(),
        };
        [
            step.name.clone(),
            attempt.state_of(step).to_string(),
            end,
            step.lasted().map(words::duration).unwrap_or_default(),
            given.join(", "),
        ]
        .map(Cell::plain)
        .to_vec()
    });
    let columns = ["step", "state", "exit code", "lasted", "checkpoint"].map(Column::left).to_vec();
    page.table(&Table { columns, rows: rows.collect() });
}

fn checkpoints(session: &Session, page: &mut Page<'_>, attempts: &[Attempt]) {
    let all = json::checkpoints(attempts);
    if all.is_empty() {
        return;
    }
    page.heading("Checkpoints");
    let rows = all.iter().rev().take(SOME).map(|checkpoint| {
        let at = match (checkpoint.epoch, checkpoint.step) {
            (Some(epoch), _) => format!("epoch {}", words::number(epoch)),
            (None, Some(step)) => format!("step {step}"),
            (None, None) => String::new(),
        };
        vec![
            Cell::plain(checkpoint.path.clone()),
            Cell::plain(at),
            Cell::plain(words::bytes(checkpoint.bytes)),
            Cell::plain(words::age(checkpoint.modified, session.now())),
        ]
    });
    let columns = vec![Column::left("path"), Column::left("at"), Column::right("size"), Column::left("saved")];
    page.table(&Table { columns, rows: rows.collect() });
    if all.len() > SOME {
        page.line(&format!("and {} older", all.len() - SOME), Style::Faint);
    }
}

fn left(session: &Session, page: &mut Page<'_>, view: &View<'_>) {
    let left = json::left(&session.context, view);
    if !left.artifacts.is_empty() {
        page.heading("Artifacts");
        let row = |artifact: &Artifact| {
            let saved = words::age(artifact.modified, session.now());
            vec![Cell::plain(artifact.path.clone()), Cell::plain(words::bytes(artifact.bytes)), Cell::plain(saved)]
        };
        let columns = vec![Column::left("path"), Column::right("size"), Column::left("saved")];
        page.table(&Table { columns, rows: left.artifacts.iter().take(SOME).map(row).collect() });
        if left.artifacts.len() > SOME {
            page.line(&format!("and {} more (--json has all)", left.artifacts.len() - SOME), Style::Faint);
        }
    }
    if left.files > 0 {
        page.heading("Other files that it left");
        let at_least = if left.at_least { "at least " } else { "" };
        page.line(&format!("{at_least}{}, {}", count(left.files as usize, "file"), words::bytes(left.bytes)), Style::Plain);
        let lines = left.others.iter().map(|(path, bytes)| format!("{path} ({})", words::bytes(*bytes)));
        some(page, lines.collect());
    }
}

/// What is on its target alone, of checkpoints and artifacts.
fn away(session: &Session, page: &mut Page<'_>, view: &View<'_>) {
    for (target, number) in travel::left::away(&session.context, view.id, view.run().attempts).unwrap_or_default() {
        let what = if number == 1 { "1 of these is".to_string() } else { format!("{number} of these are") };
        page.line(&format!("{what} on {target} alone; `neronet fetch {}` brings what is on record", view.id), Style::Plain);
    }
}

fn config(page: &mut Page<'_>, attempts: &[Attempt]) {
    let mut all = std::collections::BTreeMap::new();
    attempts.iter().for_each(|attempt| all.extend(&attempt.config));
    if all.is_empty() {
        return;
    }
    page.heading("Configuration that the script told");
    let facts: Vec<(&str, String)> = all.iter().map(|(name, value)| (name.as_str(), (*value).clone())).collect();
    page.facts(&facts[..facts.len().min(50)]);
    if facts.len() > 50 {
        page.line(&format!("and {} more (--json has all)", facts.len() - 50), Style::Faint);
    }
}

fn notices(page: &mut Page<'_>, attempts: &[Attempt]) {
    let tags = attempts.iter().flat_map(|attempt| &attempt.tags).map(|(name, value)| format!("{name}: {value}"));
    let tags: Vec<String> = tags.collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    if !tags.is_empty() {
        page.heading("Values that are no numbers");
        some(page, tags);
    }
    let several = attempts.len() > 1;
    let all = attempts.iter().flat_map(|attempt| {
        attempt.notices.iter().map(move |notice| if several { format!("attempt {}: {notice}", attempt.n) } else { notice.clone() })
    });
    let all: Vec<String> = all.collect();
    if !all.is_empty() {
        page.heading("Notices");
        some(page, all);
    }
}

/// For whoever shows several runs: what each is called.
pub(crate) fn label(view: &View<'_>, names: &[String]) -> String {
    let assignment = assignment(view, names);
    if assignment.is_empty() { format!("run {}", view.id) } else { format!("run {} {assignment}", view.id) }
}
