//! JSON as configuration files have it: strict, but for `//` and `/* */` comments, trailing commas and Python's `NaN`.

use crate::DEEPEST;
use crate::mistake::{Mistake, Refusal, quoted};
use crate::number::{Number, Wants, same};
use crate::tree::{Kind, Node, Scalar, Table};
use neronet_model::Value;

pub(crate) fn read(text: &str) -> Result<Node, Mistake> {
    let mut scanner = Scanner { text, at: 0 };
    let outcome = scanner.blank().and_then(|()| scanner.value(0)).and_then(|node| {
        scanner.blank()?;
        if scanner.at < text.len() { Err(scanner.refused("there is something behind the end of the value")) } else { Ok(node) }
    });
    outcome.map_err(|refusal| refusal.in_file(text, scanner.at))
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn refused(&self, why: &str) -> Refusal {
        let refusal = Refusal::new(format!("this cannot be read as JSON: {why}"));
        if self.rest().is_empty() { refusal.hint("the file ends here: is it complete?") } else { refusal }
    }

    /// Passes over blanks and comments.
    fn blank(&mut self) -> Result<(), Refusal> {
        loop {
            let rest = self.rest().trim_start_matches([' ', '\t', '\r', '\n']);
            self.at = self.text.len() - rest.len();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let length = comment.find("*/").ok_or_else(|| self.refused("a comment has no end"))?;
                self.at += length + 4;
            } else {
                return Ok(());
            }
        }
    }

    fn eat(&mut self, wanted: char) -> bool {
        let there = self.rest().starts_with(wanted);
        self.at += usize::from(there);
        there
    }

    fn value(&mut self, depth: usize) -> Result<Node, Refusal> {
        if depth > DEEPEST {
            return Err(self.refused("its values are nested too deep"));
        }
        let start = self.at;
        match self.rest().chars().next() {
            Some('{') => {
                let table = self.table(depth)?;
                Ok(Node::new(start..self.at, Kind::Table(table)))
            }
            Some('[') => {
                let items = self.list(depth)?;
                Ok(Node::new(start..self.at, Kind::List(items)))
            }
            Some('"') => {
                self.string()?;
                Ok(Node::scalar(start..self.at, &self.text[start..self.at], true))
            }
            _ => {
                let rest = self.rest();
                let word = &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-._".contains(c)).unwrap_or(rest.len())];
                if !is_word(word) {
                    return Err(match word {
                        "" if !rest.starts_with('\'') => self.refused("a value is missing"),
                        "" => self.refused("a text stands in double quotes"),
                        "True" | "False" | "None" => self.refused(&format!("{word} is no value")).hint("JSON writes true, false and null"),
                        _ => self.refused(&format!("{} is no value", quoted(word))).hint("texts stand in double quotes"),
                    });
                }
                self.at += word.len();
                Ok(Node::scalar(start..self.at, word, false))
            }
        }
    }

    fn table(&mut self, depth: usize) -> Result<Table, Refusal> {
        let mut table = Table::default();
        self.at += 1;
        loop {
            self.blank()?;
            if self.eat('}') {
                return Ok(table);
            }
            let start = self.at;
            if !self.rest().starts_with('"') {
                return Err(self.refused("a key in double quotes, or '}', is missing"));
            }
            let key = self.string()?;
            self.blank()?;
            if !self.eat(':') {
                return Err(self.refused("a ':' is missing behind the key"));
            }
            self.blank()?;
            let value = self.value(depth + 1)?;
            if !table.add(key.clone(), value) {
                self.at = start;
                return Err(Refusal::new(format!("the key {} is there twice", quoted(&key))));
            }
            self.blank()?;
            if !self.eat(',') && !self.rest().starts_with('}') {
                return Err(self.refused("a ',' or '}' is missing"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Refusal> {
        let mut items = Vec::new();
        self.at += 1;
        loop {
            self.blank()?;
            if self.eat(']') {
                return Ok(items);
            }
            items.push(self.value(depth + 1)?);
            self.blank()?;
            if !self.eat(',') && !self.rest().starts_with(']') {
                return Err(self.refused("a ',' or ']' is missing"));
            }
        }
    }

    /// What a string says, from its first quote on.
    fn string(&mut self) -> Result<String, Refusal> {
        let bytes = self.rest().as_bytes();
        let mut end = 1;
        while bytes.get(end).is_some_and(|byte| *byte != b'"' && *byte != b'\n') {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        if bytes.get(end) != Some(&b'"') {
            return Err(self.refused("a string is not closed on its line"));
        }
        let raw = &self.rest()[..=end];
        // Python writes halves of a character too; as a key or value that is only passed over they do no harm.
        let text = serde_json::from_str(raw).or_else(|error| if is_half(raw) { Ok(raw.to_string()) } else { Err(error) });
        let text = text
            .map_err(|_| self.refused("a string has a control character or an escape that is none").hint("write \\\\ for a backslash"))?;
        self.at += raw.len();
        Ok(text)
    }
}

/// Whether a string is right but for surrogates that are not in pairs.
fn is_half(raw: &str) -> bool {
    let mut plain = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        let surrogate =
            rest[at..].get(2..6).is_some_and(|hex| hex.as_bytes()[0].eq_ignore_ascii_case(&b'd') && u16::from_str_radix(hex, 16).is_ok());
        let length = if rest[at..].starts_with("\\u") && surrogate { 6 } else { 2 };
        plain.push_str(&rest[..at]);
        plain.push_str(if length == 6 { "?" } else { rest.get(at..at + 2).unwrap_or("") });
        rest = rest.get(at + length..).unwrap_or("");
    }
    plain.push_str(rest);
    serde_json::from_str::<String>(&plain).is_ok()
}

fn is_word(word: &str) -> bool {
    ["true", "false", "null"].contains(&word)
        || is_odd(word)
        || word.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) && is_number(word)
}

/// What Python reads and writes, and JSON has not.
pub(crate) fn is_odd(word: &str) -> bool {
    ["NaN", "Infinity", "-Infinity"].contains(&word)
}

/// The grammar of JSON, whatever the size.
fn is_number(word: &str) -> bool {
    let wants = Wants { mark: false, point_and_sign: false };
    word == "-0" || Number::parse(word).is_some_and(|number| number.written(&wants) == word)
}

pub(crate) fn write(value: &Value, old: &Node, text: &str) -> Result<String, Refusal> {
    Ok(match value {
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Str(text) => string(text),
        Value::Word(word) => word.text().to_string(),
        Value::List(values) => list(values.iter().map(|value| write(value, old, text)))?,
        Value::Float(float) => match Number::parse(float.text()).filter(|_| float.value().is_finite()) {
            Some(number) => number.written(&Wants { mark: false, point_and_sign: false }),
            None if is_odd(&text[old.slot.clone()]) => neronet_model::number::word(float.value()).unwrap_or("NaN").to_string(),
            None => {
                return Err(Refusal::new(format!("JSON has no number {}", quoted(float.text())))
                    .hint("where the program takes a text for it, give the text"));
            }
        },
    })
}

/// A text in double quotes, as JSON, YAML and TOML all read it.
pub(crate) fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            // What YAML does not take as it is, or takes for the end of a line, or what nobody sees.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// `[a, b]`, the same in JSON, YAML and TOML.
pub(crate) fn list(items: impl Iterator<Item = Result<String, Refusal>>) -> Result<String, Refusal> {
    Ok(format!("[{}]", items.collect::<Result<Vec<_>, _>>()?.join(", ")))
}

pub(crate) fn reads_as(scalar: &Scalar, value: &Value) -> bool {
    match value {
        Value::Str(text) => scalar.quoted && serde_json::from_str::<String>(&scalar.text).is_ok_and(|read| read == *text),
        Value::Word(word) => !scalar.quoted && *scalar.text == *word.text(),
        Value::Bool(bool) => !scalar.quoted && *scalar.text == *bool.to_string(),
        Value::Int(int) => !scalar.quoted && *scalar.text == *int.to_string(),
        Value::Float(float) => {
            let number = neronet_model::number::parse_word(&scalar.text).or_else(|| scalar.text.parse().ok());
            !scalar.quoted && number.is_some_and(|number| same(number, float.value()))
        }
        Value::List(_) => false,
    }
}
