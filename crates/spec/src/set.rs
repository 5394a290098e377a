//! `--set KEY=VALUE`: values from the command line over those of the file.

use crate::keys;
use crate::params::{self, Entry};
use crate::problem::quoted;
use crate::source::{Found, Span};
use crate::suggest::did_you_mean;
use crate::tree::{self, Node, Table, Tree};
use toml::de::DeTable;

mod hydra;

/// What one `--set` changes.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    target: Target,
    key: Span,
    node: Node,
}

#[derive(Debug, Clone, PartialEq)]
enum Target {
    /// A parameter that is there.
    Known(String),
    /// A parameter, there or not: `params.NAME`.
    Param(String),
    Setting(Vec<String>),
}

/// Reads all changes. `params` are the names of the parameters that exist; `adds`: whether a new bare name makes one.
pub(crate) fn read(set: &[String], params: &[String], adds: bool, found: &mut Found<'_>) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for (index, text) in set.iter().enumerate() {
        let source = index + 1;
        let span = |start, end| Span { source, start, end };
        if text.starts_with(['+', '~']) {
            of_hydra(text, span(0, text.len() - text.trim_start_matches(['+', '~']).len()), params, found);
            continue;
        }
        let Some((name, _)) = text.split_once('=') else {
            let hint = "write --set KEY=VALUE, as --set lr=0.1,0.01".to_string();
            found.error(span(0, text.len()), "a '=' and a value are missing", hint);
            continue;
        };
        let key = span(0, name.len());
        let name = name.trim();
        if name.is_empty() {
            found.error(span(0, 1), "the name before '=' is missing", "write --set KEY=VALUE, as --set lr=0.1,0.01".to_string());
            continue;
        }
        let Some(target) = target(name, params, adds, key, found) else {
            continue;
        };
        if changes.iter().any(|change| change.target == target) {
            found.error(key, format!("{} is set twice", quoted(name)), "several values of a parameter: --set lr=0.1,0.01".to_string());
        }
        let kind = match &target {
            Target::Setting(path) if keys::takes_list(path) => Of::List,
            Target::Setting(_) => Of::Setting,
            _ => Of::Param,
        };
        let place = span(key.end + 1, text.len());
        if text[place.start..].starts_with('=') {
            let hint = format!(
                "write --set {name}={}; a text that begins so stands in quotes: '\"…\"'",
                text[place.start..].trim_start_matches('=')
            );
            found.warning(place, format!("the value of {} begins with '='", quoted(name)), hint);
        }
        if let Some(node) = value(text, place, kind, found) {
            changes.push(Change { target, key, node });
        }
    }
    changes
}

/// Hydra's signs for what is added, forced or taken away.
fn of_hydra(text: &str, signs: Span, params: &[String], found: &mut Found<'_>) {
    let plain = &text[signs.end..];
    let name = plain.split_once('=').map_or(plain, |(name, _)| name).trim();
    if text.starts_with('~') {
        let hint = format!("take it out of the file, or write unset = [\"params.{name}\"] in an [[experiment]] that is to lack it");
        return found.error(signs, "nothing is taken away by --set", hint);
    }
    let params = if params.iter().any(|known| known == name) { "" } else { "params." };
    found.error(signs, "'+' and '++' are not needed here", format!("write --set {params}{plain}"));
}

fn target(name: &str, params: &[String], adds: bool, key: Span, found: &mut Found<'_>) -> Option<Target> {
    if params.iter().any(|known| known == name) {
        return Some(Target::Known(name.to_string()));
    }
    if let Some(name) = name.strip_prefix("params.") {
        return Some(Target::Param(name.to_string()));
    }
    let path: Vec<String> = name.split('.').map(str::to_string).collect();
    if path[0] == "include" {
        found.error(key, "'include' cannot be set here", "write it at the top of the file".to_string());
        return None;
    }
    if matches!(path[0].as_str(), "experiment" | "include_self" | "params") {
        found.error(key, format!("{} cannot be set here", quoted(name)), "a parameter is set by its name: --set lr=0.1".to_string());
        return None;
    }
    if keys::is_setting(&path) {
        return Some(Target::Setting(path));
    }
    if adds {
        return Some(Target::Known(name.to_string()));
    }
    let tops: Vec<&str> = keys::top().collect();
    let known = params.iter().map(String::as_str).chain(tops);
    let hint = did_you_mean(name, known).unwrap_or_else(|| format!("a new parameter is added by --set params.{name}=…"));
    found.error(key, format!("no parameter and no key is called {}", quoted(name)), hint);
    None
}

