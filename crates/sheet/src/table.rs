//! From the cells of a sheet to named columns and rows.

use crate::between::{self, Kind};
use crate::commas::Commas;
use crate::grid::{Fault, Grid, GridRow, too_many_rows, too_much};
use crate::header::{self, Header};
use crate::limits;
use crate::place::{Place, enumerated, letter, quoted};
use crate::sheet::{Cell, Column, Mistake, Role, Row};
use crate::value;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
    pub(crate) notes: Vec<Mistake>,
}

/// Why a sheet gives no table.
pub(crate) enum Unfit {
    Empty(Mistake),
    NoHeader(Mistake),
    Wrong(Mistake),
}

impl Unfit {
    pub(crate) fn mistake(self) -> Mistake {
        match self {
            Unfit::Empty(mistake) | Unfit::NoHeader(mistake) | Unfit::Wrong(mistake) => mistake,
        }
    }
}

/// A column of the sheet that has a name.
struct Named {
    at: u16,
    title: String,
    group: Option<String>,
}

pub(crate) fn make(grid: Grid, place: Place, is_param: &dyn Fn(&str) -> bool) -> Result<Table, Unfit> {
    if grid.rows.is_empty() {
        return Err(Unfit::Empty(
            place.mistake("there is nothing in it", "write the names of the parameters in the first row, a run in each row below"),
        ));
    }
    let Some(header) = header::find(&grid) else {
        let message = "no row looks like a header: one with a short text over most of the columns";
        return Err(Unfit::NoHeader(place.mistake(message, "write the names of the parameters in a row above the values")));
    };
    let kinds = between::kinds(&grid, header, place, is_param).map_err(Unfit::Wrong)?;
    let mut notes = notes(&kinds, &grid, place);
    let mut table = Columns::default();
    // The first row below each header, and in which columns its cells go.
    let mut places: Vec<(usize, Vec<(u16, usize)>)> = Vec::new();
    let later = kinds.iter().enumerate().filter(|(_, kind)| **kind == Kind::Header);
    let later = later.map(|(row, _)| Header { row, groups: row.checked_sub(1).filter(|above| kinds[*above] == Kind::Groups) });
    let headers: Vec<Header> = std::iter::once(header).chain(later).collect();
    for (at, header) in headers.iter().enumerate() {
        let end = headers.get(at + 1).map_or(grid.rows.len(), |next| next.groups.unwrap_or(next.row));
        let named = named(&grid, *header, end, place, &mut notes);
        let columns = columns(&named, grid.rows[header.row].number, place).map_err(Unfit::Wrong)?;
        let into = columns.into_iter().map(|column| table.add(column, grid.rows[header.row].number));
        places.push((header.row + 1, named.iter().map(|column| column.at).zip(into).collect()));
        if table.0.len() > limits::COLUMNS {
            return Err(Unfit::Wrong(
                place.mistake(format!("more than {} columns have names", limits::COLUMNS), "split the table into several files"),
            ));
        }
    }
    let commas = Commas::of(&grid, &kinds, &places, &table.0, place, &mut notes).map_err(Unfit::Wrong)?;
    let rows = rows(grid, &kinds, &places, &commas, place).map_err(Unfit::Wrong)?;
    if rows.is_empty() {
        notes.push(place.mistake("there are no rows below the header", "write a run in each row"));
    }
    Ok(Table { columns: table.0, rows, notes })
}

/// The columns of all tables of a sheet.
#[derive(Default)]
struct Columns(Vec<Column>);

impl Columns {
    /// Where a column is among them: what has the same name, or the same usual meaning, is one column.
    fn add(&mut self, column: Column, row: u32) -> usize {
        let is_same = |known: &Column| match column.role {
            Role::Value | Role::Comments => known.name == column.name && known.group == column.group,
            role => known.role == role,
        };
        match self.0.iter().position(is_same) {
            Some(at) => {
                if self.0[at].letter_in(row) != column.letter {
                    self.0[at].moved.push((row, column.letter));
                }
                at
            }
            None => {
                self.0.push(column);
                self.0.len() - 1
            }
        }
    }
}

