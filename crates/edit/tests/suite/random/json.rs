//! JSON, with comments and trailing commas that can be taken away again.

use super::documents::{Document, Writer, Written, json_string, word};
use super::{Seen, number};

const BLANKS: [&str; 6] = ["", "", " ", "\n\t", "/*é c*/", "//é c\r\n"];

pub(crate) fn write(document: &Document, choices: &[u8]) -> Written {
    let mut writer = Writer::new(choices);
    writer.put_one_of(&["", "\u{feff}"]);
    writer.put_one_of(&BLANKS);
    value(document, &mut writer);
    writer.put_one_of(&BLANKS);
    writer.out
}

fn value(document: &Document, writer: &mut Writer<'_>) {
    let start = writer.here();
    match document {
        Document::Table(entries) => {
            writer.put("{");
            for (at, (key, inside)) in entries.iter().enumerate() {
                writer.put_one_of(&BLANKS);
                writer.put(&json_string(key));
                writer.put_one_of(&BLANKS);
                writer.put(":");
                writer.put_one_of(&BLANKS);
                writer.key(key, |writer| value(inside, writer));
                comma(at + 1 == entries.len(), writer);
            }
            writer.put("}");
        }
        Document::List(items) => {
            writer.put("[");
            for (at, item) in items.iter().enumerate() {
                writer.put_one_of(&BLANKS);
                writer.index(at, |writer| value(item, writer));
                comma(at + 1 == items.len(), writer);
            }
            writer.put("]");
            writer.place(start, true);
        }
        scalar => {
            writer.put(&word(scalar));
            writer.place(start, false);
        }
    }
}

fn comma(last: bool, writer: &mut Writer<'_>) {
    writer.put_one_of(&BLANKS);
    if last {
        writer.put_one_of(&["", ",/*t*/"]);
    } else {
        writer.put(",");
    }
}

pub(crate) fn read(text: &str) -> Seen {
    let strict = text.trim_start_matches('\u{feff}').replace(",/*t*/", "").replace("/*é c*/", "").replace("//é c\r\n", "");
    of_value(serde_json::from_str(&strict).unwrap_or_else(|error| panic!("{error} in {strict}")))
}

fn of_value(value: serde_json::Value) -> Seen {
    match value {
        serde_json::Value::Object(entries) => Seen::Table(entries.into_iter().map(|(key, value)| (key, of_value(value))).collect()),
        serde_json::Value::Array(items) => Seen::List(items.into_iter().map(of_value).collect()),
        serde_json::Value::String(text) => Seen::Word(format!("t {text}")),
        serde_json::Value::Number(value) => number(value.as_f64().expect("a number")),
        word => Seen::Word(format!("b {word}")),
    }
}
