//! `neronet compare`: how runs differ.

use crate::args::Compare;
use crate::commands::page::Page;
use crate::commands::read;
use crate::commands::rm::listed;
use crate::output;
use crate::session::Session;
use neronet_capture::code::ChangeKind;
use neronet_home::HomeError;
use neronet_home::compare::{CodeChange, Comparison, Row, compare as compared, metric_differs};
use neronet_home::objective::Telling;
use neronet_model::RunId;
use neronet_model::event::Extent;
use neronet_report::{Cell, Column, Style, Table, words};
use std::process::ExitCode;

/// More runs than this are not shown side by side.
const COLUMNS: usize = 6;
/// Lines of a file's diff that are shown.
const LINES: usize = 200;

pub(crate) fn compare(session: &Session, words: &Compare) -> Result<ExitCode, HomeError> {
    let snapshot = read::snapshot(session)?;
    let views = snapshot.views_meant(&session.context, &words.which);
    let chosen = read::chosen(session, &snapshot, &views, &words.which, &words.reach)?;
    if let [only] = chosen[..] {
        return Err(HomeError::Words(format!("'{}' is run {} alone; compare takes two runs or more", words.which.join(" "), only.id)));
    }
    let comparison = compared(&session.context, &snapshot, &chosen)?;
    if words.json {
        output::json(&comparison.json(words.same));
        return Ok(ExitCode::SUCCESS);
    }
    let mut page = Page::new(session);
    for (title, rows) in tables(&comparison) {
        rows_of(&mut page, &comparison, title, rows, words.same);
    }
    metrics(&mut page, &comparison, words.same);
    code(&mut page, &comparison.code);
    output::print(&page.text);
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn tables(comparison: &Comparison) -> [(&'static str, &[Row]); 4] {
    [
        ("Parameters", &comparison.params),
        ("Configuration", &comparison.config),
        ("Packages", &comparison.packages),
        ("Run and machine", &comparison.facts),
    ]
}

/// A row for each value that a name has, with the runs that have it: for more runs than there is room for columns.
pub(crate) fn by_value(comparison: &Comparison, rows: &[Row], all: bool) -> Table {
    let mut table = Table { columns: ["name", "value", "runs"].map(Column::left).to_vec(), rows: Vec::new() };
    for row in rows.iter().filter(|row| all || row.differs()) {
        let mut values: Vec<(&Option<String>, Vec<RunId>)> = Vec::new();
        for (value, run) in row.values.iter().zip(&comparison.runs) {
            match values.iter_mut().find(|(known, _)| *known == value) {
                Some((_, runs)) => runs.push(*run),
                None => values.push((value, vec![*run])),
            }
        }
        for (at, (value, mut runs)) in values.into_iter().enumerate() {
            runs.sort_unstable();
            let name = if at == 0 { row.name.as_str() } else { "" };
            let value = value.as_ref().map_or(Cell::styled("-", Style::Faint), Cell::plain);
            table.rows.push(vec![Cell::plain(name), value, Cell::plain(listed(&runs))]);
        }
    }
    table
}

/// A row a name, a column a run.
fn table_of(comparison: &Comparison, rows: &[Row], all: bool) -> Table {
    let columns = comparison.runs.iter().map(|run| Column::left(format!("run {run}")));
    let rows = rows.iter().filter(|row| all || row.differs()).map(|row| {
        let style = if all && row.differs() { Style::Strong } else { Style::Plain };
        let values = row.values.iter().map(|value| match value {
            Some(value) => Cell::styled(value.clone(), style),
            None => Cell::styled("-", Style::Faint),
        });
        [Cell::plain(row.name.clone())].into_iter().chain(values).collect()
    });
    Table { columns: [Column::left("name")].into_iter().chain(columns).collect(), rows: rows.collect() }
}

fn rows_of(page: &mut Page<'_>, comparison: &Comparison, title: &str, rows: &[Row], all: bool) {
    let table = if comparison.runs.len() > COLUMNS { by_value(comparison, rows, all) } else { table_of(comparison, rows, all) };
    if rows.is_empty() {
        return;
    }
    page.heading(title);
    match table.rows.len() {
        0 => page.line(&format!("no difference ({} the same)", rows.len()), Style::Faint),
        _ => page.table(&table),
    }
}

fn metrics(page: &mut Page<'_>, comparison: &Comparison, all: bool) {
    let shown: Vec<_> = comparison.metrics.iter().filter(|(_, extents)| all || metric_differs(extents)).collect();
    if comparison.metrics.is_empty() {
        return;
    }
    let several = comparison.runs.len() > COLUMNS;
    let ranges = values_of(
        comparison,
        &rows_of_metrics(comparison, &shown, |extent| {
            let [last, min, max] = [extent.last, extent.min, extent.max].map(words::number);
            if extent.points > 1 { format!("{last} ({min} to {max})") } else { last }
        }),
    );
    let lasts = || rows_of_metrics(comparison, &shown, |extent| words::number(extent.last));
    // Half a number would be another one.
    let with_ranges = !several && page.has_room_for(&ranges);
    page.heading(if with_ranges { "Metrics: last (lowest to highest)" } else { "Metrics: last" });
    if shown.is_empty() {
        return page.line(&format!("no difference ({} the same)", comparison.metrics.len()), Style::Faint);
    }
    match (with_ranges, several) {
        (true, _) => page.table(&ranges),
        (_, true) => page.table(&last_values(comparison, lasts())),
        _ => page.table(&values_of(comparison, &lasts())),
    }
}

/// A metric, or the best of one, with what each run has of it.
type OfRuns = (String, Vec<Cell>);

/// Behind a metric that is an objective stands its best, that of the best run marked.
fn rows_of_metrics(comparison: &Comparison, shown: &[&(String, Vec<Option<Extent>>)], text: impl Fn(&Extent) -> String) -> Vec<OfRuns> {
    let none = || Cell::styled("-", Style::Faint);
    let mut rows = Vec::new();
    for (name, extents) in shown {
        rows.push((
            name.clone(),
            extents.iter().map(|extent| extent.as_ref().map_or_else(none, |extent| Cell::plain(text(extent)))).collect(),
        ));
        let Some(goal) = comparison.goals.get(name) else { continue };
        let telling = Telling { metric: name.clone(), goal: Some(*goal), guessed: false };
        let best: Vec<Option<f64>> = extents.iter().map(|extent| extent.as_ref().map(|extent| telling.value_of(extent))).collect();
        let of_all = best.iter().copied().min_by(|a, b| telling.order(*a, *b)).flatten();
        let cell = |value: &Option<f64>| match value {
            Some(number) if *value == of_all => Cell::styled(format!("{} *", words::number(*number)), Style::Strong),
            Some(number) => Cell::plain(words::number(*number)),
            None => none(),
        };
        rows.push((format!("{name}@best"), best.iter().map(cell).collect()));
    }
    rows
}

/// A row a metric, a column a run.
fn values_of(comparison: &Comparison, metrics: &[OfRuns]) -> Table {
    let rows = metrics.iter().map(|(name, cells)| [Cell::plain(name)].into_iter().chain(cells.iter().cloned()).collect());
    let columns = comparison.runs.iter().map(|run| Column::left(format!("run {run}")).whole());
    Table { columns: [Column::left("name")].into_iter().chain(columns).collect(), rows: rows.collect() }
}

/// A row a run, a column a metric.
fn last_values(comparison: &Comparison, metrics: Vec<OfRuns>) -> Table {
    let columns = metrics.iter().map(|(name, _)| Column::right(name));
    let columns = [Column::right("run")].into_iter().chain(columns).collect();
    let mut rows: Vec<Vec<Cell>> = comparison.runs.iter().map(|run| vec![Cell::plain(run.to_string())]).collect();
    for (_, cells) in metrics {
        rows.iter_mut().zip(cells).for_each(|(row, cell)| row.push(cell));
    }
    Table { columns, rows }
}

fn code(page: &mut Page<'_>, changes: &[CodeChange]) {
    page.heading("Code");
    if changes.iter().all(|change| change.same) {
        return page.line("the same code", Style::Faint);
    }
    // Runs of one sweep share their code: one diff for all that differ alike.
    let mut done: Vec<(&CodeChange, Vec<String>)> = Vec::new();
    for change in changes {
        let same = |known: &CodeChange| known.same == change.same && known.changes == change.changes && known.unknown == change.unknown;
        match done.iter_mut().find(|(known, _)| same(known)) {
            Some((_, runs)) => runs.push(change.to.to_string()),
            None => done.push((change, vec![change.to.to_string()])),
        }
    }
    for (change, runs) in done {
        let to = format!("run {} to {}", change.from, runs.join(", "));
        match (&change.unknown, change.same) {
            (Some(why), _) => page.line(&format!("{to}: not compared, {why}"), Style::Plain),
            (None, true) => page.line(&format!("{to}: the same code"), Style::Plain),
            (None, false) => changed(page, &to, change),
        }
    }
}

fn changed(page: &mut Page<'_>, to: &str, change: &CodeChange) {
    page.line(&format!("from {to}:"), Style::Plain);
    for file in &change.changes {
        let kind = match file.kind {
            ChangeKind::Added => "added",
            ChangeKind::Removed => "removed",
            ChangeKind::Changed => "changed",
        };
        page.line(&format!("{kind} {}", file.path), Style::Strong);
        let Some(diff) = &file.diff else {
            page.line("(no text that can be compared)", Style::Faint);
            continue;
        };
        let lines: Vec<&str> = diff.lines().collect();
        for line in &lines[..lines.len().min(LINES)] {
            page.diff_line(line);
        }
        if lines.len() > LINES {
            page.line(&format!("… {} more lines (--json has all)", lines.len() - LINES), Style::Faint);
        }
    }
}
