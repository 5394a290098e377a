//! The OpenAPI document, written from the table of routes and the types that they take and give.

use crate::notice::VERSION;
use crate::refusal::Said;
use crate::routes::{EVENTS, JSON, ROUTES, TEXT, Verb};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

pub fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut all = settings.into_generator();
    let refused = all.subschema_for::<Said>();
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES.iter() {
        let takes = (route.takes)(&mut all).to_value();
        let gives = (route.gives)(&mut all);
        let mut operation = json!({
            "operationId": route.name,
            "summary": route.about,
            "responses": {
                "200": {"description": answered(route.media), "content": {route.media: {"schema": gives}}},
                "default": {"description": "Nothing was done", "content": {JSON: {"schema": refused}}},
            },
        });
        let mut parameters: Vec<Value> = Vec::new();
        let in_path = |name: &str| route.path.contains(&format!("{{{name}}}"));
        let properties = takes["properties"].as_object().into_iter().flatten();
        for (name, schema) in properties.filter(|(name, _)| route.verb == Verb::Get || in_path(name)) {
            let required = takes["required"].as_array().is_some_and(|required| required.iter().any(|known| known == name));
            let mut schema = schema.clone();
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description")).unwrap_or_default();
            let place = if in_path(name) { "path" } else { "query" };
            parameters.push(json!({"name": name, "in": place, "required": required, "description": description, "schema": schema}));
        }
        if route.changes {
            parameters.push(json!({
                "name": "Idempotency-Key", "in": "header", "required": false,
                "description": "Asked again with the same key within a day, the answer is that of the first time, and nothing is done twice",
                "schema": {"type": "string", "minLength": 1, "maxLength": crate::keyed::LONGEST},
            }));
        }
        if route.media == EVENTS {
            parameters.push(json!({
                "name": "Last-Event-ID", "in": "header", "required": false,
                "description": "The id of the last event that was heard: what happened since comes first",
                "schema": {"type": "string"},
            }));
        }
        if !parameters.is_empty() {
            operation["parameters"] = Value::Array(parameters);
        }
        if route.verb == Verb::Post {
            operation["requestBody"] = json!({"required": takes.get("required").is_some(), "content": {JSON: {"schema": takes}}});
        }
        let path = paths.entry(route.path).or_insert_with(|| Value::Object(Map::new()));
        path[route.verb.word().to_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "neronet",
            "version": VERSION,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
            "description": "The daemon of a home. On its socket, named in daemon.json there, it answers its owner; by TCP whoever has a token.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": all.take_definitions(true),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "By TCP alone: `neronet token` makes one"}},
        },
        "security": [{}, {"token": []}],
    })
}

fn answered(media: &str) -> &'static str {
    match media {
        EVENTS => "Events, for as long as somebody listens",
        TEXT => "Text",
        _ => "The answer",
    }
}