/// What a value is for.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    Param,
    /// A key that takes several values.
    List,
    Setting,
}

/// A value as TOML when it begins like one (a list, a table, a quoted text), as a sweep in Hydra's spelling
/// (`range(1,10)`, `choice(a,b)`), else a word; commas separate several values.
fn value(text: &str, span: Span, of: Of, found: &mut Found<'_>) -> Option<Node> {
    let written = &text[span.start..];
    if let Some(node) = toml_value(text, span, found).filter(|_| is_toml(written)) {
        return Some(node);
    }
    if of == Of::Param
        && let Some(node) = hydra::sweep(text, span, found)
    {
        return node;
    }
    if of == Of::Setting {
        return if is_toml(written) { one(text, span, found) } else { Some(Node { span, tree: Tree::Word(written.trim().to_string()) }) };
    }
    let parts = parts(text, span);
    if let [_] = parts.as_slice() {
        return one(text, span, found);
    }
    let mut values = Vec::new();
    for place in parts {
        if text[place.start..place.end].trim().is_empty() {
            found.error(place, "a value is missing between the commas", "an empty text is written \"\"".to_string());
            return None;
        }
        values.push(one(text, place, found)?);
    }
    Some(Node { span, tree: Tree::List(values) })
}

fn is_toml(written: &str) -> bool {
    written.trim_start().starts_with(['[', '{', '"', '\''])
}

/// One of the values between the commas; `\,` is a comma in it, as Hydra has it.
fn one(text: &str, span: Span, found: &mut Found<'_>) -> Option<Node> {
    let written = &text[span.start..span.end];
    if !is_toml(written) {
        return Some(Node { span, tree: Tree::Word(written.trim().replace("\\,", ",")) });
    }
    let node = toml_value(&text[..span.end], span, found);
    if node.is_none() {
        let hint = "quotes, [ and { begin a TOML value here; the command line's own quotes are gone by now: '\"a text\"'".to_string();
        found.error(span, "this is no TOML value", hint);
    }
    node
}

/// The places between the commas that are in no quotes and no brackets.
pub(super) fn parts(text: &str, span: Span) -> Vec<Span> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut quote) = (span.start, 0_usize, None);
    let mut escaped = false;
    for (at, c) in text[span.start..span.end].char_indices() {
        match (quote, c) {
            (Some('"') | None, '\\') if !escaped => {
                escaped = true;
                continue;
            }
            (None, ',') if escaped => {}
            (Some(open), c) if c == open && !escaped => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{' | '(') => depth += 1,
            (None, ']' | '}' | ')') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(Span { start, end: span.start + at, ..span });
                start = span.start + at + 1;
            }
            _ => {}
        }
        escaped = false;
    }
    parts.push(Span { start, ..span });
    parts
}

fn toml_value(text: &str, span: Span, found: &mut Found<'_>) -> Option<Node> {
    // Any key will do, as long as places in the value stay places in the text.
    let line = format!("k{}={}", " ".repeat(span.start.saturating_sub(2)), &text[span.start..]);
    let table = DeTable::parse(&line).ok()?;
    let mut values = table.get_ref().iter();
    let (value, None) = (values.next()?.1, values.next()) else {
        return None;
    };
    let place = value.span();
    let span = Span { start: place.start, end: place.end, ..span };
    Some(tree::of_value(value.get_ref(), span, span.source, found))
}

impl Change {
    /// A change of what stands at the top of the file.
    pub(crate) fn apply_to_settings(&self, table: &mut Table) {
        if let Target::Setting(path) = &self.target {
            table.set(path, self.key, self.node.clone());
        }
    }

    pub(crate) fn apply_to_params(&self, entries: &mut Vec<Entry>, adds: bool) {
        match &self.target {
            Target::Known(name) if adds || entries.iter().any(|entry| entry.name == *name) => {
                params::set(entries, name, self.key, self.node.clone());
            }
            Target::Param(name) => params::set(entries, name, self.key, self.node.clone()),
            _ => {}
        }
    }
}

/// The changed settings as a tree of their own, whose keys can be checked.
pub(crate) fn settings_of(changes: &[Change]) -> Table {
    let mut table = Table::default();
    for change in changes {
        change.apply_to_settings(&mut table);
    }
    table
}
