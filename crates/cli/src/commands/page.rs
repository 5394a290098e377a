//! Headed sections of facts and tables, for a terminal.

use crate::session::Session;
use neronet_report::{Style, Table, words};

/// Of text that is not cut to a terminal's width.
pub(crate) const LONGEST: usize = 4000;

pub(crate) struct Page<'s> {
    session: &'s Session,
    pub(crate) text: String,
}

impl<'s> Page<'s> {
    pub(crate) fn new(session: &'s Session) -> Page<'s> {
        Page { session, text: String::new() }
    }

    pub(crate) fn heading(&mut self, title: &str) {
        let title = words::one_line(title, LONGEST);
        let gap = if self.text.is_empty() { "" } else { "\n" };
        self.text.push_str(&format!("{gap}{}\n", paint(self.session, &title, Style::Strong)));
    }

    pub(crate) fn line(&mut self, text: &str, style: Style) {
        let text = words::one_line(text, LONGEST);
        self.text.push_str(&format!("  {}\n", paint(self.session, &text, style)));
    }

    /// As it is, but for what would harm the terminal.
    pub(crate) fn block(&mut self, text: &str) {
        for line in text.lines() {
            self.text.push_str(&format!("  {}\n", crate::commands::stream::safe(line, false)));
        }
    }

    /// A line of a unified diff.
    pub(crate) fn diff_line(&mut self, line: &str) {
        let style = match line.as_bytes().first() {
            _ if line.starts_with("+++") || line.starts_with("---") => Style::Faint,
            Some(b'+') => Style::Good,
            Some(b'-') => Style::Bad,
            Some(b'@') => Style::Faint,
            _ => Style::Plain,
        };
        let line = crate::commands::stream::safe(line, false);
        self.text.push_str(&format!("  {}\n", paint(self.session, &line, style)));
    }

    /// Names and values, the values in one column. Values that are empty are left out; none is cut, since paths are there to be copied.
    pub(crate) fn facts(&mut self, facts: &[(&str, String)]) {
        let facts: Vec<(String, &String)> =
            facts.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (words::one_line(name, 60), value)).collect();
        let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in facts {
            let value = words::one_line(value, LONGEST);
            let name = paint(self.session, &format!("{name:width$}"), Style::Faint);
            self.text.push_str(&format!("  {name}  {value}\n"));
        }
    }

    fn room(&self) -> Option<usize> {
        self.session.terminal.then(|| self.session.width.saturating_sub(2))
    }

    /// Nothing of the table would be cut.
    pub(crate) fn has_room_for(&self, table: &Table) -> bool {
        self.room().is_none_or(|room| table.width() <= room)
    }

    pub(crate) fn table(&mut self, table: &Table) {
        let width = self.room();
        for line in table.terminal(width, self.session.color).lines() {
            self.text.push_str(&format!("  {line}\n"));
        }
    }
}

pub(crate) fn paint(session: &Session, text: &str, style: Style) -> String {
    let code = match style {
        _ if !session.color => return text.to_string(),
        Style::Plain => return text.to_string(),
        Style::Good => 32,
        Style::Bad => 31,
        Style::Faint => 2,
        Style::Strong => 1,
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// `failed: exit code 1`, and not `stopped: stopped by ada` but `stopped by ada`.
pub(crate) fn with_reason(status: &str, reason: Option<&str>) -> String {
    match reason {
        None => status.to_string(),
        Some(reason) if reason.strip_prefix(status).is_some_and(|rest| rest.starts_with(' ')) => reason.to_string(),
        Some(reason) => format!("{status}: {reason}"),
    }
}

/// 1 run, 2 runs.
pub(crate) fn count(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", neronet_model::size::grouped(n as u64), if n == 1 { "" } else { "s" })
}
