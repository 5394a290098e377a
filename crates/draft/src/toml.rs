//! The `neronet.toml` that is drafted: tables, keys and comments put down in any order, written in the usual one and in columns.
//! Whatever comes from elsewhere is a quoted string or one line of a comment here: nothing of it can become a key.

use neronet_model::Value;
use std::collections::BTreeMap;

/// The tables of an experiment, in the order in which they are written.
const ORDER: [&str; 15] = [
    "",
    "params",
    "sweep",
    "flags",
    "environment",
    "env",
    "secrets",
    "code",
    "resources",
    "stop",
    "metrics",
    "checkpoints",
    "outputs",
    "retry",
    "notify",
];
/// The column up to which comments are moved to stand below each other.
const WIDEST: usize = 48;
/// Longer lists are written over several lines.
const LONGEST_LINE: usize = 100;
const LONGEST_COMMENT: usize = 300;
/// More than anybody reads.
const MOST_NOTES: usize = 100;

/// A file that is being written.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// What is said at the top.
    pub(crate) head: Vec<String>,
    pub(crate) top: Block,
    pub(crate) experiments: Vec<Block>,
    /// What was left out or guessed, for whoever asked for the draft.
    pub(crate) notes: Vec<String>,
}

/// All that is said of one experiment.
#[derive(Debug, Default)]
pub(crate) struct Block {
    tables: Vec<(&'static str, Vec<Line>)>,
    /// Where each key of a table is.
    places: BTreeMap<(&'static str, String), usize>,
    rules: Vec<Vec<Line>>,
    /// `[[experiment]]` within this one.
    pub(crate) inner: Vec<Block>,
}

#[derive(Debug)]
enum Line {
    Remark(String),
    Key {
        key: String,
        value: String,
        comment: String,
        /// Written as a comment: to be switched on.
        off: bool,
    },
}

impl Page {
    /// Says the same once, however often it happens.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        let note = one_line(&note.into());
        if !self.notes.contains(&note) && self.notes.len() < MOST_NOTES {
            self.notes.push(note);
        }
    }

    /// The virtual environment of the project.
    pub(crate) fn python(&mut self, python: Option<&str>) {
        if let Some(python) = python {
            self.top.set("environment", "python", string(python), "used where it lies");
        }
    }

    pub(crate) fn written(&self) -> String {
        let mut text = String::new();
        self.head.iter().for_each(|line| remark(line, &mut text));
        if !self.notes.is_empty() {
            text.push_str("#\n# Guessed or left out:\n");
            self.notes.iter().for_each(|note| remark(&format!("- {note}"), &mut text));
        }
        if !self.top.tables.iter().all(|(name, _)| !name.is_empty()) {
            text.push('\n');
        }
        self.top.written(&mut text);
        self.experiments.iter().for_each(|block| block.nested("experiment", &mut text));
        text
    }
}

impl Block {
    fn table(&mut self, name: &'static str) -> &mut Vec<Line> {
        let at = match self.tables.iter().position(|(known, _)| *known == name) {
            Some(at) => at,
            None => {
                self.tables.push((name, Vec::new()));
                self.tables.len() - 1
            }
        };
        &mut self.tables[at].1
    }

    fn line(&mut self, table: &'static str, key: &str, value: String, comment: &str, off: bool) {
        let line = Line::Key { key: key.to_string(), value, comment: one_line(comment), off };
        let end = self.table(table).len();
        // A key is there once; the last word counts.
        let place = *self.places.entry((table, key.to_string())).or_insert(end);
        match self.table(table).get_mut(place) {
            Some(known) => *known = line,
            None => self.table(table).push(line),
        }
    }

    /// Sets a key of a table, `""` for the top. `value` is TOML.
    pub(crate) fn set(&mut self, table: &'static str, key: &str, value: String, comment: &str) {
        self.line(table, key, value, comment, false);
    }

    /// The same as a comment that is a key once its `#` is taken away.
    pub(crate) fn propose(&mut self, table: &'static str, key: &str, value: String, comment: &str) {
        self.line(table, key, value, comment, true);
    }

    pub(crate) fn remark(&mut self, table: &'static str, text: &str) {
        self.table(table).push(Line::Remark(one_line(text)));
    }

    /// What is written of it.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.written(&mut text);
        text
    }

    /// Whether a key is there and switched on.
    pub(crate) fn is_on(&self, table: &'static str, key: &str) -> bool {
        let lines = self.tables.iter().filter(|(known, _)| *known == table).flat_map(|(_, lines)| lines);
        lines.into_iter().any(|line| matches!(line, Line::Key { key: known, off: false, .. } if known == key))
    }

    /// Whether a key is there, switched on or not.
    pub(crate) fn has(&self, table: &'static str, key: &str) -> bool {
        self.places.contains_key(&(table, key.to_string()))
    }

    /// A `[[rule]]`.
    pub(crate) fn rule(&mut self, keys: Vec<(&str, String)>) {
        let line = |(key, value): (&str, String)| Line::Key { key: key.to_string(), value, comment: String::new(), off: false };
        self.rules.push(keys.into_iter().map(line).collect());
    }

    fn sorted(&self) -> Vec<&(&'static str, Vec<Line>)> {
        let mut tables: Vec<_> = self.tables.iter().collect();
        tables.sort_by_key(|(name, _)| ORDER.iter().position(|known| known == name));
        tables
    }

    fn written(&self, text: &mut String) {
        for (name, lines) in self.sorted() {
            if !name.is_empty() {
                text.push_str(&format!("\n[{name}]\n"));
            }
            let prefixes = quoted_names(*name == "params", lines);
            columns(lines.iter().map(|line| (prefixes(line), line)).collect(), text);
        }
        for rule in &self.rules {
            text.push_str("\n[[rule]]\n");
            columns(rule.iter().map(|line| (bare(line), line)).collect(), text);
        }
        self.inner.iter().for_each(|block| block.nested("experiment", text));
    }

