//! How a value is written in YAML, so that readers of version 1.1 (PyYAML and most of Python) and of 1.2 see the same.

use crate::json::{list, string};
use crate::mistake::{Refusal, quoted};
use crate::number::{Number, Wants, same};
use crate::tree::{Node, Scalar};
use neronet_model::Value;

/// What version 1.1 wants of a float; 1.2 takes it too.
const WANTS: Wants = Wants { mark: false, point_and_sign: true };

pub(crate) fn write(value: &Value, old: &Node, text: &str) -> Result<String, Refusal> {
    let was = &text[old.slot.clone()];
    let written = match value {
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Float(float) => match Number::parse(float.text()).filter(|_| float.value().is_finite()) {
            Some(number) => number.written(&WANTS),
            None if float.value().is_nan() => ".nan".to_string(),
            None if float.value().is_infinite() => (if float.value() > 0.0 { ".inf" } else { "-.inf" }).to_string(),
            None => return Err(Refusal::new(format!("YAML has no number {}", quoted(float.text())))),
        },
        Value::Str(text) if was.starts_with('\'') && is_printable(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Str(text) if was.starts_with('"') => string(text),
        Value::Str(text) if is_plain(text) || (is_date(text) && is_date(was)) => text.clone(),
        Value::Str(text) => string(text),
        Value::Word(word) => word.text().to_string(),
        Value::List(values) => list(values.iter().map(|value| element(value, old, text)))?,
    };
    Ok(apart(old, text, written))
}

fn element(value: &Value, old: &Node, text: &str) -> Result<String, Refusal> {
    write(value, old, text).map(|written| written.trim_start().to_string())
}

/// With a blank where the value would touch the `:` or `-` before it.
fn apart(old: &Node, text: &str, written: String) -> String {
    let touches = old.slot.is_empty() && !text[..old.slot.start].ends_with([' ', '\t', '\n']);
    if touches { format!(" {written}") } else { written }
}

/// Whether a text needs no quotes in any version and place. Rather quotes too many than one reader that sees something else.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let begins = text.starts_with(|c: char| c.is_alphabetic() || "_/".contains(c)) || text.starts_with("./") || text.starts_with("../");
    let holds = |c: char| c.is_alphanumeric() || "_-./+@=()% ".contains(c);
    begins && text.chars().all(holds) && !text.ends_with(' ') && !WORDS.contains(&text.to_lowercase().as_str())
}

/// What `'…'` can hold on one line.
fn is_printable(text: &str) -> bool {
    string(text).len() == text.len() + 2 + text.matches(['"', '\\']).count()
}

/// `2024-11-21`, perhaps with a time: a date where it stands without quotes.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| bytes.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    let day = digits(0..4) && digits(5..7) && digits(8..10) && bytes[4] == b'-' && bytes[7] == b'-';
    let time = bytes
        .get(10..)
        .is_some_and(|time| time.is_empty() || (matches!(time[0], b' ' | b'T' | b't') && digits(11..13) && bytes.get(13) == Some(&b':')));
    day && time
        && bytes.iter().all(|byte| byte.is_ascii_digit() || b"-:.+TtZz ".contains(byte))
        && !text.contains(": ")
        && !text.ends_with([' ', ':'])
}

pub(crate) fn reads_as(scalar: &Scalar, value: &Value) -> bool {
    match value {
        Value::Str(text) => *scalar.text == **text && (scalar.quoted || is_plain(text) || is_date(text)),
        Value::Word(word) => !scalar.quoted && *scalar.text == *word.text(),
        Value::Bool(bool) => !scalar.quoted && *scalar.text == *bool.to_string(),
        Value::Int(int) => !scalar.quoted && *scalar.text == *int.to_string(),
        Value::Float(float) => !scalar.quoted && number(&scalar.text).is_some_and(|number| same(number, float.value())),
        Value::List(_) => false,
    }
}

/// The number that a bare word is in both versions.
fn number(word: &str) -> Option<f64> {
    match word {
        ".nan" => Some(f64::NAN),
        ".inf" => Some(f64::INFINITY),
        "-.inf" => Some(f64::NEG_INFINITY),
        _ if Number::parse(word)?.written(&WANTS) == word => word.parse().ok(),
        _ => None,
    }
}
