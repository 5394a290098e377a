//! TOML, with headers, dotted keys, inline tables, arrays of tables and all kinds of strings.

use super::documents::{Document, Writer, Written, json_string, word};
use super::{Seen, number};
use toml::Value;

pub(crate) fn write(document: &Document, choices: &[u8]) -> Written {
    let mut writer = Writer::new(choices);
    writer.put_one_of(&["", "\u{feff}", "# é\r\n"]);
    if let Document::Table(entries) = document {
        table(entries, &mut Vec::new(), &mut writer);
    }
    if writer.choose(3) == 0 {
        let end = writer.out.text.trim_end_matches(['\r', '\n']).len();
        writer.out.text.truncate(end);
    }
    writer.out
}

/// The keys of a table under its header, then the tables in it, with headers of their own.
fn table(entries: &[(String, Document)], way: &mut Vec<String>, writer: &mut Writer<'_>) {
    let mut later = Vec::new();
    for (key, value) in entries {
        let apart = match value {
            Document::Table(_) => true,
            Document::List(items) => !items.is_empty() && items.iter().all(|item| matches!(item, Document::Table(_))),
            _ => false,
        };
        if apart && writer.choose(3) > 0 {
            later.push((key, value));
            continue;
        }
        let written = name(key, writer);
        writer.put(&written);
        writer.key(key, |writer| dotted(value, writer));
        writer.put_one_of(&["", "", " # é", "  "]);
        writer.put_one_of(&["\n", "\r\n", "\n\n", "\n# é\n"]);
    }
    for (key, value) in later {
        way.push(name(key, writer));
        writer.key(key, |writer| match value {
            Document::Table(entries) => {
                writer.put(&format!("[{}]\n", way.join(".")));
                table(entries, way, writer);
            }
            Document::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    if let Document::Table(entries) = item {
                        writer.put(&format!("[[ {} ]] # é\n", way.join(" . ")));
                        writer.index(at, |writer| table(entries, way, writer));
                    }
                }
            }
            _ => {}
        });
        way.pop();
    }
}

/// `.key = value` for a table of one, else ` = value`.
fn dotted(value: &Document, writer: &mut Writer<'_>) {
    match value {
        Document::Table(entries) if entries.len() == 1 && writer.choose(2) == 0 => {
            let (key, value) = &entries[0];
            let written = name(key, writer);
            writer.put(&format!(".{written}"));
            writer.key(key, |writer| dotted(value, writer));
        }
        value => {
            writer.put_one_of(&["=", " = ", "  =\t"]);
            inline(value, writer);
        }
    }
}

fn name(key: &str, writer: &mut Writer<'_>) -> String {
    let bare = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    match writer.choose(3) {
        0 if bare => key.to_string(),
        1 if !key.contains('\'') => format!("'{key}'"),
        _ => json_string(key),
    }
}

fn inline(value: &Document, writer: &mut Writer<'_>) {
    let start = writer.here();
    match value {
        Document::Table(entries) => {
            writer.put("{");
            for (at, (key, value)) in entries.iter().enumerate() {
                writer.put(if at > 0 { ", " } else { " " });
                let written = name(key, writer);
                writer.put(&format!("{written} = "));
                writer.key(key, |writer| inline(value, writer));
            }
            writer.put(" }");
        }
        Document::List(items) => {
            writer.put("[");
            for (at, item) in items.iter().enumerate() {
                writer.put_one_of(&["", " ", "\n  ", " # é\n"]);
                writer.index(at, |writer| inline(item, writer));
                if at + 1 < items.len() || writer.choose(2) == 0 {
                    writer.put(",");
                }
            }
            writer.put_one_of(&["", " ", "\n"]);
            writer.put("]");
            writer.place(start, true);
        }
        Document::Null => {
            writer.put_one_of(&[
                "2024-11-21",
                "2024-11-21 10:00:00Z",
                "inf",
                "0xff",
                "1_000",
                "'''\na'b\n'''",
                "\"\"\"a\\\n  \"b\"\"\"",
                "''",
            ]);
            writer.place(start, false);
        }
        Document::Text(text) if !text.contains('\'') && writer.choose(2) == 0 => {
            writer.put(&format!("'{text}'"));
            writer.place(start, false);
        }
        scalar => {
            writer.put(&word(scalar));
            writer.place(start, false);
        }
    }
}

pub(crate) fn read(text: &str) -> Seen {
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}"));
    of_value(Value::Table(table))
}

fn of_value(value: Value) -> Seen {
    match value {
        Value::Table(entries) => Seen::Table(entries.into_iter().map(|(key, value)| (key, of_value(value))).collect()),
        Value::Array(items) => Seen::List(items.into_iter().map(of_value).collect()),
        Value::String(text) => Seen::Word(format!("t {text}")),
        Value::Integer(int) => number(int as f64),
        Value::Float(float) => number(float),
        Value::Boolean(bool) => Seen::Word(format!("b {bool}")),
        // A text that is a date takes the place of a date as one.
        Value::Datetime(date) => Seen::Word(format!("t {date}")),
    }
}
