//! Runs as they are: listed, shown, what they printed and measured.

use crate::refusal::Refusal;
use crate::routes::{Gives, JSON, Reply, TEXT};
use crate::served::Served;
use neronet_home::grouped::grouped;
use neronet_home::listing::{self, FIELDS, Part};
use neronet_home::view::{Snapshot, View};
use neronet_home::{HomeError, json, nearest, select};
use neronet_model::{RunId, UnixMs, number};
use neronet_store::series::{self, Point, Window};
use neronet_store::spool::{self, Chunk};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::Write;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct List {
    /// Runs as on the command line, or filters such as `state == failed and lr > 0.01`; none: all of them
    #[serde(default)]
    which: Vec<String>,
    /// Names, tags, filters and `last` mean runs of this project alone; without `which`, its runs
    project: Option<String>,
    /// Runs in the trash
    #[serde(default)]
    trash: bool,
    /// Names with commas between them: a metric (best first), loss.min and its like, a parameter, or one of created, started, ended, duration, state; -NAME turns the order round
    sort: Option<String>,
    /// At most so many: the newest, or with `sort` or `after` the first
    limit: Option<usize>,
    /// So many are passed over
    #[serde(default)]
    offset: usize,
    /// Only what comes behind the run with this number
    after: Option<u64>,
    /// Only these keys, parameters and metrics
    #[serde(default)]
    fields: Vec<String>,
}

/// An array that was written run by run: values of 100,000 runs would take a hundred times their text.
pub(crate) struct Listed {
    body: Vec<u8>,
    total: Option<usize>,
}

impl Listed {
    pub(crate) fn of(all: impl Iterator<Item = Value>, total: Option<usize>) -> Listed {
        let mut body = vec![b'['];
        for (at, one) in all.enumerate() {
            let comma = if at == 0 { "" } else { "," };
            // Into memory, where writing does not fail.
            write!(body, "{comma}{one}").ok();
        }
        body.push(b']');
        Listed { body, total }
    }
}

impl JsonSchema for Listed {
    fn schema_name() -> Cow<'static, str> {
        "Runs".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let properties: Map<String, Value> =
            FIELDS.iter().filter(|name| **name != "duration").map(|name| (name.to_string(), json!(true))).collect();
        json_schema!({"type": "array", "items": {"type": "object", "properties": properties}})
    }
}

impl Gives for Listed {
    fn reply(self) -> Reply {
        Reply { media: JSON, body: self.body, total: self.total }
    }
}

pub(crate) fn list(served: &Served, words: List) -> Result<Listed, Refusal> {
    let context = &served.context;
    let (snapshot, _) = Snapshot::current(context)?;
    let all = if words.trash { listing::trashed(context, &snapshot) } else { snapshot.views(context) };
    let now = context.now();
    let project = words.project.as_deref();
    let mut views = asked_for(&snapshot, &all, &words.which, project, now)?;
    listing::check_fields(&views, &words.fields)?;
    let total = views.len();
    let part = Part { limit: words.limit, offset: words.offset, after: words.after.map(RunId) };
    listing::arrange(&mut views, words.sort.as_deref(), part, now)?;
    // A view keeps what was read of its run: of a hundred thousand that is let go with each.
    Ok(Listed::of(views.into_iter().map(|view| json::limited(&view.clone(), &words.fields)), Some(total)))
}

/// The runs that the words name, or all of the project.
fn asked_for<'v, 'a>(
    snapshot: &Snapshot,
    all: &'v [View<'a>],
    which: &[String],
    project: Option<&str>,
    now: UnixMs,
) -> Result<Vec<&'v View<'a>>, HomeError> {
    match which {
        [] => Ok(all.iter().filter(|view| project.is_none_or(|project| view.sweep.project == project)).collect()),
        which => select::listed(snapshot, all, which, project, now),
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Groups {
    /// Runs as on the command line, or filters such as `state == failed and lr > 0.01`; none: all of them
    #[serde(default)]
    which: Vec<String>,
    /// Names, tags, filters and `last` mean runs of this project alone; without `which`, its runs
    project: Option<String>,
    /// Parameters whose values runs of a group have in common, with commas between them
    by: String,
    /// Metrics, such as loss or loss.min (default: those that tell most)
    #[serde(default)]
    metric: Vec<String>,
    /// Names as in `by`, runs, a metric (its mean, best first), or mean, sd, min, max, median, low, high of the first metric, METRIC:sd of another; -NAME turns the order round
    sort: Option<String>,
    /// At most so many
    limit: Option<usize>,
    /// So many are passed over
    #[serde(default)]
    offset: usize,
}

/// Groups of runs.
pub(crate) struct GroupsOfRuns {
    found: Value,
    total: usize,
}

impl JsonSchema for GroupsOfRuns {
    fn schema_name() -> Cow<'static, str> {
        "Groups".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "items": {"type": "object", "properties": {"by": true, "runs": true, "metrics": true}}})
    }
}

