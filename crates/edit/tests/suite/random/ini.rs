//! INI: a table of tables and single values, whatever else the document holds left out.

use super::Seen;
use super::documents::{Document, Writer, Written};

pub(crate) fn write(document: &Document, choices: &[u8]) -> Written {
    let mut writer = Writer::new(choices);
    writer.put_one_of(&["", "\u{feff}", "; é\n\n"]);
    let Document::Table(entries) = document else { return writer.out };
    let nested = |value: &Document| matches!(value, Document::Table(_));
    keys(entries, &mut writer);
    for (name, value) in entries.iter().filter(|(_, value)| nested(value)) {
        writer.put(&format!("[{name}]"));
        writer.put_one_of(&["\n", " # é\r\n"]);
        if let Document::Table(entries) = value {
            writer.key(name, |writer| keys(entries, writer));
        }
    }
    writer.out
}

fn keys(entries: &[(String, Document)], writer: &mut Writer<'_>) {
    for (key, value) in entries {
        let value = match value {
            Document::Table(_) => continue,
            Document::Bool(bool) => (if *bool { "yes" } else { "no" }).to_string(),
            Document::Int(int) => int.to_string(),
            Document::Float(float) => float.to_string(),
            Document::Text(text) if text.chars().all(|c| c.is_alphanumeric() || c == ' ') => text.trim().to_string(),
            Document::Text(_) => "\"quoted\"".to_string(),
            Document::List(_) => "\n  one\n # é\n  two  \n\n    three".to_string(),
            Document::Null => String::new(),
        };
        writer.put(key);
        writer.put_one_of(&["=", " = ", ": ", " : "]);
        // Blanks behind the sign are no part of the value, but for where there is none.
        let start = if value.is_empty() || value.starts_with('\n') { writer.out.text.trim_end_matches(' ').len() } else { writer.here() };
        writer.put(&value);
        writer.key(key, |writer| writer.place(start, false));
        let comments: &[&str] = if value.is_empty() { &["", " "] } else { &["", "", " ; é", "  # x"] };
        writer.put_one_of(comments);
        writer.put_one_of(&["\n", "\r\n", "\n\n", "\n# é\n"]);
    }
}

/// Without the quotes around it; booleans in one word.
pub(crate) fn meaning(text: &str) -> &str {
    match ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(text) {
        "yes" | "1" => "true",
        "no" | "0" => "false",
        text => text,
    }
}

/// Reads lines as they are written above, values with their quotes and blanks at their ends taken away.
pub(crate) fn read(text: &str) -> Seen {
    let mut root: Vec<(String, Seen)> = Vec::new();
    let mut section: Option<Vec<(String, Seen)>> = None;
    let without_comment = |line: &str| {
        let comments = [" ;", " #"].iter().filter_map(|sign| line.find(sign));
        meaning(line[..comments.min().unwrap_or(line.len())].trim()).to_string()
    };
    let mut name = String::new();
    for line in text.trim_start_matches('\u{feff}').split('\n') {
        if line.trim().is_empty() || line.trim_start().starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[').filter(|_| !line.contains(" = [")) {
            root.extend(section.take().map(|entries| (name.clone(), Seen::Table(entries))));
            section = Some(Vec::new());
            name = header.split(']').next().unwrap_or("").to_string();
            continue;
        }
        let entries = section.as_mut().unwrap_or(&mut root);
        if line.starts_with(' ') {
            if let Some((_, Seen::Word(value))) = entries.last_mut() {
                value.push_str(&without_comment(line));
            }
            continue;
        }
        let (key, value) = line.split_once(['=', ':']).unwrap_or_else(|| panic!("no key in {line:?}"));
        entries.push((key.trim().to_string(), Seen::Word(format!("t {}", without_comment(value)))));
    }
    root.extend(section.map(|entries| (name, Seen::Table(entries))));
    Seen::Table(root)
}
