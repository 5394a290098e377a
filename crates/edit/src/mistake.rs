//! What cannot be set, or read, and where.

use std::fmt;

/// One thing that is wrong with a file or with a change to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The path of the change, as it was given; empty where the file itself is wrong.
    pub path: String,
    /// Counted from 1; 0 where a line means nothing.
    pub line: usize,
    /// In characters, counted from 1; 0 where a line means nothing.
    pub column: usize,
    pub message: String,
    pub hint: Option<String>,
}

impl Mistake {
    pub(crate) fn of_file(message: String) -> Mistake {
        Mistake { path: String::new(), line: 0, column: 0, message, hint: None }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// A mistake before its place is known.
#[derive(Debug)]
pub(crate) struct Refusal {
    message: String,
    hint: Option<String>,
}

impl Refusal {
    pub(crate) fn new(message: impl Into<String>) -> Refusal {
        Refusal { message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Refusal {
        self.hint = Some(hint.into());
        self
    }

    /// At a byte of the text; byte 0 is no place.
    pub(crate) fn at(self, path: &str, text: &str, byte: usize) -> Mistake {
        let (line, column) = if byte == 0 { (0, 0) } else { place(text, byte) };
        Mistake { path: path.to_string(), line, column, message: self.message, hint: self.hint }
    }

    /// What is wrong with the file itself, at a byte of it.
    pub(crate) fn in_file(self, text: &str, byte: usize) -> Mistake {
        let (line, column) = place(text, byte);
        Mistake { path: String::new(), line, column, message: self.message, hint: self.hint }
    }
}

/// Line and column of a byte, counted from 1, the column in characters.
fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(byte)];
    let from = before.rfind('\n').map_or(0, |at| at + 1);
    (before.bytes().filter(|byte| *byte == b'\n').count() + 1, before[from..].chars().count() + 1)
}

/// A text of the user's inside a message: one line, not too long, nothing invisible.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = text.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    format!("'{shown}'")
}
