//! Runs put together that have the same values of some parameters: over what else they differ in, such as the seed, a metric has a
//! mean and a spread.

use crate::mistake::Mistake;
use crate::order::{number_place, places, turned_place};
use crate::rows::Rows;
use crate::sort::Key;
use crate::spread::{Spread, interval};
use crate::table::{Cells, Column, MISSING, NEVER, Table};
use neronet_model::Value;
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// What its runs have of each name grouped by, in that order.
    pub key: Vec<Option<Value>>,
    /// Ascending.
    pub rows: Vec<usize>,
    /// Of each metric, in the order asked for; none where no run has a finite value.
    pub spreads: Vec<Option<Spread>>,
    values: Vec<Vec<f64>>,
    places: Vec<u64>,
}

/// What groups are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The value of one of the names grouped by.
    Key(usize),
    Count,
    Metric(usize, Statistic),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    Mean,
    Deviation,
    Min,
    Max,
    Median,
    /// The bounds of the interval of the mean.
    Low,
    High,
}

/// The groups of these rows by their values of `by`, in the order of these values. `text`: what the names were read from.
pub fn groups(table: &impl Table, rows: &Rows, by: &[Key], metrics: &[Key], text: &str) -> Result<Vec<Group>, Mistake> {
    let column = |key: &Key| {
        let wrong = |what: String, more: String| Mistake::new("group", text, key.at, what).with_more(more);
        table.column(&key.name).map_err(|unknown| wrong(unknown.what, unknown.more))
    };
    let columns: Vec<Column<'_>> = by.iter().map(column).collect::<Result<_, _>>()?;
    let metrics: Vec<Column<'_>> = metrics.iter().map(column).collect::<Result<_, _>>()?;
    let ordered: Vec<Vec<u64>> = columns.iter().map(|column| places(table.rows(), column, false)).collect();
    let codes: Vec<Vec<u32>> = columns.iter().map(|column| codes(table.rows(), column)).collect();
    let mut found: BTreeMap<Vec<u32>, Vec<usize>> = BTreeMap::new();
    let mut key = Vec::new();
    for row in rows.iter() {
        key.clear();
        key.extend(codes.iter().map(|codes| codes[row]));
        match found.get_mut(&key) {
            Some(rows) => rows.push(row),
            None => drop(found.insert(key.clone(), vec![row])),
        }
    }
    let group = |rows: Vec<usize>| {
        let first = rows.first().copied().unwrap_or_default();
        let values: Vec<Vec<f64>> = metrics.iter().map(|column| rows.iter().filter_map(|row| number(column, *row)).collect()).collect();
        Group {
            key: columns.iter().map(|column| value(column, first)).collect(),
            places: ordered.iter().map(|places| places[first]).collect(),
            spreads: values.iter().map(|values| Spread::of(values)).collect(),
            values,
            rows,
        }
    };
    let mut groups: Vec<Group> = found.into_values().map(group).collect();
    groups.sort_by(|a, b| a.places.cmp(&b.places).then(a.rows.cmp(&b.rows)));
    Ok(groups)
}

/// Sorts by this part; groups that have none come last whichever way round, and what is alike stays as it is.
pub fn sort_groups(groups: &mut [Group], part: Part, descending: bool) {
    groups.sort_by_cached_key(|group| match part {
        Part::Key(at) => turned_place(group.places.get(at).copied(), descending),
        Part::Count => number_place(Some(group.rows.len() as f64), descending),
        Part::Metric(metric, statistic) => number_place(group.statistic(metric, statistic), descending),
    });
}

impl Group {
    /// In which the mean of a metric lies with 95 % confidence; of less than two values none. It takes longer than all else, so it is
    /// asked for where it is shown.
    pub fn interval(&self, metric: usize) -> Option<(f64, f64)> {
        interval(self.values.get(metric)?)
    }

    pub fn statistic(&self, metric: usize, statistic: Statistic) -> Option<f64> {
        let spread = (*self.spreads.get(metric)?)?;
        match statistic {
            Statistic::Mean => Some(spread.mean),
            Statistic::Deviation => spread.deviation,
            Statistic::Min => Some(spread.min),
            Statistic::Max => Some(spread.max),
            Statistic::Median => Some(spread.median),
            Statistic::Low => self.interval(metric).map(|(low, _)| low),
            Statistic::High => self.interval(metric).map(|(_, high)| high),
        }
    }
}

/// For each row a code that is the same where the value is the same, however it was written.
fn codes(rows: usize, column: &Column<'_>) -> Vec<u32> {
    let mut known: BTreeMap<String, u32> = BTreeMap::new();
    let mut code_of = |identity: String| {
        let next = u32::try_from(known.len()).unwrap_or(MISSING);
        *known.entry(identity).or_insert(next)
    };
    let mut numbers: BTreeMap<u64, u32> = BTreeMap::new();
    let mut code_of_bits = |bits: u64| {
        let next = u32::try_from(numbers.len()).unwrap_or(MISSING);
        *numbers.entry(bits).or_insert(next)
    };
    let mut by_entry = |identities: Vec<Option<String>>, codes: &[u32]| {
        let own: Vec<u32> = identities.into_iter().map(|identity| identity.map_or(MISSING, &mut code_of)).collect();
        codes.iter().take(rows).map(|code| own.get(*code as usize).copied().unwrap_or(MISSING)).collect()
    };
    let mut found: Vec<u32> = match column.cells {
        Cells::Values { codes, entries } => by_entry(entries.iter().map(|entry| Some(entry.identity())).collect(), codes),
        Cells::Sets { codes, sets } => {
            let identity = |set: &Vec<Value>| (!set.is_empty()).then(|| set.iter().map(Value::identity).collect::<Vec<_>>().join(" "));
            by_entry(sets.iter().map(identity).collect(), codes)
        }
        Cells::Numbers { values, there, .. } => {
            let code = |(row, value): (usize, &f64)| if there.has(row) { code_of_bits((value + 0.0).to_bits()) } else { MISSING };
            values.iter().take(rows).enumerate().map(code).collect()
        }
        Cells::Times(at) => at.iter().take(rows).map(|at| if *at == NEVER { MISSING } else { code_of_bits(at.cast_unsigned()) }).collect(),
    };
    found.resize(rows, MISSING);
    found
}

fn value(column: &Column<'_>, row: usize) -> Option<Value> {
    match column.cells {
        Cells::Values { codes, entries } => entries.get(*codes.get(row)? as usize).cloned(),
        Cells::Sets { codes, sets } => {
            let set = sets.get(*codes.get(row)? as usize).filter(|set| !set.is_empty())?;
            Some(Value::Str(set.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")))
        }
        Cells::Numbers { values, there, unit } => values.get(row).filter(|_| there.has(row)).map(|number| unit.value(*number)),
        Cells::Times(at) => at.get(row).filter(|at| **at != NEVER).map(|at| Value::Int(*at)),
    }
}

/// The number that a row has: also of a parameter that is one.
fn number(column: &Column<'_>, row: usize) -> Option<f64> {
    match column.cells {
        Cells::Values { codes, entries } => entries.get(*codes.get(row)? as usize)?.number(),
        Cells::Numbers { values, there, .. } => values.get(row).copied().filter(|_| there.has(row)),
        Cells::Sets { .. } | Cells::Times(_) => None,
    }
}
