//! Runs as a table for other programs: one row a run, every value as it is, secrets masked as in listings.

use crate::error::HomeError;
use crate::json;
use crate::listing::{check_fields, duration};
use crate::objective::{Telling, telling};
use crate::view::{View, metric_names};
use neronet_model::{UnixMs, Value};
use std::collections::BTreeSet;

/// What a table has beside what listings know.
const MORE: [&str; 2] = [COMMIT, "note"];
const COMMIT: &str = "commit";
/// The commit of a run whose files were not all committed: nothing that a run could be made of again.
const DIRTY: &str = "commit@dirty";
/// What every row begins with, and ends with.
const FIRST: [&str; 6] = ["id", "experiment", "state", "created", "duration", COMMIT];
const LAST: [&str; 2] = ["tags", "note"];

pub struct Exported {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Option<Value>>>,
}

/// A column, and where its values come from.
enum Source<'t> {
    Fact(&'t str),
    Param(&'t str),
    Metric(Telling),
}

/// The table of these runs: what listings show of them, all parameters and all metrics, or only the `fields`.
pub fn table(views: &[&View<'_>], fields: &[String], now: UnixMs) -> Result<Exported, HomeError> {
    let any_dirty = views.iter().any(|view| commit(view, true).is_some());
    let is_more = |field: &&String| MORE.contains(&field.as_str());
    check_fields(views, &fields.iter().filter(|field| !is_more(field)).cloned().collect::<Vec<_>>())?;
    let params = names(views.iter().flat_map(|view| view.params().iter().map(|(name, _)| name)));
    // Those that tell most first.
    let mut metrics: Vec<String> = telling(views).into_iter().map(|telling| telling.metric).collect();
    let known = metric_names(views);
    let all: BTreeSet<&str> = known.keys().map(String::as_str).collect();
    metrics.extend(all.into_iter().filter(|name| !name.starts_with("sys/")).map(str::to_string));
    let metrics = names(metrics.iter().map(String::as_str));
    let metric = |name: &str| Source::Metric(Telling::of(views, name));
    let sources: Vec<Source<'_>> = if fields.is_empty() {
        let facts = |facts: &'static [&'static str]| facts.iter().map(|fact| Source::Fact(fact));
        let dirty = any_dirty.then_some(Source::Fact(DIRTY));
        let columns = facts(&FIRST).chain(dirty).chain(params.iter().map(Source::Param));
        columns.chain(metrics.iter().map(metric)).chain(facts(&LAST)).collect()
    } else {
        let mut sources = Vec::new();
        for field in fields {
            match field.as_str() {
                name if params.contains(name) => sources.push(Source::Param(params.get(name))),
                "params" => sources.extend(params.iter().map(Source::Param)),
                "metrics" => sources.extend(metrics.iter().map(metric)),
                name if all_metrics(views, name) => sources.push(metric(name)),
                fact => {
                    sources.push(Source::Fact(fact));
                    sources.extend((fact == COMMIT && any_dirty).then_some(Source::Fact(DIRTY)));
                }
            }
        }
        sources
    };
    let mut taken = BTreeSet::new();
    let columns = sources.iter().map(|source| {
        let mut title = match source {
            Source::Fact(name) => fact(name),
            // What looks like a fact or a result to whoever reads the table.
            Source::Param(name) if neronet_sheet::is_usual(name) => format!("params.{name}"),
            Source::Param(name) => (*name).to_string(),
            Source::Metric(telling) => title(telling),
        };
        if taken.contains(&title) {
            title = format!("params.{title}");
        }
        taken.insert(title.clone());
        title
    });
    let columns = columns.collect();
    let row = |view: &&View<'_>| sources.iter().map(|source| value(view, source, now)).collect();
    Ok(Exported { columns, rows: views.iter().map(row).collect() })
}

/// Each name once, in the order in which they come.
struct Names(Vec<String>);

fn names<'n>(all: impl Iterator<Item = &'n str>) -> Names {
    let mut seen = BTreeSet::new();
    Names(all.filter(|name| seen.insert(*name)).map(str::to_string).collect())
}

impl Names {
    fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|known| known == name)
    }

    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|known| *known == name).map(String::as_str).unwrap_or_default()
    }
}

fn all_metrics(views: &[&View<'_>], name: &str) -> bool {
    views.iter().any(|view| view.extent(name).is_some())
}

/// `val_error@best` where an objective says what that is, else `loss@last`: so the name tells, and a sheet knows it for a result.
fn title(telling: &Telling) -> String {
    let which = if telling.goal.is_some() && !telling.guessed { "best" } else { "last" };
    format!("{}@{which}", telling.metric)
}

/// The column of a fact, by the name that a sheet of runs has for it, else one that is no parameter.
fn fact(name: &str) -> String {
    match name {
        "state" => "status".to_string(),
        "experiment" => "name".to_string(),
        "created" => "date".to_string(),
        "note" => "comments".to_string(),
        COMMIT | DIRTY => name.to_string(),
        name => format!("run@{name}"),
    }
}

/// The commit of a run that had nothing else than it, or one that had more.
fn commit<'v>(view: &'v View<'_>, dirty: bool) -> Option<&'v str> {
    let git = view.sweep.code.git.as_ref()?;
    (git.dirty == dirty && !git.commit.is_empty()).then_some(&git.commit)
}

fn value(view: &View<'_>, source: &Source<'_>, now: UnixMs) -> Option<Value> {
    let text = |text: String| Some(Value::Str(text)).filter(|value| !matches!(value, Value::Str(text) if text.is_empty()));
    let time = |at: Option<UnixMs>| json::time(at).as_str().map(|at| Value::Str(at.to_string()));
    let whole = |number: u64| i64::try_from(number).ok().map(Value::Int);
    let name = match source {
        Source::Param(name) => return view.params().get(name).cloned(),
        Source::Metric(telling) => return telling.value(view).map(number),
        Source::Fact(name) => *name,
    };
    match name {
        "id" => whole(view.id.0),
        "uid" => text(view.run().uid.to_string()),
        "project" => text(view.sweep.project.clone()),
        "experiment" => text(view.run().experiment.to_string()),
        "sweep" => whole(view.run().sweep.0),
        "after" => view.after().and_then(|run| whole(run.0)),
        "state" => text(view.status()),
        "outcome" => text(view.outcome().map(|outcome| outcome.to_string()).unwrap_or_default()),
        "reason" => text(view.reason().unwrap_or_default().to_string()),
        "tags" => text(view.run().tags.iter().cloned().collect::<Vec<_>>().join(" ")),
        "note" => text(view.run().note.clone().unwrap_or_default()),
        "target" => text(view.target().to_string()),
        COMMIT => text(commit(view, false).unwrap_or_default().to_string()),
        DIRTY => text(commit(view, true).unwrap_or_default().to_string()),
        "created" => time(Some(view.run().created)),
        "started" => time(view.started()),
        "ended" => time(view.ended()),
        "attempts" => whole(view.run().attempts),
        "duration" => duration(view, now).map(|took| number(took.0 as f64 / 1000.0)),
        _ => None,
    }
}

/// A whole number as one, as people write it.
fn number(number: f64) -> Value {
    const EXACT: f64 = 9e15;
    if number.fract() == 0.0 && number.abs() < EXACT { Value::Int(number as i64) } else { Value::from_f64(number) }
}
