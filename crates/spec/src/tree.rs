//! A specification as keys and values with their places, before anything is known of what they mean.

use crate::problem::quoted;
use crate::source::{Found, Span};
use crate::suggest::nearest;
use neronet_model::Value;
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};

/// A key, where it stands, and the place that orders it: an experiment's override keeps the place of what it overrides.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) place: Span,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) tree: Tree,
}

#[derive(Debug, Clone)]
pub(crate) enum Tree {
    /// A string, integer, float or boolean.
    Scalar(Value),
    /// A date or time as written.
    Date(String),
    /// A bare word of the command line: of whatever type is wanted.
    Word(String),
    List(Vec<Node>),
    Table(Table),
}

/// How a table is written, which tells whether its keys may be words for how a parameter gets its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Style {
    /// TOML's `[table]` and dotted keys.
    #[default]
    Header,
    /// YAML's indented lines.
    Block,
    Braces,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub(crate) style: Style,
    pub(crate) entries: Vec<(Key, Node)>,
}

impl Key {
    pub(crate) fn new(name: impl Into<String>, span: Span) -> Key {
        let name = name.into();
        Key { name, span, place: span }
    }
}

impl Table {
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.entry(name).map(|(_, node)| node)
    }

    pub(crate) fn entry(&self, name: &str) -> Option<&(Key, Node)> {
        self.entries.iter().find(|(key, _)| key.name == name)
    }

    pub(crate) fn table(&self, name: &str) -> Option<&Table> {
        match &self.get(name)?.tree {
            Tree::Table(table) => Some(table),
            _ => None,
        }
    }

    pub(crate) fn without(&self, names: &[&str]) -> Table {
        let entries = self.entries.iter().filter(|(key, _)| !names.contains(&key.name.as_str())).cloned();
        Table { style: self.style, entries: entries.collect() }
    }

    /// Sets the value at a path, making tables on the way.
    pub(crate) fn set(&mut self, path: &[String], key: Span, node: Node) {
        let Some((first, rest)) = path.split_first() else { return };
        let at = match self.entries.iter().position(|(known, _)| known.name == *first) {
            Some(at) => at,
            None => {
                let tree = Tree::Table(Table::default());
                self.entries.push((Key::new(first, key), Node { span: key, tree }));
                self.entries.len() - 1
            }
        };
        let (known, old) = &mut self.entries[at];
        if rest.is_empty() {
            known.span = key;
            *old = node;
            return;
        }
        if !matches!(old.tree, Tree::Table(_)) {
            old.tree = Tree::Table(Table::default());
        }
        if let Tree::Table(table) = &mut old.tree {
            table.set(rest, key, node);
        }
    }

    /// Takes away what is at a dotted path, a parameter's name included; whether there was anything.
    pub(crate) fn unset(&mut self, path: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|(key, _)| key.name != path);
        if self.entries.len() < before {
            return true;
        }
        // Names may have dots themselves, where they were written in quotes.
        self.entries.iter_mut().any(|(key, node)| match (&mut node.tree, path.strip_prefix(key.name.as_str())) {
            (Tree::Table(inner), Some(rest)) => rest.strip_prefix('.').is_some_and(|rest| inner.unset(rest)),
            _ => false,
        })
    }

    /// The dotted paths of all that is in here, tables included.
    pub(crate) fn paths(&self) -> Vec<String> {
        let below = |(key, node): &(Key, Node)| {
            let inner = match &node.tree {
                Tree::Table(inner) => inner.paths().into_iter().map(|path| format!("{}.{path}", key.name)).collect(),
                _ => Vec::new(),
            };
            std::iter::once(key.name.clone()).chain(inner).collect::<Vec<_>>()
        };
        self.entries.iter().flat_map(below).collect()
    }

    /// This table with another's keys on top: tables merge by key, lists of tables append, all else is overridden.
    pub(crate) fn merged(&self, over: &Table) -> Table {
        let mut merged = self.clone();
        let names = self.entries.iter().enumerate().map(|(at, (key, _))| (key.name.as_str(), at));
        let places: BTreeMap<&str, usize> = names.collect();
        for (key, node) in &over.entries {
            match places.get(key.name.as_str()) {
                Some(at) => {
                    let (known, old) = &mut merged.entries[*at];
                    known.span = key.span;
                    *old = overridden(&key.name, old, node);
                }
                None => merged.entries.push((key.clone(), node.clone())),
            }
        }
        merged
    }
}

