//! Where every piece of a specification was written: spans, and the way from a span to a [`Problem`].

use crate::hidden;
use crate::problem::{Excerpt, Problem, Severity};
use std::collections::BTreeSet;
use std::ops::Range;

/// A place in what the user wrote. Source 0 is the file, N is the N-th `--set`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) source: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    /// The file as a whole.
    pub(crate) const START: Span = Span { source: 0, start: 0, end: 0 };

    pub(crate) fn file(range: Range<usize>) -> Span {
        Span { source: 0, start: range.start, end: range.end }
    }
}

/// All that the user wrote.
pub(crate) struct Sources<'a> {
    path: &'a str,
    text: &'a str,
    /// Where each line of `text` starts; none where line numbers would mean nothing.
    lines: Vec<usize>,
    set: &'a [String],
}

impl<'a> Sources<'a> {
    pub(crate) fn of_file(path: &'a str, text: &'a str, set: &'a [String]) -> Sources<'a> {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Sources { path, text, lines, set }
    }

    /// A text that is no file: a command line.
    pub(crate) fn of_words(path: &'a str, text: &'a str, set: &'a [String]) -> Sources<'a> {
        let lines = Vec::new();
        Sources { path, text, lines, set }
    }

    pub(crate) fn text(&self, source: usize) -> &'a str {
        match source.checked_sub(1) {
            None => self.text,
            Some(n) => self.set.get(n).map_or("", String::as_str),
        }
    }

    pub(crate) fn slice(&self, span: Span) -> &'a str {
        self.text(span.source).get(span.start..span.end).unwrap_or("")
    }

    pub(crate) fn problem(&self, severity: Severity, span: Span, message: String, hint: Option<String>) -> Problem {
        let text = self.text(span.source);
        // A place inside what was typed with escapes is only near.
        let (start, end) = (text.floor_char_boundary(span.start), text.ceil_char_boundary(span.end));
        let (path, line, from) = if span.source > 0 {
            ("--set", 0, 0)
        } else if self.lines.is_empty() {
            (self.path, 0, 0)
        } else {
            let line = self.lines.partition_point(|begin| *begin <= start);
            (self.path, line, self.lines[line - 1])
        };
        let to = if line == 0 { text.len() } else { text[from..].find('\n').map_or(text.len(), |at| from + at) };
        let line_text = text[from..to].trim_end_matches('\r');
        let (first, last) = ((start - from).min(line_text.len()), end.saturating_sub(from));
        let problem = Problem {
            severity,
            path: path.to_string(),
            line,
            column: line_text[..first].chars().count() + 1,
            message,
            excerpt: (!line_text.trim().is_empty() && span != Span::START)
                .then(|| Excerpt::of(line_text, first, last.min(line_text.len()))),
            hint,
        };
        hidden::hide(problem, text, from)
    }

    /// The place of `decoded`, a range of a string's value, where the string as written (with quotes and escapes) is `span`.
    pub(crate) fn inside(&self, span: Span, decoded: Range<usize>) -> Span {
        let raw = self.slice(span);
        let Some(quote) = raw.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            let start = (span.start + decoded.start).min(span.end);
            let end = (span.start + decoded.end).min(span.end);
            return Span { start, end, ..span };
        };
        let triple = raw.len() >= 6 && raw.chars().take(3).all(|c| c == quote);
        let mut at = if triple { 3 } else { 1 };
        if triple && raw[at..].starts_with('\n') {
            at += 1;
        }
        let mut value_at = 0;
        let mut begin = None;
        while at < raw.len() {
            if value_at >= decoded.start {
                begin.get_or_insert(at);
            }
            if value_at >= decoded.end {
                break;
            }
            let (raw_bytes, value_bytes) = unit(&raw[at..], quote == '"');
            at += raw_bytes;
            value_at += value_bytes;
        }
        let start = span.start + begin.unwrap_or(at);
        Span { start, end: (span.start + at).max(start), ..span }
    }
}

/// The bytes that the first character or escape of `raw` takes as written, and in the value.
fn unit(raw: &str, escapes: bool) -> (usize, usize) {
    let mut chars = raw.chars();
    let first = chars.next().map_or(1, char::len_utf8);
    if !(escapes && raw.starts_with('\\')) {
        return (first, first);
    }
    let hex = |digits: usize| {
        let code = raw.get(2..2 + digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        (2 + digits, code.and_then(char::from_u32).map_or(1, char::len_utf8))
    };
    match chars.next() {
        Some('u') => hex(4),
        Some('U') => hex(8),
        Some('x') => hex(2),
        Some(c) if c.is_whitespace() => (1 + raw[1..].len() - raw[1..].trim_start().len(), 0),
        Some(c) => (1 + c.len_utf8(), 1),
        None => (1, 1),
    }
}

/// More than anybody reads; what a hostile file could fill memory with.
const MOST: usize = 1000;

/// The problems found so far, each once, however many experiments share it.
pub(crate) struct Found<'a> {
    pub(crate) sources: &'a Sources<'a>,
    list: Vec<(Span, Problem)>,
    seen: BTreeSet<(Span, String)>,
}

impl<'a> Found<'a> {
    pub(crate) fn new(sources: &'a Sources<'a>) -> Found<'a> {
        let (list, seen) = (Vec::new(), BTreeSet::new());
        Found { sources, list, seen }
    }

    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.add(Severity::Error, span, message.into(), hint.into());
    }

    pub(crate) fn warning(&mut self, span: Span, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.add(Severity::Warning, span, message.into(), hint.into());
    }

    /// An error at a place that must not be shown.
    pub(crate) fn error_unseen(&mut self, span: Span, message: String, hint: String) {
        if !self.is_full() && self.seen.insert((span, message.clone())) {
            let problem = self.sources.problem(Severity::Error, span, String::new(), None);
            self.list.push((span, Problem { message, hint: Some(hint), excerpt: None, ..problem }));
        }
    }

    /// Nothing more is taken up; whoever would make long hints can stop.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= MOST
    }

    fn add(&mut self, severity: Severity, span: Span, message: String, hint: Option<String>) {
        if !self.is_full() && self.seen.insert((span, message.clone())) {
            self.list.push((span, self.sources.problem(severity, span, message, hint)));
        }
    }

    /// Errors, then warnings, each in the order of the text.
    pub(crate) fn finish(self) -> (Vec<Problem>, Vec<Problem>) {
        let mut list = self.list;
        list.sort_by_key(|(span, _)| *span);
        list.into_iter().map(|(_, problem)| problem).partition(|problem| problem.severity == Severity::Error)
    }
}
