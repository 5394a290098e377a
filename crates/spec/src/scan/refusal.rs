//! What the scanner says of commands that it cannot fill in, with the line as it should be.

use super::{CASE, Heredoc, Kind, Refusal, Scan, Scanner};
use crate::template::{Token, name};
use std::ops::Range;

impl Scanner<'_> {
    /// Shows the command with the value in a variable of the shell, which every one of these places can read.
    pub(super) fn forbidden(&self, hole: Range<usize>, inside: &str) -> Refusal {
        // Quotes around the variable, unless it stands in quotes already; single ones must be left for it.
        let (before, after) = match self.open.last() {
            Some((Kind::Single, _)) => ("'\"", "\"'"),
            Some((Kind::Backtick, opened)) if self.text[*opened..hole.start].matches('"').count() % 2 == 1 => ("", ""),
            Some((Kind::Substitution { .. } | Kind::Backtick | Kind::Expansion { in_double: false }, _)) | None => ("\"", "\""),
            _ => ("", ""),
        };
        self.corrected(hole, inside, before, after)
    }

    /// The same in the body of a here-document, where quotes are text.
    pub(super) fn forbidden_in(&self, heredoc: &Heredoc, hole: Range<usize>) -> Refusal {
        if heredoc.expands {
            return self.corrected(hole, "a here-document", "", "");
        }
        let (variable, parameter) = self.variable(&hole);
        let hint = format!(
            "begin the command with a line {variable}={{{parameter}}}, take the quotes of '{}' away and write: ${variable}",
            heredoc.delimiter
        );
        self.refuse(hole, "a placeholder cannot stand in a here-document", hint)
    }

    /// A variable that is not one of the system's, such as PATH, and the parameter for it.
    fn variable(&self, hole: &Range<usize>) -> (String, &str) {
        let parameter = name(self.text, hole);
        let variable: String = parameter.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        (format!("p_{variable}"), parameter)
    }

    /// Only this placeholder: another of the same name may stand in other quotes.
    fn corrected(&self, hole: Range<usize>, inside: &str, before: &str, after: &str) -> Refusal {
        let (variable, parameter) = self.variable(&hole);
        let line_start = self.text[..hole.start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[hole.end..].find('\n').map_or(self.text.len(), |at| hole.end + at);
        let (head, tail) = (&self.text[line_start..hole.start], &self.text[hole.end..line_end]);
        // A letter behind it would belong to its name.
        let usage = match tail.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            true => format!("{before}${{{variable}}}{after}"),
            false => format!("{before}${variable}{after}"),
        };
        let line = format!("{head}{usage}{tail}");
        let set = format!("{variable}={{{parameter}}}");
        let hint = if self.text.contains('\n') {
            format!("begin the command with a line {set} and write: {}", line.trim())
        } else {
            format!("write: {set}; {}", line.trim())
        };
        self.refuse(hole, format!("a placeholder cannot stand in {inside}"), hint)
    }

    pub(super) fn finish(mut self) -> Result<Scan, Refusal> {
        let has_holes = !self.places.is_empty();
        if let Some(heredoc) = self.heredocs.first() {
            let at = heredoc.opened..heredoc.opened + 2;
            return Err(self.refuse(at, format!("the here-document never ends: no line is '{}'", heredoc.delimiter), None));
        }
        if let Some((kind, opened)) = self.open.last()
            && (has_holes || self.unsure != Some(CASE))
        {
            let (what, length) = match kind {
                Kind::Single => ("the quote ' opened here", 1),
                Kind::Double => ("the quote \" opened here", 1),
                Kind::Ansi => ("the quote $' opened here", 2),
                Kind::Backtick => ("the backtick opened here", 1),
                Kind::Expansion { .. } => ("the ${ opened here", 2),
                Kind::Substitution { .. } => ("the $( opened here", 2),
                Kind::Arithmetic { closes: ')', .. } => ("the (( opened here", 2),
                Kind::Arithmetic { .. } => ("the $[ opened here", 2),
            };
            let hint = matches!(kind, Kind::Single).then(|| "an apostrophe in a text is written '\\'' or stands in \"…\"".to_string());
            return Err(self.refuse(*opened..opened + length, format!("{what} is never closed"), hint));
        }
        self.end_of_word();
        if self.comment {
            self.closed_end = Some("a comment");
        }
        if self.tokens.last().is_some_and(|token| matches!(token, Token::Char('\\', _))) {
            self.closed_end = Some("a backslash");
        }
        Ok(Scan { places: self.places, closed_end: self.closed_end, outline: self.outline })
    }
}