impl Table {
    /// This table's keys with another's in their places or behind them; no deeper.
    pub(crate) fn beside(&self, over: &Table) -> Table {
        let mut all = self.clone();
        for (key, node) in &over.entries {
            match all.entries.iter_mut().find(|(known, _)| known.name == key.name) {
                Some(entry) => *entry = (key.clone(), node.clone()),
                None => all.entries.push((key.clone(), node.clone())),
            }
        }
        all
    }
}

fn overridden(name: &str, old: &Node, new: &Node) -> Node {
    let tree = match (&old.tree, &new.tree) {
        // One of `[resume]`'s keys stands instead of the others, so the table is one value; so is `{ value = […] }`.
        (Tree::Table(old), Tree::Table(over)) if name != "resume" && !old.is_one_value() && !over.is_one_value() => {
            Tree::Table(old.merged(over))
        }
        (Tree::List(old), Tree::List(over)) if old.iter().chain(over).all(Node::is_table) && !over.is_empty() => {
            Tree::List(appended(old, over))
        }
        (_, new) => new.clone(),
    };
    Node { span: new.span, tree }
}

/// One list of tables behind another; an element with an `id` that is there already takes that one's place.
fn appended(old: &[Node], over: &[Node]) -> Vec<Node> {
    let id = |node: &Node| match &node.tree {
        Tree::Table(table) => table.get("id").map(Node::plain_text),
        _ => None,
    };
    let mut all = old.to_vec();
    for node in over {
        match all.iter_mut().find(|known| id(node).is_some() && id(known) == id(node)) {
            Some(known) => *known = node.clone(),
            None => all.push(node.clone()),
        }
    }
    all
}

/// What in braces, alone, says how a parameter gets its values.
pub(crate) const DRAWN: [&str; 6] = ["log_uniform", "uniform", "int_uniform", "choice", "normal", "log_normal"];
pub(crate) const MADE: [&str; 2] = ["repeat", "derive"];

fn says_how(name: &str) -> bool {
    name == "value" || DRAWN.contains(&name) || MADE.contains(&name)
}

/// Braces that do not say how a parameter gets its values, though they were meant to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Slip<'t> {
    Empty,
    /// A word that says it stands alone.
    Beside {
        word: &'t Key,
        other: &'t Key,
    },
    /// The word if one is near.
    NoWord(&'t Key, Option<&'static str>),
}
/// Spellings of other programs' for what is written otherwise here: a table with one of these alone was meant as such.
pub(crate) const SLIPS: [&str; 12] = [
    "values",
    "choices",
    "loguniform",
    "log-uniform",
    "log_uniform_values",
    "intuniform",
    "int-uniform",
    "randint",
    "lognormal",
    "log-normal",
    "repeats",
    "derived",
];

/// What other programs have beside their words for what is drawn.
const BESIDE: [&str; 13] =
    ["log", "samples", "num_samples", "n", "scale", "distribution", "seed", "steps", "step", "q", "base", "min", "max"];

/// Whether that can stand behind this word.
fn is_of_word(word: &str, node: &Node) -> bool {
    match (word, &node.tree) {
        ("repeat", _) => node.int().is_some(),
        ("derive", tree) => matches!(tree, Tree::Scalar(Value::Str(_)) | Tree::Word(_)),
        ("choice", tree) => matches!(tree, Tree::List(_)),
        (_, Tree::List(items)) => items.len() == 2 && items.iter().all(|item| item.meaning().is_some_and(|value| value.number().is_some())),
        _ => false,
    }
}

