//! CSV files, one line at a time.

use crate::Found;
use crate::structured::{Axes, Axis, axis, cut, is_unix_time, whole};

/// An incremental reader of comma-, tab- or semicolon-separated files, and of those that have none of these but blanks: the
/// header first, perhaps behind a `#`, then a row a line. Where a file begins with a row of numbers its columns are `column_1`
/// and so on. A row that repeats the header is skipped; fields may be quoted, but a field may not span lines.
#[derive(Default, Clone, Debug)]
pub struct Table {
    columns: Vec<String>,
    separator: u8,
    /// The last comment before the first row: the header, if it has a name for each field.
    comment: Option<String>,
    /// A row was read.
    begun: bool,
}

impl Table {
    pub fn new() -> Table {
        Table::default()
    }

    pub fn line(&mut self, line: &str, found: &mut Found) {
        found.clear();
        let line = line.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']);
        if line.trim().is_empty() {
            return;
        }
        if line.starts_with('#') {
            let comment = line.trim_matches(['#', ' ']);
            if self.columns.is_empty() && !comment.is_empty() {
                self.comment = Some(comment.to_string());
            }
            return;
        }
        if self.columns.is_empty() && !self.begins_with_row(line) {
            return;
        }
        let mut cells = fields(line, self.separator);
        if self.separator == b' ' && !self.begun && cells.len() != self.columns.len() {
            // The blanks were within the name of the only column.
            self.columns = vec![self.columns.join(" ")];
            self.separator = b',';
            cells = fields(line, self.separator);
        }
        self.begun = true;
        if cells.iter().map(|cell| cell.trim()).eq(self.columns.iter().map(String::as_str)) {
            return;
        }
        for (name, cell) in self.columns.iter().zip(cells) {
            let cell = cell.trim();
            if cell.is_empty() || name.is_empty() {
                continue;
            }
            let number = number(cell);
            match (axis(name, Axes::Usual), number) {
                (Some(Axis::Step), Some(value)) if whole(value).is_some() && found.step.is_none() => found.step = whole(value),
                (Some(Axis::Epoch), Some(value)) if value.is_finite() => found.epoch = Some(value),
                (Some(Axis::Time), Some(value)) if is_unix_time(value) => found.time = Some(value),
                (_, Some(value)) => found.set(name.clone(), value),
                (_, None) => found.tags.push((name.clone(), cut(cell.to_string()))),
            }
        }
        found.reader = Some("csv");
    }

    /// Names the columns by the first line that is no comment. True: it is a row already.
    fn begins_with_row(&mut self, line: &str) -> bool {
        self.separator = separator(line);
        let cells = fields(line, self.separator);
        let numbers = cells.iter().filter(|cell| number(cell.trim()).is_some()).count();
        let commented = self.comment.take().map(|comment| fields(&comment, separator(&comment)));
        let (columns, row) = match commented {
            Some(names) if numbers > 0 && names.len() == cells.len() => (names, true),
            _ if numbers == cells.len() => ((1..=numbers).map(|n| format!("column_{n}")).collect(), true),
            _ => (cells, false),
        };
        self.columns = columns.iter().map(|name| name.trim().to_string()).collect();
        row
    }
}

/// What separates the fields of a line: blanks where nothing else does. The comma wins a tie: it is what `CSV` says.
fn separator(line: &str) -> u8 {
    let fields = |separator: &u8| fields(line, *separator).len();
    [b';', b'\t', b','].into_iter().filter(|separator| fields(separator) > 1).max_by_key(fields).unwrap_or(b' ')
}

/// A cell that is wholly a number, or the word for a non-finite one.
pub(crate) fn number(cell: &str) -> Option<f64> {
    if let Some(value) = neronet_model::number::parse_word(cell) {
        return Some(value);
    }
    let digits = cell.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    digits.then(|| cell.parse().ok()).flatten()
}

fn fields(line: &str, separator: u8) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    // The blanks at its ends separate nothing.
    let line = if separator == b' ' { line.trim() } else { line };
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let last = fields.len() - 1;
        let field = &mut fields[last];
        match c {
            // Of blanks a run is one separator.
            ' ' if !quoted && separator == b' ' => {
                while chars.next_if_eq(&' ').is_some() {}
                fields.push(String::new());
            }
            '"' if quoted && chars.peek() == Some(&'"') => {
                field.push('"');
                chars.next();
            }
            '"' if quoted => quoted = false,
            '"' if field.trim().is_empty() => {
                field.clear();
                quoted = true;
            }
            c if !quoted && c == char::from(separator) => fields.push(String::new()),
            c => field.push(c),
        }
    }
    fields
}
