//! A parameter's value. Scalars keep the form in which they were written: `1e-3` stays `1e-3`.

use serde::de::Error as _;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt;

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Bool(bool),
    Int(i64),
    Float(Float),
    Str(String),
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

impl Value {
    /// A number written as `text`, e.g. `1e-3`. Underscores and a leading plus are dropped; no number gives `None`.
    pub fn float(text: &str) -> Option<Value> {
        let text: String = text.strip_prefix('+').unwrap_or(text).chars().filter(|c| *c != '_').collect();
        let value = crate::number::parse_word(&text).or_else(|| text.parse().ok())?;
        Some(Value::Float(Float { value, text }))
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
            Value::List(items) => format!("[{}]", items.iter().map(Value::identity).collect::<Vec<_>>().join(",")),
        }
    }

    /// The number that this is, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Int(int) => Some(*int as f64),
            Value::Float(float) => Some(float.value),
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
            Value::Str(text) => f.write_str(text),
            Value::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    f.write_str(if i > 0 { ", " } else { "" })?;
                    match item {
                        Value::Str(text) => f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)?,
                        item => item.fmt(f)?,
                    }
                }
                f.write_str("]")
            }
        }
    }
}

/// JSON keeps the written form too: the number `1e-3` is the JSON text `1e-3`.
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
        Some(b'"') => serde_json::from_str(text).map(Value::Str).map_err(|e| e.to_string()),
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
