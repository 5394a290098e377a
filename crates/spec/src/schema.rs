//! The table of keys as a JSON Schema, for editors that complete and check a specification while it is written.
//!
//! Draft 7, which the editors' services for TOML and YAML know. A schema sees the shape of a file: names, types, words. What
//! they mean together (placeholders, names that are there twice, quotes in a command) only `parse` checks.

use crate::keys::{Key, Kind, Level, PATH, Section, State, TOP};
use crate::tree::{DRAWN, MADE, SLIPS};
use neronet_model::settings::STOP_SIGNALS;
use serde_json::{Map, Value, json};

/// A duration: pairs of number and unit, or a clock as clusters write it.
const DURATION: &str = concat!(
    r"^\s*(([0-9]+\s*-\s*)?[0-9]+(\s*:\s*[0-9]+){1,2}|[0-9]*\.?[0-9]+|",
    r"([0-9]*\.?[0-9]+\s*(ms|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?|w|weeks?)\s*)+)\s*$"
);
/// A day, a time, or both; or a duration from now.
const MOMENT: &str = concat!(
    r"^\s*([0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([ Tt]\s*[0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2})?)?|[0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2})?|",
    r"in\s+[0-9.].*)\s*$"
);
const SIZE: &str = r"^\s*[0-9]+(\.[0-9]+)?\s*([bB]|[bB]ytes|[kKmMgGtTpP]([iI]?[bB]?))\s*$";
/// Not only blanks.
const FILLED: &str = r"\S";
const OBJECTIVE: &str = r"\S\s+([mM][iI][nN]|[mM][aA][xX])([iI][mM][iI][sSzZ][eE])?\s*$";
const VARIABLE: &str = "^[A-Za-z_][A-Za-z0-9_]*$";
/// Loose, as not every editor knows what a letter is outside of English.
const PARAMETER: &str = r"^[^\s0-9.-]\S*$";

/// Loose for the same reason: ASCII without what `name::refusal` refuses, and all else but blanks.
const NAME: &str = r"^[^\s!-*\-./:;<>?@\[-^`{-~][^\s!-*/:;<>?@\[-^`{-~]{0,99}$";

/// The schema of a specification.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let top = of_level(Level::Top, &mut definitions);
    for (name, level) in [("experiment", Level::Experiment), ("target", Level::Target)] {
        let schema = of_level(level, &mut definitions);
        definitions.insert(name.to_string(), schema);
    }
    definitions.insert("value".to_string(), value());
    definitions.insert("values".to_string(), values());
    definitions.insert("params".to_string(), params());
    definitions.insert("expressions".to_string(), expressions());
    definitions.insert("parameter".to_string(), parameter());
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "neronet specification",
        "description": "Experiments: what to run, what to vary, what it needs. Written by `neronet schema`.",
        "anyOf": [{"required": ["command"]}, {"required": ["experiment"]}, {"required": ["include"]}],
        "definitions": definitions,
    });
    if let (Value::Object(schema), Value::Object(top)) = (&mut schema, top) {
        schema.extend(top);
        // In YAML these are there for their anchors.
        schema.insert("patternProperties".to_string(), json!({r"^(x-|\.)": true}));
    }
    schema
}

fn of_level(level: Level, definitions: &mut Map<String, Value>) -> Value {
    let keys = TOP.keys.iter().filter(|key| key.belongs(level));
    let mut schema = object(keys, definitions);
    if level == Level::Experiment {
        schema["required"] = json!(["name"]);
    }
    schema
}

/// A table with these keys and no others.
fn object<'k>(keys: impl Iterator<Item = &'k Key>, definitions: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    let mut needed = Vec::new();
    for key in keys {
        let mut schema = of_kind(&key.kind, definitions);
        let later = match key.state {
            State::Now => String::new(),
            State::Later(when, instead) => format!(". Will be honoured {}; this version {instead}", when.words()),
        };
        schema["description"] = json!(format!("{}{later}", key.says));
        properties.insert(key.name.to_string(), schema);
        needed.extend(key.needed.then_some(key.name));
    }
    let mut schema = json!({"type": "object", "additionalProperties": false, "properties": properties});
    if !needed.is_empty() {
        schema["required"] = json!(needed);
    }
    schema
}

