//! YAML to the same tree as TOML. A plain scalar stays the word that was written (`no`, `007`, `1e3`, a date): what it is
//! for decides what it means. Anchors, aliases and `<<` are carried out, within bounds; of tags only `!!str` means anything.

use crate::problem::quoted;
use crate::source::{Found, Span};
use crate::tree::{Key, Node, Style, Table, Tree};
use neronet_model::Value;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use std::collections::{BTreeMap, BTreeSet};

/// Values that aliases may copy: a few lines can stand for billions.
const MOST_COPIED: usize = 100_000;
const DEEPEST: usize = 50;

/// The tree of a file. Nothing when its syntax is wrong. A key of the top that begins with `x-` or a dot is only there for its
/// anchor.
pub(crate) fn read(source: usize, text: &str, found: &mut Found<'_>) -> Option<Table> {
    let node = tree(source, text, found)?;
    match node.tree {
        Tree::Table(mut table) => {
            table.entries.retain(|(key, _)| !key.name.starts_with("x-") && !key.name.starts_with('.'));
            Some(table)
        }
        _ => {
            let hint = glued(&node).unwrap_or_else(|| "write command: python train.py".to_string());
            found.error(node.span, format!("expected keys with values, found {}", node.kind()), hint);
            None
        }
    }
}

/// What to write where the keys of `name` are missing, and this stands there.
pub(crate) fn keys_below(name: &str, node: &Node) -> String {
    let below = || format!("write the keys of {name} indented below it, each as KEY: VALUE and without a dash");
    glued(node).unwrap_or_else(below)
}

/// `lr:0.1`, which is one word.
fn glued(node: &Node) -> Option<String> {
    match &node.tree {
        Tree::Word(word) => blank_missing(word),
        _ => None,
    }
}

fn blank_missing(word: &str) -> Option<String> {
    let (key, value) = word.split_whitespace().next()?.split_once(':')?;
    let is_key = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_.-".contains(c));
    (is_key && !value.is_empty() && !value.starts_with("//")).then(|| format!("a blank is missing behind the colon: write {key}: {value}"))
}

/// The same of a file that need not be a table.
pub(crate) fn tree(source: usize, text: &str, found: &mut Found<'_>) -> Option<Node> {
    Yaml { source, text, offsets: Offsets::of(text), stack: Vec::new(), anchors: BTreeMap::new(), copied: 0 }.document(found)
}

/// The reader counts characters, spans are bytes.
struct Offsets(Option<Vec<usize>>, usize);

impl Offsets {
    fn of(text: &str) -> Offsets {
        Offsets((!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect()), text.len())
    }

    fn byte(&self, mark: &Marker) -> usize {
        match &self.0 {
            None => mark.index().min(self.1),
            Some(starts) => starts.get(mark.index()).copied().unwrap_or(self.1),
        }
    }
}

/// A list or table that is not closed yet.
struct Open {
    span: Span,
    anchor: usize,
    style: Style,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    Table { entries: Vec<(Key, Node)>, key: Option<Key>, merged: Vec<Node> },
}

struct Yaml<'t> {
    source: usize,
    text: &'t str,
    offsets: Offsets,
    stack: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    copied: usize,
}