    /// As an `[[experiment]]`, where the tables are the beginnings of dotted keys.
    fn nested(&self, header: &str, text: &mut String) {
        text.push_str(&format!("\n[[{header}]]\n"));
        let mut all = Vec::new();
        for (name, lines) in self.sorted() {
            let keys = quoted_names(*name == "params", lines);
            let prefix = if name.is_empty() { String::new() } else { format!("{name}.") };
            all.extend(lines.iter().map(|line| (format!("{prefix}{}", keys(line)), line)));
        }
        columns(all, text);
        for rule in &self.rules {
            text.push_str(&format!("\n[[{header}.rule]]\n"));
            columns(rule.iter().map(|line| (bare(line), line)).collect(), text);
        }
        self.inner.iter().for_each(|block| block.nested(&format!("{header}.experiment"), text));
    }
}

fn bare(line: &Line) -> String {
    match line {
        Line::Key { key, .. } => key_text(key),
        Line::Remark(_) => String::new(),
    }
}

/// How keys are written: dots make tables of parameters, so a name that another one begins with stands in quotes.
fn quoted_names(dotted: bool, lines: &[Line]) -> impl Fn(&Line) -> String {
    let names: Vec<String> =
        lines.iter().filter_map(|line| if let Line::Key { key, .. } = line { Some(key.clone()) } else { None }).collect();
    let names: std::collections::BTreeSet<String> = names.into_iter().collect();
    move |line| {
        let Line::Key { key, .. } = line else { return String::new() };
        let beginnings = key.match_indices('.').map(|(at, _)| &key[..at]);
        let plain = dotted && key.split('.').all(is_bare) && !beginnings.into_iter().any(|beginning| names.contains(beginning));
        if plain { key.clone() } else { key_text(key) }
    }
}

fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn key_text(key: &str) -> String {
    if is_bare(key) { key.to_string() } else { basic(key) }
}

/// Lines with their keys, the comments behind them in one column.
fn columns(lines: Vec<(String, &Line)>, text: &mut String) {
    let written: Vec<(String, &str)> = lines
        .into_iter()
        .map(|(key, line)| match line {
            Line::Remark(remark) => (format!("# {remark}").trim_end().to_string(), ""),
            Line::Key { value, comment, off, .. } => {
                let written = format!("{key} = {value}");
                (if *off { format!("# {}", written.replace('\n', "\n# ")) } else { written }, comment.as_str())
            }
        })
        .collect();
    let width = |text: &str| text.chars().count();
    let commented = written.iter().filter(|(line, comment)| !comment.is_empty() && !line.contains('\n'));
    let column = commented.map(|(line, _)| width(line)).filter(|width| *width <= WIDEST).max().unwrap_or(0);
    for (line, comment) in written {
        text.push_str(&line);
        if !comment.is_empty() {
            let gap = if line.contains('\n') { 0 } else { column.saturating_sub(width(&line)) };
            text.push_str(&format!("{}  # {comment}", " ".repeat(gap)));
        }
        text.push('\n');
    }
}

fn remark(line: &str, text: &mut String) {
    text.push_str(format!("# {}", one_line(line)).trim_end());
    text.push('\n');
}

/// A text without what would end a comment, move the cursor or turn the text around.
fn one_line(text: &str) -> String {
    let mut line: String = text
        .chars()
        .map(|c| {
            if c.is_control() {
                ' '
            } else if steers(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .take(LONGEST_COMMENT)
        .collect();
    if text.chars().nth(LONGEST_COMMENT).is_some() {
        line.push('…');
    }
    line.trim_end().to_string()
}

fn steers(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A string. Literal quotes where that spares backslashes, several lines where there are several.
pub(crate) fn string(text: &str) -> String {
    let literal = !text.contains('\'') && !text.chars().any(|c| (c.is_control() && c != '\n') || steers(c));
    match text {
        text if literal && text.contains('\n') => format!("'''\n{text}'''"),
        text if literal && text.contains(['"', '\\']) => format!("'{text}'"),
        text => basic(text),
    }
}

fn basic(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || steers(c) => out.push_str(&format!("\\u{:04X}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A value so that reading it gives the same one.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::Bool(_) | Value::Int(_) => value.to_string(),
        // TOML takes digits alone for an integer, and those have 64 bits.
        Value::Float(float) if float.text() == "-0" || float.text().contains(['.', 'e', 'E']) => float.text().to_string(),
        Value::Float(_) => string(&value.to_string()),
        Value::Str(text) => string(text),
        Value::Word(word) => string(word.text()),
        Value::List(items) => list(items),
    }
}

/// What a word means that was typed.
pub(crate) fn typed(word: &str) -> String {
    value(&Value::as_typed(word))
}

pub(crate) fn list(items: &[Value]) -> String {
    written_list(&items.iter().map(value).collect::<Vec<_>>())
}

pub(crate) fn strings<'t>(items: impl IntoIterator<Item = &'t str>) -> String {
    written_list(&items.into_iter().map(string).collect::<Vec<_>>())
}

fn written_list(items: &[String]) -> String {
    let line = items.join(", ");
    if line.len() <= LONGEST_LINE || items.len() < 2 {
        return format!("[{line}]");
    }
    let mut text = String::from("[");
    let mut width = LONGEST_LINE;
    for item in items {
        if width + item.len() + 2 > LONGEST_LINE {
            text.push_str("\n   ");
            width = 3;
        }
        width += item.len() + 2;
        text.push_str(&format!(" {item},"));
    }
    text.push_str("\n]");
    text
}
