//! The queue: how it stands, and what people say to it.

use super::runs::{Listed, Object};
use super::steer::{Done, Which, ids, with};
use crate::refusal::Refusal;
use crate::served::Served;
use neronet_home::remote::Project;
use neronet_home::view::Snapshot;
use neronet_home::{Context, HomeError, queue};
use neronet_model::queue::{Place, Quota as Limit};
use neronet_model::{RunId, UnixMs};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Queue {
    /// At most so many queued runs
    limit: Option<usize>,
}

pub(crate) fn queue(served: &Served, words: Queue) -> Result<Listed, Refusal> {
    let (snapshot, _) = Snapshot::current(&served.context)?;
    Ok(Listed::of(queue::listed(&served.context, &snapshot, words.limit.unwrap_or(usize::MAX)).into_iter(), None))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// `ls` or `queue` with its words
    wanted: BTreeMap<String, Value>,
    /// Where it is typed
    folder: PathBuf,
    /// What the project is called, where the folder does not say it
    project: Option<String>,
    /// Unix time in milliseconds, where it is not now
    now: Option<i64>,
    /// What TZ says there
    zone: Option<String>,
}

pub(crate) fn listing(served: &Served, words: Wanted) -> Result<Object, Refusal> {
    let context = &served.context;
    if words.zone != context.variable("TZ") {
        return Err(Refusal::new(409, "the daemon is in another time zone", "make the listing without it"));
    }
    let wanted = Value::Object(words.wanted.into_iter().collect());
    let project = words.project.map(|name| Project { name, ..Project::default() });
    Ok(Object((served.lister)(Context { folder: words.folder, project, ..context.clone() }, wanted, words.now.map(UnixMs))?))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hold {
    /// Queued runs, as on the command line
    which: Vec<String>,
    /// Names, tags, filters and `last` mean runs of this project alone
    project: Option<String>,
    /// Why; it is shown with the runs
    because: Option<String>,
}

pub(crate) fn hold(context: &Context, words: Hold) -> Result<Done, Refusal> {
    with(context, &words.which, words.project.as_deref(), |views| {
        queue::hold(context, views, words.because)?;
        Ok(Done::to(ids(views)))
    })
}

pub(crate) fn release(context: &Context, words: Which) -> Result<Done, Refusal> {
    with(context, &words.which, words.project.as_deref(), |views| {
        queue::release(context, views)?;
        Ok(Done::to(ids(views)))
    })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Move {
    /// Queued runs, as on the command line
    which: Vec<String>,
    /// Names, tags, filters and `last` mean runs of this project alone
    project: Option<String>,
    /// Among those of the same priority
    to: To,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum To {
    First,
    Last,
    /// Directly before this run
    Before(u64),
    /// Directly behind this run
    Behind(u64),
}

pub(crate) fn place(context: &Context, words: Move) -> Result<Done, Refusal> {
    let to = match words.to {
        To::First => Place::First,
        To::Last => Place::Last,
        To::Before(run) => Place::Before(RunId(run)),
        To::Behind(run) => Place::After(RunId(run)),
    };
    with(context, &words.which, words.project.as_deref(), |views| {
        queue::place(context, views, to)?;
        Ok(Done::to(ids(views)))
    })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Priority {
    /// Queued runs, as on the command line
    which: Vec<String>,
    /// Names, tags, filters and `last` mean runs of this project alone
    project: Option<String>,
    /// Higher ones start first; 0 is what runs have by themselves
    priority: i64,
}

pub(crate) fn priority(context: &Context, words: Priority) -> Result<Done, Refusal> {
    with(context, &words.which, words.project.as_deref(), |views| {
        queue::prioritise(context, views, words.priority)?;
        Ok(Done::to(ids(views)))
    })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Quota {
    /// The project
    project: String,
    /// So many runs; with neither of the two there is no limit
    runs: Option<u64>,
    /// So many GPUs
    gpus: Option<u32>,
}

pub(crate) fn quota(context: &Context, words: Quota) -> Result<Done, Refusal> {
    if words.project.is_empty() {
        return Err(HomeError::Words("no project is named; give one in 'project'".into()).into());
    }
    let limited = words.runs.is_some() || words.gpus.is_some();
    queue::limit(context, &words.project, limited.then_some(Limit { runs: words.runs, gpus: words.gpus }))?;
    Ok(Done::to(Vec::new()))
}
