//! One row a point, a stream: never all of them are in memory.

use super::{Format, Out, To};
use crate::commands::page::count;
use crate::commands::progress::Progress;
use crate::output;
use crate::session::Session;
use neronet_home::view::View;
use neronet_home::{HomeError, json, points};
use neronet_model::event::By;
use neronet_model::number;
use neronet_parquet::{Cell, Column, Kind, Writer};
use neronet_sheet::csv_cell;
use std::io::{self, Write};

/// The columns, and what they are in a file of columns.
const COLUMNS: [(&str, Kind); 10] = [
    ("run", Kind::Int),
    ("uid", Kind::Text),
    ("experiment", Kind::Text),
    ("attempt", Kind::Int),
    ("metric", Kind::Text),
    ("step", Kind::Double),
    ("by", Kind::Text),
    ("time", Kind::Time),
    ("value", Kind::Double),
    ("superseded", Kind::Bool),
];
/// Points between two looks at the clock.
const BETWEEN: u64 = 10_000;

pub(super) fn write(session: &Session, views: &[&View<'_>], format: Format, to: &To) -> Result<String, HomeError> {
    let mut table = Table::begin(format, Out::open(to)?).map_err(|e| HomeError::unwritable(&to.name, &e))?;
    let meter = Progress::new();
    let mut written = 0;
    for (done, view) in views.iter().enumerate() {
        table.run(view);
        let notices = points::each(&session.context, view, |told| {
            written += 1;
            if written % BETWEEN == 0 {
                meter.say(|| format!("exporting: {done} of {}, {}", count(views.len(), "run"), count(written as usize, "point")));
            }
            table.point(&told)
        })?;
        notices.iter().for_each(|notice| output::notice(notice));
    }
    drop(meter);
    table.finish().map_err(|e| HomeError::unwritable(&to.name, &e))?.finish()?;
    Ok(format!("{} of {}", count(written as usize, "point"), count(views.len(), "run")))
}

enum Table {
    Lines { out: Out, form: Format, first: bool, run: String, line: String },
    Columns { writer: Writer<Out>, run: i64, uid: String, experiment: String },
}

impl Table {
    fn begin(form: Format, mut out: Out) -> io::Result<Table> {
        match form {
            Format::Parquet => {
                let columns = COLUMNS.map(|(name, kind)| Column { name: name.into(), kind }).to_vec();
                let writer = Writer::new(out, columns)?;
                return Ok(Table::Columns { writer, run: 0, uid: String::new(), experiment: String::new() });
            }
            Format::Json => out.write_all(b"[")?,
            Format::Jsonl => {}
            Format::Csv | Format::Xlsx | Format::Tensorboard | Format::Neronet => {
                writeln!(out, "{}", COLUMNS.map(|(name, _)| name).join(","))?;
            }
        }
        Ok(Table::Lines { out, form, first: true, run: String::new(), line: String::new() })
    }

    /// The points that follow are of this run.
    fn run(&mut self, view: &View<'_>) {
        match self {
            Table::Lines { form: Format::Csv, run, .. } => {
                *run = format!("{},{},{}", view.id, view.run().uid, csv_cell(&view.run().experiment));
            }
            Table::Lines { run, .. } => {
                *run = format!("\"run\":{},\"uid\":\"{}\",\"experiment\":{}", view.id, view.run().uid, quoted(&view.run().experiment));
            }
            Table::Columns { run, uid, experiment, .. } => {
                *run = i64::try_from(view.id.0).unwrap_or(i64::MAX);
                (*uid, *experiment) = (view.run().uid.to_string(), view.run().experiment.to_string());
            }
        }
    }

    fn point(&mut self, told: &points::Told<'_>) -> io::Result<()> {
        let points::Told { attempt, metric, point, superseded } = *told;
        let by = match point.by {
            By::Step => "step",
            By::Epoch => "epoch",
            By::Count => "count",
        };
        match self {
            Table::Lines { out, form: Format::Csv, run, .. } => {
                let (metric, step, value) = (csv_cell(metric), plain(point.step), plain(point.value));
                writeln!(out, "{run},{attempt},{metric},{step},{by},{},{value},{superseded}", time(told))
            }
            Table::Lines { out, form, first, run, line } => {
                let number = |value| number::json(value).to_string();
                *line = format!(
                    "{{{run},\"attempt\":{attempt},\"metric\":{},\"step\":{},\"by\":\"{by}\",\"time\":\"{}\",\"value\":{},\"superseded\":{superseded}}}",
                    quoted(metric),
                    number(point.step),
                    time(told),
                    number(point.value),
                );
                match (form, std::mem::take(first)) {
                    (Format::Json, true) => write!(out, "\n{line}"),
                    (Format::Json, false) => write!(out, ",\n{line}"),
                    _ => writeln!(out, "{line}"),
                }
            }
            Table::Columns { writer, run, uid, experiment } => writer.row([
                Cell::Int(*run),
                Cell::Text(uid),
                Cell::Text(experiment),
                Cell::Int(i64::try_from(attempt.0).unwrap_or(i64::MAX)),
                Cell::Text(metric),
                Cell::Double(point.step),
                Cell::Text(by),
                Cell::Int(point.at.0),
                Cell::Double(point.value),
                Cell::Bool(superseded),
            ]),
        }
    }

    fn finish(self) -> io::Result<Out> {
        match self {
            Table::Lines { mut out, form: Format::Json, .. } => {
                out.write_all(b"\n]\n")?;
                Ok(out)
            }
            Table::Lines { out, .. } => Ok(out),
            Table::Columns { writer, .. } => writer.finish(),
        }
    }
}

fn time(told: &points::Told<'_>) -> String {
    json::time(Some(told.point.at)).as_str().unwrap_or_default().to_string()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A number as it reads back, without a point where it is whole.
fn plain(value: f64) -> String {
    number::word(value).map_or_else(|| value.to_string(), str::to_string)
}
