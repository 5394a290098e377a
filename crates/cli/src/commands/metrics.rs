//! `neronet metrics`: which there are, or the points of one.

use crate::args::Metrics;
use crate::commands::show::metrics_table;
use crate::commands::{read, stream};
use crate::output;
use crate::session::Session;
use jiff::tz::TimeZone;
use neronet_home::view::View;
use neronet_home::{HomeError, json, nearest};
use neronet_model::event::By;
use neronet_model::number;
use neronet_report::words;
use neronet_store::series::{self, Point, Window};
use serde_json::{Value, json};
use std::fmt::Write;
use std::process::ExitCode;

pub(crate) fn metrics(session: &Session, words: &Metrics) -> Result<ExitCode, HomeError> {
    let snapshot = read::snapshot(session)?;
    let views = snapshot.views_meant(&session.context, std::slice::from_ref(&words.run));
    let view = read::one(session, &snapshot, &views, &words.run, &words.reach)?;
    match &words.name {
        None => list(session, view, words.json),
        Some(name) if let Some(most) = words.buckets => buckets(session, view, name, most, words.json)?,
        Some(name) => points(session, view, name, words)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(session: &Session, view: &View<'_>, as_json: bool) {
    if as_json {
        output::json(&view.metrics().iter().map(|(name, extent)| (name.clone(), json::extent(extent))).collect());
    } else if view.metrics().is_empty() {
        output::notice(&none(view));
    } else {
        output::print(&metrics_table(view).terminal(session.terminal.then_some(session.width), session.color));
    }
}

fn points(session: &Session, view: &View<'_>, name: &str, words: &Metrics) -> Result<(), HomeError> {
    let context = &session.context;
    let (mut all, damage) = series::with_damage(&context.home.run(view.id), context.stored_series(view.run()).as_deref(), Some(name))?;
    damage.notice(&format!("the metrics of run {}", view.id)).iter().for_each(|notice| output::notice(notice));
    let Some(series) = all.remove(name) else { return Err(unknown(&[view], name)) };
    let mut points: Vec<(&Point, bool)> = series.points.iter().map(|point| (point, false)).collect();
    if words.superseded {
        points.extend(series.superseded.iter().map(|point| (point, true)));
        points.sort_by_key(|(point, _)| point.at);
    }
    if words.json {
        let points: Vec<Value> =
            points.iter().map(|(point, _)| json!([number::json(point.step), point.at.seconds(), number::json(point.value)])).collect();
        // A point a line: a million of them are read by programs, and by people only in part.
        let lines: Vec<String> = points.iter().map(ToString::to_string).collect();
        output::print_line(&format!("[{}]", lines.join(",\n ")));
        return Ok(());
    }
    if points.is_empty() {
        output::notice(&format!("run {} has told no {name} since it began anew; --superseded shows the points before", view.id));
    }
    let zone = TimeZone::system();
    let kind = |by: By| points.iter().all(|(point, _)| point.by == by);
    let title = match (kind(By::Epoch), kind(By::Count)) {
        (true, false) => "epoch",
        (false, true) => "count",
        _ => "step",
    };
    let first = points.iter().map(|(point, _)| shortest(point.step).len()).chain([title.len()]).max().unwrap_or(0);
    let mut text = String::new();
    if !points.is_empty() {
        writeln!(text, "{title:>first$}  {:23}  {}", "time", stream::safe(name, false)).ok();
    }
    for (point, superseded) in points {
        let stamp = jiff::Timestamp::from_millisecond(point.at.0).unwrap_or_default().to_zoned(zone.clone());
        let mark = if superseded { "  superseded" } else { "" };
        writeln!(text, "{:>first$}  {}  {}{mark}", shortest(point.step), stamp.strftime("%Y-%m-%d %H:%M:%S%.3f"), shortest(point.value))
            .ok();
    }
    output::print(&text);
    Ok(())
}

/// Stretches of neighbouring points, as charts draw them.
fn buckets(session: &Session, view: &View<'_>, name: &str, most: u32, as_json: bool) -> Result<(), HomeError> {
    let context = &session.context;
    let drawn = series::draw(&context.home.run(view.id), context.stored_series(view.run()).as_deref(), name, Window::ALL, most as usize)?;
    let Some(drawn) = drawn else { return Err(unknown(&[view], name)) };
    if as_json {
        let lines: Vec<String> = drawn.iter().map(|bucket| json::bucket(bucket).to_string()).collect();
        output::print_line(&format!("[{}]", lines.join(",\n ")));
        return Ok(());
    }
    let columns = ["from", "to", "points", "first", "last", "min", "max", "mean"];
    let mut rows = vec![columns.map(str::to_string)];
    rows.extend(drawn.iter().map(|bucket| {
        let ([from, to], points) = (bucket.x.map(shortest), bucket.points().to_string());
        let [first, last, min, max, mean] = [bucket.first, bucket.last, bucket.min, bucket.max, bucket.mean()].map(words::number);
        [from, to, points, first, last, min, max, mean]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        writeln!(text, "{}", cells.join("  ")).ok();
    }
    output::print(&text);
    Ok(())
}

/// Every digit that the number has.
fn shortest(value: f64) -> String {
    number::word(value).map_or_else(|| value.to_string(), str::to_string)
}

fn none(view: &View<'_>) -> String {
    format!(
        "run {0} has no metrics{1}; `neronet logs {0} | neronet check --learn -` shows what can be read from its output",
        view.id,
        if view.outcome().is_none() { " yet" } else { "" }
    )
}

/// That none of these runs has this metric, and what there is instead.
pub(crate) fn unknown(views: &[&View<'_>], name: &str) -> HomeError {
    let mut names: Vec<&str> = views.iter().flat_map(|view| view.metrics().keys().map(String::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    let (who, has) = match views {
        [view] => (format!("run {}", view.id), "has"),
        _ => ("these runs".to_string(), "have"),
    };
    match (names.is_empty(), views) {
        (true, [view, ..]) => HomeError::Failed(none(view)),
        _ => {
            let guess = nearest::did_you_mean(name, names.iter().copied());
            let shown = words::one_line(&nearest::some_of(names, 20), 1000);
            HomeError::Words(format!("{who} {has} no metric '{}'{guess}; there is: {shown}", words::one_line(name, 60)))
        }
    }
}
