//! Rows in order, and the page of them that is asked for: chosen before it is sorted.

use crate::mistake::Mistake;
use crate::rows::Rows;
use crate::sort::Key;
use crate::table::{Cells, Column, NEVER, Table};
use crate::wanted::shown;
use neronet_model::Value;
use std::cmp::Ordering;

/// The order of all rows of a table. What is no number comes behind all numbers, what is missing behind that, whichever way round;
/// rows that are alike stay in the order of the table.
pub struct Order {
    /// For each key the place of every row, ascending.
    keys: Vec<Vec<u64>>,
}

const LAST: u64 = u64::MAX;
const NO_NUMBER: u64 = u64::MAX - 1;

/// Which part of the ordered rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Page {
    /// Only what comes behind this row, which need not be among those found.
    pub after: Option<usize>,
    pub offset: usize,
    pub limit: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged {
    /// Those on the page, in order.
    pub rows: Vec<usize>,
    /// How many there are on all pages.
    pub total: usize,
}

impl Order {
    /// `text`: what the keys were read from.
    pub fn by(table: &impl Table, keys: &[Key], text: &str) -> Result<Order, Mistake> {
        let key = |key: &Key| match table.column(&key.name) {
            Ok(column) => Ok(places(table.rows(), &column, key.descending)),
            Err(unknown) => Err(Mistake::new("sort", text, key.at, unknown.what).with_more(unknown.more)),
        };
        Ok(Order { keys: keys.iter().map(key).collect::<Result<_, _>>()? })
    }

    pub fn compare(&self, a: usize, b: usize) -> Ordering {
        let place = |key: &[u64], row: usize| key.get(row).copied().unwrap_or(LAST);
        let by_keys = self.keys.iter().map(|key| place(key, a).cmp(&place(key, b))).find(|order| order.is_ne());
        by_keys.unwrap_or(Ordering::Equal).then(a.cmp(&b))
    }

    pub fn page(&self, rows: &Rows, page: Page) -> Paged {
        let behind = |row: &usize| page.after.is_none_or(|after| self.compare(after, *row).is_lt());
        let mut found: Vec<usize> = rows.iter().filter(behind).collect();
        let wanted = page.limit.and_then(|limit| page.offset.checked_add(limit)).unwrap_or(usize::MAX);
        if wanted == 0 {
            found.clear();
        } else if wanted < found.len() {
            found.select_nth_unstable_by(wanted - 1, |a, b| self.compare(*a, *b));
            found.truncate(wanted);
        }
        found.sort_unstable_by(|a, b| self.compare(*a, *b));
        found.drain(..page.offset.min(found.len()));
        Paged { rows: found, total: rows.total() }
    }
}

/// For each row a number that is smaller where it comes sooner.
pub(crate) fn places(rows: usize, column: &Column<'_>, descending: bool) -> Vec<u64> {
    let mut places = match column.cells {
        Cells::Values { codes, entries } => {
            let ranks = ranks(&entries.iter().map(std::slice::from_ref).collect::<Vec<_>>(), descending);
            codes.iter().take(rows).map(|code| ranks.get(*code as usize).copied().unwrap_or(LAST)).collect()
        }
        Cells::Sets { codes, sets } => {
            let ranks = ranks(&sets.iter().map(Vec::as_slice).collect::<Vec<_>>(), descending);
            codes.iter().take(rows).map(|code| ranks.get(*code as usize).copied().unwrap_or(LAST)).collect()
        }
        Cells::Numbers { values, there, .. } => {
            let place = |(row, value): (usize, &f64)| number_place(Some(*value).filter(|_| there.has(row)), descending);
            values.iter().take(rows).enumerate().map(place).collect()
        }
        Cells::Times(at) => {
            let place = |at: &i64| if *at == NEVER { LAST } else { turned(at.cast_unsigned() ^ 1 << 63, descending) };
            at.iter().take(rows).map(place).collect::<Vec<u64>>()
        }
    };
    places.resize(rows, LAST);
    places
}

/// The place of a number among others.
pub(crate) fn number_place(number: Option<f64>, descending: bool) -> u64 {
    match number {
        None => LAST,
        Some(number) if number.is_nan() => NO_NUMBER,
        Some(number) => turned(by_size(number), descending),
    }
}

/// The place of what has this one among others that ascend.
pub(crate) fn turned_place(place: Option<u64>, descending: bool) -> u64 {
    place.map_or(LAST, |place| if place < NO_NUMBER { turned(place, descending) } else { place })
}

fn turned(place: u64, descending: bool) -> u64 {
    let place = if descending { !place } else { place };
    place.min(NO_NUMBER - 1)
}

/// The bits of a number, so that they are ordered as it is.
fn by_size(number: f64) -> u64 {
    // -0 is 0.
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// For each entry of a dictionary its place among them; those that are alike have the same.
fn ranks(entries: &[&[Value]], descending: bool) -> Vec<u64> {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by(|a, b| compare_all(entries[*a], entries[*b]));
    let mut ranks = vec![LAST; entries.len()];
    // Turned round, the first is still before what is no number.
    let mut rank = u64::MAX - NO_NUMBER + 2;
    for (at, entry) in order.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| entries[order[before]]);
        rank += u64::from(before.is_some_and(|before| compare_all(before, entries[*entry]).is_ne()));
        ranks[*entry] = match entries[*entry] {
            [] => LAST,
            [only] if only.number().is_some_and(f64::is_nan) => NO_NUMBER,
            _ => turned(rank, descending),
        };
    }
    ranks
}

fn compare_all(a: &[Value], b: &[Value]) -> Ordering {
    let by_values = a.iter().zip(b).map(|(a, b)| compare(a, b)).find(|order| order.is_ne());
    by_values.unwrap_or_else(|| a.len().cmp(&b.len()))
}

/// Numbers by size, then texts by letters.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a.number(), b.number()) {
        (Some(a), Some(b)) => (a.is_nan().cmp(&b.is_nan())).then((a + 0.0).partial_cmp(&(b + 0.0)).unwrap_or(Ordering::Equal)),
        (None, None) => shown(a).cmp(&shown(b)),
        (a, b) => a.is_none().cmp(&b.is_none()),
    }
}