/// Which rows are taken for something else than runs.
fn notes(kinds: &[Kind], grid: &Grid, place: Place) -> Vec<Mistake> {
    let of = |wanted: Kind| -> Vec<String> {
        let rows = kinds.iter().zip(&grid.rows).filter(|(kind, _)| **kind == wanted);
        rows.map(|(_, row)| {
            row.cells.first().map_or(String::new(), |(_, raw)| format!("row {} ({})", row.number, quoted(&value::title(raw))))
        })
        .collect()
    };
    let mut notes = Vec::new();
    let mut say = |kind: Kind, what: &str, hint: &str| {
        let rows = of(kind);
        if !rows.is_empty() {
            notes.push(place.mistake(format!("{what}: {}", enumerated(&rows)), hint));
        }
    };
    say(Kind::Header, "another table begins, with names of its own", "");
    say(
        Kind::Title,
        "a text that is alone in its row, behind a blank one, is a title, and passed over",
        "a run in this row needs a number too, or no blank row above it",
    );
    say(Kind::Units, "units below the header are passed over", "a run in this row needs a value that is no unit");
    notes
}

/// The columns that have a name, from left to right.
fn named(grid: &Grid, header: Header, end: usize, place: Place, notes: &mut Vec<Mistake>) -> Vec<Named> {
    let row = &grid.rows[header.row];
    let below: BTreeSet<u16> = grid.rows[header.row + 1..end].iter().flat_map(|row| &row.cells).map(|(column, _)| *column).collect();
    let used: BTreeSet<u16> = below.iter().copied().chain(row.cells.iter().map(|(column, _)| *column)).collect();
    let mut groups = header.groups.map(|at| groups(grid, &grid.rows[at], row, &used)).unwrap_or_default();
    let above = |column| grid.rows[header.groups?].get(column).map(value::title);
    let mut named = Vec::new();
    for at in used {
        let title = row.get(at).map(value::title).filter(|title| !title.is_empty());
        // Above a blank the group's row has the column's own name: people merge the two cells, and text files do not keep that.
        let group = groups.remove(&at);
        match title.or_else(|| above(at).filter(|_| group.is_none())) {
            Some(title) => named.push(Named { at, title, group }),
            None => {
                let message = format!("column {} has no name and is left out", letter(at));
                notes.push(place.cell(row.number, at, message, "write the parameter's name here"));
            }
        }
    }
    named
}

/// The group of each column that is in one.
fn groups(grid: &Grid, above: &GridRow, row: &GridRow, used: &BTreeSet<u16>) -> BTreeMap<u16, String> {
    let merged: BTreeMap<u16, u16> = header::wide(grid, above).map(|area| (area.left, area.right)).collect();
    let tall: BTreeSet<u16> =
        grid.merges.iter().filter(|area| area.top == above.number && area.bottom >= row.number).map(|area| area.left).collect();
    let mut groups = BTreeMap::new();
    for (at, (column, raw)) in above.cells.iter().enumerate() {
        // Its cell is the column's name.
        if tall.contains(column) || (row.get(*column).is_none() && !merged.contains_key(column)) {
            continue;
        }
        let end = match (merged.get(column), above.cells.get(at + 1)) {
            (Some(right), _) => *right,
            // Who merges some, merges all.
            (None, _) if !merged.is_empty() => *column,
            (None, Some((next, _))) => next - 1,
            (None, None) => u16::MAX,
        };
        let mut before = *column;
        for member in used.range(*column..=end) {
            // A blank column separates.
            if *member > before + 1 && !merged.contains_key(column) {
                break;
            }
            before = *member;
            groups.insert(*member, value::title(raw));
        }
    }
    groups
}

