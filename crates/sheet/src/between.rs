//! What stands below the header and is no run: the header once more, titles, a row of units, and the header of another table.

use crate::grid::{Grid, GridRow};
use crate::header::{Header, is_short};
use crate::value;
use std::collections::BTreeMap;

/// Rows below a header that are looked at for what its columns hold.
const SAMPLE: usize = 50;

/// What a row below the header is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Run,
    /// The header that holds already, or the groups above it.
    Repeated,
    Title,
    Units,
    /// The names of groups above the header of another table.
    Groups,
    Header,
}

/// What each row of the sheet is, as far as it stands below `header`.
pub(crate) fn kinds(grid: &Grid, header: Header) -> Vec<Kind> {
    let rows = &grid.rows;
    let below = &rows[header.row + 1..];
    let titles = |at: usize| rows[at].cells.iter().map(|(column, raw)| (*column, value::title(raw))).collect::<Vec<_>>();
    let is_titles = |row: &GridRow, titles: &[(u16, String)]| {
        titles.len() == row.cells.len() && titles.iter().zip(&row.cells).all(|(a, b)| a.0 == b.0 && a.1 == value::title(&b.1))
    };
    let mut headers: Vec<Vec<(u16, String)>> = vec![titles(header.row)];
    let mut groups: Vec<Vec<(u16, String)>> = header.groups.map(titles).into_iter().collect();
    let numbers = Numbers::of(below);
    let several = rows[header.row].cells.len() > 1 || header.groups.is_some();

    let mut kinds = vec![Kind::Run; rows.len()];
    let mut begins = false;
    for at in header.row + 1..rows.len() {
        let row = &rows[at];
        let blank_above = row.number > rows[at - 1].number + 1;
        begins = blank_above || (begins && kinds[at - 1] == Kind::Title);
        let known = headers.iter().position(|titles| is_titles(row, titles));
        let after_groups = kinds[at - 1] == Kind::Groups;
        kinds[at] = if let Some(known) = known {
            // The last one is the one that holds.
            if known + 1 == headers.len() {
                Kind::Repeated
            } else {
                let again = headers.remove(known);
                headers.push(again);
                Kind::Header
            }
        } else if groups.iter().any(|titles| is_titles(row, titles)) {
            Kind::Repeated
        } else if after_groups || (begins && is_header(rows, at)) {
            headers.push(titles(at));
            Kind::Header
        } else if begins && names_groups(rows, at) {
            groups.push(titles(at));
            Kind::Groups
        } else if several && is_title(row, blank_above, &numbers) {
            Kind::Title
        } else if several && at == header.row + 1 && !blank_above && are_units(row, &numbers) {
            Kind::Units
        } else {
            Kind::Run
        };
    }
    kinds
}

/// How many cells of each column are numbers, and how many texts that stand beside others.
struct Numbers(BTreeMap<u16, (usize, usize)>);

impl Numbers {
    fn of(rows: &[GridRow]) -> Numbers {
        let mut counts: BTreeMap<u16, (usize, usize)> = BTreeMap::new();
        for row in rows {
            for (column, raw) in &row.cells {
                let (numbers, texts) = counts.entry(*column).or_default();
                match raw.words() {
                    None => *numbers += 1,
                    Some(_) => *texts += usize::from(row.cells.len() > 1),
                }
            }
        }
        Numbers(counts)
    }

    /// Whether a column holds numbers for the most part, `other` of its texts aside.
    fn mostly(&self, column: u16, other: usize) -> bool {
        self.0.get(&column).is_some_and(|(numbers, texts)| *numbers > texts.saturating_sub(other))
    }
}

/// One text in a row, where there are numbers otherwise, or behind a blank row and in several words.
fn is_title(row: &GridRow, blank_above: bool, numbers: &Numbers) -> bool {
    let [(column, raw)] = row.cells.as_slice() else { return false };
    let Some(text) = raw.words() else { return false };
    // A command is a run of its own, whatever else its row leaves blank.
    let of_words = blank_above && text.trim().contains(char::is_whitespace) && !text.contains(['{', '/', '=']) && !text.contains(" -");
    numbers.mostly(*column, 0) || of_words && *column == 0
}

/// Nothing but texts, over columns of numbers: `h`, `GB`. Over others a dash, or something in brackets.
fn are_units(row: &GridRow, numbers: &Numbers) -> bool {
    let mut over_numbers = false;
    let fits = row.cells.iter().all(|(column, raw)| {
        let of_numbers = numbers.mostly(*column, 1);
        over_numbers |= of_numbers;
        let text = raw.words().unwrap_or_default().trim();
        let in_brackets = text.starts_with(['[', '(']) && text.ends_with([']', ')']);
        is_short(raw) && (of_numbers || in_brackets || !text.contains(char::is_alphanumeric))
    });
    fits && over_numbers
}

/// The names of another table: texts over each column that has numbers in the rows right below, or a column called status or command.
fn is_header(rows: &[GridRow], at: usize) -> bool {
    let row = &rows[at];
    if !all_short(row) {
        return false;
    }
    let usual = |title: String| ["status", "command"].iter().any(|name| title.eq_ignore_ascii_case(name));
    if row.cells.len() > 1 && row.cells.iter().any(|(_, raw)| usual(value::title(raw))) {
        return true;
    }
    let far = rows.len().min(at + 1 + SAMPLE);
    let length = (at..far.saturating_sub(1)).take_while(|at| follows(rows, *at)).count();
    let block = &rows[at + 1..at + 1 + length];
    // Of each column in it, whether all its cells are numbers.
    let mut of_numbers: BTreeMap<u16, bool> = BTreeMap::new();
    for (column, raw) in block.iter().flat_map(|row| &row.cells) {
        *of_numbers.entry(*column).or_insert(true) &= raw.words().is_none();
    }
    let alone = row.cells.len() == 1;
    let covered = of_numbers.iter().all(|(column, numbers)| !(*numbers || alone) || row.get(*column).is_some());
    covered && row.cells.iter().any(|(column, _)| of_numbers.get(column) == Some(&true))
}

/// Whether the row below begins another table, and this one names groups of its columns.
fn names_groups(rows: &[GridRow], at: usize) -> bool {
    let is_inside = || rows[at].cells.first().map(|(column, _)| column) > rows[at + 1].cells.first().map(|(column, _)| column);
    follows(rows, at) && (rows[at].cells.len() > 1 || is_inside()) && all_short(&rows[at]) && is_header(rows, at + 1)
}

fn all_short(row: &GridRow) -> bool {
    row.cells.iter().all(|(_, raw)| is_short(raw))
}

/// Whether the next row stands right below.
fn follows(rows: &[GridRow], at: usize) -> bool {
    rows.get(at + 1).is_some_and(|next| next.number == rows[at].number + 1)
}
