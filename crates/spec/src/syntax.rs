//! The text of a file to a tree: TOML here, YAML by its own reader. What the TOML reader says of mistakes, in words for people.

use crate::problem::quoted;
use crate::source::{Found, Span};
use crate::tree::{self, Style, Table};
use crate::yaml;
use toml::de::DeTable;

/// A text as it is read: without a byte order mark, with one kind of line end.
pub(crate) fn normal(written: &str) -> String {
    written.strip_prefix('\u{feff}').unwrap_or(written).replace("\r\n", "\n")
}

/// Whether a file of this name holds YAML.
pub(crate) fn is_yaml(path: &str) -> bool {
    [".yaml", ".yml"].iter().any(|ending| path.to_ascii_lowercase().ends_with(ending))
}

/// The tree of a file. Nothing when the syntax is wrong: what such a file means would be a guess.
pub(crate) fn read(source: usize, found: &mut Found<'_>) -> Option<Table> {
    let text = found.sources.text(source).to_string();
    if let Some(at) = text.find('\0') {
        let span = Span { source, start: at, end: at + 1 };
        found.error(span, "this is no text file: it holds a NUL byte", "a specification is a TOML or YAML file".to_string());
        return None;
    }
    if is_yaml(found.sources.path(source)) { yaml::read(source, &text, found) } else { toml(source, &text, found) }
}

fn toml(source: usize, text: &str, found: &mut Found<'_>) -> Option<Table> {
    let (table, errors) = DeTable::parse_recoverable(text);
    // One mistake makes several messages on its line: the first in the text is the cause.
    let mut lines = std::collections::BTreeSet::new();
    let mut errors: Vec<_> = errors.into_iter().map(|error| (error.span().unwrap_or(0..0), error.message().to_string())).collect();
    errors.sort_by_key(|(span, _)| span.start);
    let failed = !errors.is_empty();
    for (range, message) in errors {
        let start = range.start.min(text.len());
        if lines.insert(text[..start].rfind('\n').map_or(0, |at| at + 1)) {
            explain(source, text, start..range.end.min(text.len()), &message, found);
        }
        if lines.len() >= 50 {
            break;
        }
    }
    (!failed).then(|| tree::of_toml(table.get_ref(), Style::Header, source, found))
}

fn explain(source: usize, text: &str, range: std::ops::Range<usize>, reason: &str, found: &mut Found<'_>) {
    let line_start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next().unwrap_or("");
    let word = &text[range.clone()];
    let cause = reason.split(", expected").next().unwrap_or(reason);
    let span = Span { source, start: range.start, end: range.end };
    let cut_off = range.start >= text.trim_end().len();
    let (message, hint) = match cause {
        "string values must be quoted" if word.trim().is_empty() => {
            ("a value is missing after '='".to_string(), cut_off.then(|| "the file ends here: is it complete?".to_string()))
        }
        "string values must be quoted" => {
            ("a text needs quotes".to_string(), Some(format!("write \"{}\"", word.trim().replace('\\', "\\\\").replace('"', "\\\""))))
        }
        "invalid boolean" => (format!("{} is no boolean", quoted(word)), Some("TOML writes true and false, all lower case".to_string())),
        "duplicate key" => {
            let first = first_line_of(text, word, range.start);
            let message = match first {
                Some(line) => format!("duplicate key {}, first on line {line}", quoted(word)),
                None => format!("duplicate key {}", quoted(word)),
            };
            let hint = match line.trim_start().starts_with('[') {
                true => "the keys of a table stand together below one header",
                false => "several values make one run for each: key = [1, 2]",
            };
            (message, Some(hint.to_string()))
        }
        "key with no value" | "invalid unquoted key" if line.split('=').next().is_some_and(|key| key.contains(':')) => (
            "a key and its value are joined by '=', not ':'".to_string(),
            line.split_once(':').map(|(key, value)| match value.trim() {
                "" => format!("write [{}] for a table", key.trim()),
                value => format!("write {} = {value}", key.trim()),
            }),
        ),
        "invalid unquoted key" if !bare_key(text, range.start).is_ascii() => {
            let key = bare_key(text, range.start);
            (
                format!("the key {} needs quotes: without them TOML knows the letters a to z alone", quoted(key)),
                Some(format!("write \"{key}\"")),
            )
        }
        "key with no value" => ("expected '=' and a value after the key".to_string(), Some("write KEY = VALUE".to_string())),
        "unclosed table" => ("the header is not closed".to_string(), Some(format!("write {}]", line.trim()))),
        "unclosed array" => ("the list is never closed".to_string(), Some("a ']' is missing; is the file complete?".to_string())),
        "unclosed inline table" => ("the braces are never closed".to_string(), Some("a '}' is missing; is the file complete?".to_string())),
        "invalid basic string" | "invalid literal string" => {
            let quote = if cause.contains("basic") { '"' } else { '\'' };
            (
                "the string is not closed on its line".to_string(),
                Some(format!("a {quote} is missing; a text of several lines stands in {quote}{quote}{quote}")),
            )
        }
        "invalid multi-line basic string" | "invalid multi-line literal string" => (
            "the string of several lines is never closed".to_string(),
            Some("its three quotes are missing; is the file complete?".to_string()),
        ),
        "missing escaped value" | "invalid escape sequence" => (
            "a backslash in double quotes begins an escape such as \\n, and this is none".to_string(),
            Some("write \\\\ for a backslash, or put the text in single quotes".to_string()),
        ),
        "unexpected leading zero" => ("a number does not begin with 0".to_string(), Some("drop the zero, or write it in quotes".into())),
        "invalid mantissa" | "invalid fraction" => {
            ("a float has digits on both sides of its point".to_string(), Some("write 0.5 and 5.0".to_string()))
        }
        "unexpected key or value" if text[range.start..].starts_with(',') => (
            "a comma belongs in a list".to_string(),
            line.split_once('=').map(|(key, values)| format!("write {} = [{}]", key.trim(), values.trim().trim_end_matches(','))),
        ),
        "unexpected key or value" => (
            "the line goes on after its value".to_string(),
            Some("one key on a line; a text with quotes in it stands in the other kind of quotes".to_string()),
        ),
        _ => (reason.replace('`', "'"), Some("write KEY = VALUE; a text stands in quotes, a list in [ ]".to_string())),
    };
    found.error(span, message, hint);
}

/// The letters, digits, `_` and `-` around a place.
fn bare_key(text: &str, at: usize) -> &str {
    let other = |c: char| !(c.is_alphanumeric() || c == '_' || c == '-');
    let start = text[..at].rfind(other).map_or(0, |place| place + text[place..].chars().next().map_or(1, char::len_utf8));
    let end = text[at..].find(other).map_or(text.len(), |place| at + place);
    &text[start..end]
}

/// The line on which `key` is set before `at`, as far as a look at the lines can tell.
fn first_line_of(text: &str, key: &str, at: usize) -> Option<usize> {
    let upto = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let here = text[upto..].trim_start();
    let header = here.starts_with('[');
    let mut line_of_key = None;
    for (index, line) in text[..upto].lines().enumerate() {
        let line = line.trim();
        if header {
            let name = line.trim_matches(['[', ']']);
            if line.starts_with('[') && name.split('.').next_back().is_some_and(|last| last.trim() == key) {
                line_of_key.get_or_insert(index + 1);
            }
        } else if line.starts_with('[') {
            line_of_key = None;
        } else if line.split('=').next().is_some_and(|left| left.trim() == key) && line.contains('=') {
            line_of_key.get_or_insert(index + 1);
        }
    }
    line_of_key
}
