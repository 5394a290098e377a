//! The points that `export --points` wrote as Parquet, or that another program made of such a table.

use super::lines::{COLUMNS, Line, Told};
use crate::error::HomeError;
use neronet_model::{Uid, UnixMs};
use neronet_parquet::{Cell, Reader, Unreadable};
use neronet_store::StoreError;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

type Table = Reader<BufReader<File>>;

/// Whether a file is Parquet, and the table in it one of points.
pub(super) fn is_one(place: &Path) -> bool {
    open(place).is_ok_and(|table| wanted(&table).is_some())
}

/// Gives every point of a file.
pub(super) fn each(place: &Path, each: &mut dyn FnMut(Line) -> Result<(), HomeError>) -> Result<(), HomeError> {
    let failed = |error: Unreadable| match error {
        Unreadable::Io(error) => StoreError::io("read", place)(error).into(),
        other => HomeError::Failed(format!("{}: {other}; nothing of it was imported", place.display())),
    };
    let mut table = open(place).map_err(failed)?;
    let wanted = wanted(&table).unwrap_or_default();
    let mut number = 0_u64;
    while let Some(cells) = table.row(&wanted).map_err(failed)? {
        number += 1;
        let found = line(&cells).ok_or_else(|| {
            let what = "this is no point that export wrote; nothing of the file was imported";
            HomeError::Failed(format!("{}, row {number}: {what}", place.display()))
        })?;
        each(found)?;
    }
    Ok(())
}

fn open(place: &Path) -> Result<Table, Unreadable> {
    Reader::open(BufReader::new(File::open(place)?))
}

/// Where the columns of a point are.
fn wanted(table: &Table) -> Option<Vec<usize>> {
    COLUMNS.iter().map(|name| table.columns().iter().position(|column| column.name == *name)).collect()
}

fn line(cells: &[Cell<'_>]) -> Option<Line> {
    let [run, uid, experiment, attempt, metric, step, by, time, value, superseded] = cells else { return None };
    let told = Told {
        run: int(*run)?,
        uid: Uid::parse(text(*uid)?)?,
        experiment: text(*experiment)?.to_string(),
        attempt: int(*attempt)?,
        metric: text(*metric)?.to_string(),
        step: number(*step).filter(|step| step.is_finite())?,
        by: text(*by)?.to_string(),
        time: String::new(),
        // A NaN is no value to some programs.
        value: if *value == Cell::Blank { f64::NAN } else { number(*value)? },
        superseded: if let Cell::Bool(truth) = *superseded { truth } else { return None },
    };
    match *time {
        // Of the years that a time can be written in.
        Cell::Int(at) => told.at(UnixMs(jiff::Timestamp::from_millisecond(at).ok()?.as_millisecond())),
        Cell::Text(text) => Told { time: text.to_string(), ..told }.line(),
        _ => None,
    }
}

fn int(cell: Cell<'_>) -> Option<u64> {
    if let Cell::Int(int) = cell { u64::try_from(int).ok() } else { None }
}

fn number(cell: Cell<'_>) -> Option<f64> {
    match cell {
        Cell::Double(number) => Some(number),
        Cell::Int(int) => Some(int as f64),
        _ => None,
    }
}

fn text(cell: Cell<'_>) -> Option<&str> {
    if let Cell::Text(text) = cell { Some(text) } else { None }
}
