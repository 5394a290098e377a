//! What the source of a script says of its options and `--help` does not: literal defaults, and what kind of value is taken.

use neronet_model::Value;
use std::collections::BTreeMap;

#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Declared {
    pub(super) default: Option<String>,
    /// `float`, as in `type=float`.
    pub(super) kind: Option<String>,
}

/// Each long option of `add_argument`, by its name.
pub(super) fn all(source: &str) -> BTreeMap<String, Declared> {
    let mut all = BTreeMap::new();
    for call in source.split("add_argument(").skip(1) {
        let mut declared = Declared::default();
        let mut names = Vec::new();
        for argument in arguments(call) {
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
        all.extend(names.into_iter().map(|name| (name, declared.clone())));
    }
    all
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