impl Table {
    /// `{ value = […] }`, `{ uniform = […] }`, …: the one key in the braces, if it is one of these.
    pub(crate) fn special(&self) -> Option<&(Key, Node)> {
        let [entry] = self.entries.as_slice() else { return None };
        (self.style != Style::Header && says_how(&entry.0.name)).then_some(entry)
    }

    /// What was meant to say how a parameter gets its values, and does not.
    pub(crate) fn slip(&self) -> Option<Slip<'_>> {
        if self.style == Style::Header || self.special().is_some() {
            return None;
        }
        if let Some((word, _)) = self.entries.iter().find(|(key, _)| says_how(&key.name)) {
            let (other, _) = self.entries.iter().find(|(key, _)| key.name != word.name)?;
            return self.means_a_word().then_some(Slip::Beside { word, other });
        }
        if self.style != Style::Braces {
            return None;
        }
        let is = |names: &[&str]| self.entries.iter().all(|(key, _)| names.contains(&key.name.as_str()));
        match self.entries.as_slice() {
            [] => Some(Slip::Empty),
            [(key, _)] if is(&["values", "choices", "range", "min", "max"]) => Some(Slip::NoWord(key, None)),
            [(key, _)] => nearest(&key.name, DRAWN.into_iter().chain(MADE).chain(["value"])).map(|word| Slip::NoWord(key, Some(word))),
            [(key, _), _] if is(&["min", "max"]) => Some(Slip::NoWord(key, None)),
            _ => None,
        }
    }

    /// Whether a word for how a parameter gets its values is one beside other keys too: by what stands behind it, or by a key of
    /// other programs' beside it. `{ normal = 0.02, bias = 0 }` are two parameters.
    fn means_a_word(&self) -> bool {
        let is_drawn = |(key, _): &(Key, Node)| key.name != "choice" && DRAWN.contains(&key.name.as_str());
        let mut words = self.entries.iter().filter(|(key, _)| says_how(&key.name) && key.name != "value").peekable();
        let with_slip = self.entries.iter().any(|(key, _)| BESIDE.contains(&key.name.as_str())) && self.entries.iter().any(is_drawn);
        with_slip || words.peek().is_some() && words.all(|(key, node)| is_of_word(&key.name, node))
    }

    fn is_one_value(&self) -> bool {
        self.special().is_some()
    }
}

impl Table {
    /// From the first to the last byte of it, in each source that it was written in.
    pub(crate) fn extents(&self) -> Vec<Span> {
        let mut extents: BTreeMap<usize, Span> = BTreeMap::new();
        let below = |(key, node): &(Key, Node)| match &node.tree {
            Tree::Table(inner) => [vec![key.span, node.span], inner.extents()].concat(),
            _ => vec![key.span, node.span],
        };
        for span in self.entries.iter().flat_map(below) {
            let extent = extents.entry(span.source).or_insert(span);
            (extent.start, extent.end) = (extent.start.min(span.start), extent.end.max(span.end));
        }
        extents.into_values().collect()
    }

    /// How many values this holds, lists and tables included.
    pub(crate) fn size(&self) -> usize {
        self.entries.iter().map(|(_, node)| node.size()).sum()
    }
}

impl Node {
    pub(crate) fn size(&self) -> usize {
        1 + match &self.tree {
            Tree::List(items) => items.iter().map(Node::size).sum(),
            Tree::Table(table) => table.size(),
            _ => 0,
        }
    }

    /// The texts that it is or lists, each with its place.
    pub(crate) fn texts(&self) -> Vec<(&str, Span)> {
        match &self.tree {
            Tree::Scalar(Value::Str(text)) | Tree::Word(text) => vec![(text, self.span)],
            Tree::List(items) => items.iter().filter(|item| !matches!(item.tree, Tree::List(_))).flat_map(Node::texts).collect(),
            _ => Vec::new(),
        }
    }

    /// The boolean, number or text that it is or, without quotes, means.
    pub(crate) fn meaning(&self) -> Option<Value> {
        match &self.tree {
            Tree::Scalar(value) => Some(value.meaning().into_owned()),
            Tree::Word(word) => Some(Value::as_word(word).meaning().into_owned()),
            _ => None,
        }
    }

