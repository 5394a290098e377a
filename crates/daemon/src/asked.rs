//! From a request to the words of its route: path, query and body make one JSON object, read as the route's own type.

use crate::refusal::Refusal;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

/// What a request asks for, before any route has read it.
#[derive(Debug, Default)]
pub(crate) struct Words {
    pub(crate) path: Vec<(&'static str, String)>,
    pub(crate) query: String,
    pub(crate) body: Vec<u8>,
}

impl Words {
    /// The words as `T`, of which `schema` says which are lists, numbers and the like.
    pub(crate) fn read<T: DeserializeOwned>(self, schema: &Value) -> Result<T, Refusal> {
        let mut all = match self.body.is_empty() {
            true => Map::new(),
            false => match serde_json::from_slice(&self.body) {
                Ok(Value::Object(all)) => all,
                Ok(_) => return Err(Refusal::new(400, "the body is no JSON object", "send {\"name\": value, …}")),
                Err(e) => return Err(Refusal::new(400, format!("the body is no JSON: {e}"), "send {\"name\": value, …}")),
            },
        };
        let of_query = self.query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decoded(name, true)?, decoded(value, true)?))
        });
        let of_path = self.path.iter().map(|(name, value)| Some((name.to_string(), decoded(value, false)?)));
        for pair in of_query.chain(of_path) {
            let Some((name, value)) = pair else {
                return Err(Refusal::new(
                    400,
                    "the address is not percent-encoded UTF-8",
                    "encode what is not a letter or a number as %XX",
                ));
            };
            add(&mut all, schema, name, value)?;
        }
        serde_json::from_value(Value::Object(all))
            .map_err(|e| Refusal::new(400, e.to_string(), "GET /v1/openapi.json says what each address takes"))
    }
}

/// A word is text; what it stands for is known from the schema.
fn add(all: &mut Map<String, Value>, schema: &Value, name: String, value: String) -> Result<(), Refusal> {
    let kind = &schema["properties"][&name]["type"];
    let is = |wanted: &str| kind == wanted || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == wanted));
    let wrong = |what: &str| Refusal::new(400, format!("{name}={value} is no {what}"), format!("give {name} as a {what}"));
    if is("array") {
        if let Value::Array(list) = all.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
            list.push(Value::String(value));
        }
        return Ok(());
    }
    let value = if is("boolean") {
        match value.as_str() {
            "" | "true" | "1" => Value::Bool(true),
            "false" | "0" => Value::Bool(false),
            _ => return Err(wrong("yes or no (true, false)")),
        }
    } else if is("integer") {
        Value::Number(value.parse::<u64>().map_err(|_| wrong("whole number"))?.into())
    } else if is("number") {
        let number = value.parse().ok().and_then(Number::from_f64);
        Value::Number(number.ok_or_else(|| wrong("number"))?)
    } else {
        Value::String(value)
    };
    all.insert(name, value);
    Ok(())
}

/// Text without its `%XX`, and in a query without the `+` that stand for blanks.
pub(crate) fn decoded(text: &str, in_query: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                let digit = |byte: u8| char::from(byte).to_digit(16);
                (digit(digits[0])? * 16 + digit(digits[1])?) as u8
            }
            b'+' if in_query => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn addresses_are_read_as_their_route_wants_them() {
        let schema = json!({"properties": {
            "which": {"type": "array"}, "limit": {"type": ["integer", "null"]}, "all": {"type": "boolean"}, "run": {"type": "string"},
            "from": {"type": ["number", "null"]},
        }});
        let words = |query: &str, path: &str| Words { query: query.into(), path: vec![("run", path.into())], body: Vec::new() };
        let read = |query: &str, path: &str| words(query, path).read::<Value>(&schema);
        let all = read("which=lr+%3E%200.1&which=%403&limit=5&all&from=-1.5e3", "sweep%3A7").expect("read");
        assert_eq!(all, json!({"which": ["lr > 0.1", "@3"], "limit": 5, "all": true, "run": "sweep:7", "from": -1500.0}));
        for (query, path) in [
            ("limit=-1", ""),
            ("limit=many", ""),
            ("all=perhaps", ""),
            ("from=here", ""),
            ("from=nan", ""),
            ("which=%f", ""),
            ("which=%ff", ""),
            ("", "%zz"),
        ] {
            assert_eq!(read(query, path).expect_err("wrong").status, 400, "{query} {path}");
        }
    }
}
