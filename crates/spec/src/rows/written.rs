//! A group of rows as the text of a specification, and the way back: from a line of it to the cell that it was made of.

use super::Group;
use super::base::Base;
use super::columns::Columns;
use crate::again::toml;
use crate::problem::{Problem, Severity, quoted};
use neronet_model::Value;
use neronet_sheet::Sheet;
use std::path::Path;

/// What a line was made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Place {
    Sheet,
    Column(usize),
    Cell(usize, u32),
    /// One of several values.
    Value(usize, u32),
}

pub(super) struct Written {
    pub(super) text: String,
    /// Of each line.
    places: Vec<Place>,
}

impl Written {
    pub(super) fn of(group: &Group<'_>, columns: &Columns<'_>, base: Option<&Base>, file: &str, place: &str) -> Written {
        let mut written = Written { text: String::new(), places: Vec::new() };
        let rows = &group.rows;
        let Some(first) = rows.first() else { return written };
        let first = first.line.number;
        let cell = |column: Option<usize>| column.map_or(Place::Sheet, |column| Place::Cell(column, first));
        let text = |text: &String| toml(&Value::Str(text.clone()));
        let numbers = if rows.len() == 1 { format!("row {first}") } else { format!("{} rows from {first} on", rows.len()) };
        let within = place.strip_prefix(file).unwrap_or(place);
        let name = Path::new(file).file_name().map_or_else(|| file.to_string(), |name| name.to_string_lossy().into_owned());
        written.line(Place::Sheet, &format!("# Made of {}{within}: {numbers}", quoted(&name)));
        if let Some(base) = base {
            let beside = Path::new(&base.path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            written.line(Place::Sheet, &format!("include = [{}]", text(&beside)));
        }
        if let Some(name) = &group.key.name {
            written.line(cell(columns.name), &format!("name = {}", text(name)));
        }
        if let Some(command) = &group.key.command {
            written.line(cell(columns.command), &format!("command = {}", text(command)));
        }
        if let Some(commit) = &group.key.commit {
            written.line(Place::Sheet, "[code]");
            written.line(cell(columns.git), &format!("commit = {}", text(commit)));
        }
        if !group.key.params.is_empty() {
            written.line(Place::Sheet, "[params]");
        }
        for at in &group.key.params {
            let name = columns.param(*at);
            let key = if base.is_some_and(|base| base.quoted.contains(name)) { text(&name.to_string()) } else { key(name) };
            let values = rows.iter().filter_map(|row| Some((row.line.number, exactly(&row.line.cells[*at].as_ref()?.value))));
            match rows.len() {
                1 => values.for_each(|(number, value)| written.line(Place::Cell(*at, number), &format!("{key} = {value}"))),
                _ => {
                    written.line(Place::Column(*at), &format!("{key} = ["));
                    values.for_each(|(number, value)| written.line(Place::Value(*at, number), &format!("  {value},")));
                    written.line(Place::Column(*at), "]");
                }
            }
        }
        let names: Vec<String> = group.key.params.iter().map(|at| text(&columns.param(*at).to_string())).collect();
        let zip = if rows.len() > 1 && names.len() > 1 { format!("[{}]", names.join(", ")) } else { String::new() };
        if !zip.is_empty() || base.is_some_and(|base| base.zips) {
            written.line(Place::Sheet, "[sweep]");
            written.line(Place::Sheet, &format!("zip = [{zip}]"));
        }
        written
    }

    /// What the line was made of that a problem with this text is on.
    pub(super) fn place_of(&self, problem: &Problem) -> Place {
        problem.line.checked_sub(1).and_then(|line| self.places.get(line)).copied().unwrap_or(Place::Sheet)
    }

    fn line(&mut self, place: Place, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        self.places.push(place);
    }

    /// What is wrong with this text at `path`, as its cell or column. What is only said of a list is nothing to a column.
    pub(super) fn placed(&self, problem: Problem, path: &str, place: &str, sheet: &Sheet) -> Option<Problem> {
        if problem.path != path {
            return Some(problem);
        }
        let line = self.place_of(&problem);
        let letter = |at: usize, row: u32| sheet.columns.get(at).map(|column| column.letter_in(row)).unwrap_or_default();
        let of_list = problem.severity == Severity::Warning && matches!(line, Place::Value(..));
        if problem.severity == Severity::Note || of_list {
            return None;
        }
        let path = match line {
            Place::Sheet => place.to_string(),
            Place::Column(at) => format!("{place}, column {}", letter(at, 0)),
            Place::Cell(at, number) | Place::Value(at, number) => format!("{place}, {}{number}", letter(at, number)),
        };
        Some(Problem { path, line: 0, column: 0, excerpt: None, ..problem })
    }
}

/// A value that reads back as it was: the first character of a word is written as an escape, as the journal does it.
fn exactly(value: &Value) -> String {
    let text = toml(value);
    match (value, text.chars().nth(1)) {
        (Value::Word(_), Some(first)) => format!("\"\\u{:04x}{}", u32::from(first), &text[1 + first.len_utf8()..]),
        _ => text,
    }
}

/// A dotted name as TOML writes it.
fn key(name: &str) -> String {
    let part = |part: &str| {
        let bare = part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        if bare { part.to_string() } else { toml(&Value::Str(part.to_string())) }
    };
    name.split('.').map(part).collect::<Vec<_>>().join(".")
}
