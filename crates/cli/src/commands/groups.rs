//! `neronet ls --group-by`: a row for each group of runs, with mean, spread and interval of its metrics.

use crate::args::Ls;
use crate::commands::listing::Listing;
use crate::commands::ls::{asked_for, best_first, nothing};
use crate::commands::page::count;
use crate::commands::read;
use crate::session::Session;
use neronet_home::HomeError;
use neronet_home::grouped::{Grouped, OneGroup, grouped};
use neronet_home::listing::Part;
use neronet_home::view::Snapshot;
use neronet_model::Value;
use neronet_model::size::grouped as in_groups;
use neronet_report::{Align, Cell, Column, Style, Table, words};

/// Columns of a value that is grouped by.
const LONG: usize = 48;
/// Groups that are shown where nothing else is asked for.
const SHOWN: usize = 1_000;

pub(crate) fn found(session: &Session, snapshot: &Snapshot, asked: &Ls, by: &str) -> Result<Grouped, HomeError> {
    of(session, snapshot, asked, by, asked.limit)
}

fn of(session: &Session, snapshot: &Snapshot, asked: &Ls, by: &str, limit: Option<usize>) -> Result<Grouped, HomeError> {
    let all = snapshot.views(&session.context);
    let views = asked_for(session, snapshot, &all, asked)?;
    let best = match &asked.metric[..] {
        _ if asked.top.is_none() || asked.sort.is_some() || views.is_empty() => None,
        [] => Some(best_first(&views)?),
        [metric, ..] => Some(format!("\"{metric}\"")),
    };
    let part = Part { limit: asked.top.or(limit), offset: asked.offset, after: None };
    grouped(&views, by, &asked.metric, asked.sort.as_deref().or(best.as_deref()), part, session.now())
}

pub(crate) fn listing(session: &Session, snapshot: &Snapshot, asked: &Ls, by: &str, notices: Vec<String>) -> Result<Listing, HomeError> {
    let found = of(session, snapshot, asked, by, Some(asked.limit.unwrap_or(SHOWN)))?;
    if found.total == 0 {
        let project = read::project(session, &asked.reach);
        let nothing = nothing(session, snapshot, asked, project.as_deref());
        return Ok(Listing::nothing(notices.into_iter().chain(nothing).collect()));
    }
    let mut below = Vec::new();
    if !found.metrics.is_empty() {
        let over = if found.over.is_empty() { String::new() } else { format!("over {}: ", found.over.join(", ")) };
        below.push(format!("{over}mean ± standard deviation [95 % interval of the mean, by bootstrap]"));
    }
    if found.groups.len() < found.total {
        below.push(format!("{} of {} shown (--limit)", in_groups(found.groups.len() as u64), count(found.total, "group")));
    }
    Ok(Listing { notices, table: Some(table(&found)), below })
}

fn table(found: &Grouped) -> Table {
    let key = |at: usize| found.groups.iter().map(move |group| group.found.key.get(at).and_then(Option::as_ref));
    let align = |at: usize| if key(at).flatten().all(|value| value.number().is_some()) { Align::Right } else { Align::Left };
    let mut columns: Vec<Column> = found.by.iter().enumerate().map(|(at, name)| Column::aligned(name, align(at))).collect();
    columns.push(Column::right("runs"));
    // Metrics beyond the first go first where there is no room.
    columns.extend(found.metrics.iter().enumerate().map(|(at, metric)| Column::left(&metric.title).spare(u8::from(at > 0))));
    let row = |group: &OneGroup| {
        let mut row: Vec<Cell> = group.found.key.iter().map(|value| self::value(value.as_ref())).collect();
        row.push(Cell::plain(group.runs.len().to_string()));
        row.extend((0..found.metrics.len()).map(|at| spread(group, at)));
        row
    };
    Table { rows: found.groups.iter().map(row).collect(), columns }
}

fn value(value: Option<&Value>) -> Cell {
    value.map_or(Cell::styled("-", Style::Faint), |value| Cell::plain(words::one_line(&value.to_string(), LONG)))
}

/// `0.921 ± 0.012 [0.91, 0.93]`, and of how many runs where that is not all of them.
fn spread(group: &OneGroup, at: usize) -> Cell {
    let Some(spread) = group.found.spreads.get(at).copied().flatten() else { return Cell::styled("-", Style::Faint) };
    let deviation = spread.deviation.map(|deviation| format!(" ± {}", words::number(deviation))).unwrap_or_default();
    let interval = group.found.interval(at);
    let interval = interval.map(|(low, high)| format!(" [{}, {}]", words::number(low), words::number(high))).unwrap_or_default();
    let of = if spread.count < group.runs.len() { format!(" ({} of {})", spread.count, group.runs.len()) } else { String::new() };
    Cell::plain(format!("{}{deviation}{interval}{of}", words::number(spread.mean)))
}
