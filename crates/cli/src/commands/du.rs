//! `neronet du`: what takes the space.

use crate::args::Du;
use crate::commands::page::Page;
use crate::commands::progress::Progress;
use crate::commands::read;
use crate::output;
use crate::session::Session;
use neronet_home::HomeError;
use neronet_home::projections;
use neronet_home::usage::{self, KINDS, Kind, OfExperiment, OfRun, Sizes, Usage};
use neronet_home::view::Snapshot;
use neronet_model::size;
use neronet_report::{Cell, Column, Style, Table, words};
use neronet_store::walk::{Size, Unread};
use serde_json::{Map, Value, json};
use std::process::ExitCode;

pub(crate) fn du(session: &Session, words: &Du) -> Result<ExitCode, HomeError> {
    let snapshot = read::snapshot(session)?;
    let chosen = read::ids(session, &snapshot, &words.which, &words.reach)?;
    let usage = {
        let progress = Progress::new();
        let tell = |files: u64| progress.say(|| format!("{} files looked at", size::grouped(files)));
        usage::of(&session.context, &snapshot.state, chosen.as_deref(), words.limit, &tell)
    };
    unread(&usage.unread);
    projections::notes(&session.context).iter().for_each(|note| output::notice(&format!("note: {note}")));
    if words.json {
        output::json(&as_json(session, &snapshot, &usage));
    } else {
        output::print(&page(session, &snapshot, &usage));
    }
    Ok(ExitCode::SUCCESS)
}

/// What is not in the sums.
pub(crate) fn unread(unread: &Unread) {
    let more = unread.count.saturating_sub(unread.named.len() as u64);
    unread.named.iter().for_each(|named| output::notice(&format!("warning: not counted: {named}")));
    if more > 0 {
        output::notice(&format!("warning: not counted: {} more", size::grouped(more)));
    }
}

fn page(session: &Session, snapshot: &Snapshot, usage: &Usage) -> String {
    let mut page = Page::new(session);
    page.heading("By kind");
    page.table(&by_kind(&usage.sizes));
    if usage.experiments.len() > 1 {
        page.heading("Largest experiments");
        page.table(&experiments(&usage.experiments));
    }
    if !usage.runs.is_empty() {
        page.heading("Largest runs");
        page.table(&runs(session, snapshot, &usage.runs));
    }
    let mut text = page.text;
    if let Some(disk) = &usage.disk {
        let (free, total) = (words::bytes(disk.free), words::bytes(disk.total));
        let quota = if disk.by_quota { ", by your quota" } else { "" };
        text.push_str(&format!("\n{free} of {total} are free where home is ({}{quota})\n", disk.mount.display()));
        if disk.shares_copies {
            text.push_str("copies may share their content on this file system: then it counts with each of them\n");
        }
    }
    text
}

fn by_kind(sizes: &Sizes) -> Table {
    let row = |name: &str, size: Size, what: &str, style: Style| {
        let cells = [words::bytes(size.disk), size::grouped(size.files)].map(|text| Cell::styled(text, style));
        [vec![Cell::styled(name, style)], cells.to_vec(), vec![Cell::styled(what, Style::Faint)]].concat()
    };
    let there = KINDS.iter().map(|(kind, name, what)| (sizes.of(*kind), name, what)).filter(|(size, ..)| *size != Size::default());
    let mut rows: Vec<Vec<Cell>> = there.map(|(size, name, what)| row(name, size, what, Style::Plain)).collect();
    rows.push(row("total", sizes.total(), "", Style::Strong));
    Table { columns: vec![Column::left("kind").whole(), Column::right("size"), Column::right("files"), Column::left("")], rows }
}

fn experiments(all: &[OfExperiment]) -> Table {
    let row = |of: &OfExperiment| {
        [of.project.clone(), of.experiment.clone(), size::grouped(of.runs), words::bytes(of.size.disk)].map(Cell::plain).to_vec()
    };
    let columns = vec![Column::left("project"), Column::left("experiment"), Column::right("runs"), Column::right("size")];
    Table { columns, rows: all.iter().map(row).collect() }
}

