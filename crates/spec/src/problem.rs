//! What is wrong with a specification, as a person reads it: place, sentence, the line with the text underlined, a hint.

use std::fmt;

/// One thing that is wrong, or worth a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    /// The file as it was given, or the option (`--set`).
    pub path: String,
    /// Counted from 1; 0 where a line means nothing.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    pub message: String,
    pub excerpt: Option<Excerpt>,
    pub hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
    /// Nothing is wrong; it may be worth knowing.
    Note,
}

/// The source line, ready to be shown: long ones are shortened around the span, control characters made visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    pub line_text: String,
    /// What is underlined, in characters of `line_text`.
    pub start: usize,
    pub len: usize,
}

/// All that was found; at most twenty are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

const SHOWN: usize = 20;
/// Characters of a source line that are shown at most.
const WIDTH: usize = 120;

impl Problem {
    /// What is wrong with a file as a whole.
    pub fn of_file(path: &str, message: String, hint: Option<&str>) -> Problem {
        Problem {
            severity: Severity::Error,
            path: path.to_string(),
            line: 0,
            column: 0,
            message,
            excerpt: None,
            hint: hint.map(str::to_string),
        }
    }
}

impl Excerpt {
    /// The line `text` with the bytes `start..end` underlined. What leaves the line is cut off.
    pub fn of(text: &str, start: usize, end: usize) -> Excerpt {
        let start = start.min(text.len());
        let end = end.clamp(start, text.len());
        let (start, end) = (text.floor_char_boundary(start), text.ceil_char_boundary(end));
        let before = text[..start].chars().count();
        let marked = text[start..end].chars().count();
        let lead = if before + marked.min(WIDTH / 2) > WIDTH { before - WIDTH / 4 } else { 0 };
        let mut line_text = if lead > 0 { String::from("…") } else { String::new() };
        line_text.extend(text.chars().skip(lead).take(WIDTH).map(visible));
        if text.chars().nth(lead + WIDTH).is_some() {
            line_text.push('…');
        }
        let start = before - lead + usize::from(lead > 0);
        let shown = line_text.chars().count();
        let len = marked.clamp(1, shown.saturating_sub(start).max(1));
        Excerpt { line_text, start, len }
    }
}

/// A character that neither moves the cursor nor turns the text around.
fn visible(c: char) -> char {
    match c {
        '\t' => ' ',
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        '\u{80}'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => '\u{fffd}',
        c => c,
    }
}

/// A text of the user's inside a message: one line, not too long, nothing invisible.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = text.chars().take(LONGEST).map(visible).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    format!("'{shown}'")
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.path)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.message)?;
        // A guess at the right word belongs in the sentence, longer advice below the line it is about.
        let (aside, advice) = match &self.hint {
            Some(hint) if hint.starts_with("did you mean") => (Some(hint), None),
            hint => (None, hint.as_ref()),
        };
        if let Some(aside) = aside {
            write!(f, " ({aside})")?;
        }
        let number = if self.line > 0 { self.line.to_string() } else { String::new() };
        let margin = " ".repeat(number.len());
        if let Some(excerpt) = &self.excerpt {
            let indent = " ".repeat(excerpt.start);
            let carets = "^".repeat(excerpt.len);
            write!(f, "\n{number} | {}\n{margin} | {indent}{carets}", excerpt.line_text)?;
        }
        if let Some(advice) = advice {
            write!(f, "\n{margin} = {advice}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{problem}", if i > 0 { "\n" } else { "" })?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Problems {}
