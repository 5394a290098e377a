//! What a table of runs has to tell: its columns by name, each as slices with a place for every row.

use crate::rows::Rows;
use neronet_model::Value;

/// The code of a row that has no value.
pub const MISSING: u32 = u32::MAX;
/// The time of what did not happen.
pub const NEVER: i64 = i64::MIN;
/// The name of the tags, whatever parameter is called `tags` too.
pub const TAGS: &str = "@";

pub trait Table {
    fn rows(&self) -> usize;

    /// The column that a name stands for, asked once for each place where a query has the name.
    fn column(&self, name: &str) -> Result<Column<'_>, Unknown>;
}

/// That there is no such column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    pub what: String,
    /// Which names there are.
    pub more: String,
}

#[derive(Debug, Clone, Copy)]
pub struct Column<'t> {
    pub cells: Cells<'t>,
    /// The only words that it may be compared with by == and !=; none where any are good.
    pub only: &'t [&'t str],
}

/// A place for every row; rows behind the end of a slice have no value.
#[derive(Debug, Clone, Copy)]
pub enum Cells<'t> {
    /// One value: its place in `entries`, or `MISSING`.
    Values {
        codes: &'t [u32],
        entries: &'t [Value],
    },
    /// Any number of values, any of which may be meant; none is as good as missing.
    Sets {
        codes: &'t [u32],
        sets: &'t [Vec<Value>],
    },
    Numbers {
        values: &'t [f64],
        there: &'t Rows,
        unit: Unit,
    },
    /// Milliseconds since the Unix epoch, or `NEVER`.
    Times(&'t [i64]),
}

/// How numbers are written and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `42`
    Whole,
    /// `42.0`
    Float,
    /// A duration: seconds, or `10min`.
    Seconds,
}

impl<'t> From<Cells<'t>> for Column<'t> {
    fn from(cells: Cells<'t>) -> Column<'t> {
        Column { cells, only: &[] }
    }
}

impl Cells<'_> {
    /// The rows that have a value.
    pub(crate) fn there(&self, rows: usize) -> Rows {
        match self {
            Cells::Values { codes, entries } => Rows::of(rows, codes, |code| (*code as usize) < entries.len()),
            Cells::Sets { codes, sets } => Rows::of(rows, codes, |code| sets.get(*code as usize).is_some_and(|set| !set.is_empty())),
            Cells::Numbers { values, there, .. } => {
                let mut rows = Rows::of(rows, values, |_| true);
                rows.and(there);
                rows
            }
            Cells::Times(at) => Rows::of(rows, at, |at| *at != NEVER),
        }
    }
}

impl Unit {
    /// As listings and `--json` write it.
    pub fn value(self, number: f64) -> Value {
        const EXACT: f64 = 9e15;
        match self {
            Unit::Whole if number.fract() == 0.0 && number.abs() < EXACT => Value::Int(number as i64),
            _ => Value::from_f64(number),
        }
    }
}
