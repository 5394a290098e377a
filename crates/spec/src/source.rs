//! Where every piece of a specification was written: spans, and the way from a span to a [`Problem`].

use crate::hidden;
use crate::problem::{Excerpt, Problem, Severity, quoted};
use crate::syntax;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

/// A place in what the user wrote. Source 0 is the file, N is the N-th `--set`; behind them come the files that are included.
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
pub(crate) struct Sources<'a>(Vec<Source<'a>>);

struct Source<'a> {
    path: Cow<'a, str>,
    text: Cow<'a, str>,
    /// Where each line starts; none where line numbers would mean nothing.
    lines: Vec<usize>,
    /// Of each line, whether it belongs to secrets.
    secret: Vec<bool>,
    /// What is included comes before what includes it, wherever the order of the text counts.
    rank: usize,
}

/// Behind every included file.
const LAST: usize = usize::MAX;

impl<'a> Source<'a> {
    fn file(path: Cow<'a, str>, text: Cow<'a, str>) -> Source<'a> {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Source { lines, ..Source::unnumbered(path, text) }
    }

    fn unnumbered(path: Cow<'a, str>, text: Cow<'a, str>) -> Source<'a> {
        let secret = hidden::lines(&text);
        Source { path, text, lines: Vec::new(), secret, rank: LAST }
    }
}