fn columns(named: &[Named], row: u32, place: Place) -> Result<Vec<Column>, Mistake> {
    let mut groups_of: BTreeMap<&str, BTreeSet<Option<&str>>> = BTreeMap::new();
    for column in named {
        groups_of.entry(&column.title).or_default().insert(column.group.as_deref());
    }
    let mut seen: BTreeMap<String, u16> = BTreeMap::new();
    let mut roles: BTreeMap<&str, u16> = BTreeMap::new();
    let mut columns = Vec::new();
    for column in named {
        let twice = groups_of.get(column.title.as_str()).is_some_and(|groups| groups.len() > 1);
        let name = match &column.group {
            Some(group) if twice => format!("{group}.{}", column.title),
            _ => column.title.clone(),
        };
        if let Some(first) = seen.insert(name.clone(), column.at) {
            let message = format!("columns {} and {} are both named {}", letter(first), letter(column.at), quoted(&name));
            return Err(place.cell(row, column.at, message, "give one of them another name"));
        }
        // A name with its group is not the usual one.
        let (role, word) = if name == column.title { role(&name) } else { (Role::Value, "") };
        if !matches!(role, Role::Value | Role::Comments)
            && let Some(first) = roles.insert(word, column.at)
        {
            let message = format!("columns {} and {} both hold the run's {word}", letter(first), letter(column.at));
            return Err(place.cell(row, column.at, message, "give one of them another name, or remove it"));
        }
        columns.push(Column { name, letter: letter(column.at), moved: Vec::new(), group: column.group.clone(), role });
    }
    Ok(columns)
}

/// Whether a column of this name would not be a parameter.
pub fn is_usual(name: &str) -> bool {
    role(name).0 != Role::Value
}

/// What a usual name means, and the word for it.
pub(crate) fn role(name: &str) -> (Role, &'static str) {
    match name.to_lowercase().as_str() {
        "date" => (Role::Date, "date"),
        "status" => (Role::Status, "status"),
        "name" => (Role::Name, "name"),
        "command" | "cmd" | "python" => (Role::Command, "command"),
        "git" | "commit" | "git hash" | "git commit" => (Role::Git, "commit"),
        "comments" | "comment" | "notes" | "note" => (Role::Comments, "comments"),
        _ => (Role::Value, ""),
    }
}

fn rows(grid: Grid, kinds: &[Kind], places: &[(usize, Vec<(u16, usize)>)], commas: &Commas, place: Place) -> Result<Vec<Row>, Mistake> {
    let columns = commas.0.len();
    let mut rows = Vec::new();
    let mut places = places.iter().peekable();
    let mut into: &[(u16, usize)] = &[];
    for (at, row) in grid.rows.into_iter().enumerate() {
        while let Some((_, next)) = places.next_if(|(first, _)| *first <= at) {
            into = next;
        }
        if into.is_empty() || kinds[at] != Kind::Run {
            continue;
        }
        let hidden = grid.hidden.contains(&row.number);
        let read = self::row(row, hidden, into, commas, place);
        if read.cells.iter().all(Option::is_none) && read.mistakes.is_empty() {
            continue;
        }
        if rows.len() == limits::ROWS {
            return Err(too_many_rows(place));
        }
        if (rows.len() + 1) * columns > limits::CELLS {
            return Err(too_much(place));
        }
        rows.push(read);
    }
    Ok(rows)
}

fn row(row: GridRow, hidden: bool, into: &[(u16, usize)], commas: &Commas, place: Place) -> Row {
    let mut mistakes = Vec::new();
    let mut cells: Vec<Option<Cell>> = vec![None; commas.0.len()];
    let mut filled = row.cells.into_iter().peekable();
    for (column, into) in into {
        while filled.next_if(|(at, _)| at < column).is_some() {}
        let Some((at, raw)) = filled.next_if(|(at, _)| at == column) else { continue };
        match value::cell(raw, commas.0[*into]) {
            Ok(cell) => cells[*into] = Some(cell),
            Err(fault) => {
                let (message, hint) = explained(fault);
                mistakes.push(place.cell(row.number, at, message, hint));
            }
        }
    }
    Row { number: row.number, hidden, cells, mistakes }
}

fn explained(fault: Fault) -> (String, &'static str) {
    match fault {
        Fault::Error(text) => (format!("the cell holds an error: {}", quoted(&text)), "mend the formula, or write a value"),
        Fault::NotComputed => {
            ("the formula has not been computed".to_string(), "open the file in a spreadsheet program and save it, or write the value")
        }
        Fault::Broken(what) => (format!("the cell cannot be read: {what}"), "write it anew"),
    }
}
