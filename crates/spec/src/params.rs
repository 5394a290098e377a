//! `[params]` to axes: every parameter with the values it takes.

use crate::problem::quoted;
use crate::source::{Found, Span};
use crate::template;
use crate::tree::{Node, Table, Tree};
use neronet_model::Value;

/// A parameter as written, before its values are looked at.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// Its key.
    pub(crate) span: Span,
    place: Span,
    pub(crate) node: Node,
}

/// A parameter and its values. One value: it does not vary.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) values: Vec<Value>,
}

/// More runs than anybody can start is a slip of the pen.
const MOST_RUNS: u64 = 1_000_000_000_000;
const MOST_PARAMS: usize = 10_000;

/// The parameters of a tree, sub-tables as dotted names, in the order of the file.
pub(crate) fn flatten(table: &Table) -> Vec<Entry> {
    let mut entries = Vec::new();
    collect(table, "", &mut entries);
    entries.sort_by_key(|entry| entry.place);
    entries
}

fn collect(table: &Table, prefix: &str, entries: &mut Vec<Entry>) {
    for (key, node) in &table.entries {
        let name = format!("{prefix}{}", key.name);
        match &node.tree {
            Tree::Table(inner) if inner.special().is_none() && inner.slip().is_none() => collect(inner, &format!("{name}."), entries),
            _ => entries.push(Entry { name, span: key.span, place: key.place, node: node.clone() }),
        }
    }
}

/// Puts a value from the command line in the place of a parameter, or behind all others.
pub(crate) fn set(entries: &mut Vec<Entry>, name: &str, span: Span, node: Node) {
    match entries.iter_mut().find(|entry| entry.name == name) {
        Some(entry) => (entry.span, entry.node) = (span, node),
        None => entries.push(Entry { name: name.to_string(), span, place: span, node }),
    }
}

/// The values of every parameter.
pub(crate) fn axes(entries: &[Entry], found: &mut Found<'_>) -> Vec<Axis> {
    let mut axes: Vec<Axis> = Vec::new();
    if let Some(entry) = entries.get(MOST_PARAMS) {
        let hint = "what does not vary between runs belongs in a file that the script reads".to_string();
        found.error(entry.span, format!("{} parameters, over the limit of {MOST_PARAMS}", entries.len()), hint);
        return axes;
    }
    let mut names = std::collections::BTreeSet::new();
    for entry in entries {
        if !template::is_name(&entry.name) {
            found.error(
                entry.span,
                format!("{} cannot be the name of a parameter", quoted(&entry.name)),
                "a name is made of letters, digits, _ and -, begins with a letter or _, and may have dots between such names".to_string(),
            );
        }
        if !names.insert(entry.name.as_str()) {
            found.error(entry.span, format!("duplicate parameter {}", quoted(&entry.name)), None);
            continue;
        }
        lone_value(entries, entry, found);
        axes.push(Axis { name: entry.name.clone(), span: entry.span, values: values(entry, found) });
    }
    let runs = axes.iter().try_fold(1_u64, |runs, axis| runs.checked_mul(axis.values.len() as u64).filter(|runs| *runs <= MOST_RUNS));
    if let (None, Some(axis)) = (runs, axes.iter().rfind(|axis| axis.values.len() > 1)) {
        let sizes: Vec<String> = axes.iter().map(|axis| axis.values.len()).filter(|len| *len > 1).map(|len| len.to_string()).collect();
        let shown = if sizes.len() > 12 { format!("{} × …", sizes[..12].join(" × ")) } else { sizes.join(" × ") };
        found.error(axis.span, format!("the grid has {shown} runs, over the limit of 10^12"), "vary fewer parameters at once".to_string());
    }
    axes
}

fn values(entry: &Entry, found: &mut Found<'_>) -> Vec<Value> {
    let one = |value: Option<Value>| value.into_iter().collect();
    match &entry.node.tree {
        Tree::List(items) => {
            if items.is_empty() {
                found.error(
                    entry.node.span,
                    format!("parameter {} has no values, so there is no run", quoted(&entry.name)),
                    format!("an empty list as its one value is {} = {{ value = [] }}", entry.name),
                );
            }
            let values: Vec<Value> = items.iter().filter_map(|item| scalar(item, &entry.name, found)).collect();
            repeated(entry, items, &values, found);
            values
        }
        Tree::Table(table) => match table.special() {
            Some((key, node)) if key.name == "value" => one(scalar(node, &entry.name, found)),
            Some((key, _)) => {
                found.error(
                    key.span,
                    format!("'{}' of parameter {} is known, but not carried out by this version", key.name, quoted(&entry.name)),
                    "write the values in a list".to_string(),
                );
                Vec::new()
            }
            None => {
                slip(&entry.name, table, found);
                Vec::new()
            }
        },
        _ => one(scalar(&entry.node, &entry.name, found)),
    }
}

/// A misspelt word in braces would become another parameter, without a word.
fn slip(name: &str, table: &Table, found: &mut Found<'_>) {
    let Some((key, near)) = table.slip() else { return };
    let hint = near.map_or_else(
        || format!("values are a list: {name} = [ … ]; a parameter of that name is written {name}.{} = …", key.name),
        |near| format!("did you mean {}?", quoted(near)),
    );
    found.error(key.span, format!("{} does not say how parameter {} gets its values", quoted(&key.name), quoted(name)), hint);
}

/// `[params.lr]` with a `value` alone is not what `lr = { value = … }` is.
fn lone_value(entries: &[Entry], entry: &Entry, found: &mut Found<'_>) {
    let Some(outer) = entry.name.strip_suffix(".value") else { return };
    let before = &found.sources.text(entry.span.source)[..entry.span.start];
    let begins_line = entry.span.source == 0 && before.rsplit('\n').next().is_some_and(|line| line.trim().is_empty());
    let within = format!("{outer}.");
    if begins_line && entries.iter().filter(|other| other.name.starts_with(&within)).nth(1).is_none() {
        let hint = format!("write {outer} = {{ value = … }} for one value of {}, a list included", quoted(outer));
        found.warning(entry.span, format!("this makes a parameter {}", quoted(&entry.name)), hint);
    }
}

/// The same value twice makes the same run twice, which is seldom meant.
fn repeated(entry: &Entry, items: &[Node], values: &[Value], found: &mut Found<'_>) {
    if items.len() != values.len() {
        return;
    }
    let mut seen = std::collections::BTreeSet::new();
    for (item, value) in items.iter().zip(values) {
        if !seen.insert(format!("{value:?}")) {
            let message =
                format!("{} is twice in the list of {}: the same runs are made twice", quoted(&value.to_string()), quoted(&entry.name));
            found.warning(item.span, message, None);
            return;
        }
    }
}

fn scalar(node: &Node, name: &str, found: &mut Found<'_>) -> Option<Value> {
    let value = match &node.tree {
        Tree::Scalar(value) => value.clone(),
        Tree::Date(text) => Value::Str(text.clone()),
        Tree::Word(word) => Value::as_typed(word),
        Tree::List(items) => Value::List(items.iter().filter_map(|item| scalar(item, name, found)).collect()),
        Tree::Table(_) => {
            found.error(
                node.span,
                format!("expected a value in the list of parameter {}, found a table", quoted(name)),
                "values are booleans, numbers, texts and lists of these".to_string(),
            );
            return None;
        }
    };
    if let Value::Str(text) = &value
        && text.contains('\0')
    {
        found.error(node.span, format!("parameter {} holds a NUL character, which no process can be given", quoted(name)), None);
    }
    Some(value)
}