impl<'a> Sources<'a> {
    pub(crate) fn of_file(path: &'a str, text: &'a str, set: &'a [String]) -> Sources<'a> {
        Sources::new(Source::file(path.into(), text.into()), set)
    }

    /// A text that is no file: a command line.
    pub(crate) fn of_words(path: &'a str, text: &'a str, set: &'a [String]) -> Sources<'a> {
        Sources::new(Source::unnumbered(path.into(), text.into()), set)
    }

    fn new(first: Source<'a>, set: &'a [String]) -> Sources<'a> {
        Sources(std::iter::once(first).chain(set.iter().map(|set| Source::unnumbered("--set".into(), set.into()))).collect())
    }

    /// Takes up a file that another one includes.
    pub(crate) fn include(&mut self, path: String, text: String) -> usize {
        self.0.push(Source::file(path.into(), text.into()));
        self.0.len() - 1
    }

    /// All of this file's own includes are read: it comes behind them.
    pub(crate) fn rank(&mut self, source: usize, rank: usize) {
        if let Some(source) = self.0.get_mut(source) {
            source.rank = rank;
        }
    }

    /// What orders keys: included files first, then the place in the text.
    pub(crate) fn order(&self, span: Span) -> (usize, Span) {
        (self.0.get(span.source).map_or(LAST, |source| source.rank), span)
    }

    pub(crate) fn text(&self, source: usize) -> &str {
        self.0.get(source).map_or("", |source| &source.text)
    }

    pub(crate) fn path(&self, source: usize) -> &str {
        self.0.get(source).map_or("", |source| &source.path)
    }

    pub(crate) fn is_yaml(&self, source: usize) -> bool {
        syntax::is_yaml(self.path(source))
    }

    /// Keys with values that are written for TOML, in the language of the file.
    pub(crate) fn spoken(&self, span: Span, toml: &str) -> String {
        if self.is_yaml(span.source) { toml.replace(" = ", ": ") } else { toml.to_string() }
    }

    pub(crate) fn slice(&self, span: Span) -> &str {
        self.0.get(span.source).and_then(|source| source.text.get(span.start..span.end)).unwrap_or("")
    }

    pub(crate) fn problem(&self, severity: Severity, span: Span, message: String, hint: Option<String>) -> Problem {
        let Some(Source { path, text, lines, secret, .. }) = self.0.get(span.source) else {
            return Problem::of_file("", message, hint.as_deref());
        };
        // A place inside what was typed with escapes is only near.
        let (start, end) = (text.floor_char_boundary(span.start), text.ceil_char_boundary(span.end));
        let line = lines.partition_point(|begin| *begin <= start);
        let from = line.checked_sub(1).map_or(0, |line| lines[line]);
        let to = lines.get(line).map_or(text.len(), |next| next - 1);
        let line_text = text[from..to].trim_end_matches('\r');
        let (first, last) = ((start - from).min(line_text.len()), end.saturating_sub(from));
        let secret = secret.get(line.saturating_sub(1)).copied().unwrap_or(false);
        let problem = Problem {
            severity,
            path: path.to_string(),
            line,
            column: line_text[..first].chars().count() + 1,
            message,
            excerpt: (!secret && !line_text.trim().is_empty() && span != Span::START)
                .then(|| Excerpt::of(line_text, first, last.min(line_text.len()))),
            hint,
        };
        if secret { hidden::hide(problem, line_text) } else { problem }
    }

    /// The place of `decoded`, a range of a string's value, where the string as written (with quotes and escapes) is `span`.
    pub(crate) fn inside(&self, span: Span, decoded: Range<usize>) -> Span {
        let raw = self.slice(span);
        let Some(quote) = raw.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            let decoded = self.indented(span, raw, decoded);
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

impl Sources<'_> {
    /// Where a range of the value lies in a text of several lines in YAML, whose lines are indented as the first one is.
    fn indented(&self, span: Span, raw: &str, decoded: Range<usize>) -> Range<usize> {
        let before = &self.text(span.source)[..span.start];
        let indent = before.len() - before.rfind('\n').map_or(0, |at| at + 1);
        let place = |at: usize| {
            let (mut value_at, mut raw_at) = (0, 0);
            while value_at < at && raw_at < raw.len() {
                let line = raw[raw_at..].find('\n').map_or(raw.len(), |len| raw_at + len + 1);
                if at - value_at < line - raw_at {
                    return raw_at + at - value_at;
                }
                value_at += line - raw_at;
                raw_at = line + raw[line..].bytes().take(indent).take_while(|byte| *byte == b' ').count();
            }
            raw_at
        };
        if raw.contains('\n') { place(decoded.start)..place(decoded.end) } else { decoded }
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
        // An argument of a command line may begin with a quote without being a string, and then this is no escape.
        code.map_or((2, 2), |code| (2 + digits, char::from_u32(code).map_or(1, char::len_utf8)))
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
    pub(crate) sources: Sources<'a>,
    list: Vec<Told>,
    /// Places in the list.
    seen: BTreeMap<(Span, String), usize>,
    experiment: Option<usize>,
}

struct Told {
    span: Span,
    problem: Problem,
    /// The experiments that it was found in, by their number.
    by: Vec<usize>,
}

impl<'a> Found<'a> {
    pub(crate) fn new(sources: Sources<'a>) -> Found<'a> {
        Found { sources, list: Vec::new(), seen: BTreeMap::new(), experiment: None }
    }

    /// What is found from here on is found in the experiment of this number.
    pub(crate) fn of_experiment(&mut self, experiment: Option<usize>) {
        self.experiment = experiment;
    }

    /// What only some of several experiments make of what they share is said to be theirs. Of each there is the name, and the
    /// places of what it says itself.
    pub(crate) fn say_whose(&mut self, experiments: &[(&str, Vec<Span>)]) {
        for Told { span, problem, by } in &mut self.list {
            let within = |own: &Span| own.source == span.source && own.start <= span.start && span.end <= own.end;
            let is_shared = |at: &usize| !experiments[*at].1.iter().any(within);
            if by.len() >= experiments.len() || !by.iter().all(is_shared) {
                continue;
            }
            let whose = match by.as_slice() {
                [] => continue,
                [one] => format!("in experiment {}", quoted(experiments[*one].0)),
                [one, other] => format!("in experiments {} and {}", quoted(experiments[*one].0), quoted(experiments[*other].0)),
                [one, ..] => format!("in {} of {} experiments, such as {}", by.len(), experiments.len(), quoted(experiments[*one].0)),
            };
            problem.message = format!("{whose}: {}", problem.message);
        }
    }

    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.add(Severity::Error, span, message.into(), hint.into());
    }

    pub(crate) fn warning(&mut self, span: Span, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.add(Severity::Warning, span, message.into(), hint.into());
    }

    pub(crate) fn note(&mut self, span: Span, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.add(Severity::Note, span, message.into(), hint.into());
    }

    /// An error at a place that must not be shown.
    pub(crate) fn error_unseen(&mut self, span: Span, message: String, hint: String) {
        let problem = self.sources.problem(Severity::Error, span, String::new(), None);
        self.take(span, message.clone(), |_| Problem { message, hint: Some(hint), excerpt: None, ..problem });
    }

    /// Nothing more is taken up; whoever would make long hints can stop.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= MOST
    }

    fn add(&mut self, severity: Severity, span: Span, message: String, hint: Option<String>) {
        self.take(span, message.clone(), |sources| sources.problem(severity, span, message, hint));
    }

    fn take(&mut self, span: Span, message: String, problem: impl FnOnce(&Sources<'_>) -> Problem) {
        match self.seen.get(&(span, message.clone())) {
            Some(at) => {
                let by = &mut self.list[*at].by;
                by.extend(self.experiment.filter(|experiment| by.last() != Some(experiment)));
            }
            None if self.is_full() => {}
            None => {
                self.seen.insert((span, message), self.list.len());
                let problem = problem(&self.sources);
                self.list.push(Told { span, problem, by: self.experiment.into_iter().collect() });
            }
        }
    }

    /// Errors, then warnings and notes, each in the order of the text.
    pub(crate) fn finish(self) -> (Vec<Problem>, Vec<Problem>) {
        let Found { mut list, sources, .. } = self;
        list.sort_by_key(|told| sources.order(told.span));
        list.into_iter().map(|told| told.problem).partition(|problem| problem.severity == Severity::Error)
    }
}
