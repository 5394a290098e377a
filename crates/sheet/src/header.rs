//! Where the names of the columns are: the first row in which most columns that have something below have a short text.
//! Titles above it are passed over; a row right above it may name groups of columns.

use crate::grid::{Area, Grid, GridRow, Raw};
use std::collections::BTreeMap;

/// Rows among which the header is looked for.
const SEARCHED: usize = 100;
/// Characters of a text that may be a name.
const SHORT: usize = 64;
/// Rows below a header that are looked at for what its columns hold.
const SAMPLE: usize = 50;

/// Rows by their place in the grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Header {
    pub(crate) row: usize,
    pub(crate) groups: Option<usize>,
}

pub(crate) fn find(grid: &Grid) -> Option<Header> {
    let mut last: BTreeMap<u16, usize> = BTreeMap::new();
    for (at, row) in grid.rows.iter().enumerate() {
        last.extend(row.cells.iter().map(|(column, _)| (*column, at)));
    }
    let mut rows = (0..grid.rows.len().min(SEARCHED)).filter(|at| is_header(grid, *at, &last));
    let first = rows.next().or_else(|| only_row(grid))?;
    // A lone text with a blank row below it is a title, where a header comes after it.
    let row = if is_alone(grid, first) { rows.next().unwrap_or(first) } else { first };
    if names_groups(grid, row, &last) {
        return Some(Header { row: row + 1, groups: Some(row) });
    }
    let groups = row.checked_sub(1).filter(|above| {
        let (above, row) = (&grid.rows[*above], &grid.rows[row]);
        above.number + 1 == row.number
            && above.cells.len() < row.cells.len()
            && above.cells.iter().all(|(_, raw)| is_short(raw))
            && !is_title(grid, above, row)
    });
    Some(Header { row, groups })
}

/// The merged areas that begin in a row and reach over several columns.
pub(crate) fn wide<'g>(grid: &'g Grid, row: &GridRow) -> impl Iterator<Item = &'g Area> {
    let number = row.number;
    grid.merges.iter().filter(move |area| area.top == number && area.right > area.left)
}

pub(crate) fn is_short(raw: &Raw) -> bool {
    raw.words().is_some_and(|text| text.chars().nth(SHORT).is_none())
}

fn is_header(grid: &Grid, at: usize, last: &BTreeMap<u16, usize>) -> bool {
    let used = last.values().filter(|last| **last > at).count();
    let cells = &grid.rows[at].cells;
    let short = cells.iter().filter(|(_, raw)| is_short(raw)).count();
    let over_data = cells.iter().filter(|(column, raw)| is_short(raw) && last.get(column).is_some_and(|last| *last > at)).count();
    used > 0 && over_data * 2 > used && short * 3 >= cells.len() * 2
}

fn is_alone(grid: &Grid, at: usize) -> bool {
    grid.rows[at].cells.len() == 1 && grid.rows.get(at + 1).is_some_and(|below| below.number > grid.rows[at].number + 1)
}

/// A table that has a header and no rows yet.
fn only_row(grid: &Grid) -> Option<usize> {
    let at = grid.rows.len().checked_sub(1)?;
    let cells = &grid.rows[at].cells;
    ((at == 0 || cells.len() > 1) && cells.iter().all(|(_, raw)| is_short(raw))).then_some(at)
}

/// Whether a row that looks like a header names groups, and the one right below it the columns: it fills what this one leaves
/// blank, and stands over other things than texts, unless cells that are merged tell enough.
fn names_groups(grid: &Grid, at: usize, last: &BTreeMap<u16, usize>) -> bool {
    let (row, Some(below)) = (&grid.rows[at], grid.rows.get(at + 1)) else { return false };
    if below.number != row.number + 1 || below.cells.iter().any(|(_, raw)| !is_short(raw)) {
        return false;
    }
    let used = last.iter().filter(|(_, last)| **last > at).map(|(column, _)| *column);
    let blank: Vec<u16> = used.filter(|column| row.get(*column).is_none()).collect();
    let filled = blank.iter().filter(|column| below.get(**column).is_some()).count();
    let further = &grid.rows[at + 2..grid.rows.len().min(at + 2 + SAMPLE)];
    let over_data = below.cells.iter().any(|(column, _)| {
        let mut cells = further.iter().filter_map(|row| row.get(*column)).peekable();
        cells.peek().is_some() && cells.all(|raw| raw.words().is_none())
    });
    let merged = wide(grid, row).next().is_some();
    filled > 0
        && if merged {
            filled * 2 >= blank.len() && (over_data || is_header(grid, at + 1, last))
        } else {
            filled == blank.len() && over_data
        }
}

/// One text over the first column, or over all of them, is the table's title and no group's name.
fn is_title(grid: &Grid, above: &GridRow, row: &GridRow) -> bool {
    let ([(column, _)], [(first, _), .., (last, _)]) = (above.cells.as_slice(), row.cells.as_slice()) else { return false };
    let reach = wide(grid, above).find(|area| area.left == *column).map_or(*column, |area| area.right);
    column <= first && (reach == *column || reach >= *last)
}
