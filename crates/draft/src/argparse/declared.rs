//! What the source of a script says of its options and `--help` does not: literal defaults, and what kind of value is taken.

use neronet_model::Value;
use std::collections::BTreeMap;

#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Declared {
    pub(super) default: Option<String>,
    /// `float`, as in `type=float`.
    pub(super) kind: Option<String>,
}

/// Each long option of `add_argument`, by its name. Of one that is declared in several ways nothing is known.
pub(super) fn all(source: &str) -> BTreeMap<String, Declared> {
    let (code, calls) = code(source);
    let mut all: BTreeMap<String, Declared> = BTreeMap::new();
    for at in calls {
        let mut declared = Declared::default();
        let mut names = Vec::new();
        for argument in arguments(&code[at..]) {
            if let Some(name) = quoted(argument).and_then(|name| name.strip_prefix("--")) {
                names.push(name.to_string());
            } else if let Some((key, value)) = argument.split_once('=') {
                match key.trim() {
                    "default" => declared.default = literal(value.trim()),
                    "type" => declared.kind = Some(value.trim().to_string()),
                    _ => {}
                }
            }
        }
        for name in names {
            let known = all.entry(name).or_insert_with(|| declared.clone());
            if *known != declared {
                *known = Declared::default();
            }
        }
    }
    all
}

/// The source without comments and texts of several lines, and where in it the arguments of `add_argument` begin.
fn code(source: &str) -> (String, Vec<usize>) {
    const CALL: &str = "add_argument(";
    let mut code = String::with_capacity(source.len());
    let mut calls = Vec::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '#' => {
                rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
                continue;
            }
            '"' | '\'' => {
                let mark = &rest[..1];
                let tripled = mark.repeat(3);
                let end = if rest.starts_with(&tripled) { closing(&rest[3..], &tripled) + 3 } else { closing(&rest[1..], mark) + 1 };
                code.push_str(if tripled.len() <= end && rest.starts_with(&tripled) { "\"\"" } else { &rest[..end] });
                rest = &rest[end..];
                continue;
            }
            _ if rest.starts_with(CALL) => {
                calls.push(code.len() + CALL.len());
                CALL.len()
            }
            c => c.len_utf8(),
        };
        code.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    (code, calls)
}

/// Where a text ends, behind its closing mark; one of a single line ends with its line, too.
fn closing(text: &str, mark: &str) -> usize {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '\n' if mark.len() == 1 => return at,
            _ if text[at..].starts_with(mark) => return at + mark.len(),
            _ => {}
        }
    }
    text.len()
}

/// What stands between the commas of a call, up to its end.
fn arguments(call: &str) -> Vec<&str> {
    let mut arguments = Vec::new();
    let (mut depth, mut quote, mut from) = (0_usize, None, 0);
    let mut chars = call.char_indices();
    while let Some((at, c)) = chars.next() {
        match (c, quote) {
            ('\\', Some(_)) => drop(chars.next()),
            (c, Some(open)) if c == open => quote = None,
            (_, Some(_)) => {}
            ('\'' | '"', None) => quote = Some(c),
            ('(' | '[' | '{', None) => depth += 1,
            (')' | ']' | '}', None) if depth > 0 => depth -= 1,
            (')' | ',', None) if depth == 0 => {
                arguments.push(call[from..at].trim());
                from = at + 1;
                if c == ')' {
                    break;
                }
            }
            _ => {}
        }
    }
    arguments
}

fn quoted(text: &str) -> Option<&str> {
    let inside = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote).filter(|inside| !inside.contains([quote, '\\']));
    inside('"').or_else(|| inside('\''))
}

fn literal(text: &str) -> Option<String> {
    let plain = matches!(text, "True" | "False") || Value::as_typed(text).number().is_some();
    if plain { Some(text.to_string()) } else { quoted(text).filter(|text| !text.is_empty()).map(str::to_string) }
}
