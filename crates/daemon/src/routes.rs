//! Every address that is answered. Requests are dispatched by this table, and the OpenAPI document is written from it.

use crate::asked::Words;
use crate::handlers::{events, life, queue, runs, steer, submit};
use crate::keyed;
use crate::refusal::Refusal;
use crate::served::Served;
use neronet_home::Context;
use neronet_model::keyed::Key;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::LazyLock;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
}

impl Verb {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
        }
    }
}

/// A whole answer.
#[derive(Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) media: &'static str,
    pub(crate) body: Vec<u8>,
    /// Of how many it is a part.
    pub(crate) total: Option<usize>,
}

pub(crate) const JSON: &str = "application/json";
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
pub(crate) const EVENTS: &str = "text/event-stream";

impl Reply {
    pub(crate) fn json(value: &impl Serialize) -> Reply {
        // What we answer with are strings, numbers and maps of them: that is always JSON.
        Reply { media: JSON, body: serde_json::to_vec(value).unwrap_or_default(), total: None }
    }
}

/// What a handler gives.
pub(crate) trait Gives: JsonSchema {
    const MEDIA: &'static str = JSON;
    fn reply(self) -> Reply;
}

type Handler = Box<dyn Fn(&Served, Words, Option<Key>) -> Result<Reply, Refusal> + Send + Sync>;

pub(crate) enum Answer {
    /// From memory alone.
    AtOnce(Handler),
    /// May read, wait for home, and take its time.
    InTime(Handler),
    /// A stream that does not end.
    Events,
}

pub(crate) struct Route {
    pub(crate) verb: Verb,
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) takes: fn(&mut SchemaGenerator) -> Schema,
    pub(crate) gives: fn(&mut SchemaGenerator) -> Schema,
    pub(crate) media: &'static str,
    /// It changes home, so that a key keeps it from happening twice.
    pub(crate) changes: bool,
    pub(crate) answer: Answer,
}

/// The table.
pub(crate) static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
    vec![
        at_once("/v1/about", "about", "Who answers, and what there is to do", life::about),
        at_once("/v1/openapi.json", "openapi", "This document", life::openapi),
        get(
            "/v1/runs",
            "list",
            "Runs, as `neronet ls --json` prints them; the header X-Total-Count says how many there are in all",
            runs::list,
        ),
        get(
            "/v1/groups",
            "groups",
            "Runs put together by parameters, as `neronet ls --group-by` prints them with --json; X-Total-Count says how many groups there are",
            runs::groups,
        ),
        get("/v1/runs/{run}", "show", "Everything about a run, as `neronet show --json` prints it", runs::show),
        get("/v1/runs/{run}/logs", "logs", "What a run printed: its last lines", runs::logs),
        get("/v1/runs/{run}/metrics", "metrics", "The metrics of a run", runs::metrics),
        get("/v1/runs/{run}/metrics/{name}", "points", "The points of a metric: [step, Unix time, value]", runs::points),
        get("/v1/runs/{run}/curve/{name}", "curve", "What a chart shows of a metric: buckets of neighbouring points", runs::curve),
        get("/v1/queue", "queue", "What runs and what waits, as `neronet queue --json` prints it", queue::queue),
        ask(
            "/v1/listing",
            "listing",
            "The table that `neronet ls` or `neronet queue` prints, for neronet itself: it may change with any version",
            queue::listing,
        ),
        post("/v1/runs/stop", "stop", "Ask runs to stop; they may save a checkpoint first", steer::stop),
        post("/v1/runs/kill", "kill", "End runs at once", steer::kill),
        post("/v1/runs/retry", "retry", "Run ended runs once more, from scratch; of several those that did not finish", steer::retry),
        post("/v1/runs/resume", "resume", "Go on with ended runs from their latest complete checkpoint", steer::resume),
        post("/v1/submit", "submit", "Put the runs of a specification or a command in the queue", submit::submit),
        post("/v1/runs/tag", "tag", "Add tags to runs, or take them away", steer::tag),
        post("/v1/runs/note", "note", "Write a note on a run", steer::note),
        post("/v1/runs/trash", "trash", "Put runs in the trash", steer::trash),
        post("/v1/runs/restore", "restore", "Take runs out of the trash", steer::restore),
        post("/v1/runs/hold", "hold", "Keep queued runs from starting", queue::hold),
        post("/v1/runs/release", "release", "Let held runs start", queue::release),
        post("/v1/runs/move", "move", "Change the order of queued runs", queue::place),
        post("/v1/runs/priority", "priority", "Give queued runs a priority", queue::priority),
        post("/v1/quota", "quota", "Say what a project may have at a time", queue::quota),
        stream("/v1/events", "events", "What changes, as server-sent events: one for each change of home, with the runs that it touched"),
        order("/v1/hand-over", "handOver", "Leave home to a newer daemon; runs go on", life::hand_over),
        order("/v1/down", "down", "Leave; runs go on", life::down),
    ]
});

