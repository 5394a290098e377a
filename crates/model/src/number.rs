//! Numbers in what we write: strict JSON, so non-finite ones are the strings "NaN", "Infinity", "-Infinity".

use serde::{Deserializer, Serializer};

/// Use as `#[serde(with = "neronet_model::number")]` on an `f64`.
pub fn serialize<S: Serializer>(value: &f64, out: S) -> Result<S::Ok, S::Error> {
    match word(*value) {
        Some(word) => out.serialize_str(word),
        None => out.serialize_f64(*value),
    }
}

pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<f64, D::Error> {
    struct Visitor;
    impl serde::de::Visitor<'_> for Visitor {
        type Value = f64;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a number, or one of \"NaN\", \"Infinity\", \"-Infinity\"")
        }
        fn visit_f64<E>(self, value: f64) -> Result<f64, E> {
            Ok(value)
        }
        fn visit_i64<E>(self, value: i64) -> Result<f64, E> {
            Ok(value as f64)
        }
        fn visit_u64<E>(self, value: u64) -> Result<f64, E> {
            Ok(value as f64)
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<f64, E> {
            parse_word(text).ok_or_else(|| E::custom(format!("'{text}' is no number")))
        }
    }
    input.deserialize_any(Visitor)
}

/// The word for a non-finite number; nothing for a finite one.
pub fn word(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value == f64::INFINITY {
        Some("Infinity")
    } else if value == f64::NEG_INFINITY {
        Some("-Infinity")
    } else {
        None
    }
}

/// The non-finite number that a word means, in the spellings of Python, C and JSON.
pub fn parse_word(text: &str) -> Option<f64> {
    let (sign, bare) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if bare.eq_ignore_ascii_case("nan") {
        Some(f64::NAN)
    } else if bare.eq_ignore_ascii_case("inf") || bare.eq_ignore_ascii_case("infinity") {
        Some(sign * f64::INFINITY)
    } else {
        None
    }
}

/// A number as a JSON value.
pub fn json(value: f64) -> serde_json::Value {
    match word(value) {
        Some(word) => word.into(),
        None => value.into(),
    }
}

/// A number that serialises as this module says; for maps and lists of numbers.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Num(#[serde(with = "crate::number")] pub f64);