impl Gives for GroupsOfRuns {
    fn reply(self) -> Reply {
        Reply { total: Some(self.total), ..Reply::json(&self.found) }
    }
}

pub(crate) fn groups(served: &Served, words: Groups) -> Result<GroupsOfRuns, Refusal> {
    let context = &served.context;
    let (snapshot, _) = Snapshot::current(context)?;
    let all = snapshot.views(context);
    let views = asked_for(&snapshot, &all, &words.which, words.project.as_deref(), context.now())?;
    let part = Part { limit: words.limit, offset: words.offset, after: None };
    let found = grouped(&views, &words.by, &words.metric, words.sort.as_deref(), part, context.now())?;
    Ok(GroupsOfRuns { found: found.json(), total: found.total })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct One {
    /// A run: its number, its uid, `last`, or whatever else names one
    run: String,
    /// Names, tags, filters and `last` mean runs of this project alone
    project: Option<String>,
}

/// Of what is not described further.
pub(crate) struct Object(pub(crate) Value);

impl JsonSchema for Object {
    fn schema_name() -> Cow<'static, str> {
        "Object".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object"})
    }
}

impl Gives for Object {
    fn reply(self) -> Reply {
        Reply::json(&self.0)
    }
}

/// Calls `then` with the one run that the words name.
fn with_one<T>(
    served: &Served,
    run: &str,
    project: Option<&str>,
    then: impl FnOnce(&View<'_>) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let context = &served.context;
    let (snapshot, _) = Snapshot::current(context)?;
    let words = [run.to_string()];
    let views = snapshot.views_meant(context, &words);
    select::refuse_absent(&snapshot, &views, &words)?;
    then(select::one_run(&views, run, project, context.now())?)
}

pub(crate) fn show(served: &Served, words: One) -> Result<Object, Refusal> {
    with_one(served, &words.run, words.project.as_deref(), |view| Ok(Object(json::shown(&served.context, view))))
}

pub(crate) fn metrics(served: &Served, words: One) -> Result<Object, Refusal> {
    let all = |view: &View<'_>| view.metrics().iter().map(|(name, extent)| (name.clone(), json::extent(extent))).collect();
    with_one(served, &words.run, words.project.as_deref(), |view| Ok(Object(all(view))))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metric {
    /// A run
    run: String,
    /// The metric's name
    name: String,
    /// Names, tags, filters and `last` mean runs of this project alone
    project: Option<String>,
}

pub(crate) struct Points(Vec<u8>);

impl Points {
    fn of(each: impl Iterator<Item = Value>) -> Points {
        let mut body = vec![b'['];
        for (at, one) in each.enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(body, "{comma}{one}").ok();
        }
        body.push(b']');
        Points(body)
    }
}

impl JsonSchema for Points {
    fn schema_name() -> Cow<'static, str> {
        "Points".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "items": {"type": "array", "minItems": 3, "maxItems": 3}})
    }
}

impl Gives for Points {
    fn reply(self) -> Reply {
        Reply { media: JSON, body: self.0, total: None }
    }
}

pub(crate) fn points(served: &Served, words: Metric) -> Result<Points, Refusal> {
    with_one(served, &words.run, words.project.as_deref(), |view| {
        let stored = served.context.stored_series(view.run());
        let found = series::of_run(&served.context.home.run(view.id), stored.as_deref(), Some(&words.name)).map_err(HomeError::from)?;
        let Some(series) = found.get(&words.name) else { return Err(no_metric(view, &words.name)) };
        let point = |point: &Point| json!([number::json(point.step), point.at.seconds(), number::json(point.value)]);
        Ok(Points::of(series.points.iter().map(point)))
    })
}