fn of<T: JsonSchema, G: Gives>(verb: Verb, path: &'static str, name: &'static str, about: &'static str, answer: Answer) -> Route {
    Route { verb, path, name, about, takes: T::json_schema, gives: |all| all.subschema_for::<G>(), media: G::MEDIA, changes: false, answer }
}

fn reading<T: JsonSchema + DeserializeOwned + 'static, G: Gives + 'static>(handler: fn(&Served, T) -> Result<G, Refusal>) -> Handler {
    let schema = schema_of::<T>();
    Box::new(move |served, words, _| Ok(handler(served, words.read(&schema)?)?.reply()))
}

fn schema_of<T: JsonSchema>() -> Value {
    T::json_schema(&mut SchemaGenerator::default()).to_value()
}

fn get<T: JsonSchema + DeserializeOwned + 'static, G: Gives + 'static>(
    path: &'static str,
    name: &'static str,
    about: &'static str,
    handler: fn(&Served, T) -> Result<G, Refusal>,
) -> Route {
    of::<T, G>(Verb::Get, path, name, about, Answer::InTime(reading(handler)))
}

fn at_once<T: JsonSchema + DeserializeOwned + 'static, G: Gives + 'static>(
    path: &'static str,
    name: &'static str,
    about: &'static str,
    handler: fn(&Served, T) -> Result<G, Refusal>,
) -> Route {
    of::<T, G>(Verb::Get, path, name, about, Answer::AtOnce(reading(handler)))
}

/// What is asked with a body and changes nothing.
fn ask<T: JsonSchema + DeserializeOwned + 'static, G: Gives + 'static>(
    path: &'static str,
    name: &'static str,
    about: &'static str,
    handler: fn(&Served, T) -> Result<G, Refusal>,
) -> Route {
    of::<T, G>(Verb::Post, path, name, about, Answer::InTime(reading(handler)))
}

/// To the daemon itself, which is obeyed at once and changes nothing in home.
fn order<T: JsonSchema + DeserializeOwned + 'static, G: Gives + 'static>(
    path: &'static str,
    name: &'static str,
    about: &'static str,
    handler: fn(&Served, T) -> Result<G, Refusal>,
) -> Route {
    of::<T, G>(Verb::Post, path, name, about, Answer::AtOnce(reading(handler)))
}

/// What changes home: in a context that knows the key, and answered as the first time.
fn post<T: JsonSchema + DeserializeOwned + 'static>(
    path: &'static str,
    name: &'static str,
    about: &'static str,
    handler: fn(&Context, T) -> Result<steer::Done, Refusal>,
) -> Route {
    let schema = schema_of::<T>();
    let handler: Handler = Box::new(move |served, words, key| {
        let words: T = words.read(&schema)?;
        Ok(keyed::once(served, key, |context| handler(context, words))?.reply())
    });
    Route { changes: true, ..of::<T, steer::Done>(Verb::Post, path, name, about, Answer::InTime(handler)) }
}

fn stream(path: &'static str, name: &'static str, about: &'static str) -> Route {
    of::<events::From, events::Change>(Verb::Get, path, name, about, Answer::Events)
}

/// What an address comes to.
pub(crate) enum Matched {
    Route(&'static Route, Vec<(&'static str, String)>),
    /// The address is there, for these verbs.
    Verbs(Vec<&'static str>),
    Nothing,
}

pub(crate) fn find(verb: &str, path: &str) -> Matched {
    let matching: Vec<_> = ROUTES.iter().filter_map(|route| Some((route, parts(route.path, path)?))).collect();
    let verbs = matching.iter().map(|(route, _)| route.verb.word()).collect::<Vec<_>>();
    // One that is spelled out goes before one that takes any word.
    let found = matching.into_iter().filter(|(route, _)| route.verb.word() == verb).min_by_key(|(_, parts)| parts.len());
    match found {
        Some((route, parts)) => Matched::Route(route, parts),
        None if verbs.is_empty() => Matched::Nothing,
        None => Matched::Verbs(verbs),
    }
}

/// The words that stand in place of `{name}`.
fn parts(pattern: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut found = Vec::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(found),
            (Some(wanted), Some(given)) => match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) if !given.is_empty() => found.push((name, given.to_string())),
                _ if wanted == given => {}
                _ => return None,
            },
            _ => return None,
        }
    }
}
