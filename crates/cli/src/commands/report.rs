//! `neronet report`: one HTML page on several runs.

use crate::args::Report as Words;
use crate::commands::compare::{by_value, tables};
use crate::commands::ls::{state, state_unless_finished};
use crate::commands::page::{count, with_reason};
use crate::commands::plot::{Drawn, Ending, curve, ending, on_one_axis, write_file};
use crate::commands::read;
use crate::commands::show::label;
use crate::session::Session;
use neronet_home::compare::{Comparison, Row, compare};
use neronet_home::listing::{assignment, duration};
use neronet_home::objective::{Telling, telling};
use neronet_home::varying::varying;
use neronet_home::view::View;
use neronet_home::{HomeError, devices};
use neronet_model::settings::Goal;
use neronet_report::{Cell, Chart, Column, Part, Report, Section, Style, Table, words};
use std::collections::BTreeSet;
use std::process::ExitCode;

/// Runs whose facts are written out one by one.
const MOST_FACTS: usize = 100;

pub(crate) fn report(session: &Session, words: &Words) -> Result<ExitCode, HomeError> {
    if !matches!(ending(&words.output), Ok(Ending::Html)) {
        return Err(HomeError::Words(format!("-o {}: a report is a page, so the name must end in .html", words.output.display())));
    }
    let snapshot = read::snapshot(session)?;
    let views = snapshot.views_meant(&session.context, &words.which);
    let mut chosen = read::chosen(session, &snapshot, &views, &words.which, &words.reach)?;
    let told = telling(&chosen);
    if let Some(first) = told.first() {
        chosen.sort_by(|a, b| first.order(first.value(a), first.value(b)));
    }
    let comparison = compare(&session.context, &snapshot, &chosen)?;
    let mut sections = vec![runs(session, &chosen, &told), curves(session, &chosen, &told)?];
    sections.extend(by_device(session, &chosen, told.first()));
    sections.push(common(&comparison));
    sections.push(differences(&comparison));
    sections.extend(facts(session, &chosen));
    sections.retain(|section| !section.parts.is_empty());
    let experiments: BTreeSet<&str> = chosen.iter().map(|view| &*view.run().experiment).collect();
    let projects: BTreeSet<&str> = chosen.iter().map(|view| view.sweep.project.as_str()).collect();
    let names = |set: BTreeSet<&str>| set.into_iter().collect::<Vec<_>>().join(", ");
    let report = Report {
        title: format!("{}: {}", names(projects), names(experiments)),
        subtitle: format!("{}, written {}", count(chosen.len(), "run"), words::local_time(session.now())),
        sections,
    };
    write_file(&words.output, report.html().as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn runs(session: &Session, views: &[&View<'_>], told: &[Telling]) -> Section {
    let names = varying(views);
    let several = views.iter().map(|view| &view.run().experiment).collect::<BTreeSet<_>>().len() > 1;
    let why = views.iter().any(|view| view.reason().is_some());
    let mut columns = vec![Column::right("run")];
    columns.extend(several.then(|| Column::left("experiment")));
    columns.push(Column::left("state"));
    columns.extend(names.iter().map(Column::left));
    columns.extend(told.iter().map(|telling| Column::right(telling.title())));
    columns.push(Column::right("took"));
    columns.extend(why.then(|| Column::left("why")));
    let rows = views.iter().enumerate().map(|(at, view)| {
        let mut row = vec![Cell::plain(view.id.to_string())];
        row.extend(several.then(|| Cell::plain(&*view.run().experiment)));
        row.push(state(view));
        row.extend(names.iter().map(|name| Cell::plain(view.params().get(name).map(ToString::to_string).unwrap_or_default())));
        row.extend(told.iter().enumerate().map(|(nth, telling)| {
            let value = telling.value(view);
            let style = match value {
                Some(value) if !value.is_finite() => Style::Bad,
                Some(_) if at == 0 && nth == 0 && views.len() > 1 && telling.goal.is_some() => Style::Strong,
                _ => Style::Plain,
            };
            Cell::styled(value.map(words::number).unwrap_or_default(), style)
        }));
        row.push(Cell::plain(duration(view, session.now()).map(words::duration).unwrap_or_default()));
        row.extend(why.then(|| Cell::plain(view.reason().unwrap_or_default())));
        row
    });
    let table = Table { columns, rows: rows.collect() };
    let best = told.first().and_then(|first| Some((first, first.best(views)?)));
    let text = best.map(|(first, (view, value))| {
        let with = assignment(view, &names);
        let with = if with.is_empty() { String::new() } else { format!(" ({with})") };
        let how = match first.guessed {
            true => {
                let order = if first.goal == Some(Goal::Max) { "highest" } else { "lowest" };
                format!("last {}, {order} first: a guess from its name, since no objective was given", first.metric)
            }
            false => first.title(),
        };
        let state = state_unless_finished(view);
        Part::Text(format!("Best: run {}{state}{with} with {} {}. Sorted by {how}.", view.id, first.metric, words::number(value)))
    });
    Section { heading: "Runs".into(), parts: text.into_iter().chain([Part::Table(table)]).collect() }
}

fn curves(session: &Session, views: &[&View<'_>], told: &[Telling]) -> Result<Section, HomeError> {
    let names = varying(views);
    let mut parts = Vec::new();
    for telling in told {
        let mut curves = Vec::new();
        for view in views {
            let found = curve(session, view, &telling.metric, "step", view.run().attempts > 1)?;
            // What was said once, at the end, is in the table.
            if found.points.len() > 1 {
                curves.push((view.id, label(view, &names), found));
            }
        }
        if !curves.is_empty() {
            let Drawn { series, by_epoch, misplaced } = on_one_axis(curves);
            parts.push(Part::Chart(Chart {
                title: telling.metric.clone(),
                x_label: if by_epoch { "epoch".into() } else { "step".into() },
                y_label: telling.metric.clone(),
                series,
                ..Chart::default()
            }));
            parts.extend(misplaced.map(|misplaced| Part::Text(format!("In this chart {misplaced}: its axis is not theirs."))));
        }
    }
    Ok(Section { heading: "Curves".into(), parts })
}

/// When runs were made on different devices: how these compare.
fn by_device(session: &Session, views: &[&View<'_>], first: Option<&Telling>) -> Option<Section> {
    let devices = devices::compare(&session.context, views, first, session.now());
    if devices.len() < 2 {
        return None;
    }
    let seconds = |value: Option<f64>| value.map(|value| format!("{} s", words::number(value))).unwrap_or_default();
    let mut columns =
        vec![Column::left("device"), Column::right("runs"), Column::right("mean duration"), Column::right("mean time per step")];
    columns.extend(first.map(|first| Column::right(format!("best {}", first.metric))));
    let rows = devices.iter().map(|device| {
        let mut row = vec![Cell::plain(&device.name), Cell::plain(device.runs.len().to_string())];
        row.push(Cell::plain(device.duration.map(words::duration).unwrap_or_default()));
        row.push(Cell::plain(seconds(device.seconds_per_step)));
        row.extend(first.map(|_| Cell::plain(device.best.map(words::number).unwrap_or_default())));
        row
    });
    let table = Table { columns, rows: rows.collect() };
    let text = "Means over the runs that finished. Runs that differ in more than the device differ in their durations for that too.";
    Some(Section { heading: "Devices".into(), parts: vec![Part::Table(table), Part::Text(text.into())] })
}

fn common(comparison: &Comparison) -> Section {
    let same = |rows: &[Row]| -> Vec<(String, String)> {
        let same = rows.iter().filter(|row| !row.differs());
        same.filter_map(|row| Some((row.name.clone(), row.values.first()?.clone()?))).collect()
    };
    let mut facts = same(&comparison.params);
    facts.extend(same(&comparison.facts).into_iter().filter(|(name, _)| !matches!(name.as_str(), "state" | "attempts" | "reason")));
    if comparison.runs.len() == 1 || facts.is_empty() {
        return Section::default();
    }
    let same_code = comparison.code.iter().all(|change| change.same);
    facts.extend(same_code.then(|| ("code".into(), "the same".into())));
    facts.extend((!comparison.packages.is_empty()).then(|| ("packages".into(), format!("{} the same", same(&comparison.packages).len()))));
    Section { heading: "In common".into(), parts: vec![Part::Facts(facts)] }
}

fn differences(comparison: &Comparison) -> Section {
    let mut parts = Vec::new();
    for (title, rows) in tables(comparison) {
        // Parameters and outcomes are in the first table already.
        let rows: Vec<Row> = rows.iter().filter(|row| !matches!(row.name.as_str(), "state" | "reason")).cloned().collect();
        let table = by_value(comparison, &rows, false);
        if title != "Parameters" && !table.rows.is_empty() {
            parts.push(Part::Text(format!("{title}:")));
            parts.push(Part::Table(table));
        }
    }
    let changed = comparison.code.iter().filter(|change| !change.same);
    for change in changed.take(10) {
        let files: Vec<&str> = change.changes.iter().map(|file| file.path.as_str()).collect();
        let what = change.unknown.clone().unwrap_or_else(|| neronet_home::nearest::some_of(files, 20));
        parts.push(Part::Text(format!("Code from run {} to run {}: {what}", change.from, change.to)));
    }
    Section { heading: "Differences".into(), parts }
}

fn facts(session: &Session, views: &[&View<'_>]) -> Vec<Section> {
    views.iter().take(MOST_FACTS).map(|view| one(session, view)).collect()
}

fn one(session: &Session, view: &View<'_>) -> Section {
    let git = view.sweep.code.git.as_ref();
    let devices = devices::of(&session.context, view);
    let mut facts: Vec<(String, String)> = view.params().iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let mut add = |name: &str, value: String| facts.extend((!value.is_empty()).then(|| (name.to_string(), value)));
    add("state", with_reason(&view.status(), view.reason()));
    add("started", view.started().map(words::local_time).unwrap_or_default());
    add("took", duration(view, session.now()).map(words::duration).unwrap_or_default());
    add("attempts", view.run().attempts.to_string());
    add("host", view.sweep.host.clone());
    add("device", devices.unwrap_or_default());
    add("commit", git.map(|git| neronet_home::compare::commit(&git.commit, git.dirty)).unwrap_or_default());
    add("tags", view.run().tags.iter().cloned().collect::<Vec<_>>().join(", "));
    add("note", view.run().note.clone().unwrap_or_default());
    for (name, extent) in view.metrics().iter().filter(|(name, _)| !name.starts_with("sys/")).take(50) {
        let [last, min, max] = [extent.last, extent.min, extent.max].map(words::number);
        add(name, if extent.points > 1 { format!("{last} ({min} to {max})") } else { last });
    }
    Section { heading: format!("Run {}", view.id), parts: vec![Part::Facts(facts)] }
}
