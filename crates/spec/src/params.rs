//! `[params]` as written: every parameter with the values that it takes, the draws or the expression that make them.

use crate::draw::{self, Distribution};
use crate::expr::{self, Expr, Name};
use crate::problem::quoted;
use crate::source::{Found, Sources, Span};
use crate::template;
use crate::tree::{DRAWN, MADE, Node, SLIPS, Slip, Table, Tree};
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

/// A parameter, and how it gets its values.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) name: String,
    /// Its key, and what stands behind it.
    pub(crate) span: Span,
    pub(crate) place: Span,
    /// It stands instead of what was written further out: in what holds the experiment, in an included file, before `--set`.
    pub(crate) overrides: bool,
    pub(crate) values: Values,
}

#[derive(Debug, Clone)]
pub(crate) enum Values {
    /// One value: it does not vary.
    Listed(Vec<Value>),
    Drawn(Distribution),
    /// The expression, and where its text stands.
    Derived(Expr<Name>, Span),
    /// It is wrong, and told.
    Wrong,
}

const MOST_PARAMS: usize = 10_000;
const MOST_REPEATS: i64 = 1_000_000;

/// The parameters of a tree, sub-tables as dotted names, in the order of the file.
pub(crate) fn flatten(table: &Table, sources: &Sources<'_>) -> Vec<Entry> {
    let mut entries = Vec::new();
    collect(table, "", &mut entries);
    entries.sort_by_key(|entry| sources.order(entry.place));
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

/// Every parameter with its values.
pub(crate) fn given(entries: &[Entry], found: &mut Found<'_>) -> Vec<Given> {
    let mut given = Vec::new();
    if let Some(entry) = entries.get(MOST_PARAMS) {
        let hint = "what does not vary between runs belongs in a file that the script reads".to_string();
        found.error(entry.span, format!("{} parameters, over the limit of {MOST_PARAMS}", entries.len()), hint);
        return given;
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
            found.error(
                entry.span,
                format!("duplicate parameter {}", quoted(&entry.name)),
                "take one of them out; several values are a list".to_string(),
            );
            continue;
        }
        if let Tree::Table(table) = &entry.node.tree
            && let Some(Slip::Empty) = table.slip()
        {
            let hint = format!("leave it out, or write {0} = 0.1, or a list: {0} = [0.1, 0.01]", entry.name);
            let hint = found.sources.spoken(entry.node.span, &hint);
            found.warning(
                entry.node.span,
                format!("nothing stands in the braces of {}, so this is no parameter", quoted(&entry.name)),
                hint,
            );
            continue;
        }
        lone_word(entries, entry, found);
        let values = values(entry, found);
        let overrides = entry.span != entry.place;
        given.push(Given { name: entry.name.clone(), span: entry.span, place: entry.node.span, overrides, values });
    }
    given
}

fn values(entry: &Entry, found: &mut Found<'_>) -> Values {
    let one = |value: Option<Value>| value.map_or(Values::Wrong, |value| Values::Listed(vec![value]));
    match &entry.node.tree {
        Tree::List(items) => {
            if items.is_empty() {
                let hint = format!("an empty list as its one value is {} = {{ value = [] }}", entry.name);
                let hint = found.sources.spoken(entry.node.span, &hint);
                found.error(entry.node.span, format!("parameter {} has no values, so there is no run", quoted(&entry.name)), hint);
                return Values::Wrong;
            }
            let values: Vec<Value> = items.iter().filter_map(|item| scalar(item, &entry.name, found)).collect();
            repeated(entry, items, &values, found);
            one_value(entry, &values, found);
            if values.len() == items.len() { Values::Listed(values) } else { Values::Wrong }
        }
        Tree::Table(table) => match table.special() {
            Some((key, node)) => match key.name.as_str() {
                "value" => one(scalar(node, &entry.name, found)),
                "repeat" => repeat(node, &entry.name, found),
                "derive" => derive(node, &entry.name, found),
                name => {
                    let distribution = draw::read(name, node, &entry.name, found, |node, found| scalar(node, &entry.name, found));
                    distribution.map_or(Values::Wrong, Values::Drawn)
                }
            },
            None => {
                slip(entry, table, found);
                Values::Wrong
            }
        },
        tree => {
            if let Tree::Scalar(Value::Str(text)) | Tree::Word(text) = tree {
                one_text(entry, text, found);
            }
            one(scalar(&entry.node, &entry.name, found))
        }
    }
}

