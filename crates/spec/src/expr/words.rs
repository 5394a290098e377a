//! The text of an expression as numbers, texts, names and signs.

use super::Mistake;
use crate::template;
use neronet_model::Value;
use std::ops::Range;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Value(Value),
    /// A parameter or a function; `{batch-size}` is a name in braces.
    Name(String),
    /// Operators and the words that are none: `and`, `if`, ….
    Sign(&'static str),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Word {
    pub(super) token: Token,
    pub(super) at: Range<usize>,
}

/// The longest first. `=`, `&&`, `||` and `!` mean nothing and are told with what to write instead.
const SIGNS: [&str; 23] =
    ["**", "//", "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "(", ")", "[", "]", ",", "=", "!", "?"];
const WORDS: [&str; 6] = ["and", "or", "not", "in", "if", "else"];

pub(super) fn split(text: &str) -> Result<Vec<Word>, Mistake> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let len = match c {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '"' | '\'' => {
                let (text, len) = quoted_text(rest, c, at)?;
                words.push(Word { token: Token::Value(Value::Str(text)), at: at..at + len });
                len
            }
            '{' => {
                let name = rest.split_once('}').map(|(name, _)| &name[1..]).filter(|name| template::is_name(name));
                let Some(name) = name else {
                    return Err(Mistake { at: at..at + 1, message: "a name in braces, such as {lr}, is expected here".into(), hint: None });
                };
                words.push(Word { token: Token::Name(name.to_string()), at: at..at + name.len() + 2 });
                name.len() + 2
            }
            c if c.is_ascii_digit() || (c == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) => {
                let len = number_end(rest);
                let Some(value) = number(&rest[..len]) else {
                    let message = format!("'{}' is no number", &rest[..len]);
                    return Err(Mistake { at: at..at + len, message, hint: None });
                };
                words.push(Word { token: Token::Value(value), at: at..at + len });
                len
            }
            c if c.is_alphabetic() || c == '_' => {
                let len = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
                let name = rest[..len].trim_end_matches('.');
                let token = match name {
                    "true" | "True" => Token::Value(Value::Bool(true)),
                    "false" | "False" => Token::Value(Value::Bool(false)),
                    name => match WORDS.iter().find(|word| **word == name) {
                        Some(word) => Token::Sign(word),
                        None => Token::Name(name.to_string()),
                    },
                };
                words.push(Word { token, at: at..at + name.len() });
                name.len()
            }
            _ => {
                let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) else {
                    let message = format!("the character '{c}' means nothing here");
                    return Err(Mistake { at: at..at + c.len_utf8(), message, hint: None });
                };
                if *sign == "!" {
                    return Err(Mistake { at: at..at + 1, message: "'!' means nothing here".into(), hint: Some("write not".into()) });
                }
                words.push(Word { token: Token::Sign(sign), at: at..at + sign.len() });
                sign.len()
            }
        };
        at += len;
    }
    Ok(words)
}

fn quoted_text(rest: &str, quote: char, at: usize) -> Result<(String, usize), Mistake> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((offset, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((text, offset + 1)),
            '\\' => match chars.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                Some((_, c)) => text.push(c),
                None => break,
            },
            c => text.push(c),
        }
    }
    Err(Mistake { at: at..at + rest.len(), message: format!("the text is not closed: a {quote} is missing"), hint: None })
}

/// Digits, a point, an exponent with its sign, underscores; what follows them directly belongs to it and makes it none.
fn number_end(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let part = |at: usize| {
        let c = bytes[at];
        let exponent = at > 0 && bytes[at - 1].eq_ignore_ascii_case(&b'e') && !rest.starts_with("0x");
        c.is_ascii_alphanumeric() || c == b'.' || c == b'_' || (matches!(c, b'+' | b'-') && exponent)
    };
    (0..bytes.len()).find(|at| !part(*at)).unwrap_or(bytes.len())
}

fn number(text: &str) -> Option<Value> {
    if text.contains("__") || text.ends_with('_') {
        return None;
    }
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    if let Some(hex) = plain.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().map(Value::Int);
    }
    if plain.bytes().all(|b| b.is_ascii_digit()) {
        return plain.parse().ok().map(Value::Int);
    }
    let value: f64 = plain.parse().ok().filter(|value: &f64| value.is_finite())?;
    // What is written as another number than 0 and becomes it is too small.
    let digits = plain.split(['e', 'E']).next().unwrap_or_default();
    if value == 0.0 && digits.contains(|c: char| c.is_ascii_digit() && c != '0') {
        return None;
    }
    Some(Value::from_f64(value))
}
