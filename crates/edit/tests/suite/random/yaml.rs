//! YAML in lines and in brackets, with all kinds of scalars, anchors and comments; read by folding the parser's events.

use super::documents::{Document, Writer, Written, json_string, word};
use super::{Seen, number};
use saphyr_parser::{Event, Parser, ScalarStyle};

pub(crate) fn write(document: &Document, choices: &[u8]) -> Written {
    let mut writer = Writer::new(choices);
    writer.put_one_of(&["", "\u{feff}", "# é\n---\n", "%YAML 1.2\n--- # é\n"]);
    if let Document::Table(entries) = document {
        table(entries, 0, &mut writer);
    }
    if writer.choose(3) == 0 && !writer.out.text.ends_with("# é\n") {
        let end = writer.out.text.trim_end_matches(['\r', '\n']).len();
        // Not the end of a region.
        let end = writer.out.places.iter().map(|place| place.region.end).fold(end, usize::max);
        writer.out.text.truncate(end);
    }
    writer.out
}

fn table(entries: &[(String, Document)], indent: usize, writer: &mut Writer<'_>) {
    for (key, value) in entries {
        let blank = " ".repeat(indent);
        writer.put(&blank);
        let written = name(key, writer);
        writer.put(&format!("{written}:"));
        writer.key(key, |writer| in_lines(value, indent, writer));
    }
}

fn name(key: &str, writer: &mut Writer<'_>) -> String {
    match writer.choose(3) {
        0 => format!("'{}'", key.replace('\'', "''")),
        1 => json_string(key),
        _ => key.to_string(),
    }
}

fn end_of_line(writer: &mut Writer<'_>) {
    writer.put_one_of(&["", "", "  # é", " # x"]);
    writer.put_one_of(&["\n", "\n", "\r\n", "\n\n", "\n# é\n"]);
}

/// What stands behind a `:` or `-`, and the end of the line.
fn in_lines(value: &Document, indent: usize, writer: &mut Writer<'_>) {
    let start = writer.here();
    match value {
        Document::Table(entries) if !entries.is_empty() && writer.choose(3) > 0 => {
            writer.put_one_of(&["", " &t", " # é"]);
            writer.put_one_of(&["\n", "\r\n"]);
            table(entries, indent + 2, writer);
        }
        Document::List(items) if !items.is_empty() && writer.choose(3) > 0 => {
            writer.put_one_of(&["", "", " # é", "\n# é"]);
            writer.put_one_of(&["\n", "\r\n"]);
            // A list below a key may stand as far left as the key.
            let below = if writer.out.text[..start].ends_with(':') { indent + usize::from(writer.choose(3)) } else { indent + 2 };
            let mut end = start;
            for (at, item) in items.iter().enumerate() {
                let blank = " ".repeat(below);
                writer.put(&format!("{blank}-"));
                writer.index(at, |writer| in_lines(item, below, writer));
                // Behind the last value in it.
                let places = writer.out.places.iter().map(|place| place.region.end).max().unwrap_or(0);
                end = writer.out.text.trim_end_matches([' ', '\r', '\n']).len().min(places.max(end));
            }
            let text_end = writer.here();
            // Comments at the end may stay, so what may change ends no later than with them.
            let rest = writer.out.text[end..text_end].to_string();
            writer.out.text.truncate(end);
            writer.place(start, true);
            writer.put(&rest);
            let last = writer.out.places.len() - 1;
            writer.out.places[last].region.end = text_end;
        }
        Document::Text(text) if !text.trim().is_empty() && !text.starts_with(' ') && writer.choose(3) == 0 => {
            let header = writer.one_of(&[" |", " >-", " |2+", " |  # é", " >1"]);
            let inner = " ".repeat(indent + header.bytes().find(u8::is_ascii_digit).map_or(2, |digit| usize::from(digit - b'0')));
            writer.put(&format!("{header}\n{inner}{text}"));
            writer.put_one_of(&["\n", "\r\n"]);
            writer.put(&format!("\n{inner}more"));
            writer.place(start, false);
            writer.put_one_of(&["\n", "\n\n"]);
        }
        Document::Null if writer.choose(2) == 0 => {
            writer.place(start, false);
            end_of_line(writer);
        }
        value => {
            writer.put_one_of(&[" ", "   ", " &x "]);
            in_brackets(value, writer);
            end_of_line(writer);
        }
    }
}

