//! CSV files, one line at a time.

use crate::Found;
use crate::structured::{Axes, Axis, axis, cut, is_unix_time, whole};

/// An incremental reader of comma-, tab- or semicolon-separated files: the header first, then a row a line. A row that repeats
/// the header is skipped; fields may be quoted, but a field may not span lines.
#[derive(Default, Clone, Debug)]
pub struct Table {
    columns: Vec<String>,
    separator: u8,
}

impl Table {
    pub fn new() -> Table {
        Table::default()
    }

    pub fn line(&mut self, line: &str, found: &mut Found) {
        found.clear();
        let line = line.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']);
        if line.trim().is_empty() || line.starts_with('#') {
            return;
        }
        if self.columns.is_empty() {
            let count = |separator| fields(line, separator).len();
            // The comma wins a tie: it is what the name says.
            self.separator = [b',', b'\t', b';'].into_iter().rev().max_by_key(|s| count(*s)).unwrap_or(b',');
            self.columns = fields(line, self.separator).iter().map(|name| name.trim().to_string()).collect();
            return;
        }
        let cells = fields(line, self.separator);
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
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let last = fields.len() - 1;
        let field = &mut fields[last];
        match c {
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
