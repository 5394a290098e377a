//! `neronet gc`: what may go, and with `--apply` what went.

use crate::args::Gc;
use crate::commands::page::{Page, count};
use crate::commands::progress::Progress;
use crate::commands::rm::listed;
use crate::commands::{du, read};
use crate::output;
use crate::session::Session;
use neronet_home::HomeError;
use neronet_home::gc::{self, Asked, Collected, Found, Item, Kind};
use neronet_home::view::Snapshot;
use neronet_model::settings::Keep;
use neronet_model::{RunId, size};
use neronet_report::{Cell, Column, Style, Table, words};
use neronet_store::walk::Size;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Rows of a table for people.
const ROWS: usize = 50;

pub(crate) fn gc(session: &Session, words: &Gc) -> Result<ExitCode, HomeError> {
    let snapshot = read::snapshot(session)?;
    let chosen = read::ids(session, &snapshot, &words.which, &words.reach)?;
    let given = words.keep_best.or(words.keep_last).is_some();
    let keep = given.then(|| Keep { best: words.keep_best.unwrap_or(0), last: words.keep_last.unwrap_or(0) });
    let found = {
        let progress = Progress::new();
        let tell = |runs: u64| progress.say(|| format!("{} runs looked at", size::grouped(runs)));
        gc::find(&session.context, &snapshot, Asked { runs: chosen.as_deref(), keep }, &tell)?
    };
    du::unread(&found.unread);
    found.notes.iter().for_each(|note| output::notice(&format!("note: {note}")));
    let done = words.apply.then(|| {
        let progress = Progress::new();
        let tell = |runs: u64| progress.say(|| format!("checkpoints of {} runs gone", size::grouped(runs)));
        gc::collect(&session.context, &found, keep, &tell)
    });
    if words.json {
        output::json(&as_json(&found, done.as_ref()));
    } else {
        output::print(&page(session, &snapshot, &found, done.as_ref()));
    }
    let failed = done.map(|done| done.failed).unwrap_or_default();
    failed.iter().for_each(|failed| output::error(failed));
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Things that go for the same reason.
struct Group<'i> {
    kind: Kind,
    run: Option<RunId>,
    why: &'i str,
    things: usize,
    size: Size,
}

fn groups(items: &[Item]) -> Vec<Group<'_>> {
    let alike = |a: &Item, b: &Item| (a.kind, a.run, &a.why) == (b.kind, b.run, &b.why);
    items.chunk_by(alike).filter_map(grouped).collect()
}

fn grouped(items: &[Item]) -> Option<Group<'_>> {
    let first = items.first()?;
    Some(Group { kind: first.kind, run: first.run, why: &first.why, things: items.len(), size: total(items) })
}

fn total(items: &[Item]) -> Size {
    let mut total = Size::default();
    items.iter().for_each(|item| total += item.size);
    total
}

fn page(session: &Session, snapshot: &Snapshot, found: &Found, done: Option<&Collected>) -> String {
    let items = done.map_or(&found.items, |done| &done.items);
    let mut page = Page::new(session);
    if !items.is_empty() {
        page.heading(if done.is_some() { "Gone" } else { "What may go" });
        page.table(&table(snapshot, items));
        let groups = groups(items).len();
        if groups > ROWS {
            page.line(&format!("and {} more", groups - ROWS), Style::Faint);
        }
    }
    let mut text = page.text;
    let mut say = |sentence: String| text.push_str(&format!("{sentence}\n"));
    let all = words::bytes(total(items).disk);
    match done {
        _ if items.is_empty() && done.is_none() => say("nothing may go; `neronet du` says what takes the space".into()),
        None => say(format!("{all} may go; nothing was touched: the same with --apply does it")),
        Some(_) if items.is_empty() => say("nothing went".into()),
        Some(_) => say(format!("{all} freed")),
    }
    if !(found.protected.is_empty() && found.needed.is_empty()) {
        let protected = (!found.protected.is_empty()).then(|| format!("{} with a tag or a note", runs(&found.protected)));
        let needed = (!found.needed.is_empty()).then(|| format!("{} that others go on from", runs(&found.needed)));
        let who = protected.into_iter().chain(needed).collect::<Vec<_>>().join(", ");
        say(format!("{} of checkpoints stay, of {who}", words::bytes(found.protected_size.disk)));
    }
    text
}

/// `run 3`, `2 runs (3, 5)`.
fn runs(all: &[RunId]) -> String {
    match all {
        [one] => format!("run {one}"),
        all => format!("{} ({})", count(all.len(), "run"), listed(all)),
    }
}

fn table(snapshot: &Snapshot, items: &[Item]) -> Table {
    let row = |group: &Group<'_>| {
        let experiment = group.run.and_then(|run| Some(snapshot.state.runs.get(&run)?.experiment.to_string()));
        let run = group.run.map(|run| run.to_string()).unwrap_or_default();
        let cells = [
            group.kind.name().to_string(),
            run,
            experiment.unwrap_or_default(),
            size::grouped(group.things as u64),
            words::bytes(group.size.disk),
            group.why.to_string(),
        ];
        cells.map(Cell::plain).to_vec()
    };
    let columns = vec![
        Column::left("kind").whole(),
        Column::right("run"),
        Column::left("experiment"),
        Column::right("count"),
        Column::right("size"),
        Column::left("why"),
    ];
    Table { columns, rows: groups(items).iter().take(ROWS).map(row).collect() }
}

fn as_json(found: &Found, done: Option<&Collected>) -> Value {
    let item = |item: &Item| {
        json!({
            "kind": item.kind.name().replace(' ', "_"), "run": item.run, "path": item.path, "why": item.why,
            "disk": item.size.disk, "bytes": item.size.apparent, "files": item.size.files,
        })
    };
    let items = done.map_or(&found.items, |done| &done.items);
    json!({
        "applied": done.is_some(),
        "items": items.iter().map(item).collect::<Vec<_>>(),
        "disk": total(items).disk,
        "protected": {"runs": found.protected, "needed": found.needed, "disk": found.protected_size.disk},
        "notes": found.notes,
        "failed": done.map(|done| &done.failed[..]).unwrap_or_default(),
    })
}
