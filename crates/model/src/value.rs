//! A parameter's value. Scalars keep the form in which they were written: `1e-3` stays `1e-3`.

use serde::de::Error as _;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Bool(bool),
    Int(i64),
    Float(Float),
    Str(String),
    /// Written without quotes, and more than a text to programs that read it so.
    Word(Word),
    List(Vec<Value>),
}

/// A float and the text that stands for it in the specification.
#[derive(Debug, Clone)]
pub struct Float {
    value: f64,
    text: String,
}

/// Two floats are the same parameter when they are the same number, however each was written.
impl PartialEq for Float {
    fn eq(&self, other: &Float) -> bool {
        self.value.total_cmp(&other.value).is_eq()
    }
}

impl Float {
    pub fn value(&self) -> f64 {
        self.value
    }
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A text without quotes that readers of YAML or Hydra's overrides take for something else: `True`, `null`, `.5`, `0xff`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    text: String,
}

impl Word {
    fn of(text: &str) -> Option<Word> {
        const WORDS: [&str; 7] = ["null", "true", "false", "yes", "no", "on", "off"];
        let word = Word { text: text.to_string() };
        let known = text == "~" || WORDS.iter().any(|known| text.eq_ignore_ascii_case(known));
        (known || word.meaning().is_some()).then_some(word)
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The boolean or number that it means.
    pub fn meaning(&self) -> Option<Value> {
        match self.text.as_str() {
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            text => crate::number::parse_word(text).and_then(|_| Value::float(text)).or_else(|| loose_number(text)),
        }
    }
}

/// A number in a form that JSON has not: `.5`, `5.`, `+5`, `1_000`, `0xff`. What begins with a needless 0 or has underscores in
/// other places is rather a name or a date.
fn loose_number(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = unsigned.strip_prefix(prefix) {
            let sign = if text.starts_with('-') { "-" } else { "" };
            let plain = format!("{sign}{}", digits.replace('_', ""));
            let good = digits.starts_with(|c: char| c.is_ascii_hexdigit()) && !digits.ends_with('_') && !digits.contains("__");
            return good.then(|| i64::from_str_radix(&plain, radix).ok().map(Value::Int)).flatten();
        }
    }
    let mantissa = unsigned.split(['e', 'E']).next()?;
    let (whole, _) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut groups = whole.split('_');
    let first = groups.next()?;
    let digits = |group: &str| group.bytes().all(|b| b.is_ascii_digit());
    let grouped = (1..=3).contains(&first.len()) && groups.clone().all(|group| group.len() == 3 && digits(group));
    let rest = unsigned.get(whole.len()..)?;
    let good = digits(first)
        && (first.len() == 1 || !first.starts_with('0'))
        && (grouped || groups.next().is_none())
        && rest.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
        && unsigned.contains(|c: char| c.is_ascii_digit());
    let plain = text.strip_prefix('+').unwrap_or(text).replace('_', "");
    if !good {
        return None;
    }
    if rest.is_empty() {
        return plain.parse().ok().map(Value::Int);
    }
    Value::float(&plain).filter(|value| value.number().is_some_and(f64::is_finite))
}

/// Values as JSON that reads back as they were, for use as `serialize_with`: the first character of a word is written as an escape,
/// which is the same text to everybody else.
pub fn exactly<S: Serializer>(values: &[(String, Value)], out: S) -> Result<S::Ok, S::Error> {
    out.collect_seq(values.iter().map(|(name, value)| (name, Exactly(value))))
}

pub(crate) struct Exactly<'v>(pub(crate) &'v Value);

impl Serialize for Exactly<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Word(Word { text }) => {
                let escaped = text.chars().next().map(|first| format!("\"\\u{:04x}{}\"", u32::from(first), &text[first.len_utf8()..]));
                match escaped.and_then(|escaped| RawValue::from_string(escaped).ok()) {
                    Some(raw) => raw.serialize(out),
                    None => out.serialize_str(text),
                }
            }
            Value::List(items) => out.collect_seq(items.iter().map(Exactly)),
            value => value.serialize(out),
        }
    }
}

impl Value {
    /// A number written as `text`, e.g. `1e-3`. Underscores and a leading plus are dropped; no number gives `None`.
    pub fn float(text: &str) -> Option<Value> {
        let text: String = text.strip_prefix('+').unwrap_or(text).chars().filter(|c| *c != '_').collect();
        let value = crate::number::parse_word(&text).or_else(|| text.parse().ok())?;
        Some(Value::Float(Float { value, text }))
    }

    /// A text that is a word by what it says.
    pub fn word(text: &str) -> Option<Value> {
        Word::of(text).map(Value::Word)
    }

    /// A float that nobody wrote, in its shortest form that reads back.
    pub fn from_f64(value: f64) -> Value {
        let text = crate::number::word(value).map_or_else(|| format!("{value:?}"), str::to_string);
        Value::Float(Float { value, text })
    }

    /// A parameter's value as it was typed: a boolean, a number that JSON can hold as it is written, else text. So `007`, `+5`
    /// and `1_000` reach the process as they are.
    pub fn as_typed(word: &str) -> Value {
        match word {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => plain_number(word).unwrap_or_else(|| Value::Str(word.to_string())),
        }
    }