/// The kinds that a run has a column for, where any of them is there.
const OF_RUNS: [Kind; 5] = [Kind::Checkpoints, Kind::Artifacts, Kind::OtherOutputs, Kind::Code, Kind::Output];

fn runs(session: &Session, snapshot: &Snapshot, all: &[OfRun]) -> Table {
    let kinds: Vec<Kind> = OF_RUNS.into_iter().filter(|kind| all.iter().any(|of| of.sizes.of(*kind).files > 0)).collect();
    let mut columns = vec![Column::right("run"), Column::left("experiment"), Column::left("state").whole(), Column::right("size")];
    columns.extend(kinds.iter().map(|kind| Column::right(kind.name()).spare(1)));
    let row = |of: &OfRun| {
        let view = snapshot.view_of(&session.context, of.run);
        let state = if of.trashed { "in the trash".to_string() } else { view.as_ref().map(|view| view.status()).unwrap_or_default() };
        let experiment = view.map(|view| view.run().experiment.to_string()).unwrap_or_default();
        let mut cells = vec![of.run.to_string(), experiment, state, words::bytes(of.sizes.total().disk)];
        cells.extend(kinds.iter().map(|kind| match of.sizes.of(*kind) {
            Size { files: 0, .. } => String::new(),
            size => words::bytes(size.disk),
        }));
        cells.into_iter().map(Cell::plain).collect()
    };
    let mut table = Table { columns, rows: all.iter().map(row).collect() };
    if session.terminal {
        table.fit(session.width.saturating_sub(2));
    }
    table
}

fn as_json(session: &Session, snapshot: &Snapshot, usage: &Usage) -> Value {
    let run = |of: &OfRun| {
        let run = snapshot.state.runs.known(&of.run);
        let sweep = run.and_then(|run| snapshot.sweep_of(run));
        let mut all = sized(of.sizes.total());
        all.insert("id".into(), json!(of.run));
        all.insert("project".into(), json!(sweep.map(|sweep| &sweep.project)));
        all.insert("experiment".into(), json!(sweep.map(|sweep| &sweep.experiment)));
        all.insert("trashed".into(), json!(of.trashed));
        all.insert("kinds".into(), kinds(&of.sizes));
        Value::Object(all)
    };
    let experiment = |of: &OfExperiment| {
        let mut all = sized(of.size);
        all.insert("project".into(), json!(of.project));
        all.insert("experiment".into(), json!(of.experiment));
        all.insert("runs".into(), json!(of.runs));
        Value::Object(all)
    };
    json!({
        "home": session.context.home.root(),
        "cache": session.context.cache,
        "total": sized(usage.sizes.total()),
        "kinds": kinds(&usage.sizes),
        "runs": usage.runs.iter().map(run).collect::<Vec<_>>(),
        "experiments": usage.experiments.iter().map(experiment).collect::<Vec<_>>(),
        "unread": {"count": usage.unread.count, "named": usage.unread.named},
        "disk": usage.disk.as_ref().map(|disk| json!({
            "mount": disk.mount, "free": disk.free, "total": disk.total, "by_quota": disk.by_quota, "shares_copies": disk.shares_copies,
        })),
    })
}

fn kinds(sizes: &Sizes) -> Value {
    KINDS.iter().map(|(kind, name, _)| (name.replace(' ', "_"), Value::Object(sized(sizes.of(*kind))))).collect::<Map<_, _>>().into()
}

/// `disk` is what is allocated, `bytes` what the files say they hold.
fn sized(size: Size) -> Map<String, Value> {
    [("disk", size.disk), ("bytes", size.apparent), ("files", size.files)]
        .map(|(name, n)| (name.to_string(), n.into()))
        .into_iter()
        .collect()
}