impl Yaml<'_> {
    fn document(&mut self, found: &mut Found<'_>) -> Option<Node> {
        let mut parser = Parser::new_from_str(self.text);
        let mut whole = None;
        let mut documents = 0;
        while let Some(event) = parser.next_event() {
            let (event, place) = match event {
                Ok(event) => event,
                Err(error) => {
                    self.explain(error.info(), error.marker(), found);
                    return None;
                }
            };
            let (start, end) = (self.offsets.byte(&place.start), self.offsets.byte(&place.end));
            let span = Span { source: self.source, start, end: end.max(start) };
            let node = match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        found.error(
                            span,
                            "a second document begins here",
                            "one file is one specification: take the line --- out".to_string(),
                        );
                        return None;
                    }
                    None
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let text = text.into_owned();
                    let plain = style == ScalarStyle::Plain && !is_text(tag.as_deref(), span, found)?;
                    let tree = if plain { Tree::Word(text) } else { Tree::Scalar(Value::Str(text)) };
                    self.anchored(anchor, Node { span, tree })
                }
                Event::SequenceStart(anchor, tag) => {
                    is_text(tag.as_deref(), span, found)?;
                    self.open(span, anchor, Kind::List(Vec::new()), found)?;
                    None
                }
                Event::MappingStart(anchor, tag) => {
                    is_text(tag.as_deref(), span, found)?;
                    self.open(span, anchor, Kind::Table { entries: Vec::new(), key: None, merged: Vec::new() }, found)?;
                    None
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let closed = self.stack.pop().map(|open| self.closed(open, span, found))?;
                    self.anchored(closed.0, closed.1)
                }
                Event::Alias(anchor) => Some(self.alias(anchor, span, found)?),
                _ => None,
            };
            if let Some(node) = node {
                match self.stack.last_mut() {
                    Some(open) => take(open, node, found)?,
                    None => whole = Some(node),
                }
            }
        }
        Some(whole.unwrap_or(Node { span: Span { source: self.source, start: 0, end: 0 }, tree: Tree::Table(Table::default()) }))
    }

    fn open(&mut self, span: Span, anchor: usize, kind: Kind, found: &mut Found<'_>) -> Option<()> {
        if self.stack.len() >= DEEPEST {
            found.error(span, format!("nested more than {DEEPEST} deep"), "no key of the language is so deep".to_string());
            return None;
        }
        let style = if self.text[span.start..].starts_with(['{', '[']) { Style::Braces } else { Style::Block };
        self.stack.push(Open { span, anchor, style, kind });
        Some(())
    }

    fn closed(&mut self, open: Open, end: Span, found: &mut Found<'_>) -> (usize, Node) {
        let last = self.text[..end.end].trim_end().len();
        let span = Span { end: last.max(open.span.start), ..open.span };
        let tree = match open.kind {
            Kind::List(items) => Tree::List(items),
            Kind::Table { entries, merged, .. } => {
                let own = Table { style: open.style, entries };
                let mut base = Table::default();
                // Of several the first wins, and what the mapping says itself wins over all.
                for node in merged.iter().rev() {
                    match &node.tree {
                        Tree::Table(table) => base.entries = base.beside(table).entries,
                        _ => found.error(
                            node.span,
                            "'<<' takes over a mapping, and this is none",
                            "write <<: *NAME for what has &NAME".to_string(),
                        ),
                    }
                }
                Tree::Table(Table { style: open.style, entries: base.beside(&own).entries })
            }
        };
        (open.anchor, Node { span, tree })
    }

    fn anchored(&mut self, anchor: usize, node: Node) -> Option<Node> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Some(node)
    }

    fn alias(&mut self, anchor: usize, span: Span, found: &mut Found<'_>) -> Option<Node> {
        let Some(node) = self.anchors.get(&anchor) else {
            found.error(span, "this alias stands inside of what it names", "write the values out".to_string());
            return None;
        };
        self.copied += node.size();
        if self.copied > MOST_COPIED {
            found.error(
                span,
                format!("aliases copy more than {MOST_COPIED} values"),
                "what is shared belongs above the experiments".to_string(),
            );
            return None;
        }
        Some(node.clone())
    }

    fn explain(&self, reason: &str, mark: &Marker, found: &mut Found<'_>) {
        let at = self.offsets.byte(mark);
        let begin = self.text[..at].rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[begin..].lines().next().unwrap_or("");
        let span = |start: usize, len: usize| Span { source: self.source, start, end: start + len };
        let before = &line[..line.len() - line.trim_start().len()];
        if let Some(tab) = before.find('\t') {
            return found.error(span(begin + tab, 1), "a tab cannot indent in YAML", "indent with spaces".to_string());
        }
        if let Some((key, value)) = line.split_once('=').filter(|(key, _)| !key.contains(':') && !key.trim().contains(' ')) {
            let hint = format!("write {}: {}", key.trim(), value.trim());
            return found.error(span(begin, line.len()), "a key and its value are joined by ': ' in YAML, not by '='", hint);
        }
        let before = self.text[..begin].lines().next_back().unwrap_or_default();
        let glued = [before, line].into_iter().find_map(|line| blank_missing(line.trim_start_matches([' ', '-'])));
        let hint = match reason {
            _ if glued.is_some() => glued,
            reason if reason.contains("mapping values are not allowed") => Some("a text with ': ' in it stands in quotes".to_string()),
            reason if reason.contains("unexpected end") || reason.contains("end of stream") => Some("is the file complete?".to_string()),
            reason if reason.contains("cannot start any token") => {
                Some("a text that begins with this character stands in quotes".to_string())
            }
            _ => Some("indentation says what belongs together; a text with special characters stands in quotes".to_string()),
        };
        found.error(span(at, 1), format!("this is no YAML: {reason}"), hint);
    }
}

/// Puts a node into the list or table that is open.
fn take(open: &mut Open, node: Node, found: &mut Found<'_>) -> Option<()> {
    match &mut open.kind {
        Kind::List(items) => items.push(node),
        Kind::Table { entries, key: slot, merged } => match slot.take() {
            None => {
                let name = match &node.tree {
                    Tree::Word(text) | Tree::Scalar(Value::Str(text)) => text.clone(),
                    _ => {
                        found.error(
                            node.span,
                            format!("expected a name as a key, found {}", node.kind()),
                            "a key is a word, as params".to_string(),
                        );
                        return None;
                    }
                };
                *slot = Some(Key::new(name, node.span));
            }
            Some(key) if key.name == "<<" => match node.tree {
                Tree::List(items) => merged.extend(items),
                _ => merged.push(node),
            },
            Some(key) => {
                if let Some((first, _)) = entries.iter().find(|(known, _)| known.name == key.name) {
                    let before = &found.sources.text(first.span.source)[..first.span.start];
                    let line = before.matches('\n').count() + 1;
                    let hint = "several values make one run for each: key: [1, 2]".to_string();
                    found.error(key.span, format!("duplicate key {}, first on line {line}", quoted(&key.name)), hint);
                    return Some(());
                }
                entries.push((key, node));
            }
        },
    }
    Some(())
}

/// Whether a tag makes a text of what it stands before. Any tag but those of plain YAML is refused.
fn is_text(tag: Option<&Tag>, span: Span, found: &mut Found<'_>) -> Option<bool> {
    let Some(tag) = tag else { return Some(false) };
    let known: BTreeSet<&str> = ["str", "int", "float", "bool", "map", "seq"].into();
    if tag.is_yaml_core_schema() && known.contains(tag.suffix.as_str()) {
        return Some(tag.suffix == "str");
    }
    let message =
        format!("the tag {} means nothing here", quoted(&format!("{}{}", tag.handle, tag.suffix).replace("tag:yaml.org,2002:", "!!")));
    found.error(span, message, "write the value alone".to_string());
    None
}