    /// The same of a word that stands without quotes: `True`, `.5`, `1_000` and `null` stay as they are written, and what they
    /// mean is known.
    pub fn as_word(word: &str) -> Value {
        match Value::as_typed(word) {
            Value::Str(text) => Word::of(&text).map_or(Value::Str(text), Value::Word),
            value => value,
        }
    }

    /// What this is to an expression: a word is the boolean or number that it means, else a text.
    pub fn meaning(&self) -> Cow<'_, Value> {
        match self {
            Value::Word(word) => Cow::Owned(word.meaning().unwrap_or_else(|| Value::Str(word.text.clone()))),
            value => Cow::Borrowed(value),
        }
    }

    /// The whole number that this is or means, if it is one.
    pub fn int(&self) -> Option<i64> {
        match *self.meaning() {
            Value::Int(int) => Some(int),
            _ => None,
        }
    }

    /// What a word means to somebody who searches: `.5` and `+5` are numbers too; what is no number or boolean is text.
    pub fn from_word(word: &str) -> Value {
        match word {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => {
                if let Ok(int) = word.parse() {
                    return Value::Int(int);
                }
                let numeric =
                    word.bytes().all(|b| b.is_ascii_digit() || b"+-._eE".contains(&b)) && word.bytes().any(|b| b.is_ascii_digit());
                numeric.then(|| Value::float(word)).flatten().unwrap_or_else(|| Value::Str(word.to_string()))
            }
        }
    }

    /// What tells it from other values: `0.1` and `1e-1` are one value, the text "1" and the number 1 are two.
    pub fn identity(&self) -> String {
        match self {
            Value::Float(float) => format!("f{}", float.value),
            Value::Int(int) => format!("i{int}"),
            Value::Bool(truth) => format!("b{truth}"),
            Value::Str(text) => format!("s{text:?}"),
            Value::Word(_) => self.meaning().identity(),
            Value::List(items) => format!("[{}]", items.iter().map(Value::identity).collect::<Vec<_>>().join(",")),
        }
    }

    /// The number that this is, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Int(int) => Some(*int as f64),
            Value::Float(float) => Some(float.value),
            Value::Word(word) => word.meaning()?.number(),
            _ => None,
        }
    }
}

/// The text that a process sees: a scalar as written, a list as `[1, "a"]`, so that it can be read back.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(b) => b.fmt(f),
            Value::Int(int) => int.fmt(f),
            Value::Float(float) => f.write_str(&float.text),
            Value::Str(text) | Value::Word(Word { text }) => f.write_str(text),
            Value::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    f.write_str(if i > 0 { ", " } else { "" })?;
                    match item {
                        Value::Str(text) | Value::Word(Word { text }) => {
                            f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)?;
                        }
                        item => item.fmt(f)?,
                    }
                }
                f.write_str("]")
            }
        }
    }
}

/// JSON keeps the written form too: the number `1e-3` is the JSON text `1e-3`. A word is the boolean that it means, else a text;
/// what must come back as it was is written by `exactly`.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Bool(b) => out.serialize_bool(*b),
            Value::Int(int) => out.serialize_i64(*int),
            Value::Float(float) if !float.value.is_finite() => out.serialize_str(&float.text),
            Value::Float(float) => match RawValue::from_string(float.text.clone()) {
                Ok(raw) => raw.serialize(out),
                // Rather another type than another text.
                Err(_) => out.serialize_str(&float.text),
            },
            Value::Str(text) => out.serialize_str(text),
            Value::Word(word) => match word.meaning() {
                Some(Value::Bool(truth)) => out.serialize_bool(truth),
                _ => out.serialize_str(&word.text),
            },
            Value::List(items) => {
                let mut seq = out.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(item)?;
                }
                seq.end()
            }
        }
    }
}

/// Reads what `Serialize` wrote. Only works straight from JSON text (it needs the number as written), so a type that
/// holds a `Value` must not be tagged internally, untagged or flattened.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Value, D::Error> {
        let raw: Box<RawValue> = Box::deserialize(input)?;
        from_json_text(raw.get()).map_err(D::Error::custom)
    }
}

/// A number in the form in which it is written: `-0` is no integer, which has no such form.
fn number(text: &str) -> Option<Value> {
    match text.parse::<i64>() {
        Ok(int) if int.to_string() == text => Some(Value::Int(int)),
        _ => Value::float(text),
    }
}

/// A finite number as JSON writes it.
fn plain_number(text: &str) -> Option<Value> {
    serde_json::from_str::<serde_json::Number>(text).ok()?;
    number(text).filter(|value| value.to_string() == text && value.number().is_some_and(f64::is_finite))
}