/// `"0.1, 0.01"`: numbers with commas between them are one text all the same.
fn one_text(entry: &Entry, text: &str, found: &mut Found<'_>) {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    if parts.len() > 1 && parts.iter().all(|part| Value::from_word(part).number().is_some()) {
        let message = format!("parameter {} is one text, not {} values", quoted(&entry.name), parts.len());
        found.note(entry.node.span, message, format!("a list is written [{}]", parts.join(", ")));
    }
}

/// `{ repeat = 5 }`: 0 to 4.
fn repeat(node: &Node, name: &str, found: &mut Found<'_>) -> Values {
    match node.int().filter(|times| (1..=MOST_REPEATS).contains(times)) {
        Some(times) => Values::Listed((0..times).map(Value::Int).collect()),
        None => {
            let shown = found.sources.slice(node.span).to_string();
            let hint = found.sources.spoken(node.span, &format!("{name} = {{ repeat = 5 }} stands for [0, 1, 2, 3, 4]"));
            found.error(node.span, format!("expected a whole number from 1 to {MOST_REPEATS} for 'repeat', found {shown}"), hint);
            Values::Wrong
        }
    }
}

fn derive(node: &Node, name: &str, found: &mut Found<'_>) -> Values {
    let text = match &node.tree {
        Tree::Scalar(Value::Str(text)) | Tree::Word(text) => text,
        _ => {
            let hint = found.sources.spoken(node.span, &format!("write it in quotes: {name} = {{ derive = \"width * 4\" }}"));
            found.error(node.span, format!("expected an expression for 'derive', found {}", node.kind()), hint);
            return Values::Wrong;
        }
    };
    expression(text, node.span, found).map_or(Values::Wrong, |expr| Values::Derived(expr, node.span))
}

/// An expression that stands at `span`, or what is wrong with it.
pub(crate) fn expression(text: &str, span: Span, found: &mut Found<'_>) -> Option<Expr<Name>> {
    match expr::parse(text) {
        Ok(expr) => Some(expr),
        Err(mistake) => {
            let at = found.sources.inside(span, mistake.at);
            found.error(at, format!("this expression cannot be read: {}", mistake.message), mistake.hint);
            None
        }
    }
}

/// A misspelt word in braces would become another parameter, and a word beside one would make a grid of two, without a word.
fn slip(entry: &Entry, table: &Table, found: &mut Found<'_>) {
    let name = &entry.name;
    match table.slip() {
        Some(Slip::Beside { word, other }) => {
            let (word, key) = (&word.name, &other.name);
            let hint = match (word.as_str(), key.as_str()) {
                ("uniform" | "normal", "log" | "scale" | "distribution") => {
                    format!("evenly over the logarithm: {name} = {{ log_{word} = … }}")
                }
                (word, "samples" | "num_samples" | "n") if DRAWN.contains(&word) => {
                    "how often is said below [sweep], for all that is drawn: samples = 20".to_string()
                }
                _ => {
                    format!("write {name} = {{ {word} = … }}; parameters of these names are written {name}.{word} = … and {name}.{key} = …")
                }
            };
            let message = format!(
                "'{word}' stands alone where it says how parameter {} gets its values: {} means nothing here",
                quoted(name),
                quoted(key)
            );
            found.error(other.span, message, found.sources.spoken(other.span, &hint));
        }
        Some(Slip::NoWord(key, near)) => {
            let hint = near.map_or_else(
                || format!("values are a list: {name} = [ … ]; a parameter of that name is written {name}.{} = …", key.name),
                |near| format!("did you mean {}?", quoted(near)),
            );
            let hint = found.sources.spoken(key.span, &hint);
            found.error(key.span, format!("{} does not say how parameter {} gets its values", quoted(&key.name), quoted(name)), hint);
        }
        Some(Slip::Empty) | None => {}
    }
}

