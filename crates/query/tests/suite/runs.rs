//! A table of runs for tests: written row by row, told by columns.

use jiff::tz::TimeZone;
use neronet_model::{UnixMs, Value};
use neronet_query::{Cells, Clock, Column, Filter, MISSING, Mistake, NEVER, Order, Page, Rows, TAGS, Table, Unit, Unknown, sort_keys};
use std::collections::BTreeMap;

/// 2026-11-22 14:00:00 in Helsinki, 12:00 in UTC: a Sunday.
pub(crate) const NOW: i64 = 1_795_348_800_000;
pub(crate) const HOUR: i64 = 3_600_000;

pub(crate) fn clock() -> Clock {
    Clock { now: UnixMs(NOW), zone: TimeZone::fixed(jiff::tz::offset(2)) }
}

/// What a run has of one name.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    Value(Value),
    Set(Vec<Value>),
    Number(f64),
    Seconds(f64),
    Time(i64),
}

pub(crate) type Run = BTreeMap<&'static str, Cell>;

enum Kept {
    Values(Vec<u32>, Vec<Value>),
    Sets(Vec<u32>, Vec<Vec<Value>>),
    Numbers(Vec<f64>, Rows, Unit),
    Times(Vec<i64>),
}

pub(crate) struct Runs {
    count: usize,
    columns: BTreeMap<&'static str, Kept>,
}

impl Runs {
    pub(crate) fn new(runs: &[Run]) -> Runs {
        let mut columns = BTreeMap::new();
        for (row, run) in runs.iter().enumerate() {
            for (name, cell) in run {
                let missing = || vec![MISSING; runs.len()];
                let numbers = |unit| Kept::Numbers(vec![0.0; runs.len()], Rows::none(runs.len()), unit);
                let column = columns.entry(*name).or_insert_with(|| match cell {
                    Cell::Value(_) => Kept::Values(missing(), Vec::new()),
                    Cell::Set(_) => Kept::Sets(missing(), Vec::new()),
                    Cell::Number(_) => numbers(Unit::Float),
                    Cell::Seconds(_) => numbers(Unit::Seconds),
                    Cell::Time(_) => Kept::Times(vec![NEVER; runs.len()]),
                });
                match (column, cell) {
                    (Kept::Values(codes, entries), Cell::Value(value)) => {
                        let same = |known: &Value| known.to_string() == value.to_string() && known == value;
                        codes[row] = entries.iter().position(same).unwrap_or(entries.len()) as u32;
                        if codes[row] as usize == entries.len() {
                            entries.push(value.clone());
                        }
                    }
                    (Kept::Sets(codes, sets), Cell::Set(set)) => {
                        codes[row] = sets.len() as u32;
                        sets.push(set.clone());
                    }
                    (Kept::Numbers(values, there, _), Cell::Number(number) | Cell::Seconds(number)) => {
                        values[row] = *number;
                        there.insert(row);
                    }
                    (Kept::Times(times), Cell::Time(at)) => times[row] = *at,
                    (_, cell) => panic!("{name} is of several kinds: {cell:?}"),
                }
            }
        }
        Runs { count: runs.len(), columns }
    }
}

impl Table for Runs {
    fn rows(&self) -> usize {
        self.count
    }

    fn column(&self, name: &str) -> Result<Column<'_>, Unknown> {
        let name = if name == TAGS { "tags" } else { name };
        let Some(kept) = self.columns.get(name) else {
            let more = format!("names: {}", self.columns.keys().copied().collect::<Vec<_>>().join(", "));
            return Err(Unknown { what: format!("nothing is called '{name}'"), more });
        };
        let only: &[&str] =
            if name == "state" { &["queued", "starting", "running", "ended", "finished", "failed", "stopped", "lost"] } else { &[] };
        let cells = match kept {
            Kept::Values(codes, entries) => Cells::Values { codes, entries },
            Kept::Sets(codes, sets) => Cells::Sets { codes, sets },
            Kept::Numbers(values, there, unit) => Cells::Numbers { values, there, unit: *unit },
            Kept::Times(at) => Cells::Times(at),
        };
        Ok(Column { cells, only })
    }
}

pub(crate) fn word(text: &str) -> Cell {
    Cell::Value(Value::as_word(text))
}

pub(crate) fn set(words: &[&str]) -> Cell {
    Cell::Set(words.iter().map(|word| Value::Str((*word).to_string())).collect())
}

pub(crate) fn run<const N: usize>(cells: [(&'static str, Cell); N]) -> Run {
    cells.into_iter().collect()
}

/// Five runs, 0 to 4.
pub(crate) fn five() -> Vec<Run> {
    let ago = |hours: i64| Cell::Time(NOW - hours * HOUR);
    vec![
        run([
            ("state", set(&["finished", "ended"])),
            ("tags", set(&["best", "keep"])),
            ("lr", word("0.1")),
            ("act", word("relu")),
            ("amp", word("True")),
            ("val_acc.max", Cell::Number(0.95)),
            ("loss", Cell::Number(0.2)),
            ("started", ago(1)),
            ("duration", Cell::Seconds(60.0)),
        ]),
        run([
            ("state", set(&["finished", "ended"])),
            ("tags", set(&[])),
            ("lr", word("1e-2")),
            ("act", word("none")),
            ("amp", word("false")),
            ("val_acc.max", Cell::Number(0.91)),
            ("loss", Cell::Number(f64::NAN)),
            ("started", ago(30)),
            ("duration", Cell::Seconds(7_200.0)),
        ]),
        run([
            ("state", set(&["failed", "ended"])),
            ("tags", set(&["it's \"odd\""])),
            ("lr", word("0.5")),
            ("val_acc.max", Cell::Number(0.3)),
            ("started", ago(60)),
        ]),
        run([
            ("state", set(&["running"])),
            ("tags", set(&["keep"])),
            ("lr", word("auto")),
            ("loss", Cell::Number(f64::INFINITY)),
            ("started", ago(24 * 30)),
        ]),
        run([("state", set(&["queued"])), ("tags", set(&[])), ("a b", word("x y"))]),
    ]
}

pub(crate) fn rows_of(runs: &[Run], filter: &str) -> Result<Vec<usize>, Mistake> {
    let rows = Filter::parse(filter)?.rows(&Runs::new(runs), &clock())?;
    Ok(rows.iter().collect())
}

pub(crate) fn ordered(runs: &[Run], keys: &str) -> Result<Vec<usize>, Mistake> {
    let order = Order::by(&Runs::new(runs), &sort_keys(keys)?, keys)?;
    Ok(order.page(&Rows::all(runs.len()), Page::default()).rows)
}