fn from_json_text(text: &str) -> Result<Value, String> {
    let text = text.trim();
    match text.as_bytes().first() {
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|e| e.to_string())?;
            items.iter().map(|item| from_json_text(item.get())).collect::<Result<_, _>>().map(Value::List)
        }
        Some(b'"') => {
            let written: String = serde_json::from_str(text).map_err(|e| e.to_string())?;
            let is_word = text.starts_with("\"\\u00") && written.starts_with(|c: char| c.is_ascii_graphic());
            Ok(if is_word { Value::as_word(&written) } else { Value::Str(written) })
        }
        Some(b't' | b'f') => serde_json::from_str(text).map(Value::Bool).map_err(|e| e.to_string()),
        Some(b'-' | b'0'..=b'9') => number(text).ok_or_else(|| format!("'{text}' is no number")),
        _ => Err(format!("a parameter is a boolean, number, text or list, not {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_form_survives_json() {
        let value = Value::List(vec![
            Value::float("1e-3").expect("a number"),
            Value::float("0.10").expect("a number"),
            Value::Int(-7),
            Value::Bool(true),
            Value::Str("a \"b\"\n".into()),
            Value::List(vec![]),
        ]);
        let json = serde_json::to_string(&value).expect("serialises");
        assert_eq!(json, r#"[1e-3,0.10,-7,true,"a \"b\"\n",[]]"#);
        let back: Value = serde_json::from_str(&json).expect("reads back");
        assert_eq!(back, value);
        assert_eq!(back.to_string(), r#"[1e-3, 0.10, -7, true, "a \"b\"\n", []]"#);
    }

    #[test]
    fn what_is_typed_reaches_the_process_as_it_was_typed_and_through_json_too() {
        for word in [
            "3",
            "-7",
            "1e-3",
            "0.10",
            "1E+5",
            "-0",
            "-0.0",
            "99999999999999999999",
            "true",
            "007",
            "+5",
            "2024_11_21",
            "1_000",
            "_1",
            ".5",
            "5.",
            "01.50",
            "0x10",
            "1e999",
            "nan",
            "relu",
            "",
            "-",
            " 1",
            "1 ",
            "True",
        ] {
            let value = Value::as_typed(word);
            assert_eq!(value.to_string(), word);
            let json = serde_json::to_string(&value).expect("serialises");
            let back: Value = serde_json::from_str(&json).expect("reads back");
            assert_eq!((back.to_string().as_str(), &back), (word, &value), "{json}");
        }
        assert_eq!(Value::as_typed("3"), Value::Int(3));
        assert!(matches!(Value::as_typed("1e-3"), Value::Float(_)));
        assert!(matches!(Value::as_typed("-0"), Value::Float(_)));
        assert_eq!(Value::as_typed("007"), Value::Str("007".into()));
    }

    #[test]
    fn a_word_keeps_its_text_and_has_a_meaning_and_comes_back_from_the_journal() {
        let float = |text| Value::float(text).expect("a number");
        for (text, meaning) in [
            ("True", Value::Bool(true)),
            ("False", Value::Bool(false)),
            (".5", Value::from_f64(0.5)),
            ("-.5e3", Value::from_f64(-500.0)),
            ("5.", Value::from_f64(5.0)),
            ("+5", Value::Int(5)),
            ("1_000", Value::Int(1000)),
            ("12_345.5", float("12345.5")),
            ("0xff", Value::Int(255)),
            ("0b1_0", Value::Int(2)),
            ("-0o17", Value::Int(-15)),
            ("inf", Value::from_f64(f64::INFINITY)),
            ("null", Value::Str("null".into())),
            ("TRUE", Value::Str("TRUE".into())),
            ("no", Value::Str("no".into())),
            ("~", Value::Str("~".into())),
        ] {
            let word = Value::as_word(text);
            assert!(matches!(word, Value::Word(_)), "{text}");
            assert_eq!((word.to_string().as_str(), &*word.meaning()), (text, &meaning));
            let list = Value::List(vec![word.clone(), Value::Str(text.into())]);
            let json = serde_json::to_string(&Exactly(&list)).expect("serialises");
            assert_eq!(serde_json::from_str::<Value>(&json).expect("reads back"), list, "{json}");
            assert_eq!(serde_json::from_str::<Vec<String>>(&json).expect("texts to others"), [text, text]);
        }
        assert_eq!(serde_json::to_string(&Value::as_word("False")).expect("serialises"), "false");
        for text in
            ["007", "01.5", "2024_11_21", "1__000", "_1", "1_", "1e999", "0x", "0xg", "1.2.3", ".", "e5", "+", "None", "relu", "1-2"]
        {
            assert_eq!(Value::as_word(text), Value::Str(text.into()), "{text}");
        }
        assert_eq!(Value::as_word("1e-3"), Value::as_typed("1e-3"));
    }

    #[test]
    fn words_of_a_filter() {
        assert_eq!(Value::from_word("3"), Value::Int(3));
        assert_eq!(Value::from_word("1e-3").to_string(), "1e-3");
        assert!(matches!(Value::from_word("1e-3"), Value::Float(_)));
        assert_eq!(Value::from_word("true"), Value::Bool(true));
        for word in ["relu", "1.2.3", "", "-", "e", "nan", "0x10", "12:30"] {
            assert_eq!(Value::from_word(word), Value::Str(word.into()), "{word}");
        }
    }
}