    /// The whole number, `007` among them.
    pub(crate) fn int(&self) -> Option<i64> {
        match &self.tree {
            Tree::Word(word) => word.parse().ok().or_else(|| Value::as_word(word).int()),
            _ => self.meaning()?.int(),
        }
    }

    fn plain_text(&self) -> String {
        match &self.tree {
            Tree::Scalar(value) => value.to_string(),
            Tree::Date(text) | Tree::Word(text) => text.clone(),
            _ => String::new(),
        }
    }

    fn is_table(&self) -> bool {
        matches!(self.tree, Tree::Table(_))
    }

    /// `a string`, for "expected …, found …".
    pub(crate) fn kind(&self) -> &'static str {
        match &self.tree {
            Tree::Scalar(Value::Bool(_)) => "a boolean",
            Tree::Scalar(Value::Int(_) | Value::Word(_)) => "an integer",
            Tree::Scalar(Value::Float(_)) => "a float",
            Tree::Scalar(_) => "a string",
            Tree::Date(_) => "a date",
            Tree::Word(_) => "a word",
            Tree::List(_) => "a list",
            Tree::Table(_) => "a table",
        }
    }
}

/// Takes over what the TOML reader made, in the order of the text.
pub(crate) fn of_toml(table: &DeTable<'_>, style: Style, source: usize, found: &mut Found<'_>) -> Table {
    let mut entries: Vec<(Key, Node)> = table
        .iter()
        .map(|(key, value)| {
            let span = placed(source, key.span());
            let node = of_value(value.get_ref(), placed(source, value.span()), source, found);
            (Key::new(key.get_ref().as_ref(), span), node)
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.span);
    Table { style, entries }
}

fn placed(source: usize, range: std::ops::Range<usize>) -> Span {
    Span { source, ..Span::file(range) }
}

pub(crate) fn of_value(value: &DeValue<'_>, span: Span, source: usize, found: &mut Found<'_>) -> Node {
    let written = found.sources.slice(span);
    let tree = match value {
        // As a sheet's words are written down: to other readers it is the same text.
        DeValue::String(text) if written.starts_with("\"\\u00") && text.starts_with(|c: char| c.is_ascii_graphic()) => {
            Tree::Scalar(Value::as_word(text))
        }
        DeValue::String(text) => Tree::Scalar(Value::Str(text.to_string())),
        DeValue::Boolean(bool) => Tree::Scalar(Value::Bool(*bool)),
        DeValue::Integer(int) => match i64::from_str_radix(int.as_str(), int.radix()) {
            // A process sees what is written.
            Ok(_) if int.radix() != 10 => Tree::Scalar(Value::as_word(written)),
            Ok(0) => Tree::Scalar(Value::float(written).filter(|_| written.starts_with('-')).unwrap_or(Value::Int(0))),
            Ok(int) => Tree::Scalar(Value::Int(int)),
            Err(_) => {
                let hint = "integers have 64 bits; write it in quotes if the program takes it as text";
                found.error(span, format!("the integer {} is too large", quoted(written)), hint.to_string());
                Tree::Scalar(Value::Int(0))
            }
        },
        DeValue::Float(float) => {
            let overflows = float.as_str().parse().is_ok_and(f64::is_infinite) && !float.as_str().contains("inf");
            match Value::float(written).filter(|_| !overflows) {
                Some(value) => Tree::Scalar(value),
                None => {
                    found.error(
                        span,
                        format!("the number {} is too large", quoted(written)),
                        "write it in quotes if the program takes it as text".to_string(),
                    );
                    Tree::Scalar(Value::Int(0))
                }
            }
        }
        DeValue::Datetime(_) => Tree::Date(written.to_string()),
        DeValue::Array(items) => {
            Tree::List(items.iter().map(|item| of_value(item.get_ref(), placed(source, item.span()), source, found)).collect())
        }
        DeValue::Table(table) => {
            let style = if written.starts_with('{') { Style::Braces } else { Style::Header };
            Tree::Table(of_toml(table, style, source, found))
        }
    };
    Node { span, tree }
}