fn no_metric(view: &View<'_>, name: &str) -> Refusal {
    let guess = nearest::did_you_mean(name, view.metrics().keys().map(String::as_str));
    let error = format!("run {} has no metric '{}'{guess}", view.id, name.escape_debug());
    Refusal::new(404, error, format!("GET /v1/runs/{}/metrics names those that it has", view.id))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CurveOf {
    /// A run
    run: String,
    /// The metric's name
    name: String,
    /// At most so many buckets (1,000); fewer points than that come one by one
    buckets: Option<u32>,
    /// The part from here on: a step, or Unix time in seconds where `axis` is `time`
    from: Option<f64>,
    /// The part up to here
    to: Option<f64>,
    /// What `from` and `to` mean
    #[serde(default)]
    axis: Axis,
    /// Names, tags, filters and `last` mean runs of this project alone
    project: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Axis {
    #[default]
    Step,
    Time,
}

const BUCKETS: u32 = 1_000;
const MOST_BUCKETS: u32 = 100_000;

pub(crate) struct Curve(Points);

impl JsonSchema for Curve {
    fn schema_name() -> Cow<'static, str> {
        "Curve".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let number = json!({"type": ["number", "string"]});
        json_schema!({"type": "array", "items": {"type": "object", "properties": {
            "step": {"type": "array", "items": number, "minItems": 2, "maxItems": 2},
            "time": {"type": "array", "items": number, "minItems": 2, "maxItems": 2},
            "first": number, "last": number, "min": number, "max": number, "mean": number,
            "points": {"type": "integer"}, "not_finite": {"type": "integer"},
        }}})
    }
}

impl Gives for Curve {
    fn reply(self) -> Reply {
        self.0.reply()
    }
}

pub(crate) fn curve(served: &Served, words: CurveOf) -> Result<Curve, Refusal> {
    with_one(served, &words.run, words.project.as_deref(), |view| {
        let (from, to) = (words.from.unwrap_or(f64::NEG_INFINITY), words.to.unwrap_or(f64::INFINITY));
        let window = match words.axis {
            Axis::Step => Window::Position(from, to),
            // A number that is too small or too large becomes the nearest there is.
            Axis::Time => Window::Time((from * 1000.0) as u64, (to * 1000.0) as u64),
        };
        let most = words.buckets.unwrap_or(BUCKETS).clamp(1, MOST_BUCKETS) as usize;
        let stored = served.context.stored_series(view.run());
        let drawn = series::draw(&served.context.home.run(view.id), stored.as_deref(), &words.name, window, most);
        match drawn.map_err(HomeError::from)? {
            Some(buckets) => Ok(Curve(Points::of(buckets.iter().map(json::bucket)))),
            None => Err(no_metric(view, &words.name)),
        }
    })
}

/// Lines of a log, and bytes of them, that are given at once.
const LINES: usize = 1_000;
const MOST_LINES: usize = 100_000;
const MOST_BYTES: usize = 8 << 20;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Logs {
    /// A run
    run: String,
    /// Names, tags, filters and `last` mean runs of this project alone
    project: Option<String>,
    /// Only this attempt (default: all)
    attempt: Option<u64>,
    /// Only standard error
    #[serde(default)]
    stderr: bool,
    /// So many lines (default: 1000; at most 100000, and 8 MB)
    tail: Option<usize>,
}

pub(crate) struct Text(Vec<u8>);

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string"})
    }
}

impl Gives for Text {
    const MEDIA: &'static str = TEXT;
    fn reply(self) -> Reply {
        Reply { media: TEXT, body: self.0, total: None }
    }
}

pub(crate) fn logs(served: &Served, words: Logs) -> Result<Text, Refusal> {
    with_one(served, &words.run, words.project.as_deref(), |view| {
        let home = &served.context.home;
        let attempts = spool::attempts_of(&home.run(view.id)).map_err(HomeError::from)?;
        let wanted = |n: u64| words.attempt.is_none_or(|only| only == n);
        if let Some(n) = words.attempt.filter(|n| attempts.iter().all(|known| known.0 != *n)) {
            return Err(Refusal::new(404, format!("run {} has no attempt {n}", view.id), format!("it has {} of them", attempts.len())));
        }
        let most = words.tail.unwrap_or(LINES).min(MOST_LINES);
        let mut tail = Tail { most, lines: VecDeque::new(), bytes: 0 };
        for n in attempts.into_iter().filter(|n| wanted(n.0)) {
            for path in spool::segments(&home.attempt(view.id, n), "output").map_err(HomeError::from)? {
                let take = |line: &[u8]| {
                    if let Ok(chunk) = serde_json::from_slice::<Chunk>(line)
                        && (!words.stderr || chunk.src == "e")
                    {
                        tail.take(&chunk.text);
                    }
                };
                spool::lines(&path, 0, take).map_err(HomeError::from)?;
            }
        }
        Ok(Text(tail.lines.into_iter().collect::<String>().into_bytes()))
    })
}

/// The last lines of a text that is read piece by piece.
struct Tail {
    most: usize,
    lines: VecDeque<String>,
    bytes: usize,
}

impl Tail {
    fn take(&mut self, text: &str) {
        for line in text.split_inclusive('\n') {
            // What follows an unfinished line belongs to it.
            match self.lines.back_mut() {
                Some(last) if !last.ends_with('\n') => last.push_str(line),
                _ => self.lines.push_back(line.to_string()),
            }
            self.bytes += line.len();
            while self.lines.len() > self.most || self.bytes > MOST_BYTES {
                self.bytes -= self.lines.pop_front().map_or(self.bytes, |gone| gone.len());
            }
        }
    }
}
