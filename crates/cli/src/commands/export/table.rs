//! One row a run.

use super::{Format, Out, To, runs};
use crate::args::Export;
use crate::session::Session;
use neronet_home::HomeError;
use neronet_home::export::{Exported, table};
use neronet_home::view::View;
use neronet_model::Value;
use neronet_parquet::{Cell, Column, Kind};
use std::collections::BTreeMap;
use std::io::{self, Write};

pub(super) fn write(session: &Session, views: &[&View<'_>], words: &Export, format: Format, to: &To) -> Result<String, HomeError> {
    let table = table(views, &words.fields, session.now())?;
    let mut out = Out::open(to)?;
    let written = match format {
        Format::Xlsx => {
            let bytes = neronet_sheet::write_xlsx(&to.name, &table.columns, table.rows.into_iter());
            out.write_all(&bytes.map_err(|mistake| HomeError::Failed(mistake.to_string()))?)
        }
        Format::Json => list(&table, &mut out),
        Format::Jsonl => lines(&table, &mut out),
        Format::Parquet => columns(&table, &mut out),
        Format::Csv | Format::Tensorboard | Format::Neronet => {
            out.write_all(&neronet_sheet::write_csv(&table.columns, table.rows.into_iter()))
        }
    };
    written.map_err(|e| HomeError::unwritable(&to.name, &e))?;
    out.finish()?;
    Ok(runs(views))
}

/// Each row as an object, what is blank left out.
fn objects(table: &Exported) -> impl Iterator<Item = String> {
    table.rows.iter().map(|row| {
        let filled = table.columns.iter().zip(row).filter_map(|(name, value)| Some((name, value.as_ref()?)));
        // In the order of the columns, and numbers as they were written.
        let pairs = filled.map(|(name, value)| {
            let text = |value: Result<String, serde_json::Error>| value.unwrap_or_else(|_| "null".into());
            format!("{}:{}", text(serde_json::to_string(name)), text(serde_json::to_string(value)))
        });
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
    })
}

fn list(table: &Exported, out: &mut Out) -> io::Result<()> {
    out.write_all(b"[")?;
    for (at, object) in objects(table).enumerate() {
        write!(out, "{}\n{object}", if at > 0 { "," } else { "" })?;
    }
    out.write_all(b"\n]\n")
}

fn lines(table: &Exported, out: &mut Out) -> io::Result<()> {
    objects(table).try_for_each(|object| writeln!(out, "{object}"))
}

fn columns(table: &Exported, out: &mut Out) -> io::Result<()> {
    let kinds: Vec<Kind> = (0..table.columns.len()).map(|at| kind(table.rows.iter().filter_map(|row| row.get(at)?.as_ref()))).collect();
    let named = table.columns.iter().zip(&kinds).map(|(name, kind)| Column { name: name.clone(), kind: *kind });
    let mut writer = neronet_parquet::Writer::new(out, named.collect())?;
    for row in &table.rows {
        let texts: BTreeMap<usize, String> =
            row.iter().enumerate().filter_map(|(at, value)| Some((at, value.as_ref()?.to_string()))).collect();
        let cells = row.iter().zip(&kinds).enumerate().map(|(at, (value, kind))| match (value, kind) {
            (None, _) => Cell::Blank,
            (Some(Value::Bool(truth)), Kind::Bool) => Cell::Bool(*truth),
            (Some(value), Kind::Int) => value.int().map_or(Cell::Blank, Cell::Int),
            (Some(value), Kind::Double) => value.number().map_or(Cell::Blank, Cell::Double),
            _ => texts.get(&at).map_or(Cell::Blank, |text| Cell::Text(text)),
        });
        writer.row(cells)?;
    }
    writer.finish().map(drop)
}

/// What all values of a column are.
fn kind<'v>(values: impl Iterator<Item = &'v Value>) -> Kind {
    let one = |value: &Value| match value {
        Value::Bool(_) => Kind::Bool,
        Value::Int(_) => Kind::Int,
        Value::Float(_) => Kind::Double,
        Value::Str(_) | Value::Word(_) | Value::List(_) => Kind::Text,
    };
    let both = |a: Kind, b: Kind| match (a, b) {
        (a, b) if a == b => a,
        (Kind::Int, Kind::Double) | (Kind::Double, Kind::Int) => Kind::Double,
        _ => Kind::Text,
    };
    values.map(one).reduce(both).unwrap_or(Kind::Text)
}
