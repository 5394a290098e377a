//! Where something is, in the words of a spreadsheet: `runs.xlsx, sheet 'runs', C7`.

use crate::sheet::Mistake;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) file: &'a str,
    /// Text files have none.
    pub(crate) sheet: Option<&'a str>,
}

impl Place<'_> {
    /// What is wrong with the file or the sheet as a whole.
    pub(crate) fn mistake(self, message: impl Into<String>, hint: &str) -> Mistake {
        self.with(String::new(), message.into(), hint)
    }

    /// What is wrong with a cell; the row counts from 1, the column from 0.
    pub(crate) fn cell(self, row: u32, column: u16, message: impl Into<String>, hint: &str) -> Mistake {
        self.with(format!(", {}{row}", letter(column)), message.into(), hint)
    }

    fn with(self, rest: String, message: String, hint: &str) -> Mistake {
        let sheet = self.sheet.map(|name| format!(", sheet {}", quoted(name))).unwrap_or_default();
        let hint = (!hint.is_empty()).then(|| hint.to_string());
        Mistake { place: format!("{}{sheet}{rest}", self.file), message, hint }
    }
}

/// `A` for 0, `Z` for 25, `AA` for 26.
pub(crate) fn letter(column: u16) -> String {
    let mut rest = u32::from(column) + 1;
    let mut letters = Vec::new();
    while rest > 0 {
        letters.push(char::from(b'A' + ((rest - 1) % 26) as u8));
        rest = (rest - 1) / 26;
    }
    letters.into_iter().rev().collect()
}

/// A text of the file's inside a message: one line, not too long, nothing invisible.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let visible = |c: char| match c {
        c if c.is_whitespace() => ' ',
        c if c.is_control() => '\u{fffd}',
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => '\u{fffd}',
        c => c,
    };
    let cut = if text.chars().nth(LONGEST).is_some() { "…" } else { "" };
    format!("'{}{cut}'", text.chars().take(LONGEST).map(visible).collect::<String>())
}

/// `'a', 'b' and 'c'`, the first ten of them.
pub(crate) fn listed(names: &[String]) -> String {
    enumerated(&names.iter().map(|name| quoted(name)).collect::<Vec<_>>())
}

/// `a, b and c`, the first ten of them.
pub(crate) fn enumerated(parts: &[String]) -> String {
    const SHOWN: usize = 10;
    let mut shown: Vec<String> = parts.iter().take(SHOWN).cloned().collect();
    if parts.len() > SHOWN {
        shown.push(format!("{} more", parts.len() - SHOWN));
    }
    match shown.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => shown.concat(),
    }
}