fn in_brackets(value: &Document, writer: &mut Writer<'_>) {
    let start = writer.here();
    match value {
        Document::Table(entries) => {
            writer.put("{");
            for (at, (key, value)) in entries.iter().enumerate() {
                writer.put(if at > 0 { ", " } else { "" });
                let written = name(key, writer);
                writer.put(&format!("{written}: "));
                writer.key(key, |writer| in_brackets(value, writer));
            }
            writer.put_one_of(&["}", " }"]);
        }
        Document::List(items) => {
            writer.put("[");
            for (at, item) in items.iter().enumerate() {
                writer.put_one_of(&["", " ", " # é\n      "]);
                writer.index(at, |writer| in_brackets(item, writer));
                writer.put(if at + 1 < items.len() { "," } else { "" });
            }
            writer.put("]");
            writer.place(start, true);
        }
        Document::Text(text) => {
            let plain = !text.is_empty() && text.chars().all(char::is_alphabetic);
            let written = match writer.choose(3) {
                0 if plain => text.clone(),
                1 => format!("'{}'", text.replace('\'', "''")),
                _ => json_string(text),
            };
            writer.put(&written);
            writer.place(start, false);
        }
        scalar => {
            writer.put(&word(scalar));
            writer.place(start, false);
        }
    }
}

/// Values only: what of them stands where is not asked of the parser here.
pub(crate) fn read(text: &str) -> Seen {
    let mut events = Parser::new_from_str(text).map(|event| event.unwrap_or_else(|error| panic!("{error} in {text}")).0).filter(|event| {
        !matches!(event, Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing)
    });
    match events.next() {
        Some(first) => node(first, &mut events),
        None => Seen::Table(Vec::new()),
    }
}

fn node<'e>(event: Event<'e>, rest: &mut impl Iterator<Item = Event<'e>>) -> Seen {
    match event {
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            while let Some(event) = rest.next().filter(|event| *event != Event::SequenceEnd) {
                items.push(node(event, rest));
            }
            Seen::List(items)
        }
        Event::MappingStart(..) => {
            let mut entries = Vec::new();
            while let Some(event) = rest.next().filter(|event| *event != Event::MappingEnd) {
                let Event::Scalar(key, ..) = event else { panic!("a key that is no text") };
                let value = rest.next().expect("a value");
                entries.push((key.to_string(), node(value, rest)));
            }
            Seen::Table(entries)
        }
        Event::Scalar(text, ScalarStyle::Plain, ..) => plain(&text),
        Event::Scalar(text, ..) => Seen::Word(format!("t {text}")),
        event => panic!("{event:?}"),
    }
}

/// A bare word as YAML 1.1 and 1.2 agree to read it; what they may read in different ways has a letter of its own.
fn plain(word: &str) -> Seen {
    let low = word.to_lowercase();
    match low.as_str() {
        "true" | "false" => Seen::Word(format!("b {low}")),
        "" | "~" | "null" | "y" | "n" | "yes" | "no" | "on" | "off" => Seen::Word(format!("? {word}")),
        _ if word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) && word.parse::<f64>().is_ok() => {
            let unclear =
                word.contains(['e', 'E']) && !(word.contains('.') && word.contains(['+']) || word.contains("e-") || word.contains("E-"));
            let pointless = word.contains(['e', 'E']) && !word.contains('.');
            if unclear || pointless { Seen::Word(format!("? {word}")) } else { number(word.parse().expect("a number")) }
        }
        _ => Seen::Word(format!("t {word}")),
    }
}