/// A table that has a definition of its own, made when it is first needed.
fn section(section: &'static Section, definitions: &mut Map<String, Value>) -> Value {
    let name = section.header.trim_matches(['[', ']']).to_string();
    if !definitions.contains_key(&name) {
        let mut schema = object(section.keys.iter(), definitions);
        if !section.ways.is_empty() {
            let has = |keys: &[&str]| keys.iter().map(|key| json!({"required": [key]})).collect::<Vec<_>>();
            let way = |(needed, absent): &(&[&str], &[&str])| match absent {
                [] => json!({"required": needed}),
                absent => json!({"required": needed, "not": {"anyOf": has(absent)}}),
            };
            schema["anyOf"] = section.ways.iter().map(way).collect();
        }
        definitions.insert(name.clone(), schema);
    }
    refer(&name)
}

/// What stands beside `$ref` is ignored in draft 7, and a description stands there.
fn refer(name: &str) -> Value {
    json!({"allOf": [{"$ref": format!("#/definitions/{name}")}]})
}

fn of_kind(kind: &Kind, definitions: &mut Map<String, Value>) -> Value {
    match *kind {
        Kind::Text => text(),
        Kind::Name => json!({
            "type": "string",
            "pattern": NAME,
            "not": {"anyOf": [{"pattern": "^[0-9-]+$"}, {"enum": ["last"]}]},
        }),
        Kind::Like(pattern) => json!({"type": "string", "pattern": pattern}),
        Kind::Word(words) => json!({"type": "string", "enum": words}),
        Kind::Texts | Kind::Lines => one_or_more(&text()),
        Kind::Path => json!({"type": "string", "pattern": PATH}),
        Kind::Paths => one_or_more(&json!({"type": "string", "pattern": PATH})),
        Kind::Inner(pattern) => inner(pattern),
        Kind::Inners => one_or_more(&inner(PATH)),
        Kind::Objective => one_or_more(&json!({"type": "string", "pattern": OBJECTIVE})),
        Kind::Words(words) => one_or_more(&json!({"type": "string", "enum": words})),
        Kind::WordOrTexts(words) => json!({"anyOf": [{"type": "string", "enum": words}, list_of(&text())]}),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::True => json!({"type": "boolean", "enum": [true]}),
        Kind::Whole(least) => json!({"type": "integer", "minimum": least}),
        Kind::Integer => json!({"type": "integer"}),
        Kind::Positive => json!({"type": "number", "exclusiveMinimum": 0}),
        Kind::Moment => json!({"type": "string", "pattern": MOMENT}),
        Kind::Duration => json!({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": DURATION}]}),
        Kind::Grace => json!({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": DURATION}]}),
        Kind::Size => json!({"type": "string", "pattern": SIZE}),
        Kind::Signal => {
            let long = STOP_SIGNALS.iter().map(|signal| format!("SIG{signal}"));
            json!({"type": "string", "enum": STOP_SIGNALS.iter().map(ToString::to_string).chain(long).collect::<Vec<_>>()})
        }
        Kind::Gpus => json!({"anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            {"type": "string", "pattern": r"^[\w .+*/%()<>=!,-]+$"},
        ]}),
        Kind::Command => json!({"anyOf": [text(), {"type": "array", "minItems": 1, "items": {"type": ["string", "number", "boolean"]}}]}),
        Kind::Groups => {
            let group = json!({"type": "array", "minItems": 2, "items": text()});
            json!({"anyOf": [group.clone(), list_of(&group)]})
        }
        Kind::Scalars => json!({"type": "object", "propertyNames": {"pattern": VARIABLE}, "additionalProperties": scalar()}),
        Kind::Alike(pattern) => json!({
            "type": "object",
            "propertyNames": {"pattern": VARIABLE},
            "additionalProperties": {"type": "string", "pattern": pattern},
        }),
        Kind::Values => refer("values"),
        Kind::Amounts => json!({
            "type": "object",
            "propertyNames": {"pattern": NAME},
            "additionalProperties": {"type": "integer", "minimum": 1},
        }),
        Kind::Params => refer("params"),
        Kind::Expressions => refer("expressions"),
        Kind::Table(below) => section(below, definitions),
        Kind::Tables(below) => json!({"type": "array", "items": section(below, definitions)}),
        Kind::Named(below) => json!({"type": "object", "additionalProperties": section(below, definitions)}),
        Kind::Experiments => json!({"type": "array", "items": refer("experiment")}),
        Kind::Targets => json!({"type": "object", "additionalProperties": refer("target")}),
    }
}

fn text() -> Value {
    json!({"type": "string", "pattern": FILLED})
}

/// A path that does not lead out of its folder.
fn inner(pattern: &str) -> Value {
    json!({"type": "string", "pattern": pattern, "not": {"pattern": r"^/|(^|/)\.\.(/|$)"}})
}

fn scalar() -> Value {
    json!({"type": ["string", "number", "boolean"]})
}

fn list_of(item: &Value) -> Value {
    json!({"type": "array", "minItems": 1, "items": item})
}

fn one_or_more(item: &Value) -> Value {
    json!({"anyOf": [item, {"type": "array", "items": item}]})
}

/// One value of a parameter.
fn value() -> Value {
    json!({"anyOf": [scalar(), {"type": "array", "items": {"$ref": "#/definitions/value"}}]})
}

/// Values by their paths, tables for dotted ones.
fn values() -> Value {
    let any = json!({"anyOf": [{"$ref": "#/definitions/value"}, {"$ref": "#/definitions/values"}]});
    json!({"type": "object", "minProperties": 1, "additionalProperties": any})
}

/// Expressions by the names of parameters, tables for dotted ones.
fn expressions() -> Value {
    let any = json!({"anyOf": [{"type": ["number", "boolean"]}, text(), {"$ref": "#/definitions/expressions"}]});
    json!({"type": "object", "propertyNames": {"pattern": PARAMETER}, "additionalProperties": any})
}

fn params() -> Value {
    json!({"type": "object", "propertyNames": {"pattern": PARAMETER}, "additionalProperties": {"$ref": "#/definitions/parameter"}})
}

/// A parameter: a value, a list of them, the way to its values in braces, or a table of parameters.
fn parameter() -> Value {
    let bounds = |item: &str| json!({"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": item}});
    let way = |name: &str| {
        let of = match name {
            "value" => json!({"$ref": "#/definitions/value"}),
            "repeat" => json!({"type": "integer", "minimum": 1}),
            "derive" => text(),
            "choice" => list_of(&json!({"$ref": "#/definitions/value"})),
            "int_uniform" => bounds("integer"),
            _ => bounds("number"),
        };
        let description = match name {
            "value" => "One value, a list as well",
            "repeat" => "0, 1, 2 and so on: so many values",
            "derive" => "Made of other parameters, as \"width * 4\"",
            "choice" => "Drawn: one of these",
            "normal" | "log_normal" => "Drawn: mean and standard deviation",
            _ => "Drawn: from the first to the second",
        };
        json!({"type": "object", "description": description, "required": [name], "additionalProperties": false, "properties": {name: of}})
    };
    let words = || ["value"].into_iter().chain(DRAWN).chain(MADE);
    let ways = words().map(way);
    let whole = [scalar(), list_of(&json!({"$ref": "#/definitions/value"}))];
    // A table of parameters may have any names, but where such a word is its only one, that was meant.
    let lone = words().chain(SLIPS).map(|word| json!({"required": [word]}));
    let meant = json!({"maxProperties": 1, "anyOf": lone.collect::<Vec<_>>()});
    let table = [json!({"allOf": [{"$ref": "#/definitions/params"}, {"not": meant}]})];
    json!({"anyOf": whole.into_iter().chain(ways).chain(table).collect::<Vec<_>>()})
}
