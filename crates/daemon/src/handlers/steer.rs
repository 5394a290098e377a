//! What is done to runs. Each of these may be asked for under a key.

use super::chosen;
use crate::refusal::Refusal;
use crate::routes::{Gives, Reply};
use neronet_home::again::{self, Begun, Wanted};
use neronet_home::view::{Snapshot, View};
use neronet_home::{Context, HomeError, listing, select, steer};
use neronet_model::RunId;
use neronet_supervise::start::How;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// Runs as on the command line: "42", "40-50", "last", "sweep:7", "@tag", an experiment's name, a filter
    pub(crate) which: Vec<String>,
    /// Names, tags, filters and `last` mean runs of this project alone
    pub(crate) project: Option<String>,
}

/// What was done, and to which runs it was not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Done {
    #[schemars(with = "Vec<u64>")]
    pub(crate) runs: Vec<RunId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) refused: Vec<Refused>,
    /// What is worth a word
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
}

/// A run to which it was not done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Refused {
    #[schemars(with = "u64")]
    pub(crate) run: RunId,
    pub(crate) why: String,
}

impl Done {
    pub(crate) fn to(runs: Vec<RunId>) -> Done {
        Done { runs, ..Done::default() }
    }
}

impl Gives for Done {
    fn reply(self) -> Reply {
        Reply::json(&self)
    }
}

/// Calls `act` with the runs that the words name.
pub(crate) fn with<T>(
    context: &Context,
    words: &[String],
    project: Option<&str>,
    act: impl FnOnce(&[&View<'_>]) -> Result<T, HomeError>,
) -> Result<T, Refusal> {
    let (snapshot, _) = Snapshot::current(context)?;
    let views = snapshot.views_meant(context, words);
    Ok(act(&chosen(context, &snapshot, &views, words, project)?)?)
}

pub(crate) fn ids(views: &[&View<'_>]) -> Vec<RunId> {
    views.iter().map(|view| view.id).collect()
}

fn ask(context: &Context, words: &Which, how: How) -> Result<Done, Refusal> {
    with(context, &words.which, words.project.as_deref(), |views| {
        let refused: Vec<Refused> = steer::ask(context, views, how)?.into_iter().map(|(run, why)| Refused { run, why }).collect();
        let asked = ids(views).into_iter().filter(|id| refused.iter().all(|refused| refused.run != *id)).collect();
        Ok(Done { refused, ..Done::to(asked) })
    })
}

pub(crate) fn stop(context: &Context, words: Which) -> Result<Done, Refusal> {
    ask(context, &words, How::Stop)
}

pub(crate) fn kill(context: &Context, words: Which) -> Result<Done, Refusal> {
    ask(context, &words, How::Kill)
}

fn again(context: &Context, words: &Which, wanted: Wanted) -> Result<Done, Refusal> {
    with(context, &words.which, words.project.as_deref(), |views| {
        let Begun { runs, notes } = again::begin(context, views, wanted, false)?;
        Ok(Done { notes, ..Done::to(runs) })
    })
}

pub(crate) fn retry(context: &Context, words: Which) -> Result<Done, Refusal> {
    again(context, &words, Wanted::Retry)
}

pub(crate) fn resume(context: &Context, words: Which) -> Result<Done, Refusal> {
    again(context, &words, Wanted::Resume)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tag {
    /// Runs as on the command line
    which: Vec<String>,
    /// Names, tags, filters and `last` mean runs of this project alone
    project: Option<String>,
    /// Tags that the runs get
    #[serde(default)]
    add: Vec<String>,
    /// Tags that they lose
    #[serde(default)]
    remove: Vec<String>,
}

pub(crate) fn tag(context: &Context, words: Tag) -> Result<Done, Refusal> {
    if words.add.is_empty() && words.remove.is_empty() {
        return Err(Refusal::new(400, "no tags are given", "name them in 'add' or 'remove'"));
    }
    with(context, &words.which, words.project.as_deref(), |views| {
        steer::tag(context, &ids(views), words.add, words.remove)?;
        Ok(Done::to(ids(views)))
    })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    /// A run
    run: String,
    /// Names, tags, filters and `last` mean runs of this project alone
    project: Option<String>,
    /// The note; an empty one takes the present one away
    note: String,
}

pub(crate) fn note(context: &Context, words: Note) -> Result<Done, Refusal> {
    with(context, &[words.run], words.project.as_deref(), |views| {
        let [view] = views else {
            return Err(HomeError::Words(format!("this names {} runs; give one, such as {}", views.len(), views[0].id)));
        };
        let text = words.note.trim();
        steer::note(context, view.id, (!text.is_empty()).then(|| text.to_string()))?;
        Ok(Done::to(ids(views)))
    })
}

pub(crate) fn trash(context: &Context, words: Which) -> Result<Done, Refusal> {
    with(context, &words.which, words.project.as_deref(), |views| {
        steer::may_be_removed(context, views)?;
        steer::trash(context, views)?;
        Ok(Done::to(ids(views)))
    })
}

pub(crate) fn restore(context: &Context, words: Which) -> Result<Done, Refusal> {
    let (snapshot, _) = Snapshot::current(context)?;
    let views = listing::trashed(context, &snapshot);
    let runs = ids(&select::select(&views, &words.which, words.project.as_deref(), context.now())?);
    steer::restore(context, runs.clone())?;
    Ok(Done::to(runs))
}