/// `[params.lr]` with a `value` alone is not what `lr = { value = … }` is.
fn lone_word(entries: &[Entry], entry: &Entry, found: &mut Found<'_>) {
    let Some((outer, word)) = entry.name.rsplit_once('.') else { return };
    if word != "value" && !DRAWN.contains(&word) && !MADE.contains(&word) && !SLIPS.contains(&word) {
        return;
    }
    let before = &found.sources.text(entry.span.source)[..entry.span.start];
    let begins_line = entry.span.source == 0 && before.rsplit('\n').next().is_some_and(|line| line.trim().is_empty());
    let within = format!("{outer}.");
    let alone = || entries.iter().filter(|other| other.name.starts_with(&within)).nth(1).is_none();
    // Beside others `value` or `repeat` may well be a name; bounds, choices and expressions are hardly one's values.
    let looks_meant = match &entry.node.tree {
        Tree::List(_) => DRAWN.contains(&word),
        Tree::Scalar(Value::Str(_)) | Tree::Word(_) => word == "derive",
        _ => false,
    };
    if begins_line && (looks_meant || alone()) {
        let hint = match word {
            word if SLIPS.contains(&word) => format!("write {outer} = [ … ] for several values, or one of {} in braces", DRAWN.join(", ")),
            "value" => format!("write {outer} = {{ value = … }} for one value of {}, a list included", quoted(outer)),
            word => format!("write {outer} = {{ {word} = … }} in braces to say how {} gets its values", quoted(outer)),
        };
        found.warning(entry.span, format!("this makes a parameter {}", quoted(&entry.name)), hint);
    }
}

/// Parameters whose value is a list in every program that has them.
fn one_value(entry: &Entry, values: &[Value], found: &mut Found<'_>) {
    let last = entry.name.rsplit('.').next().unwrap_or(&entry.name);
    let usually = ["betas", "milestones", "shape", "dims", "strides", "dilations", "mean", "std"].contains(&last)
        || ["_shape", "_sizes", "_dims", "_milestones"].iter().any(|ending| last.ends_with(ending));
    if usually && values.len() > 1 && values.iter().all(|value| value.number().is_some()) {
        let list = found.sources.slice(entry.node.span).to_string();
        let hint = format!("if the list is one value, write {} = {{ value = {list} }}", entry.name);
        found.note(entry.node.span, format!("{} varies: {} values, so that many times the runs", quoted(&entry.name), values.len()), hint);
    }
}

/// The same value twice makes the same run twice, which is seldom meant.
fn repeated(entry: &Entry, items: &[Node], values: &[Value], found: &mut Found<'_>) {
    if items.len() != values.len() {
        return;
    }
    let mut seen = std::collections::BTreeSet::new();
    for (item, value) in items.iter().zip(values) {
        if !seen.insert(value.identity()) {
            let message = format!("{} is twice in the list of {}: its runs are the same", quoted(&value.to_string()), quoted(&entry.name));
            found.warning(item.span, message, None);
            return;
        }
    }
}

fn scalar(node: &Node, name: &str, found: &mut Found<'_>) -> Option<Value> {
    let value = match &node.tree {
        Tree::Scalar(value) => value.clone(),
        Tree::Date(text) => Value::Str(text.clone()),
        Tree::Word(word) => Value::as_word(word),
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
        found.error(
            node.span,
            format!("parameter {} holds a NUL character, which no process can be given", quoted(name)),
            "take it out".to_string(),
        );
    }
    Some(value)
}
